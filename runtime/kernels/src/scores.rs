//! Many rows against many rows: the scores of a table of features, each the same bits whatever the instruction set,
//! and however the rows are cut.
//!
//! A score is summed in 16 lanes: lane l adds the products of values l, l + 16, l + 32, ... in this order, each fused
//! (rounded once); then the upper half of the lanes is added to the lower, four times. The portable code fuses too, by
//! f64 and rounding to odd (Boldo and Melquiond, IEEE Trans. Computers 57, 2008).
// Loads and stores through pointers that `check` covers.
#![allow(unsafe_code)]

use crate::isa::{Isa, Kind};
use crate::map::LANES;
use crate::simd::{Kernel, Simd};

/// What is made of each score: `score * scale + shift`, rounded once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Factor.
    pub scale: f32,
    /// Term.
    pub shift: f32,
}

impl Affine {
    /// The scores themselves.
    pub const NONE: Self = Self { scale: 1.0, shift: 0.0 };
}

/// `scores[l * R + r]` = row l of `left` (L x `dimension`) times row r of `right` (R x `dimension`), made `affine`.
///
/// # Panics
/// When `dimension` is 0 or no multiple of 16 (fill rows with zeros: they change no score), or the lengths are not those
/// of whole rows.
pub fn scores(isa: Isa, dimension: usize, left: &[f32], right: &[f32], affine: Affine, scores: &mut [f32]) {
    let (lefts, rights) = (rows(dimension, left), rows(dimension, right));
    assert_eq!(scores.len(), lefts * rights, "room for {lefts} x {rights} scores");
    isa.run_fused(Block { dimension, left, right, affine, scores });
}

/// `scores[i]` = `probe` times row `picked[i]` of `right`, made `affine`: the bits that [`scores`] gives.
///
/// # Panics
/// As [`scores`]; also when a picked row is not there.
pub fn scores_picked(
    isa: Isa,
    probe: &[f32],
    right: &[f32],
    picked: &[u32],
    affine: Affine,
    scores: &mut [f32],
) {
    let rights = rows(probe.len(), right);
    assert_eq!(rows(probe.len(), probe), 1, "one probe");
    assert_eq!(scores.len(), picked.len(), "room for the picked");
    assert!(picked.iter().all(|row| (*row as usize) < rights), "a picked row is not there");
    isa.run_fused(Picked { probe, right, picked, affine, scores });
}

fn rows(dimension: usize, values: &[f32]) -> usize {
    assert!(dimension > 0 && dimension.is_multiple_of(LANES), "rows of {dimension} values");
    assert!(values.len().is_multiple_of(dimension), "{} values are no rows of {dimension}", values.len());
    values.len() / dimension
}

impl Isa {
    /// Runs a kernel whose multiply-adds must round once, the portable code included.
    fn run_fused<K: Kernel>(self, kernel: K) {
        match self.0 {
            Kind::Portable => kernel.run(crate::simd::portable::Lanes::<true>),
            #[allow(unreachable_patterns, reason = "where there is no other")]
            _ => self.run(kernel),
        }
    }
}

struct Block<'a> {
    dimension: usize,
    left: &'a [f32],
    right: &'a [f32],
    affine: Affine,
    scores: &'a mut [f32],
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (dimension, rights) = (self.dimension, self.right.len() / self.dimension);
        let lefts = self.left.len() / dimension;
        let mut tiles = Tiles {
            dimension,
            left: self.left.as_ptr(),
            right: self.right.as_ptr(),
            rights,
            affine: self.affine,
            scores: self.scores.as_mut_ptr(),
        };
        // The right rows of a tile stay in the first cache while all left rows pass by.
        // SAFETY: every tile lies within L x R.
        unsafe {
            if S::SUMS >= 4 * 5 {
                tiles.bands::<S, 4, 5>(s, lefts);
            } else {
                tiles.bands::<S, 2, 2>(s, lefts);
            }
        }
    }
}

struct Tiles {
    dimension: usize,
    left: *const f32,
    right: *const f32,
    rights: usize,
    affine: Affine,
    scores: *mut f32,
}

impl Tiles {
    #[inline(always)]
    unsafe fn bands<S: Simd, const P: usize, const R: usize>(&mut self, s: S, lefts: usize) {
        let mut r = 0;
        while r + R <= self.rights {
            // SAFETY: the caller's.
            unsafe { self.band::<S, P, R>(s, lefts, r) }
            r += R;
        }
        while r < self.rights {
            // SAFETY: the caller's.
            unsafe { self.band::<S, P, 1>(s, lefts, r) }
            r += 1;
        }
    }

    #[inline(always)]
    unsafe fn band<S: Simd, const P: usize, const R: usize>(&mut self, s: S, lefts: usize, r: usize) {
        let mut l = 0;
        while l + P <= lefts {
            // SAFETY: the caller's.
            unsafe { self.tile::<S, P, R>(s, l, r) }
            l += P;
        }
        while l < lefts {
            // SAFETY: the caller's.
            unsafe { self.tile::<S, 1, R>(s, l, r) }
            l += 1;
        }
    }

    /// Left rows l.. and right rows r.. .
    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize, const R: usize>(&mut self, s: S, l: usize, r: usize) {
        // SAFETY: P rows at l, R rows at r are there, and so is the room for their scores.
        unsafe {
            let left: [*const f32; P] = core::array::from_fn(|p| self.left.add((l + p) * self.dimension));
            let right: [*const f32; R] = core::array::from_fn(|q| self.right.add((r + q) * self.dimension));
            let sums = sums::<S, P, R>(s, self.dimension, left, right);
            let found = finish(s, &sums, self.affine);
            for p in 0..P {
                let to = self.scores.add((l + p) * self.rights + r);
                to.cast::<[f32; R]>().write(found[p]);
            }
        }
    }
}

/// Sums in lanes of P left rows times R right rows.
#[inline(always)]
unsafe fn sums<S: Simd, const P: usize, const R: usize>(
    s: S,
    dimension: usize,
    left: [*const f32; P],
    right: [*const f32; R],
) -> [[S::V; R]; P] {
    let mut sums = [[s.splat(0.0); R]; P];
    let mut at = 0;
    while at < dimension {
        // SAFETY: `at + 16 <= dimension`, the length of every row.
        unsafe {
            let mut l = [s.splat(0.0); P];
            for p in 0..P {
                l[p] = s.load(left[p].add(at));
            }
            for q in 0..R {
                let r = s.load(right[q].add(at));
                for p in 0..P {
                    sums[p][q] = s.fma(l[p], r, sums[p][q]);
                }
            }
        }
        at += LANES;
    }
    sums
}

/// The lanes' sums, made `affine`.
#[inline(always)]
fn finish<S: Simd, const P: usize, const R: usize>(
    s: S,
    sums: &[[S::V; R]; P],
    affine: Affine,
) -> [[f32; R]; P] {
    let mut all = [[s.splat(0.0); LANES]; 2];
    for p in 0..P {
        for q in 0..R {
            let at = p * R + q;
            all[at / LANES][at % LANES] = sums[p][q];
        }
    }
    let mut out = [[0.0_f32; LANES]; 2];
    for group in 0..(P * R).div_ceil(LANES) {
        let count = (P * R - group * LANES).min(LANES);
        let found = s.fma(s.sum_lanes(&all[group], count), s.splat(affine.scale), s.splat(affine.shift));
        // SAFETY: 16 values can be written.
        unsafe { s.store(out[group].as_mut_ptr(), found) }
    }
    core::array::from_fn(|p| core::array::from_fn(|q| out[(p * R + q) / LANES][(p * R + q) % LANES]))
}

struct Picked<'a> {
    probe: &'a [f32],
    right: &'a [f32],
    picked: &'a [u32],
    affine: Affine,
    scores: &'a mut [f32],
}

impl Kernel for Picked<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let dimension = self.probe.len();
        let row = |picked: u32| self.right.as_ptr().wrapping_add(picked as usize * dimension);
        let many = if S::SUMS >= 8 { self.picked.len() / 8 * 8 } else { 0 };
        let (picked, rest) = self.picked.split_at(many);
        let (to, to_rest) = self.scores.split_at_mut(many);
        for (picked, to) in picked.as_chunks::<8>().0.iter().zip(to.as_chunks_mut::<8>().0) {
            // SAFETY: `scores_picked` found every row to be there.
            let sums = unsafe { sums::<S, 1, 8>(s, dimension, [self.probe.as_ptr()], picked.map(row)) };
            [*to] = finish(s, &sums, self.affine);
        }
        let (fours, ones) = rest.as_chunks::<4>();
        let (to_fours, to_ones) = to_rest.as_chunks_mut::<4>();
        for (picked, to) in fours.iter().zip(to_fours) {
            // SAFETY: as above.
            let sums = unsafe { sums::<S, 1, 4>(s, dimension, [self.probe.as_ptr()], picked.map(row)) };
            [*to] = finish(s, &sums, self.affine);
        }
        for (picked, to) in ones.iter().zip(to_ones) {
            // SAFETY: as above.
            let sums = unsafe { sums::<S, 1, 1>(s, dimension, [self.probe.as_ptr()], [row(*picked)]) };
            [[*to]] = finish(s, &sums, self.affine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn isas() -> Vec<Isa> {
        let mut all = vec![Isa::portable(), Isa::compiled()];
        #[cfg(feature = "std")]
        all.extend([Isa::detect(), Isa::detect().lesser()]);
        all
    }

    /// The definition, in f64 that is rounded to f32 after each fused step: exact for values of few bits.
    fn plain(left: &[f32], right: &[f32]) -> f32 {
        let mut lanes = [0.0_f32; LANES];
        for (l, r) in left.chunks_exact(LANES).zip(right.chunks_exact(LANES)) {
            for lane in 0..LANES {
                lanes[lane] = l[lane].mul_add(r[lane], lanes[lane]);
            }
        }
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        lanes[0]
    }

    fn table() -> impl Strategy<Value = (usize, usize, Vec<f32>)> {
        (1_usize..4, 0_usize..12, 0_usize..15).prop_flat_map(|(blocks, lefts, rights)| {
            let dimension = blocks * LANES;
            let value = prop_oneof![8 => -1.0_f32..1.0, 1 => Just(0.0), 1 => -1e-20_f32..1e-20];
            (Just(dimension), Just(lefts), proptest::collection::vec(value, dimension * (lefts + rights)))
        })
    }

    proptest! {
        #[test]
        fn a_score_is_the_same_bits_on_every_set_in_every_tile_and_alone((dimension, lefts, values) in table()) {
            let (left, right) = values.split_at(lefts * dimension);
            let rights = right.len() / dimension;
            for isa in isas() {
                for affine in [Affine::NONE, Affine { scale: 1024.0, shift: 0.5 }] {
                    let mut found = vec![f32::NAN; lefts * rights];
                    scores(isa, dimension, left, right, affine, &mut found);
                    for l in 0..lefts {
                        let probe = &left[l * dimension..(l + 1) * dimension];
                        let picked: Vec<u32> = (0..rights as u32).rev().collect();
                        let mut alone = vec![f32::NAN; rights];
                        scores_picked(isa, probe, right, &picked, affine, &mut alone);
                        for r in 0..rights {
                            let expected = plain(probe, &right[r * dimension..(r + 1) * dimension])
                                .mul_add(affine.scale, affine.shift);
                            prop_assert_eq!(found[l * rights + r].to_bits(), expected.to_bits(), "{}", isa);
                            prop_assert_eq!(alone[rights - 1 - r].to_bits(), expected.to_bits(), "{}", isa);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn zeros_behind_a_row_change_no_score() {
        let values: Vec<f32> = (0..32).map(|i| (i as f32 * 0.37).sin()).collect();
        let longer = |row: &[f32]| [row, &[0.0; 16]].concat();
        let (mut short, mut long) = ([0.0], [0.0]);
        let (a, b) = values.split_at(16);
        scores(Isa::portable(), 16, a, b, Affine::NONE, &mut short);
        scores(Isa::portable(), 32, &longer(a), &longer(b), Affine::NONE, &mut long);
        assert_eq!(short, long);
    }

    #[test]
    #[should_panic(expected = "rows of 8 values")]
    fn half_a_lane_is_refused() {
        scores(Isa::portable(), 8, &[0.0; 8], &[0.0; 8], Affine::NONE, &mut [0.0]);
    }

    #[test]
    #[should_panic(expected = "a picked row is not there")]
    fn a_row_beyond_the_last_is_refused() {
        scores_picked(Isa::portable(), &[0.0; 16], &[0.0; 16], &[1], Affine::NONE, &mut [0.0]);
    }
}
