//! Thresholds from scores.

/// The least threshold that at most a share `fmr` of `impostors` reach: a comparison is accepted where its score is at
/// or above it, so that equal scores are accepted together or not at all. Below every score where all may be accepted.
/// `impostors` sorted, highest first; `fmr` 0..=1.
#[must_use]
pub fn threshold_at_fmr(impostors: &[f32], fmr: f64) -> f32 {
    let share = |accepted: usize| accepted as f64 / impostors.len() as f64;
    // Shares decide. The product may be rounded past a whole number either way, so the search begins one earlier.
    let first = ((fmr * impostors.len() as f64) as usize).saturating_sub(1);
    let mut refused = impostors.iter().enumerate().skip(first).filter(|(index, _)| share(index + 1) > fmr);
    refused.next().map_or(f32::NEG_INFINITY, |(_, highest_refused)| highest_refused.next_up())
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
