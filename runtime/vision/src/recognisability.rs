//! How well an embedding tells its face from others.
//!
//! Faces that are covered, turned, blurred or misaligned give embeddings that are like each other's, whoever they are
//! of: a template of one matches a probe of another. Such embeddings are short, and point to a few directions
//! (recognisability as the distance to the cluster of unrecognisable faces: Deng, Chen and others, "Harnessing
//! Unrecognizable Faces for Improving Face Recognition", WACV 2023; length as quality: Meng and others, "MagFace", CVPR
//! 2021). The pack's table holds both as weights.

use arcdoor_core::RetryReason;
use arcdoor_models::{RecognisabilityHead, RecognisabilityTable};

/// The recognisability of one embedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recognised {
    /// 0..=100: recognition's gate ends at 20, enrolment's at 40.
    pub value: u8,
    /// The same before it was cut and rounded down.
    pub exact: f32,
    /// What the person can do about it where it is low.
    pub advice: RetryReason,
}

/// What the heads of `table` say of an embedding, all of its values finite and not all 0; the lowest value counts.
#[must_use]
pub fn recognise(table: &RecognisabilityTable, embedding: &[f32]) -> Recognised {
    let length = dot(embedding, embedding).sqrt();
    let lowest = table.heads.iter().map(|head| (value(head, embedding, length), head.advice));
    let lowest = lowest.min_by(|a, b| a.0.total_cmp(&b.0));
    // A verified pack's table has heads.
    let (exact, advice) = lowest.unwrap_or((100.0, RetryReason::NotClear));
    // Downwards, so that nothing below a gate reaches it.
    Recognised { value: exact.clamp(0.0, 100.0).floor() as u8, exact, advice }
}

/// One head's value of an embedding of this length.
fn value(head: &RecognisabilityHead, embedding: &[f32], length: f32) -> f32 {
    let value = head.bias + head.norm * length + dot(&head.direction, embedding) / length;
    // A NaN has a sign that CPUs choose differently, and must be the lowest on each.
    if value.is_nan() { f32::NEG_INFINITY } else { value }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> RecognisabilityTable {
        let head = |advice, bias, norm, direction: [f32; 2]| RecognisabilityHead {
            name: "x".to_owned(),
            advice,
            bias,
            norm,
            direction: direction.to_vec(),
        };
        RecognisabilityTable {
            data: "two heads".to_owned(),
            heads: vec![
                head(RetryReason::HoldStill, 0.0, 10.0, [0.0, 0.0]),
                head(RetryReason::Covered, 50.0, 0.0, [100.0, 0.0]),
            ],
            shared: None,
        }
    }

    #[test]
    fn the_head_with_the_lowest_value_says_how_low_and_why() {
        let of = |embedding: [f32; 2]| {
            let found = recognise(&table(), &embedding);
            (found.value, found.advice)
        };
        assert_eq!(of([0.0, 4.0]), (40, RetryReason::HoldStill));
        assert_eq!(of([-3.0, 4.0]), (0, RetryReason::Covered));
        assert_eq!(of([0.0, 40.0]), (50, RetryReason::Covered));
        assert_eq!(of([30.0, 40.0]).0, 100);
        assert_eq!(of([0.0, 1.999]), (19, RetryReason::HoldStill), "not rounded up");
        let exact = |embedding: [f32; 2]| recognise(&table(), &embedding).exact;
        assert!((exact([0.0, 1.999]) - 19.99).abs() < 1e-4);
        assert!((exact([-3.0, 4.0]) + 10.0).abs() < 1e-4, "not cut at 0");
    }

    #[test]
    fn what_is_no_number_is_not_recognisable() {
        assert_eq!(recognise(&table(), &[f32::NAN, 1.0]).value, 0);
        let mut one = table();
        one.heads[0].norm = f32::NAN;
        assert_eq!(recognise(&one, &[30.0, 40.0]).value, 0, "one head among good ones");
        one.heads[0].norm = -f32::NAN;
        assert_eq!(recognise(&one, &[30.0, 40.0]).value, 0, "whatever its sign");
        assert_eq!(recognise(&table(), &[0.0, 0.0]).value, 0);
    }
}
