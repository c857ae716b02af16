//! A rate of errors and how far to trust it.

use crate::binomial::clopper_pearson;
use crate::random::Random;
use crate::resample::{self, draws, percentiles, times};

/// A share with its 95 % interval, all 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Share {
    /// Hits over trials; not a number where there were none.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Share {
    /// `hits` of `total` independent trials, with the Clopper-Pearson interval.
    #[must_use]
    pub fn of(hits: usize, total: usize) -> Self {
        let (low, high) = clopper_pearson(hits, total, 0.95);
        let value = if total == 0 { f64::NAN } else { hits as f64 / total as f64 };
        Self { value, low, high }
    }

    /// Trials of `people` who are numbered from 0, each with its person and whether it is a hit. Trials of one
    /// person depend on each other, so that the interval is a bootstrap over the people who have any.
    ///
    /// # Panics
    /// When a person's number is not below `people`.
    #[must_use]
    pub fn by_person(people: usize, trials: impl IntoIterator<Item = (usize, bool)>) -> Self {
        let mut groups = vec![(0, 0); people];
        for (person, is_hit) in trials {
            groups[person].0 += usize::from(is_hit);
            groups[person].1 += 1;
        }
        groups.retain(|(_, total)| *total > 0);
        Self::of_groups(&groups)
    }

    /// Trials of `people` who are numbered from 0, each with the two people that it compares (one person twice where
    /// it is of one) and whether it is a hit. The interval is over people drawn anew.
    ///
    /// # Panics
    /// When a person's number is not below `people`.
    #[must_use]
    pub fn by_pair(people: usize, trials: &[([u32; 2], bool)]) -> Self {
        let hits = trials.iter().filter(|(_, is_hit)| *is_hit).count();
        let round = |round: usize| {
            let draws = draws(people, round as u64);
            let (mut hits, mut total) = (0, 0);
            for (pair, is_hit) in trials {
                let count = times(&draws, *pair);
                total += count;
                hits += if *is_hit { count } else { 0 };
            }
            // Small sets: a round may draw nobody who is compared.
            (total > 0).then(|| hits as f64 / total as f64)
        };
        let interval = percentiles((0..resample::ROUNDS).filter_map(round).collect());
        let whole = Self::of(hits, trials.len());
        interval.map_or(whole, |(low, high)| Self { low, high, ..whole }.doubted(hits, trials.len()))
    }

    /// Attempts of everybody at everybody else: of each person `references` (how many may be attempted) and `probes` (how
    /// many attempts this person makes at each of them), and the `hits` among them by whose reference and whose probe
    /// made them. The interval is over people drawn anew; where there is no hit, two people count as one
    /// trial, however often they meet.
    ///
    /// # Panics
    /// When the lists are not of one length, or a person's number is not below it.
    #[must_use]
    pub fn by_attempt(references: &[u32], probes: &[u32], hits: &[([u32; 2], u32)]) -> Self {
        assert_eq!(references.len(), probes.len(), "one number of each for each person");
        let whole = vec![1; references.len()];
        let sum: u64 = hits.iter().map(|(_, hits)| u64::from(*hits)).sum();
        let total = attempts(references, probes, &whole);
        if sum == 0 {
            let once = |list: &[u32]| list.iter().map(|count| u32::from(*count > 0)).collect::<Vec<_>>();
            let pairs = attempts(&once(references), &once(probes), &whole);
            return Self::of(0, pairs as usize);
        }
        let round = |round: usize| {
            let draws = draws(references.len(), round as u64);
            let total = attempts(references, probes, &draws);
            let hits: u64 = hits.iter().map(|(pair, hits)| u64::from(*hits) * times(&draws, *pair)).sum();
            (total > 0).then(|| hits as f64 / total as f64)
        };
        let value = sum as f64 / total.max(1) as f64;
        let (low, high) =
            percentiles((0..resample::ROUNDS).filter_map(round).collect()).unwrap_or((0.0, 1.0));
        Self { value, low: low.min(value), high: high.max(value) }.doubted(sum as usize, total as usize)
    }

    /// Hits and totals of groups: the interval is the percentile bootstrap over groups (Bolle, Ratha and
    /// Pankanti, CVIU 93, 2004).
    fn of_groups(groups: &[(usize, usize)]) -> Self {
        const ROUNDS: usize = 1000;
        let share = |hits: usize, total: usize| hits as f64 / total.max(1) as f64;
        let (hits, total) = groups.iter().fold((0, 0), |sum, group| (sum.0 + group.0, sum.1 + group.1));
        if total == 0 {
            return Self::of(0, 0);
        }
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut values = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let (mut hits, mut total) = (0, 0);
            for _ in 0..groups.len() {
                let (h, t) = groups[random.below(groups.len())];
                hits += h;
                total += t;
            }
            values.push(share(hits, total));
        }
        values.sort_by(f64::total_cmp);
        let (low, high) = (values[ROUNDS / 40], values[ROUNDS - 1 - ROUNDS / 40]);
        Self { value: share(hits, total), low, high }.doubted(hits, total)
    }

    /// No round of a bootstrap shows what no trial shows: where all or none are hits, the interval reaches at least as
    /// far as that of independent trials.
    #[must_use]
    pub fn doubted(self, hits: usize, total: usize) -> Self {
        if hits > 0 && hits < total {
            return self;
        }
        let independent = Self::of(hits, total);
        Self { low: self.low.min(independent.low), high: self.high.max(independent.high), ..self }
    }

    /// The share in percent with its interval, such as `1.25 % [1.10, 1.42]`.
    #[must_use]
    pub fn percent(&self) -> String {
        format!("{:.2} % [{:.2}, {:.2}]", 100.0 * self.value, 100.0 * self.low, 100.0 * self.high)
    }
}

/// How many attempts at others the drawn people make: all pairs, less those of a person at itself.
fn attempts(references: &[u32], probes: &[u32], draws: &[u16]) -> u64 {
    let (mut all_references, mut all_probes, mut own) = (0, 0, 0);
    for ((references, probes), count) in references.iter().zip(probes).zip(draws) {
        let (references, probes) =
            (u64::from(*references) * u64::from(*count), u64::from(*probes) * u64::from(*count));
        all_references += references;
        all_probes += probes;
        own += references * probes;
    }
    all_references * all_probes - own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_agree_leave_no_doubt() {
        let share = Share::of_groups(&[(3, 4); 50]);
        assert_eq!((share.value, share.low, share.high), (0.75, 0.75, 0.75));
    }

    #[test]
    fn no_error_seen_is_not_none() {
        let pairs = [([0, 0], true), ([0, 1], true), ([1, 1], true)];
        for share in [Share::by_person(3, [(0, true), (1, true), (2, true)]), Share::by_pair(2, &pairs)] {
            assert_eq!((share.value, share.high), (1.0, 1.0));
            assert!((share.low - Share::of(3, 3).low).abs() < 1e-12 && share.low < 0.4);
        }
    }

    #[test]
    fn trials_are_gathered_by_person_and_who_has_none_is_not_drawn() {
        let trials = [(4, true), (1, false), (4, true), (1, true), (4, false)];
        let (found, expected) = (Share::by_person(9, trials), Share::of_groups(&[(1, 2), (2, 3)]));
        assert_eq!((found.value, found.low, found.high), (0.6, expected.low, expected.high));
        assert!(Share::by_person(9, []).value.is_nan());
    }

    #[test]
    fn groups_that_differ_widen_the_interval() {
        let groups: Vec<_> = (0..100).map(|i| if i % 2 == 0 { (10, 10) } else { (0, 10) }).collect();
        let (grouped, single) = (Share::of_groups(&groups), Share::of(500, 1000));
        assert!(grouped.high - grouped.low > 2.0 * (single.high - single.low));
    }

    #[test]
    fn attempts_are_those_at_others_and_none_that_hits_leaves_the_doubt_of_the_people_who_met() {
        // Two may be attempted, three attempt: 2 x (4 + 5 + 6) attempts, less those at oneself.
        let (references, probes) = ([1, 1, 0], [4, 5, 6]);
        let share = Share::by_attempt(&references, &probes, &[([0, 1], 5), ([1, 2], 2)]);
        assert!(
            (share.value - 7.0 / 21.0).abs() < 1e-12 && share.low <= share.value && share.value <= share.high
        );
        // Two references, and two others who attempt each of them.
        let none = Share::by_attempt(&references, &[400, 500, 600], &[]);
        assert_eq!(
            (none.value, none.high),
            (0.0, Share::of(0, 4).high),
            "a thousand frames are no thousand people"
        );
    }

    #[test]
    fn one_who_is_like_everybody_widens_the_interval_over_attempts() {
        let people = 40_u32;
        let (references, probes) = (vec![1; people as usize], vec![10; people as usize]);
        let hits: Vec<_> = (1..people).map(|other| ([0, other], 10)).collect();
        let share = Share::by_attempt(&references, &probes, &hits);
        let independent = Share::of(390, 15_600);
        assert!((share.value - independent.value).abs() < 1e-12);
        assert!(share.low == 0.0 && share.high > 2.0 * independent.high, "{share:?}");
    }
}
