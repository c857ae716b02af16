//! Dot products: one pair, or one probe against many contiguous rows.

use crate::isa::{Isa, Kind};
use crate::portable;

/// Longest `i8` vectors: 2^16 products of at most 2^14 stay below 2^31.
pub const MAX_I8_LEN: usize = 1 << 16;

/// The sum of `a[i] * b[i]`. The order of the additions depends on `isa`, so the last bits may too.
///
/// # Panics
/// When the lengths differ.
#[must_use]
pub fn dot_f32(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "dot product of vectors of different lengths");
    match isa.0 {
        Kind::Portable => portable::dot_f32(a, b),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2(avx2) => avx2.dot_f32(a, b),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512(avx512) => avx512.avx2().dot_f32(a, b),
        #[cfg(target_arch = "aarch64")]
        Kind::Neon(neon) => neon.dot_f32(a, b),
    }
}

/// The sum of `a[i] * b[i]`, exact, the same on every instruction set.
///
/// # Panics
/// When the lengths differ or exceed [`MAX_I8_LEN`].
#[must_use]
pub fn dot_i8(isa: Isa, a: &[i8], b: &[i8]) -> i32 {
    assert_eq!(a.len(), b.len(), "dot product of vectors of different lengths");
    assert!(a.len() <= MAX_I8_LEN, "an i8 vector longer than {MAX_I8_LEN}");
    match isa.0 {
        Kind::Portable => portable::dot_i8(a, b),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2(avx2) => avx2.dot_i8(a, b),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512(avx512) => avx512.avx2().dot_i8(a, b),
        #[cfg(target_arch = "aarch64")]
        Kind::Neon(neon) => neon.dot_i8(a, b),
    }
}

/// `scores[r]` = the dot product of `probe` (length D) and row r of `rows` (R x D, row after row).
/// Rows on 64-byte boundaries are read fastest; none need be.
///
/// # Panics
/// When `probe` is empty or `rows.len() != probe.len() * scores.len()`.
pub fn dot_f32_rows(isa: Isa, probe: &[f32], rows: &[f32], scores: &mut [f32]) {
    check_rows(probe.len(), rows.len(), scores.len());
    match isa.0 {
        Kind::Portable => portable::dot_f32_rows(probe, rows, scores),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2(avx2) => avx2.dot_f32_rows(probe, rows, scores),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512(avx512) => avx512.avx2().dot_f32_rows(probe, rows, scores),
        #[cfg(target_arch = "aarch64")]
        Kind::Neon(neon) => neon.dot_f32_rows(probe, rows, scores),
    }
}

/// `sums[r]` = the dot product of `probe` (length D) and row r of `rows` (R x D, row after row), exact.
///
/// # Panics
/// When `probe` is empty or longer than [`MAX_I8_LEN`], or `rows.len() != probe.len() * sums.len()`.
pub fn dot_i8_rows(isa: Isa, probe: &[i8], rows: &[i8], sums: &mut [i32]) {
    check_rows(probe.len(), rows.len(), sums.len());
    assert!(probe.len() <= MAX_I8_LEN, "an i8 vector longer than {MAX_I8_LEN}");
    match isa.0 {
        Kind::Portable => portable::dot_i8_rows(probe, rows, sums),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2(avx2) => avx2.dot_i8_rows(probe, rows, sums),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512(avx512) => avx512.avx2().dot_i8_rows(probe, rows, sums),
        #[cfg(target_arch = "aarch64")]
        Kind::Neon(neon) => neon.dot_i8_rows(probe, rows, sums),
    }
}

fn check_rows(dimension: usize, values: usize, rows: usize) {
    assert!(dimension > 0, "an empty probe");
    assert!(
        rows.checked_mul(dimension) == Some(values),
        "{values} values are not {rows} rows of {dimension}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn isas() -> Vec<Isa> {
        vec![
            Isa::portable(),
            Isa::compiled(),
            #[cfg(feature = "std")]
            Isa::detect(),
        ]
    }

    fn exact(a: &[f32], b: &[f32]) -> (f64, f64) {
        let products = || a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
        (products().sum(), products().map(f64::abs).sum())
    }

    /// Summing n products in f32 errs by at most n * 2^-23 of the sum of their absolute values.
    fn near(a: &[f32], b: &[f32], got: f32) -> bool {
        let (sum, absolute) = exact(a, b);
        (f64::from(got) - sum).abs() <= absolute * a.len() as f64 * f64::from(f32::EPSILON) + 1e-30
    }

    proptest! {
        #[test]
        fn f32_rows_agree_with_exact_sums(
            (dimension, values) in (1_usize..150, 0_usize..11).prop_flat_map(|(d, r)| {
                (Just(d), proptest::collection::vec(-10.0_f32..10.0, d * (r + 1)))
            }),
        ) {
            let (probe, rows) = values.split_at(dimension);
            for isa in isas() {
                let mut scores = vec![f32::NAN; rows.len() / dimension];
                dot_f32_rows(isa, probe, rows, &mut scores);
                for (row, &score) in rows.chunks_exact(dimension).zip(&scores) {
                    prop_assert!(near(probe, row, score), "{isa} rows");
                    prop_assert!(near(probe, row, dot_f32(isa, probe, row)), "{isa} pair");
                }
            }
        }

        #[test]
        fn i8_rows_are_exact(
            (dimension, values) in (1_usize..150, 0_usize..11).prop_flat_map(|(d, r)| {
                (Just(d), proptest::collection::vec(any::<i8>(), d * (r + 1)))
            }),
        ) {
            let (probe, rows) = values.split_at(dimension);
            for isa in isas() {
                let mut sums = vec![i32::MIN; rows.len() / dimension];
                dot_i8_rows(isa, probe, rows, &mut sums);
                for (row, &sum) in rows.chunks_exact(dimension).zip(&sums) {
                    let exact: i64 = probe.iter().zip(row).map(|(&a, &b)| i64::from(a) * i64::from(b)).sum();
                    prop_assert_eq!(i64::from(sum), exact);
                    prop_assert_eq!(i64::from(dot_i8(isa, probe, row)), exact);
                }
            }
        }
    }

    #[test]
    fn the_longest_i8_vectors_do_not_overflow() {
        // Miri would take minutes for the longest.
        let len = if cfg!(miri) { MAX_I8_LEN / 16 } else { MAX_I8_LEN };
        let least = vec![i8::MIN; len];
        for isa in isas() {
            assert_eq!(dot_i8(isa, &least, &least), (len as i32) << 14);
        }
    }

    #[test]
    #[should_panic(expected = "5 values are not 2 rows of 2")]
    fn rows_that_do_not_fit_are_refused() {
        dot_f32_rows(Isa::portable(), &[1.0; 2], &[1.0; 5], &mut [0.0; 2]);
    }
}
