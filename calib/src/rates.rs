//! Thresholds from scores.

/// The most of `impostors` that may be accepted at a rate (0..=1). Shares decide: the product may be rounded past a
/// whole number either way.
#[must_use]
pub fn most_accepted(rate: f64, impostors: u64) -> u64 {
    let share = |accepted: u64| accepted as f64 / impostors as f64;
    let near = (rate * impostors as f64) as u64;
    (near.saturating_sub(1)..=near + 1).rev().find(|accepted| share(*accepted) <= rate).unwrap_or(0)
}

/// The least threshold that at most a share `fmr` of `impostors` reach: a comparison is accepted where its score is at
/// or above it, so that equal scores are accepted together or not at all. Below every score where all may be accepted.
/// `impostors` sorted, highest first; `fmr` 0..=1.
#[must_use]
pub fn threshold_at_fmr(impostors: &[f32], fmr: f64) -> f32 {
    let highest_refused = impostors.get(most_accepted(fmr, impostors.len() as u64) as usize);
    highest_refused.map_or(f32::NEG_INFINITY, |score| score.next_up())
}

/// The threshold that decides most pairs right, half-way between two scores, and the share it gets right.
/// A pair is (score, same person). Pairs without a score belong to `unscored` (genuine, impostor): they
/// are never accepted.
#[must_use]
pub fn best_threshold(pairs: &[(f32, bool)], unscored: (usize, usize)) -> (f32, f64) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share_accepted(impostors: &[f32], threshold: f32) -> f64 {
        impostors.iter().filter(|score| **score >= threshold).count() as f64 / impostors.len() as f64
    }

    proptest! {
        /// Few different scores, so that most are tied; rates that are often a whole number of them.
        #[test]
        fn at_most_the_rate_is_accepted_and_a_lower_threshold_accepts_more(
            mut tenths in proptest::collection::vec(-10_i8..=10, 1..200),
            accepted in 0_usize..250,
            between in prop_oneof![Just(0.0), 0.0..1.0],
        ) {
            tenths.sort_unstable_by(|a, b| b.cmp(a));
            let impostors: Vec<f32> = tenths.iter().map(|tenth| f32::from(*tenth) / 10.0).collect();
            let fmr = ((accepted as f64 + between) / impostors.len() as f64).min(1.0);
            let threshold = threshold_at_fmr(&impostors, fmr);
            prop_assert!(share_accepted(&impostors, threshold) <= fmr);
            let lower = threshold.next_down();
            prop_assert!(share_accepted(&impostors, lower) > fmr || threshold == f32::NEG_INFINITY);
        }
    }

    proptest! {
        /// Rates that are a whole number of impostors, or lie beside one, where products are rounded wrongly.
        #[test]
        fn the_most_accepted_are_a_share_within_the_rate_and_one_more_is_not(
            impostors in 1_u64..1 << 40, part in 0.0..=1.0, beside in 0_u8..3,
        ) {
            let exact = (part * impostors as f64) as u64 as f64 / impostors as f64;
            let rate = [exact, exact.next_up(), exact.next_down()][usize::from(beside)].clamp(0.0, 1.0);
            let most = most_accepted(rate, impostors);
            prop_assert!(most as f64 / impostors as f64 <= rate);
            prop_assert!((most + 1) as f64 / impostors as f64 > rate);
        }
    }

    #[test]
    fn of_nobody_nobody_is_accepted() {
        assert_eq!(most_accepted(0.5, 0), 0);
        assert_eq!(threshold_at_fmr(&[], 0.5), f32::NEG_INFINITY);
    }

    #[test]
    fn thresholds_lie_next_to_the_highest_score_that_is_refused() {
        let impostors: Vec<f32> = (0..1000).rev().map(|i| i as f32 / 1000.0).collect();
        for (fmr, accepted) in [(0.0, 0), (0.001, 1), (0.01, 10), (0.29, 290), (0.5, 500)] {
            assert_eq!(threshold_at_fmr(&impostors, fmr), impostors[accepted].next_up(), "{fmr}");
        }
        assert_eq!(threshold_at_fmr(&impostors, 1.0), f32::NEG_INFINITY);
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
