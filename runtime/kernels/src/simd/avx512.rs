//! One register of AVX-512 to 16 lanes.
// Intrinsics that read through pointers, and calls into functions compiled for AVX-512, are unsafe.
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m512, _CMP_UNORD_Q, _MM_HINT_T1, _mm_loadu_si128, _mm_prefetch, _mm512_add_ps, _mm512_cmp_ps_mask,
    _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps, _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_mask_mov_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_set1_ps,
    _mm512_setr_epi32, _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_shuffle_ps, _mm512_storeu_ps,
};

use super::{Kernel, Simd};
use crate::avx2::Avx2;
use crate::map::LANES;

/// Proof that the CPU has AVX-512F beside AVX2 and FMA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512(Avx2);

impl Avx512 {
    pub(crate) const fn compiled() -> Option<Self> {
        match Avx2::compiled() {
            Some(avx2) if cfg!(target_feature = "avx512f") => Some(Self(avx2)),
            _ => None,
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn detect() -> Option<Self> {
        let avx2 = Avx2::detect()?;
        std::is_x86_feature_detected!("avx512f").then_some(Self(avx2))
    }

    /// The proof of AVX2 within this one, for what is no faster with wider registers.
    pub(crate) const fn avx2(self) -> Avx2 {
        self.0
    }

    pub(crate) fn run<K: Kernel>(self, kernel: K) {
        // SAFETY: `self` proves AVX-512F, AVX2 and FMA.
        unsafe { run(self, kernel) }
    }
}

#[target_feature(enable = "avx512f,avx2,fma")]
fn run<K: Kernel>(simd: Avx512, kernel: K) {
    kernel.run(simd);
}

// SAFETY of every intrinsic below: `self` proves AVX-512F; pointers are the caller's.
impl Simd for Avx512 {
    type V = __m512;
    const SUMS: usize = 28;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(at) }
    }

    #[inline(always)]
    unsafe fn load_codes(self, at: *const i8) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(at.cast()))) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(at, v) }
    }

    #[inline(always)]
    fn fetch(self, at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }

    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, sum: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, sum) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    fn at_least(self, value: __m512, bound: __m512) -> __m512 {
        // Where one operand is NaN, the instruction gives the second.
        unsafe { _mm512_max_ps(bound, value) }
    }

    #[inline(always)]
    fn at_most(self, value: __m512, bound: __m512) -> __m512 {
        unsafe { _mm512_min_ps(bound, value) }
    }

    #[inline(always)]
    fn maximum(self, a: __m512, b: __m512) -> __m512 {
        // The instruction gives `b` where either is NaN: put `a` back where it is the one.
        unsafe {
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a);
            _mm512_mask_mov_ps(_mm512_max_ps(a, b), nan, a)
        }
    }

    #[inline(always)]
    fn prelu(self, value: __m512, slope: __m512) -> __m512 {
        // On Zen 4, least and greatest run beside multiplications; comparing into a mask does not. Both give the
        // second operand where one is NaN.
        unsafe {
            let zero = _mm512_setzero_ps();
            _mm512_fmadd_ps(_mm512_min_ps(zero, value), slope, _mm512_max_ps(zero, value))
        }
    }

    /// All at once: each level halves the registers, so that 16 sums take 15 additions and 30 shuffles.
    #[inline(always)]
    fn sum_lanes(self, v: &[__m512; LANES], count: usize) -> __m512 {
        if count <= 4 {
            // SAFETY: `self` proves AVX-512F.
            return unsafe { sum_four(v[0], v[1], v[2], v[3]) };
        }
        unsafe {
            let mut fours = [_mm512_setzero_ps(); 4];
            for i in 0..4 {
                let eights = [halves(v[i], v[i + 4]), halves(v[i + 8], v[i + 12])];
                let low = _mm512_shuffle_f32x4::<0x88>(eights[0], eights[1]);
                let high = _mm512_shuffle_f32x4::<0xdd>(eights[0], eights[1]);
                fours[i] = _mm512_add_ps(low, high);
            }
            let mut twos = [_mm512_setzero_ps(); 2];
            for i in 0..2 {
                let low = _mm512_shuffle_ps::<0x44>(fours[2 * i], fours[2 * i + 1]);
                let high = _mm512_shuffle_ps::<0xee>(fours[2 * i], fours[2 * i + 1]);
                twos[i] = _mm512_add_ps(low, high);
            }
            let low = _mm512_shuffle_ps::<0x88>(twos[0], twos[1]);
            let high = _mm512_shuffle_ps::<0xdd>(twos[0], twos[1]);
            _mm512_add_ps(low, high)
        }
    }
}

/// The lanes of each added in the order of `sum_lanes`: a third of the steps that sixteen take.
#[inline(always)]
unsafe fn sum_four(a: __m512, b: __m512, c: __m512, d: __m512) -> __m512 {
    // SAFETY: the caller's proof of AVX-512F.
    unsafe {
        let eights = [halves(a, b), halves(c, d)];
        let low = _mm512_shuffle_f32x4::<0x88>(eights[0], eights[1]);
        let high = _mm512_shuffle_f32x4::<0xdd>(eights[0], eights[1]);
        let fours = _mm512_add_ps(low, high);
        let twos = _mm512_add_ps(fours, _mm512_shuffle_ps::<0x4e>(fours, fours));
        let ones = _mm512_add_ps(twos, _mm512_shuffle_ps::<0xb1>(twos, twos));
        // One of each quarter, side by side.
        _mm512_permutexvar_ps(_mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), ones)
    }
}

/// The lower and the upper half of each added, side by side.
#[inline(always)]
unsafe fn halves(a: __m512, b: __m512) -> __m512 {
    // SAFETY: the caller's proof of AVX-512F.
    unsafe { _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xee>(a, b)) }
}
