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
        if let Some(avx2) = crate::avx2::Avx2::detect() {
            return Self(Kind::Avx2(avx2));
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(neon) = crate::neon::Neon::detect() {
            return Self(Kind::Neon(neon));
        }
        Self::compiled()
    }

    /// `avx2`, `neon` or `portable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
