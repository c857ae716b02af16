//! Two registers of AVX2 to 16 lanes.
// Intrinsics that read through pointers, and calls into functions compiled for AVX2, are unsafe.
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m256, _CMP_UNORD_Q, _MM_HINT_T1, _mm_loadl_epi64, _mm_prefetch, _mm256_add_ps, _mm256_blendv_ps,
    _mm256_cmp_ps, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_storeu_ps,
};

use super::{Kernel, Simd};
use crate::avx2::Avx2;

#[derive(Clone, Copy)]
pub(crate) struct Pair(__m256, __m256);

impl Avx2 {
    pub(crate) fn run<K: Kernel>(self, kernel: K) {
        // SAFETY: `self` proves AVX2 and FMA.
        unsafe { run(self, kernel) }
    }
}

#[target_feature(enable = "avx2,fma")]
fn run<K: Kernel>(simd: Avx2, kernel: K) {
    kernel.run(simd);
}

// SAFETY of every intrinsic below: `self` proves AVX2 and FMA; pointers are the caller's.
impl Simd for Avx2 {
    type V = Pair;
    const SUMS: usize = 6;
    const TIGHT: bool = true;

    #[inline(always)]
    fn splat(self, value: f32) -> Pair {
        let v = unsafe { _mm256_set1_ps(value) };
        Pair(v, v)
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> Pair {
        unsafe { Pair(_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))) }
    }

    #[inline(always)]
    unsafe fn load_codes(self, at: *const i8) -> Pair {
        let half =
            |at: *const i8| unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(at.cast()))) };
        unsafe { Pair(half(at), half(at.add(8))) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32, v: Pair) {
        unsafe {
            _mm256_storeu_ps(at, v.0);
            _mm256_storeu_ps(at.add(8), v.1);
        }
    }

    #[inline(always)]
    fn fetch(self, at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }

    #[inline(always)]
    fn fma(self, a: Pair, b: Pair, sum: Pair) -> Pair {
        unsafe { Pair(_mm256_fmadd_ps(a.0, b.0, sum.0), _mm256_fmadd_ps(a.1, b.1, sum.1)) }
    }

    #[inline(always)]
    fn add(self, a: Pair, b: Pair) -> Pair {
        unsafe { Pair(_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn mul(self, a: Pair, b: Pair) -> Pair {
        unsafe { Pair(_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn div(self, a: Pair, b: Pair) -> Pair {
        unsafe { Pair(_mm256_div_ps(a.0, b.0), _mm256_div_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn at_least(self, value: Pair, bound: Pair) -> Pair {
        // Where one operand is NaN, the instruction gives the second.
        unsafe { Pair(_mm256_max_ps(bound.0, value.0), _mm256_max_ps(bound.1, value.1)) }
    }

    #[inline(always)]
    fn at_most(self, value: Pair, bound: Pair) -> Pair {
        unsafe { Pair(_mm256_min_ps(bound.0, value.0), _mm256_min_ps(bound.1, value.1)) }
    }

    #[inline(always)]
    fn maximum(self, a: Pair, b: Pair) -> Pair {
        // The instruction gives `b` where either is NaN: put `a` back where it is the one.
        let half =
            |a, b| unsafe { _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a)) };
        Pair(half(a.0, b.0), half(a.1, b.1))
    }

    #[inline(always)]
    fn prelu(self, value: Pair, slope: Pair) -> Pair {
        // Chosen by the sign bit: -0 and a negative NaN take the product, which is 0 and NaN as well.
        let scaled = self.mul(value, slope);
        unsafe {
            Pair(_mm256_blendv_ps(value.0, scaled.0, value.0), _mm256_blendv_ps(value.1, scaled.1, value.1))
        }
    }
}
