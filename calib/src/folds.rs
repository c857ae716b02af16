//! Accuracy over folds: each fold's pairs are decided by the threshold that is best on all others.

use std::collections::BTreeSet;

use crate::rates::best_threshold;
use crate::verification::LOWEST_SCORE;

/// One fold, decided by a threshold that it had no part in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fold {
    /// Best on the other folds; a pair is accepted where its score is at or above it.
    pub threshold: f32,
    /// Pairs of the fold decided right.
    pub right: usize,
    /// Pairs of the fold.
    pub total: usize,
}

impl Fold {
    /// The share decided right, 0..=1.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.total.max(1) as f64
    }
}

/// Every fold of a protocol, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Folds(pub Vec<Fold>);

impl Folds {
    /// Pairs as (score, same person, fold); folds are numbered from 0. A score below [`LOWEST_SCORE`] is one that
    /// could not be had, and is never accepted. Empty with fewer than two folds, or where a number is left out.
    #[must_use]
    pub fn of(pairs: &[(f32, bool, u32)]) -> Self {
        let numbers: BTreeSet<u32> = pairs.iter().map(|pair| pair.2).collect();
        if numbers.len() < 2 || !numbers.iter().copied().eq(0..numbers.len() as u32) {
            return Self(Vec::new());
        }
        let fold = |number: u32| {
            let (mut scored, mut unscored) = (Vec::with_capacity(pairs.len()), (0, 0));
            for (score, same, _) in pairs.iter().filter(|pair| pair.2 != number) {
                match (*score >= LOWEST_SCORE, same) {
                    (true, _) => scored.push((*score, *same)),
                    (false, true) => unscored.0 += 1,
                    (false, false) => unscored.1 += 1,
                }
            }
            let (threshold, _) = best_threshold(&scored, unscored);
            let own = pairs.iter().filter(|pair| pair.2 == number);
            let right = own.clone().filter(|(score, same, _)| (*score >= threshold) == *same).count();
            Fold { threshold, right, total: own.count() }
        };
        Self(numbers.into_iter().map(fold).collect())
    }

    /// The mean of the folds' accuracies, 0..=1; not a number without folds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.iter().map(Fold::accuracy).sum::<f64>() / self.0.len() as f64
    }

    /// Their standard deviation about it, over the number of folds (numpy's `std`). LFW's own page prints the standard
    /// error of the mean: this over the root of the number of folds less one.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.0.iter().map(|fold| (fold.accuracy() - mean) * (fold.accuracy() - mean));
        (squares.sum::<f64>() / self.0.len() as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_has_no_part_in_its_own_threshold() {
        // By itself, fold 1 would choose 0.2; the others say 0.5.
        let pairs = [
            (0.9, true, 0),
            (0.1, false, 0),
            (0.3, true, 1),
            (0.1, false, 1),
            (0.9, true, 2),
            (0.1, false, 2),
        ];
        let folds = Folds::of(&pairs);
        assert_eq!(folds.0[1], Fold { threshold: 0.5, right: 1, total: 2 });
        assert_eq!(folds.0[0], Fold { threshold: 0.2, right: 2, total: 2 });
        assert!((folds.mean() - 5.0 / 6.0).abs() < 1e-12);
        assert!((folds.deviation() - (0.5_f64.powi(2) * 2.0 / 9.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn one_fold_or_a_gap_is_none_and_what_has_no_score_is_never_accepted() {
        for last in [0, 2, u32::MAX] {
            assert!(Folds::of(&[(0.9, true, 0), (0.1, false, last)]).0.is_empty());
        }
        let pairs = [(-2.0, true, 0), (-2.0, false, 0), (0.8, true, 1), (0.2, false, 1)];
        assert_eq!(Folds::of(&pairs).0[0], Fold { threshold: 0.5, right: 1, total: 2 });
    }
}
