//! Impostor comparisons, their tail, and how far people who come in many of them are to be trusted.

use crate::binomial::clopper_pearson;
use crate::random::Random;
use crate::resample::{ROUNDS, draws, percentiles, times};
use crate::tail::{LEAST_EXCEEDANCES, TailFit};

/// Comparisons that a target must leave above its threshold for the data to support it: with ten counted, the
/// 95 % Clopper-Pearson interval reaches from half to nearly twice the rate.
pub const LEAST_ABOVE: f64 = 10.0;
/// A fit may be asked for rates down to this many times below the least that the data support: as far as its own check
/// goes.
pub const TAIL_REACH: f64 = 10.0;
/// The share of scores that a fit is made of; at least [`LEAST_EXCEEDANCES`] of them.
pub const TAIL_SHARE: f64 = 1e-4;
/// How often a fit is checked, each time on another random part of the people.
const SPLITS: usize = 20;

/// One comparison of two people, by number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// How alike the two are, -1..=1; higher is closer.
    pub score: f32,
    /// The numbers of the two people, from 0.
    pub people: [u32; 2],
}

/// How many comparisons reach a threshold, and two 95 % intervals of the rate that this shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// Comparisons at or above the threshold.
    pub hits: usize,
    /// Clopper-Pearson, 95 %, as if comparisons were independent.
    pub independent: (f64, f64),
    /// Percentiles over resampled people, 95 %; none where it is not known who is compared.
    pub over_people: Option<(f64, f64)>,
}

impl Counted {
    /// The least and the greatest end of both intervals.
    #[must_use]
    pub fn outer(&self) -> (f64, f64) {
        let (low, high) = self.over_people.unwrap_or(self.independent);
        (low.min(self.independent.0), high.max(self.independent.1))
    }
}

/// How a fit fared on comparisons that it had not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct TailCheck {
    /// Rate seen over rate promised, of each split, lowest first.
    pub ratios: Vec<f64>,
}

impl TailCheck {
    /// The median of the ratios: 1 where the fit promises just the rate that is then seen.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.ratios[self.ratios.len() / 2]
    }

    /// Whether the middle ratio is within a factor of two: a fit that promises too much is refused.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        (0.5..=2.0).contains(&self.median())
    }
}

/// All impostor comparisons of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Impostors {
    /// Highest first.
    sorted: Vec<Comparison>,
    /// How many people are compared; 0 where it is not known who.
    people: usize,
}

impl Impostors {
    /// Comparisons of `people` who are numbered from 0; 0 where it is not known who is compared.
    #[must_use]
    pub fn new(mut comparisons: Vec<Comparison>, people: usize) -> Self {
        comparisons.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
        Self { sorted: comparisons, people }
    }

    /// These comparisons together with others of the same people.
    #[must_use]
    pub fn with(&self, others: &[Comparison]) -> Self {
        Self::new([&self.sorted, others].concat(), self.people)
    }

    /// The comparisons, the highest score first.
    #[must_use]
    pub fn comparisons(&self) -> &[Comparison] {
        &self.sorted
    }

    /// How many comparisons there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is no comparison.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The highest score; none where there is no comparison.
    #[must_use]
    pub fn highest(&self) -> Option<f32> {
        self.sorted.first().map(|comparison| comparison.score)
    }

    /// Comparisons at or above `threshold`.
    #[must_use]
    pub fn above(&self, threshold: f32) -> usize {
        self.sorted.partition_point(|comparison| comparison.score >= threshold)
    }

    /// The least rate that the data support: [`LEAST_ABOVE`] of all comparisons.
    #[must_use]
    pub fn least_rate(&self) -> f64 {
        LEAST_ABOVE / self.len().max(1) as f64
    }

    /// The 95 % upper bound of the rate above the highest score: three over the number of comparisons, the
    /// rule of three (Hanley and Lippman-Hand, JAMA 249, 1983).
    #[must_use]
    pub fn rule_of_three(&self) -> f64 {
        3.0 / self.len().max(1) as f64
    }

    /// The least threshold, in steps of 0.00001, that at most `rate` of the comparisons reach; none where
    /// fewer than [`LEAST_ABOVE`] of them would.
    #[must_use]
    pub fn threshold(&self, rate: f64) -> Option<f32> {
        // A product such as 1e-5 * 1,000,000 may fall a hair below ten.
        let allowed = rate * self.len() as f64 * (1.0 + 1e-9);
        if allowed < LEAST_ABOVE || rate >= 1.0 {
            return None;
        }
        let limit = self.sorted.get(allowed as usize)?.score;
        let step = rounded_up(f64::from(limit));
        Some(if step > limit { step } else { rounded_up(f64::from(limit) + 1e-5) })
    }

    /// Counts at each threshold, with both intervals. People who come in many comparisons make these depend on
    /// each other, so whole people are drawn with replacement, and a comparison counts the product of its two
    /// people's draws (Owen's pigeonhole bootstrap, Annals of Applied Statistics 1, 2007, which errs on the
    /// wide side).
    #[must_use]
    pub fn counted(&self, thresholds: &[f32]) -> Vec<Counted> {
        let total = self.len();
        let hits: Vec<usize> = thresholds.iter().map(|threshold| self.above(*threshold)).collect();
        let mut rates = vec![Vec::with_capacity(ROUNDS); thresholds.len()];
        if self.people > 0 {
            for round in 0..ROUNDS {
                let draws = draws(self.people, round as u64);
                let weight = |pair: &Comparison| times(&draws, pair.people);
                let all: u64 = self.sorted.iter().map(weight).sum();
                for (rates, hits) in rates.iter_mut().zip(&hits) {
                    let above: u64 = self.sorted[..*hits].iter().map(weight).sum();
                    rates.push(above as f64 / all.max(1) as f64);
                }
            }
        }
        let counted = |(hits, rates): (usize, Vec<f64>)| Counted {
            hits,
            independent: clopper_pearson(hits, total, 0.95),
            over_people: percentiles(rates),
        };
        hits.into_iter().zip(rates).map(counted).collect()
    }

    /// The fit of the highest scores; none where they are too few or do not spread.
    #[must_use]
    pub fn tail(&self) -> Option<TailFit> {
        let kept = (TAIL_SHARE * self.len() as f64).ceil() as usize;
        let kept = kept.max(LEAST_EXCEEDANCES);
        let floor = f64::from(self.sorted.get(kept)?.score);
        let above: Vec<f64> = self.sorted[..kept].iter().map(|pair| f64::from(pair.score)).collect();
        TailFit::of(&above, floor, kept as f64 / self.len() as f64)
    }

    /// The 95 % interval of the rate at `threshold` by `fit`, over people fitted anew; `None` where nobody
    /// knows who is compared or the fits fail.
    #[must_use]
    pub fn tail_interval(&self, fit: &TailFit, threshold: f64) -> Option<(f64, f64)> {
        let kept = self.sorted.partition_point(|pair| f64::from(pair.score) > fit.floor);
        let mut rates = Vec::with_capacity(ROUNDS);
        for round in 0..if self.people > 0 { ROUNDS } else { 0 } {
            let draws = draws(self.people, round as u64);
            let mut above = Vec::with_capacity(2 * kept);
            for pair in &self.sorted[..kept] {
                let count = times(&draws, pair.people) as usize;
                above.extend(std::iter::repeat_n(f64::from(pair.score), count));
            }
            let share = fit.share * above.len() as f64 / kept as f64;
            if let Some(again) = TailFit::of(&above, fit.floor, share) {
                rates.push(again.rate(threshold));
            }
        }
        percentiles(rates)
    }

    /// Fits a tenth of the comparisons, those among few enough of the people, asks for a rate ten times below
    /// what these support, and counts the others at the threshold that comes out. Where nobody knows who is
    /// compared, a tenth of the comparisons. None where a tenth is too little for a fit.
    #[must_use]
    pub fn check_tail(&self) -> Option<TailCheck> {
        let mut ratios = Vec::with_capacity(SPLITS);
        for split in 0..SPLITS as u64 {
            let mut random = Random(split);
            let chosen: Vec<bool> = (0..self.people).map(|_| random.below(1_000_000) < 316_228).collect();
            let (mut seen, mut unseen) = (Vec::new(), Vec::new());
            for pair in &self.sorted {
                let is_seen = if self.people == 0 {
                    random.below(10) == 0
                } else {
                    pair.people.iter().all(|person| chosen[*person as usize])
                };
                if is_seen { seen.push(*pair) } else { unseen.push(pair.score) }
            }
            // Sorted already: both keep the order.
            let seen = Self { sorted: seen, people: self.people };
            let rate = seen.least_rate() / TAIL_REACH;
            let threshold = seen.tail()?.threshold(rate);
            let hits = unseen.partition_point(|score| f64::from(*score) >= threshold);
            ratios.push(hits as f64 / unseen.len().max(1) as f64 / rate);
        }
        ratios.sort_by(f64::total_cmp);
        Some(TailCheck { ratios })
    }
}

/// `score` rounded up to a multiple of 0.00001.
#[must_use]
pub fn rounded_up(score: f64) -> f32 {
    ((score * 1e5).ceil() / 1e5) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(scores: impl IntoIterator<Item = f32>) -> Impostors {
        Impostors::new(scores.into_iter().map(|score| Comparison { score, people: [0; 2] }).collect(), 0)
    }

    #[test]
    fn a_threshold_leaves_at_most_its_rate_and_too_little_data_none() {
        let all = unknown((0..10_000).map(|i| i as f32 / 20_000.0));
        for rate in [1e-3, 2e-3, 0.1, 0.5] {
            let threshold = all.threshold(rate).unwrap();
            let above = all.above(threshold);
            assert!(
                above <= (rate * 10_000.0) as usize && above + 1 >= (rate * 10_000.0) as usize,
                "{rate}: {above}"
            );
        }
        assert_eq!(all.threshold(9e-4), None, "nine would lie above");
        assert!((all.rule_of_three() - 3e-4).abs() < 1e-12 && (all.least_rate() - 1e-3).abs() < 1e-12);
    }

    #[test]
    fn equal_scores_lie_above_together_or_not_at_all() {
        let all = unknown(std::iter::repeat_n(0.5, 100).chain(std::iter::repeat_n(0.1, 900)));
        assert_eq!(all.above(all.threshold(0.05).unwrap()), 0);
        assert_eq!(all.above(all.threshold(0.1).unwrap()), 100);
    }

    /// One person who looks like everybody makes the errors hang together: the interval over people must be
    /// far wider than one that takes comparisons for independent.
    #[test]
    fn people_in_many_comparisons_widen_the_interval() {
        let people = 60_u32;
        let mut pairs = Vec::new();
        for a in 0..people {
            for b in a + 1..people {
                pairs.push(Comparison { score: if a == 0 { 0.9 } else { 0.1 }, people: [a, b] });
            }
        }
        let counted = Impostors::new(pairs, people as usize).counted(&[0.5])[0];
        let (low, high) = counted.over_people.unwrap();
        assert_eq!(counted.hits, 59);
        assert_eq!(low, 0.0, "he may well not be drawn");
        assert!(high - low > 2.0 * (counted.independent.1 - counted.independent.0));
        assert_eq!(counted.outer(), (0.0, high));
        assert_eq!(unknown([0.1, 0.9]).counted(&[0.5])[0].over_people, None);
    }

    #[test]
    fn a_check_passes_where_the_form_is_right_and_fails_where_a_second_kind_begins() {
        let mut random = Random(7);
        let mut exponential = |count: usize| -> Vec<f32> {
            let uniform =
                |random: &mut Random| ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            (0..count).map(|_| (-uniform(&mut random).ln() / 40.0) as f32).collect()
        };
        let right = exponential(2_000_000);
        let check = unknown(right.iter().copied()).check_tail().unwrap();
        assert!(check.is_passed(), "{:?}", check.ratios);
        // Mislabelled pairs: 60 in a million far above all others, too few for a tenth to show them all.
        let broken = right.into_iter().chain(std::iter::repeat_n(0.9, 120));
        let check = unknown(broken).check_tail().unwrap();
        assert!(!check.is_passed(), "{:?}", check.ratios);
        assert_eq!(unknown((0..100).map(|i| i as f32 / 100.0)).check_tail(), None);
    }
}
