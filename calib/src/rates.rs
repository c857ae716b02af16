//! Thresholds from scores.

/// The score that an impostor may not exceed so that at most `rate` of `impostors` do: a pair counts as
/// accepted where its score lies above. `impostors` sorted, highest first; not empty.
#[must_use]
pub fn score_at_far(impostors: &[f32], rate: f64) -> f32 {
    let allowed = (rate * impostors.len() as f64).floor() as usize;
    impostors[allowed.min(impostors.len() - 1)]
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
