//! Rates of errors and how far to trust them.

/// A share with its 95 % interval, all 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Share {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Share {
    /// `hits` of `total` independent trials, with Wilson's score interval (E. B. Wilson, JASA 22, 1927).
    pub(crate) fn of(hits: usize, total: usize) -> Self {
        if total == 0 {
            return Self { value: f64::NAN, low: 0.0, high: 1.0 };
        }
        let (n, p, z) = (total as f64, hits as f64 / total as f64, 1.96_f64);
        let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        Self { value: p, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
    }

    /// Hits and totals of groups whose trials depend on each other (pairs of one person): the interval is
    /// the percentile bootstrap over groups (Bolle, Ratha and Pankanti, CVIU 93, 2004).
    pub(crate) fn of_groups(groups: &[(usize, usize)]) -> Self {
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
        Self { value: share(hits, total), low: values[ROUNDS / 40], high: values[ROUNDS - 1 - ROUNDS / 40] }
    }

    /// As percent with its interval.
    pub(crate) fn percent(&self) -> String {
        format!("{:.2} % [{:.2}, {:.2}]", 100.0 * self.value, 100.0 * self.low, 100.0 * self.high)
    }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Uniform in -1..1.
    pub(crate) fn signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

/// The score that an impostor may not exceed so that at most `rate` of `impostors` do: a pair counts as
/// accepted where its score lies above. `impostors` sorted, highest first; not empty.
pub(crate) fn score_at_far(impostors: &[f32], rate: f64) -> f32 {
    let allowed = (rate * impostors.len() as f64).floor() as usize;
    impostors[allowed.min(impostors.len() - 1)]
}

/// The threshold that decides most pairs right, half-way between two scores, and the share it gets right.
/// A pair is (score, same person). Pairs without a score belong to `unscored` (genuine, impostor): they
/// are never accepted.
pub(crate) fn best_threshold(pairs: &[(f32, bool)], unscored: (usize, usize)) -> (f32, f64) {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let total = pairs.len() + unscored.0 + unscored.1;
    let mut right = pairs.iter().filter(|pair| !pair.1).count() + unscored.1;
    let mut best = (f32::INFINITY, right);
    for (index, (score, same)) in sorted.iter().enumerate() {
        if *same {
            right += 1;
        } else {
            right -= 1;
        }
        let next = sorted.get(index + 1).map_or(-1.0, |pair| pair.0);
        if next < *score && right > best.1 {
            best = ((score + next) / 2.0, right);
        }
    }
    (best.0, best.1 as f64 / total.max(1) as f64)
}

/// The middle value; of an even count, the upper middle. `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_of_a_known_case() {
        // 992 of 1000, by the formula's closed form.
        let share = Share::of(992, 1000);
        assert!((share.low - 0.98429).abs() < 1e-4, "{share:?}");
        assert!((share.high - 0.99594).abs() < 1e-4, "{share:?}");
    }

    #[test]
    fn groups_that_agree_leave_no_doubt() {
        let share = Share::of_groups(&[(3, 4); 50]);
        assert_eq!((share.value, share.low, share.high), (0.75, 0.75, 0.75));
    }

    #[test]
    fn groups_that_differ_widen_the_interval() {
        let groups: Vec<_> = (0..100).map(|i| if i % 2 == 0 { (10, 10) } else { (0, 10) }).collect();
        let (grouped, single) = (Share::of_groups(&groups), Share::of(500, 1000));
        assert!(grouped.high - grouped.low > 2.0 * (single.high - single.low));
    }

    #[test]
    fn far_allows_exactly_its_share() {
        let impostors: Vec<f32> = (0..1000).rev().map(|i| i as f32 / 1000.0).collect();
        for rate in [0.0, 0.001, 0.01, 0.5] {
            let limit = score_at_far(&impostors, rate);
            let above = impostors.iter().filter(|score| **score > limit).count();
            assert_eq!(above, (rate * 1000.0) as usize);
        }
    }

    #[test]
    fn best_threshold_parts_what_can_be_parted() {
        let pairs = [(0.9, true), (0.6, true), (0.4, false), (0.1, false)];
        assert_eq!(best_threshold(&pairs, (0, 0)), (0.5, 1.0));
    }

    #[test]
    fn unscored_genuine_pairs_stay_in_the_denominator() {
        let pairs = [(0.9, true), (0.1, false)];
        assert_eq!(best_threshold(&pairs, (2, 0)).1, 0.5);
        assert_eq!(best_threshold(&pairs, (0, 2)).1, 1.0);
    }

    #[test]
    fn tied_scores_are_not_parted() {
        let pairs = [(0.5, true), (0.5, false), (0.5, false)];
        assert_eq!(best_threshold(&pairs, (0, 0)), (f32::INFINITY, 2.0 / 3.0));
    }
}
