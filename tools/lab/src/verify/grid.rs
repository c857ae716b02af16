//! Scores as whole numbers, and how often each comes.
//!
//! A score is the cosine in f32, summed in one order everywhere (`arcdoor_kernels::scores`), times 2^18, rounded to
//! the nearest whole number (ties to even). Rounding moves a score by 1.9e-6 at most; the sum of 512 products in f32 may
//! err by 37 roundings of 2^-24, 2.2e-6. Finer steps would not tell more, and their counts would not stay in the second
//! cache. On this grid nothing else is approximate: a count of scores at or above a threshold is
//! a sum of bins, equal for every order of work, thread count, shard and instruction set.

use arcdoor_kernels::Affine;
use serde::{Deserialize, Serialize};

/// Steps of a score from 0 to 1.
pub(crate) const STEPS: i32 = 1 << 18;
/// Adding it to a number below 2^22 leaves the number, rounded, in the low bits of the f32.
const SHIFT: f32 = 12_582_912.0;
/// What makes the bits that [`bin`] takes.
pub(crate) const AFFINE: Affine = Affine { scale: STEPS as f32, shift: SHIFT };
/// Steps that rows of length 1, give or take f32's rounding, may exceed a cosine of 1 by.
const MARGIN: i32 = 16;
const LOWEST: i32 = -STEPS - MARGIN;
/// How many different scores.
pub(crate) const BINS: usize = (2 * (STEPS + MARGIN) + 1) as usize;
const BASE: u32 = (SHIFT.to_bits() as i32 + LOWEST) as u32;

/// A score in steps of 2^-18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Step(pub(crate) i32);

impl Step {
    /// Below every score.
    pub(crate) const LOWEST: Self = Self(LOWEST);

    /// The cosine that it stands for.
    pub(crate) fn value(self) -> f64 {
        f64::from(self.0) / f64::from(STEPS)
    }

    /// Whether a score can be it; those of files may not be.
    pub(crate) fn is_real(self) -> bool {
        (LOWEST..LOWEST + BINS as i32).contains(&self.0)
    }

    pub(crate) fn bin(self) -> usize {
        (self.0 - LOWEST) as usize
    }

    pub(crate) fn of_bin(bin: usize) -> Self {
        Self(bin as i32 + LOWEST)
    }
}

/// The bin of what [`AFFINE`] made of a score. Out of range where rows are not of length 1.
#[inline(always)]
pub(crate) fn bin(shifted: f32) -> usize {
    shifted.to_bits().wrapping_sub(BASE) as usize
}

/// How often each score came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts(Vec<u64>);

impl Default for Counts {
    fn default() -> Self {
        Self(vec![0; BINS])
    }
}

impl Counts {
    /// From bins `first..`, as [`filled`](Self::filled) gives them; `None` where they do not fit.
    pub(crate) fn from_filled(first: usize, counts: &[u64]) -> Option<Self> {
        let mut all = Self::default();
        all.0.get_mut(first..first.checked_add(counts.len())?)?.copy_from_slice(counts);
        Some(all)
    }

    /// The first bin with a count, and all from there to the last with one.
    pub(crate) fn filled(&self) -> (usize, &[u64]) {
        let first = self.0.iter().position(|count| *count > 0).unwrap_or(0);
        let end = self.0.iter().rposition(|count| *count > 0).map_or(first, |last| last + 1);
        (first, &self.0[first..end])
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, count)| *sum += count);
    }

    /// Adds what a thread counted, and sets that to 0.
    pub(crate) fn take(&mut self, counts: &mut [u32]) {
        for (sum, count) in self.0.iter_mut().zip(counts) {
            *sum += u64::from(std::mem::take(count));
        }
    }

    pub(crate) fn count(&mut self, score: Step) {
        self.0[score.bin()] += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Scores at or above `least`.
    pub(crate) fn from(&self, least: Step) -> u64 {
        self.0[least.bin().min(BINS)..].iter().sum()
    }

    /// Each score that came here or among `others`, the highest first, and how often here and there.
    pub(crate) fn falling<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = (Step, [u64; 2])> + 'a {
        let both = self.0.iter().zip(&others.0).enumerate().rev();
        let came = both.filter(|(_, (here, there))| **here + **there > 0);
        came.map(|(bin, (here, there))| (Step::of_bin(bin), [*here, *there]))
    }

    /// The least score that at most `most` of these reach, and how many do.
    pub(crate) fn threshold(&self, most: u64) -> (Step, u64) {
        let mut accepted = 0;
        for (bin, count) in self.0.iter().enumerate().rev() {
            if accepted + count > most {
                return (Step::of_bin(bin + 1), accepted);
            }
            accepted += count;
        }
        (Step::LOWEST, accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bin_of(score: f32) -> usize {
        bin(score.mul_add(AFFINE.scale, AFFINE.shift))
    }

    proptest! {
        #[test]
        fn a_bin_is_the_nearest_step(score in -1.00001_f32..1.00001) {
            let step = Step::of_bin(bin_of(score));
            prop_assert!((step.value() - f64::from(score)).abs() <= 0.5 / f64::from(STEPS));
        }

        #[test]
        fn a_threshold_accepts_no_more_and_the_next_lower_would(
            scores in proptest::collection::vec(-40_i32..40, 1..60), most in 0_u64..70,
        ) {
            let mut counts = Counts::default();
            scores.iter().for_each(|score| counts.count(Step(*score)));
            let (least, accepted) = counts.threshold(most);
            prop_assert_eq!(accepted, scores.iter().filter(|score| Step(**score) >= least).count() as u64);
            prop_assert_eq!(counts.from(least), accepted);
            prop_assert!(accepted <= most);
            if least > Step::LOWEST {
                prop_assert!(counts.from(Step(least.0 - 1)) > most);
            }
            let (first, filled) = counts.filled();
            prop_assert_eq!(Counts::from_filled(first, filled), Some(counts.clone()));
        }
    }

    #[test]
    fn both_ends_have_room_and_bins_beyond_are_refused() {
        assert!(bin_of(1.00005) < BINS && bin_of(-1.00005) < BINS);
        assert!(bin_of(1.1) >= BINS && bin_of(-1.1) >= BINS);
        assert_eq!(Counts::from_filled(BINS, &[1]), None);
        assert_eq!(Counts::from_filled(usize::MAX, &[1]), None);
    }
}
