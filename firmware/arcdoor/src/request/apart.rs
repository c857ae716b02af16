//! Two runs of a network on the same noise: how far their outputs are apart.

/// Values over a range such as an image's, 0 to 255, the same each time.
pub(super) fn noise() -> impl Iterator<Item = f32> {
    std::iter::successors(Some(1_u32), |state| {
        Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
    })
    .skip(1)
    .map(|state| (state >> 24) as f32)
}

/// The greatest difference, as a share of the greatest value of the first; NaN where a value is.
pub(super) fn apart<'a>(pairs: impl Iterator<Item = (&'a f32, &'a f32)>) -> f32 {
    let (difference, greatest) = pairs.fold((0.0, 0.0_f32), |(difference, greatest), (a, b)| {
        (worse(difference, (a - b).abs()), greatest.max(a.abs()))
    });
    if difference == 0.0 { 0.0 } else { difference / greatest }
}

/// The greater; a NaN stays.
pub(super) fn worse(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_of_the_greatest_value_and_a_nan_is_seen() {
        let apart = |a: [f32; 2], b: [f32; 2]| apart(a.iter().zip(&b));
        assert_eq!(apart([1.0, -8.0], [1.0, -8.0]), 0.0);
        assert_eq!(apart([1.0, -8.0], [3.0, -8.0]), 0.25);
        assert!(apart([1.0, f32::NAN], [1.0, 1.0]).is_nan());
        assert!(worse(worse(0.0, f32::NAN), 1.0).is_nan());
    }
}
