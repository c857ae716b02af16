//! Which of many rows against many may reach a score, by int8: a quarter of the work of f32, or less.
//!
//! Row x is given as bytes q and a scale s with x = s q + e. Then x . y = s t (q . p) + e . (t p) + x . f for y = t p + f,
//! and by Cauchy and Schwarz |x . y - s t (q . p)| <= |e| |t p| + |x| |f|. [`sieve`] lets through every pair whose upper
//! bound reaches the floor, so that none which does is lost; who asks counts those that come through in f32.
//!
//! The right rows lie as bytes of 0..=255, 128 more than they stand for, because the instruction (VPDPBUSD) multiplies
//! unsigned bytes with signed ones; what that adds is taken away from the sums, which are exact.
// Intrinsics, and loads through pointers that `sieve` checked.
#![allow(unsafe_code)]

/// Left rows of a panel.
pub const SIEVE_LEFTS: usize = 12;
/// Right rows of a panel.
pub const SIEVE_RIGHTS: usize = 32;
/// Longest rows: their sums stay below 2^24, so that f32 holds them exactly.
pub const MAX_SIEVE_LEN: usize = 1024;
/// Values that one instruction adds up in each lane.
const STEP: usize = 4;

/// Proof that the CPU has AVX-512 VNNI; made only by asking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sieve(());

impl Sieve {
    /// `None` where the CPU has no such instructions.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let has = std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512vnni");
            has.then_some(Self(()))
        }
        #[cfg(not(target_arch = "x86_64"))]
        None
    }
}

/// A left row's part in the bounds, all divided by its scale.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LeftTerms {
    /// The sum of its bytes, times 128.
    pub bias: i32,
    /// |e|.
    pub error: f32,
    /// |x|.
    pub length: f32,
    /// The least score that must come through.
    pub floor: f32,
}

/// The parts of a panel's right rows in the bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RightTerms {
    /// t.
    pub scale: [f32; SIEVE_RIGHTS],
    /// |t p|.
    pub length: [f32; SIEVE_RIGHTS],
    /// |f|.
    pub error: [f32; SIEVE_RIGHTS],
}

/// Packs `rows` (at most [`SIEVE_LEFTS`], each `dimension` long) for [`sieve`]; missing rows become zeros.
///
/// # Panics
/// When the lengths do not fit.
pub fn pack_lefts(dimension: usize, rows: &[i8], out: &mut [i8]) {
    pack(dimension, rows, out, SIEVE_LEFTS, |value| value);
}

/// Packs `rows` (at most [`SIEVE_RIGHTS`], each `dimension` long) for [`sieve`]; missing rows become zeros.
///
/// # Panics
/// When the lengths do not fit.
pub fn pack_rights(dimension: usize, rows: &[i8], out: &mut [u8]) {
    pack(dimension, rows, out, SIEVE_RIGHTS, |value| (value as u8) ^ 0x80);
}

fn pack<T>(dimension: usize, rows: &[i8], out: &mut [T], group: usize, of: impl Fn(i8) -> T) {
    check(dimension);
    assert!(rows.len().is_multiple_of(dimension) && rows.len() <= group * dimension, "rows of a panel");
    assert_eq!(out.len(), group * dimension, "room for a panel");
    for (at, out) in out.iter_mut().enumerate() {
        let (step, row, value) = (at / (group * STEP), at / STEP % group, at % STEP);
        *out = of(rows.get(row * dimension + step * STEP + value).copied().unwrap_or(0));
    }
}

fn check(dimension: usize) {
    let fits = dimension > 0 && dimension <= MAX_SIEVE_LEN && dimension.is_multiple_of(STEP);
    assert!(fits, "rows of {dimension} bytes");
}

/// For each of the left panel's rows, bit r is set where its bound with right row r reaches its floor.
///
/// # Panics
/// When `dimension` is 0, no multiple of 4 or above [`MAX_SIEVE_LEN`], or the panels are not of that length.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
pub fn sieve(
    proof: Sieve,
    dimension: usize,
    left: &[i8],
    left_terms: &[LeftTerms; SIEVE_LEFTS],
    right: &[u8],
    right_terms: &RightTerms,
    found: &mut [u32; SIEVE_LEFTS],
) {
    check(dimension);
    assert_eq!(left.len(), SIEVE_LEFTS * dimension, "a left panel");
    assert_eq!(right.len(), SIEVE_RIGHTS * dimension, "a right panel");
    let Sieve(()) = proof;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: `proof` proves AVX-512F and VNNI; the panels were checked.
    unsafe {
        x86::panels(dimension, left.as_ptr(), left_terms, right.as_ptr(), right_terms, found);
    }
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("a proof of what this CPU cannot have");
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::{
        _CMP_GE_OQ, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps,
        _mm512_setzero_si512, _mm512_sub_epi32,
    };

    use super::{LeftTerms, RightTerms, SIEVE_LEFTS, SIEVE_RIGHTS, STEP};

    /// 16 right rows to a register.
    const LANES: usize = 16;
    const REGISTERS: usize = SIEVE_RIGHTS / LANES;

    /// # Safety
    /// Both panels are `dimension` long.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) unsafe fn panels(
        dimension: usize,
        mut left: *const i8,
        left_terms: &[LeftTerms; SIEVE_LEFTS],
        mut right: *const u8,
        right_terms: &RightTerms,
        found: &mut [u32; SIEVE_LEFTS],
    ) {
        let mut sums = [[_mm512_setzero_si512(); REGISTERS]; SIEVE_LEFTS];
        for _ in 0..dimension / STEP {
            let mut rights = [_mm512_setzero_si512(); REGISTERS];
            for (index, rights) in rights.iter_mut().enumerate() {
                // SAFETY: a step of the right panel has 32 rows of 4 bytes.
                *rights = unsafe { _mm512_loadu_si512(right.add(index * LANES * STEP).cast()) };
            }
            for l in 0..SIEVE_LEFTS {
                // SAFETY: a step of the left panel has 12 rows of 4 bytes.
                let four = unsafe { left.add(l * STEP).cast::<i32>().read_unaligned() };
                let four = _mm512_set1_epi32(four);
                for index in 0..REGISTERS {
                    sums[l][index] = _mm512_dpbusd_epi32(sums[l][index], rights[index], four);
                }
            }
            // SAFETY: to the next step, or the end.
            unsafe {
                left = left.add(SIEVE_LEFTS * STEP);
                right = right.add(SIEVE_RIGHTS * STEP);
            }
        }
        for l in 0..SIEVE_LEFTS {
            let terms = &left_terms[l];
            let bias = _mm512_set1_epi32(terms.bias);
            let (error, length) = (_mm512_set1_ps(terms.error), _mm512_set1_ps(terms.length));
            found[l] = 0;
            for index in 0..REGISTERS {
                let at = index * LANES;
                // SAFETY: `at + 16 <= 32`.
                let [scale, right_length, right_error] = unsafe {
                    [&right_terms.scale, &right_terms.length, &right_terms.error]
                        .map(|terms| _mm512_loadu_ps(terms.as_ptr().add(at)))
                };
                let dots = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[l][index], bias));
                let doubt = _mm512_fmadd_ps(length, right_error, _mm512_mul_ps(error, right_length));
                let bound = _mm512_fmadd_ps(dots, scale, doubt);
                let mask = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(bound, _mm512_set1_ps(terms.floor));
                found[l] |= u32::from(mask) << at;
            }
        }
    }
}

#[cfg(all(test, feature = "std", target_arch = "x86_64"))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn exactly_the_pairs_whose_bound_reaches_the_floor_come_through(
            (dimension, left, right) in (1_usize..20).prop_flat_map(|steps| {
                let rows = |count| proptest::collection::vec(any::<i8>(), count * steps * STEP);
                (Just(steps * STEP), rows(SIEVE_LEFTS), rows(SIEVE_RIGHTS))
            }),
            floor in -50_000_i32..50_000,
        ) {
            let Some(proof) = Sieve::detect() else { return Ok(()) };
            let (mut lefts, mut rights) = (vec![0; left.len()], vec![0; right.len()]);
            pack_lefts(dimension, &left, &mut lefts);
            pack_rights(dimension, &right, &mut rights);
            // Whole numbers alone, so that f32 rounds nothing.
            let terms: [LeftTerms; SIEVE_LEFTS] = core::array::from_fn(|l| LeftTerms {
                bias: 128 * left[l * dimension..(l + 1) * dimension].iter().map(|q| i32::from(*q)).sum::<i32>(),
                error: l as f32,
                length: 2.0,
                floor: floor as f32,
            });
            let right_terms = RightTerms {
                scale: core::array::from_fn(|r| 1.0 + (r % 2) as f32),
                length: core::array::from_fn(|r| r as f32),
                error: [3.0; SIEVE_RIGHTS],
            };
            let mut found = [0; SIEVE_LEFTS];
            sieve(proof, dimension, &lefts, &terms, &rights, &right_terms, &mut found);
            for l in 0..SIEVE_LEFTS {
                for r in 0..SIEVE_RIGHTS {
                    let row = |of: &[i8], at: usize| -> Vec<i32> {
                        of[at * dimension..(at + 1) * dimension].iter().map(|q| i32::from(*q)).collect()
                    };
                    let dot: i32 = row(&left, l).iter().zip(row(&right, r)).map(|(a, b)| a * b).sum();
                    let bound = dot * (1 + r as i32 % 2) + l as i32 * r as i32 + 6;
                    prop_assert_eq!(found[l] >> r & 1 == 1, bound >= floor, "{} {}", l, r);
                }
            }
        }
    }

    #[test]
    fn rows_that_are_not_there_are_zeros() {
        let (mut lefts, mut rights) = (vec![1; SIEVE_LEFTS * 4], vec![1; SIEVE_RIGHTS * 4]);
        pack_lefts(4, &[1, 2, 3, 4], &mut lefts);
        pack_rights(4, &[-1; 4], &mut rights);
        assert_eq!(lefts[..8], [1, 2, 3, 4, 0, 0, 0, 0]);
        assert_eq!(rights[..8], [127, 127, 127, 127, 128, 128, 128, 128]);
    }

    #[test]
    #[should_panic(expected = "rows of 1028 bytes")]
    fn rows_whose_sums_f32_would_round_are_refused() {
        pack_lefts(MAX_SIEVE_LEN + 4, &[], &mut []);
    }
}
