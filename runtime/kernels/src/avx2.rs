//! AVX2 and FMA. Rows are read in order, one after the other, as memory gives them fastest.
// Intrinsics that read through pointers, and calls into functions compiled for AVX2, are unsafe.
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m256, __m256i, _MM_HINT_T0, _mm_add_epi32, _mm_add_ps, _mm_add_ss, _mm_cvtsi128_si32, _mm_cvtss_f32,
    _mm_loadu_si128, _mm_movehl_ps, _mm_prefetch, _mm_shuffle_epi32, _mm_shuffle_ps, _mm256_add_epi32,
    _mm256_add_ps, _mm256_castps256_ps128, _mm256_castsi256_si128, _mm256_cvtepi8_epi16,
    _mm256_extractf128_ps, _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_madd_epi16,
    _mm256_setzero_ps, _mm256_setzero_si256,
};

const F32_STEP: usize = 32;
const I8_STEP: usize = 64;
/// How far before its use a row is asked for. Measured: one stream that is read in order, with this, is
/// nearly twice as fast from memory as four rows at a time that share the probe's loads.
const AHEAD_BYTES: usize = 4096;

/// Proof that the CPU has AVX2 and FMA; made only by asking it, or where the crate is compiled for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) const fn compiled() -> Option<Self> {
        if cfg!(all(target_feature = "avx2", target_feature = "fma")) { Some(Self(())) } else { None }
    }

    #[cfg(feature = "std")]
    pub(crate) fn detect() -> Option<Self> {
        let has = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma");
        has.then_some(Self(()))
    }

    pub(crate) fn dot_f32(self, a: &[f32], b: &[f32]) -> f32 {
        // SAFETY: `self` proves AVX2 and FMA.
        unsafe { row_f32(a, b) }
    }

    pub(crate) fn dot_i8(self, a: &[i8], b: &[i8]) -> i32 {
        // SAFETY: `self` proves AVX2.
        unsafe { row_i8(a, b) }
    }

    pub(crate) fn dot_f32_rows(self, probe: &[f32], rows: &[f32], scores: &mut [f32]) {
        // SAFETY: `self` proves AVX2 and FMA.
        unsafe { rows_f32(probe, rows, scores) }
    }

    pub(crate) fn dot_i8_rows(self, probe: &[i8], rows: &[i8], sums: &mut [i32]) {
        // SAFETY: `self` proves AVX2.
        unsafe { rows_i8(probe, rows, sums) }
    }
}

#[target_feature(enable = "avx2,fma")]
fn rows_f32(probe: &[f32], rows: &[f32], scores: &mut [f32]) {
    for (row, score) in rows.chunks_exact(probe.len()).zip(scores) {
        *score = row_f32(probe, row);
    }
}

#[target_feature(enable = "avx2")]
fn rows_i8(probe: &[i8], rows: &[i8], sums: &mut [i32]) {
    for (row, sum) in rows.chunks_exact(probe.len()).zip(sums) {
        *sum = row_i8(probe, row);
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn row_f32(a: &[f32], b: &[f32]) -> f32 {
    let (a_steps, a_rest) = a.as_chunks::<F32_STEP>();
    let (b_steps, b_rest) = b.as_chunks::<F32_STEP>();
    let mut sums = [_mm256_setzero_ps(); F32_STEP / 8];
    for (a, b) in a_steps.iter().zip(b_steps) {
        // A prefetch of an address that is not mapped does nothing.
        _mm_prefetch::<_MM_HINT_T0>(b.as_ptr().cast::<i8>().wrapping_add(AHEAD_BYTES));
        _mm_prefetch::<_MM_HINT_T0>(b.as_ptr().cast::<i8>().wrapping_add(AHEAD_BYTES + 64));
        for (lane, sum) in sums.iter_mut().enumerate() {
            // SAFETY: both steps hold 32 values, and a lane's 8 lie within.
            let (a, b) = unsafe {
                (_mm256_loadu_ps(a.as_ptr().add(lane * 8)), _mm256_loadu_ps(b.as_ptr().add(lane * 8)))
            };
            *sum = _mm256_fmadd_ps(a, b, *sum);
        }
    }
    let [p, q, r, s] = sums;
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sum_f32(_mm256_add_ps(_mm256_add_ps(p, q), _mm256_add_ps(r, s))) + rest
}

#[target_feature(enable = "avx2")]
#[inline]
fn row_i8(a: &[i8], b: &[i8]) -> i32 {
    let (a_steps, a_rest) = a.as_chunks::<I8_STEP>();
    let (b_steps, b_rest) = b.as_chunks::<I8_STEP>();
    let mut sums = [_mm256_setzero_si256(); I8_STEP / 16];
    for (a, b) in a_steps.iter().zip(b_steps) {
        // A prefetch of an address that is not mapped does nothing.
        _mm_prefetch::<_MM_HINT_T0>(b.as_ptr().wrapping_add(AHEAD_BYTES));
        for (lane, sum) in sums.iter_mut().enumerate() {
            // SAFETY: both steps hold 64 values, and a lane's 16 lie within.
            let (a, b) = unsafe {
                (
                    _mm_loadu_si128(a.as_ptr().add(lane * 16).cast()),
                    _mm_loadu_si128(b.as_ptr().add(lane * 16).cast()),
                )
            };
            let products = _mm256_madd_epi16(_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b));
            *sum = _mm256_add_epi32(*sum, products);
        }
    }
    let [p, q, r, s] = sums;
    let sum = sum_i32(_mm256_add_epi32(_mm256_add_epi32(p, q), _mm256_add_epi32(r, s)));
    sum + crate::portable::dot_i8(a_rest, b_rest)
}

#[target_feature(enable = "avx2")]
fn sum_f32(v: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

#[target_feature(enable = "avx2")]
fn sum_i32(v: __m256i) -> i32 {
    let four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}
