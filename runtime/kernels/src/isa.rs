//! Which instructions may be used.

use core::fmt;

/// An instruction set that the CPU is known to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(pub(crate) Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(crate::avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(crate::simd::avx512::Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(crate::neon::Neon),
}

impl Isa {
    /// No special instructions: right everywhere, and what the others are tested against.
    #[must_use]
    pub const fn portable() -> Self {
        Self(Kind::Portable)
    }

    /// The best set that the crate was compiled for (`-C target-cpu`); asks nothing of the machine.
    #[must_use]
    pub const fn compiled() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx512) = crate::simd::avx512::Avx512::compiled() {
            return Self(Kind::Avx512(avx512));
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = crate::avx2::Avx2::compiled() {
            return Self(Kind::Avx2(avx2));
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(neon) = crate::neon::Neon::compiled() {
            return Self(Kind::Neon(neon));
        }
        Self::portable()
    }

    /// The best set that the running CPU has.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx512) = crate::simd::avx512::Avx512::detect() {
            return Self(Kind::Avx512(avx512));
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = crate::avx2::Avx2::detect() {
            return Self(Kind::Avx2(avx2));
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(neon) = crate::neon::Neon::detect() {
            return Self(Kind::Neon(neon));
        }
        Self::compiled()
    }

    /// `avx512`, `avx2`, `neon` or `portable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
        }
    }
}

impl Isa {
    /// The next slower set: AVX2 after AVX-512, the portable code after all others and after itself. For tests and
    /// benches.
    #[must_use]
    pub const fn lesser(self) -> Self {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(avx512) => Self(Kind::Avx2(avx512.avx2())),
            _ => Self::portable(),
        }
    }

    pub(crate) fn run<K: crate::simd::Kernel>(self, kernel: K) {
        match self.0 {
            Kind::Portable => crate::simd::portable::Lanes::<false>.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(avx2) => avx2.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(avx512) => avx512.run(kernel),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(neon) => neon.run(kernel),
        }
    }

    /// How many sums fit into the registers: [`Simd::SUMS`](crate::simd::Simd::SUMS).
    pub(crate) const fn sums(self) -> usize {
        use crate::simd::Simd;
        match self.0 {
            Kind::Portable => crate::simd::portable::Portable::SUMS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => crate::avx2::Avx2::SUMS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => crate::simd::avx512::Avx512::SUMS,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => crate::neon::Neon::SUMS,
        }
    }

    /// Whether its registers are few: [`Simd::TIGHT`](crate::simd::Simd::TIGHT).
    pub(crate) const fn tight(self) -> bool {
        use crate::simd::Simd;
        match self.0 {
            Kind::Portable => crate::simd::portable::Portable::TIGHT,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => crate::avx2::Avx2::TIGHT,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => crate::simd::avx512::Avx512::TIGHT,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => crate::neon::Neon::TIGHT,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
