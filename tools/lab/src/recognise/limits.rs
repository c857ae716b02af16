//! Where each head's limit lies, so that all together refuse so many of the undamaged faces.

/// Limits, and what they refuse.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Limits {
    /// The least value that passes, for each head.
    pub(super) least: Vec<f64>,
    /// The share of faces that at least one head refuses.
    pub(super) refused: f64,
}

/// The limits at which the heads refuse faces in proportion to their weights, and together as many as `share` allows.
/// `values` has a row for each head: its value of every face, the faces in the same order.
pub(super) fn limits(values: &[Vec<f64>], weights: &[f64], share: f64) -> Limits {
    let sorted: Vec<Vec<f64>> = values.iter().map(|row| sorted(row)).collect();
    let at = |factor: f64| {
        let rows = sorted.iter().zip(weights);
        let least: Vec<f64> = rows.map(|(row, weight)| quantile(row, weight * factor)).collect();
        let is_refused = |face: &usize| values.iter().zip(&least).any(|(row, least)| row[*face] < *least);
        let faces = values.first().map_or(0, Vec::len);
        let refused = (0..faces).filter(is_refused).count() as f64 / faces.max(1) as f64;
        Limits { least, refused }
    };
    // More is refused the larger the factor; at 0 the lowest face of every head still passes.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if at(middle).refused <= share { low = middle } else { high = middle }
    }
    at(low)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which a share of the sorted values lies, between the two nearest.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let place = (share * last as f64).min(last as f64);
    let (below, part) = (place as usize, place.fract());
    let value = |at: usize| sorted.get(at.min(last)).copied().unwrap_or_default();
    value(below) + (value(below + 1) - value(below)) * part
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_calib::Random;

    #[test]
    fn together_the_heads_refuse_what_is_allowed_and_by_their_weights() {
        let mut random = Random(5);
        let values: Vec<Vec<f64>> =
            (0..3).map(|_| (0..20_000).map(|_| f64::from(random.signed())).collect()).collect();
        let found = limits(&values, &[1.0, 2.0, 0.0], 0.06);
        assert!((found.refused - 0.06).abs() < 1e-3, "{}", found.refused);
        let refused = |head: usize| values[head].iter().filter(|value| **value < found.least[head]).count();
        let ratio = refused(1) as f64 / refused(0) as f64;
        assert!((1.8..2.2).contains(&ratio) && refused(2) == 0, "{ratio}");
    }
}
