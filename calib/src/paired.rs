//! Two systems on the same comparisons: what they differ in hangs together, and is tested pair by pair.

use crate::binomial::at_most_half;
use crate::resample::{ROUNDS, draws, percentiles, times};
use crate::verification::Verification;

/// A difference of two rates, the first less the second, with its 95 % interval over people drawn anew for both alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// As counted, -1..=1.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// McNemar's exact test (Psychometrika 12, 1947): how likely counts at least as unlike as these are where neither of two
/// systems is better, 0..=1. Of the comparisons that one of them alone decides right, `first` and `second` are theirs.
#[must_use]
pub fn mcnemar(first: usize, second: usize) -> f64 {
    (2.0 * at_most_half(first.min(second), first + second)).min(1.0)
}

impl Difference {
    /// Of the shares decided right: each comparison with its two people (one person twice where it is of one), and
    /// whether the first and the second system decide it right.
    ///
    /// # Panics
    /// When a person's number is not below `people`.
    #[must_use]
    pub fn of_right(people: usize, trials: &[([u32; 2], [bool; 2])]) -> Self {
        let gain = |right: &[bool; 2]| i64::from(right[0]) - i64::from(right[1]);
        let whole: i64 = trials.iter().map(|(_, right)| gain(right)).sum();
        let round = |round: usize| {
            let draws = draws(people, round as u64);
            let (mut sum, mut total) = (0, 0);
            for (pair, right) in trials {
                let count = times(&draws, *pair);
                total += count;
                sum += gain(right) * count as i64;
            }
            (total > 0).then(|| sum as f64 / total as f64)
        };
        Self::around(whole as f64 / trials.len().max(1) as f64, (0..ROUNDS).filter_map(round).collect())
    }

    /// Of true accepts at a false accept rate, each system with its own threshold in each round. The systems compare the
    /// same people; none where one has too few impostors.
    #[must_use]
    pub fn at(first: &Verification, second: &Verification, far: f64) -> Option<Self> {
        let tar = |all: &Verification| all.at(far).map(|at| at.genuine as f64 / all.genuine() as f64);
        let value = tar(first)? - tar(second)?;
        let fars = [far];
        let rounds = first.rounds(&fars).zip(second.rounds(&fars));
        let differences = rounds.filter_map(|(a, b)| Some(a?.tar[0] - b?.tar[0]));
        Some(Self::around(value, differences.collect()))
    }

    fn around(value: f64, rounds: Vec<f64>) -> Self {
        let (low, high) = percentiles(rounds).unwrap_or((-1.0, 1.0));
        Self { value, low: low.min(value), high: high.max(value) }
    }

    /// Whether zero lies outside the interval.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impostors::Comparison;
    use crate::random::Random;

    #[test]
    fn mcnemar_is_the_binomial_test_of_the_pairs_that_differ() {
        // scipy.stats.binomtest(3, 13), (10, 10 of 20) and (0, 6).
        for (first, second, p) in [(3, 10, 0.092_285_156_25), (10, 10, 1.0), (0, 6, 0.031_25), (0, 0, 1.0)] {
            assert!(
                (mcnemar(first, second) - p).abs() < 1e-12
                    && mcnemar(first, second) == mcnemar(second, first)
            );
        }
    }

    #[test]
    fn a_system_differs_from_itself_in_nothing_and_from_a_worse_one_clearly() {
        let mut random = Random(5);
        let mut scores =
            |mean: f32| (0..300_u32).map(|at| (at % 60, mean + 0.2 * random.signed())).collect::<Vec<_>>();
        let (good, bad, others) = (scores(0.5), scores(0.3), scores(0.2));
        let of = |genuine: &[(u32, f32)]| {
            let impostors = others
                .iter()
                .map(|(person, score)| Comparison { score: *score, people: [*person, (person + 1) % 60] });
            Verification::new(genuine, impostors.collect(), 60)
        };
        let same = Difference::at(&of(&good), &of(&good), 0.1).unwrap();
        assert_eq!((same.value, same.low, same.high), (0.0, 0.0, 0.0));
        let better = Difference::at(&of(&good), &of(&bad), 0.1).unwrap();
        assert!(better.is_clear() && better.value > 0.1, "{better:?}");
        assert_eq!(Difference::at(&of(&good), &of(&bad), 1e-4), None);
        let trials: Vec<_> = (0..200_u32).map(|at| ([at % 40; 2], [true, at % 4 != 0])).collect();
        let right = Difference::of_right(40, &trials);
        assert!(right.is_clear() && (right.value - 0.25).abs() < 1e-12 && right.low > 0.1, "{right:?}");
    }
}
