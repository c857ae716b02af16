//! The matcher against a plain loop.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use arcdoor_core::limits::MAX_CANDIDATES;
use arcdoor_core::{Candidates, ModelId, SubjectId, Template};
use arcdoor_gallery::{GalleryError, Matcher, Precision};
use proptest::prelude::*;
use std::collections::BTreeMap;

const MODEL: ModelId = ModelId::new([1; 16]);

fn template(values: &[f32]) -> Template {
    Template::new(MODEL, values).unwrap()
}

fn matcher(precision: Precision, rows: &[(u32, Template)], dimension: usize) -> Matcher {
    let mut matcher = Matcher::new(MODEL, dimension, precision).unwrap();
    for (subject, row) in rows {
        matcher.push(SubjectId(*subject), row).unwrap();
    }
    matcher
}

/// Every subject's best exact score.
fn naive(rows: &[(u32, Template)], probe: &Template) -> BTreeMap<u32, f32> {
    let mut best = BTreeMap::new();
    for (subject, row) in rows {
        let with = |values: &[f32]| -> f64 {
            row.values().iter().zip(values).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let cosine = with(probe.values());
        let discount = probe.shared().map_or(0.0, |part| {
            let shared = with(part.values());
            let known = probe.allowance().into_iter().chain(row.allowance());
            let allowance = known.fold(f32::NEG_INFINITY, f32::max);
            (shared - f64::from(allowance) * (cosine - shared)).max(0.0)
        });
        let held = best.entry(*subject).or_insert(f32::NEG_INFINITY);
        *held = held.max((cosine - discount).max(-1.0) as f32);
    }
    best
}

/// Each candidate's score lies within the bound of its exact score, in falling order, and nobody who was
/// left out is better than the last candidate by more than both errors.
fn check(matcher: &Matcher, rows: &[(u32, Template)], probe: &Template) -> Result<(), TestCaseError> {
    let mut out = Candidates::new();
    matcher.identify(probe, &mut out).unwrap();
    let exact = naive(rows, probe);
    let bound = matcher.error_bound(probe);
    prop_assert_eq!(out.len(), exact.len().min(MAX_CANDIDATES));
    prop_assert!(out.windows(2).all(|pair| pair[0].score >= pair[1].score));
    let mut left = exact.clone();
    for candidate in &out {
        let score = left.remove(&candidate.subject.0);
        prop_assert!(score.is_some(), "a subject was listed twice");
        let off = (score.unwrap() - candidate.score.0).abs();
        prop_assert!(off <= bound, "{off} > {bound}, {:?}", matcher.precision());
        prop_assert_eq!(matcher.verify(candidate.subject, probe).unwrap(), Some(candidate.score));
    }
    if let Some(last) = out.last() {
        prop_assert!(left.values().all(|&score| score <= last.score.0 + bound));
    }
    Ok(())
}

fn galleries() -> impl Strategy<Value = (Vec<(u32, Template)>, Template, usize)> {
    (1_usize..140).prop_flat_map(|dimension| {
        let values = proptest::collection::vec(-1.0_f32..1.0, dimension)
            .prop_filter("a zero vector", |values| values.iter().any(|value| value.abs() > 1e-3));
        let template = values.prop_map(|values| template(&values));
        let allowance = || -1.0_f32..1.0;
        let kept =
            (template.clone(), proptest::option::of(allowance())).prop_map(
                |(kept, allowance)| match allowance {
                    Some(allowance) => kept.with_allowance(allowance).unwrap(),
                    None => kept,
                },
            );
        let rows = proptest::collection::vec((0_u32..40, kept), 0..300);
        let shared = proptest::option::of((template.clone(), allowance()));
        let probe = (template, shared).prop_map(|(probe, shared)| match shared {
            Some((part, allowance)) => sharing(probe, &part, allowance),
            None => probe,
        });
        (rows, probe, Just(dimension))
    })
}

/// The probe with its projection onto one direction.
fn sharing(probe: Template, direction: &Template, allowance: f32) -> Template {
    let along = probe.cosine(direction).unwrap().0;
    let part: Vec<f32> = direction.values().iter().map(|value| along * value).collect();
    probe.with_shared(&part, allowance).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn identify_agrees_with_a_plain_loop((rows, probe, dimension) in galleries(), removed in 0_u32..40) {
        for precision in [Precision::F32, Precision::Int8] {
            let mut matcher = matcher(precision, &rows, dimension);
            check(&matcher, &rows, &probe)?;
            let left: Vec<_> = rows.iter().filter(|(subject, _)| *subject != removed).cloned().collect();
            prop_assert_eq!(matcher.remove(SubjectId(removed)), rows.len() - left.len());
            prop_assert_eq!(matcher.verify(SubjectId(removed), &probe).unwrap(), None);
            check(&matcher, &left, &probe)?;
        }
    }
}

#[test]
fn equal_scores_are_ordered_by_id_whatever_the_order_of_rows() {
    let same = template(&[1.0, 0.0, 0.0]);
    for order in [[9, 3, 7, 1, 8, 2, 6], [1, 2, 3, 6, 7, 8, 9], [9, 8, 7, 6, 3, 2, 1]] {
        let matcher = matcher(Precision::F32, &order.map(|subject| (subject, same.clone())), 3);
        let mut out = Candidates::new();
        matcher.identify(&same, &mut out).unwrap();
        assert_eq!(out.iter().map(|candidate| candidate.subject.0).collect::<Vec<_>>(), [1, 2, 3, 6, 7]);
    }
}

#[test]
fn who_is_near_by_what_degraded_faces_share_alone_is_ranked_behind() {
    // The first subject agrees in the shared direction, the second less, and in another one.
    let rows = [(1, template(&[0.9, 0.1, 0.4])), (2, template(&[0.1, 0.9, 0.4]))];
    let probe = sharing(template(&[0.8, 0.6, 0.0]), &template(&[1.0, 0.0, 0.0]), 0.1);
    for precision in [Precision::F32, Precision::Int8] {
        let (matcher, mut out) = (matcher(precision, &rows, 3), Candidates::new());
        matcher.identify(&template(probe.values()), &mut out).unwrap();
        assert_eq!(out[0].subject, SubjectId(1), "by cosine");
        matcher.identify(&probe, &mut out).unwrap();
        assert_eq!(out[0].subject, SubjectId(2));
        assert!(out[1].score.0 < 0.2, "{out:?}");
    }
}

/// 12,000 subjects of 512 values: int8 finds every enrolled one, and its usual error is far below the bound.
#[test]
fn int8_ranks_a_large_gallery_as_f32_does() {
    let mut seed = 7_u32;
    let mut value = move || {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed as f32 / u32::MAX as f32 - 0.5
    };
    let rows: Vec<_> =
        (0..12_000).map(|id| (id, template(&std::array::from_fn::<_, 512, _>(|_| value())))).collect();
    let (exact, coarse) = (matcher(Precision::F32, &rows, 512), matcher(Precision::Int8, &rows, 512));
    assert!(coarse.bytes() * 3 < exact.bytes());
    for (id, row) in rows.iter().step_by(997) {
        let noisy: Vec<f32> = row.values().iter().map(|v| v + value() * 0.1).collect();
        let (probe, mut a, mut b) = (template(&noisy), Candidates::new(), Candidates::new());
        exact.identify(&probe, &mut a).unwrap();
        coarse.identify(&probe, &mut b).unwrap();
        assert_eq!((a[0].subject, b[0].subject), (SubjectId(*id), SubjectId(*id)));
        assert!((a[0].score.0 - b[0].score.0).abs() < 0.003);
    }
}

#[test]
fn templates_of_another_embedder_or_dimension_are_refused() {
    let mut matcher = matcher(Precision::F32, &[(1, template(&[1.0, 0.0]))], 2);
    let other = Template::new(ModelId::new([2; 16]), &[1.0, 0.0]).unwrap();
    let mut out = Candidates::new();
    matcher.identify(&template(&[1.0, 0.0]), &mut out).unwrap();
    for foreign in [other, template(&[1.0, 0.0, 0.0])] {
        assert!(matches!(matcher.push(SubjectId(2), &foreign), Err(GalleryError::ForeignTemplate { .. })));
        assert!(matches!(matcher.identify(&foreign, &mut out), Err(GalleryError::ForeignTemplate { .. })));
        assert!(out.is_empty(), "candidates of an earlier probe were left");
        assert!(matches!(matcher.verify(SubjectId(1), &foreign), Err(GalleryError::ForeignTemplate { .. })));
    }
    assert!(matches!(Matcher::new(MODEL, 0, Precision::F32), Err(GalleryError::Dimension(0))));
    assert!(matches!(Matcher::new(MODEL, 513, Precision::Int8), Err(GalleryError::Dimension(513))));
}
