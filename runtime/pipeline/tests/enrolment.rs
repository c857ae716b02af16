//! Which views an enrolment takes, and which enrolments are refused.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use arcdoor_core::{
    Basis, CalibrationId, Candidate, Fmr, HeadTurn, Millis, ModelId, Quality, RetryReason, Score, SubjectId,
    SubjectName, Template, Threshold,
};
use arcdoor_gallery::{Gallery, GalleryKey, MemoryDisk};
use arcdoor_pipeline::{
    Enrolment, EnrolmentRefused, EnrolmentStep, Finished, GoodView, Medium, PipelineError, Plan, Purpose,
    Thresholds, View,
};
use proptest::prelude::*;

const MODEL: ModelId = ModelId::new([3; 16]);
const GOOD: Quality = Quality {
    sharpness: 90,
    pose: 80,
    illumination: 70,
    size: 95,
    occlusion: 100,
    recognisability: Some(75),
};
const TAKEN: EnrolmentStep = EnrolmentStep::Taken { quality: GOOD };
const NEW: Purpose = Purpose::New { allow_duplicate: false };

fn threshold(value: f32) -> Threshold {
    Threshold {
        value: Score(value),
        target: Fmr::new(1e-3).unwrap(),
        model_id: MODEL,
        calibration_id: CalibrationId::new([0; 16]),
        basis: Basis::Counted,
    }
}

/// Views match each other up to 60 degrees apart; nothing here searches.
fn thresholds(duplicate: f32) -> Thresholds {
    Thresholds::new(threshold(0.5), threshold(1.0), threshold(duplicate)).unwrap()
}

/// A template of two values: its score against another one is the cosine of the angle between them.
fn at(degrees: f32) -> Template {
    let angle = degrees.to_radians();
    Template::new(MODEL, &[angle.cos(), angle.sin()]).unwrap()
}

fn view(degrees: f32) -> View {
    turned(degrees, 0.0, 0.0)
}

/// The same of a head that is turned to the side, and nods, by so many degrees.
fn turned(degrees: f32, yaw_deg: f32, pitch_deg: f32) -> View {
    Ok(GoodView { template: at(degrees), quality: GOOD, yaw_deg, pitch_deg })
}

/// A gallery of one subject for each list of angles.
fn gallery(subjects: &[&[f32]]) -> Gallery {
    let key = GalleryKey::new(&[1; 32]);
    let mut gallery = Gallery::open_on(MemoryDisk::new(), &key, MODEL, 2).unwrap();
    for (index, angles) in subjects.iter().enumerate() {
        let templates: Vec<_> = angles.iter().map(|&degrees| at(degrees)).collect();
        gallery.enrol(&SubjectName::new(&format!("person {index}")).unwrap(), &templates, 0).unwrap();
    }
    gallery
}

/// The id of a gallery's subject, by its place.
fn id(gallery: &Gallery, index: usize) -> SubjectId {
    gallery.list()[index].id
}

fn enrolment(purpose: Purpose, angles: &[f32], duplicate: f32) -> Enrolment {
    let plan = Plan::photos(purpose, angles.len());
    let mut enrolment = Enrolment::new(plan, thresholds(duplicate)).unwrap();
    for &degrees in angles {
        enrolment.take(view(degrees), Millis(0)).unwrap();
    }
    enrolment
}

fn finish(
    purpose: Purpose,
    angles: &[f32],
    duplicate: f32,
    gallery: &Gallery,
) -> Result<Finished, EnrolmentRefused> {
    enrolment(purpose, angles, duplicate).finish(gallery).unwrap()
}

#[test]
fn views_of_one_person_are_taken_and_another_person_is_not() {
    let mut enrolment = Enrolment::new(Plan::camera(NEW), thresholds(1.0)).unwrap();
    let mut take = |view| enrolment.take(view, Millis(0)).unwrap();
    assert_eq!(take(Err(RetryReason::TooDark)), EnrolmentStep::NotTaken(RetryReason::TooDark));
    assert_eq!([take(view(0.0)), take(view(50.0))], [TAKEN; 2]);
    assert_eq!(take(view(95.0)), TAKEN, "near to the second view");
    assert_eq!(take(view(-80.0)), EnrolmentStep::NotTaken(RetryReason::SomebodyElse));
    assert_eq!((enrolment.len(), enrolment.qualities()), (3, &[GOOD; 3][..]));
    let finished = enrolment.finish(&gallery(&[])).unwrap().unwrap();
    assert_eq!((finished.templates.len(), finished.qualities, finished.nearest), (3, vec![GOOD; 3], None));
    // The first and the second are 50 degrees apart, the second and the third 45.
    let least = finished.consistency.unwrap();
    assert!((least.0 - 50.0_f32.to_radians().cos()).abs() < 1e-6, "{least:?}");
    assert_eq!(finish(NEW, &[10.0], 1.0, &gallery(&[])).unwrap().consistency, None, "of one view");
}

/// Alike by what degraded faces share alone, and the threshold is one of scores.
#[test]
fn somebody_elses_view_is_none_although_it_is_degraded_as_the_first_is() {
    let mut enrolment = Enrolment::new(Plan::camera(NEW), thresholds(1.0)).unwrap();
    let mut take = |degrees| {
        let template = at(degrees);
        let part = [template.values()[0], 0.0];
        let template = template.with_shared(&part, 0.5).unwrap();
        enrolment
            .take(Ok(GoodView { template, quality: GOOD, yaw_deg: 0.0, pitch_deg: 0.0 }), Millis(0))
            .unwrap()
    };
    assert_eq!(take(25.0), TAKEN);
    assert_eq!(take(-20.0), EnrolmentStep::NotTaken(RetryReason::SomebodyElse), "its cosine is 0.71");
    assert_eq!(take(60.0), TAKEN, "cosine 0.82, score 0.55: it also agrees in what is nobody else's");
}

/// Views that score 0.93 are 21.6 degrees apart, photos that score 0.95 are 18.2.
#[test]
fn the_same_view_again_is_no_further_one_and_whoever_holds_still_is_enrolled_all_the_same() {
    let (camera, photos) = (Plan::camera(NEW), Plan::photos(NEW, 5));
    let same = |plan: Plan, reason, near: f32, apart: f32| {
        let mut enrolment = Enrolment::new(plan, thresholds(1.0)).unwrap();
        let mut take = |degrees| enrolment.take(view(degrees), Millis(0)).unwrap();
        assert_eq!(take(0.0), TAKEN, "the first view always counts");
        assert_eq!([take(0.0), take(near)], [EnrolmentStep::NotTaken(reason); 2]);
        assert_eq!([take(apart), take(-apart)], [TAKEN; 2]);
        assert_eq!(take(apart - near), EnrolmentStep::NotTaken(reason), "as the first, not as the last");
        let finished = enrolment.finish(&gallery(&[])).unwrap().unwrap();
        assert_eq!(finished.templates.len(), 3, "fewer than it wanted, and enrolled");
    };
    same(camera, RetryReason::SameView, 21.0, 22.0);
    same(photos, RetryReason::SamePhoto, 18.0, 19.0);
    let mut enrolment = Enrolment::new(camera, thresholds(1.0)).unwrap();
    enrolment.take(view(0.0), Millis(0)).unwrap();
    let stranger = enrolment.take(view(90.0), Millis(0)).unwrap();
    assert_eq!(
        stranger,
        EnrolmentStep::NotTaken(RetryReason::SomebodyElse),
        "before anything is said of views"
    );
}

#[test]
fn where_no_view_is_turned_to_is_known() {
    use HeadTurn::{Down, Left, Right, Up};
    let mut enrolment = Enrolment::new(Plan::camera(NEW), thresholds(1.0)).unwrap();
    let unseen = |enrolment: &Enrolment| enrolment.unseen().collect::<Vec<_>>();
    assert_eq!(unseen(&enrolment), [Left, Right, Up, Down]);
    // Towards the image's right: the person's left.
    enrolment.take(turned(0.0, 15.0, 0.0), Millis(0)).unwrap();
    assert_eq!(unseen(&enrolment), [Right, Up, Down]);
    enrolment.take(turned(1.0, -15.0, 0.0), Millis(0)).unwrap();
    assert_eq!(unseen(&enrolment), [Right, Up, Down], "what was not taken was not seen");
    enrolment.take(turned(25.0, -15.0, 3.0), Millis(0)).unwrap();
    assert_eq!(unseen(&enrolment), [Up, Down]);
    enrolment.take(turned(50.0, 2.0, -12.0), Millis(0)).unwrap();
    assert_eq!(unseen(&enrolment), [Down]);
    enrolment.take(turned(75.0, 0.0, 12.0), Millis(0)).unwrap();
    assert_eq!(enrolment.finish(&gallery(&[])).unwrap().unwrap().unseen, []);
    assert_eq!(finish(NEW, &[10.0], 1.0, &gallery(&[])).unwrap().unseen, [Left, Right, Up, Down]);
}

#[test]
fn an_enrolment_is_over_with_its_last_view_or_its_time() {
    let plan = Plan { purpose: NEW, medium: Medium::Camera, views: 2, within_ms: Some(1_000) };
    let open = || Enrolment::new(plan, thresholds(1.0)).unwrap();
    let mut full = open();
    assert!(!full.is_over(Millis(u64::MAX)), "the time begins with the first frame");
    assert_eq!(full.take(view(0.0), Millis(500)).unwrap(), TAKEN);
    assert!(!full.is_over(Millis(1_500)));
    assert_eq!(full.take(view(30.0), Millis(1_500)).unwrap(), TAKEN);
    assert!(full.is_over(Millis(500)));
    assert_eq!(full.take(view(0.0), Millis(1_500)).unwrap(), EnrolmentStep::Over);
    assert_eq!(full.len(), 2);

    let mut late = open();
    late.take(view(0.0), Millis(500)).unwrap();
    assert!(late.is_over(Millis(1_501)));
    assert_eq!(late.take(view(0.0), Millis(1_501)).unwrap(), EnrolmentStep::Over);
    assert_eq!(late.finish(&gallery(&[])).unwrap().unwrap().templates.len(), 1, "and keeps what it has");

    let mut back = open();
    back.take(view(0.0), Millis(9_000)).unwrap();
    back.take(Err(RetryReason::NoFace), Millis(100)).unwrap();
    assert!(
        !back.is_over(Millis(1_100)) && back.is_over(Millis(1_101)),
        "a clock set back gives no more time"
    );

    let mut photos = Enrolment::new(Plan::photos(NEW, 2), thresholds(1.0)).unwrap();
    photos.take(view(0.0), Millis(0)).unwrap();
    assert!(!photos.is_over(Millis(u64::MAX)));
}

#[test]
fn a_subject_has_bounded_templates_and_one_embedder() {
    assert!(Enrolment::new(Plan::photos(NEW, 16), thresholds(1.0)).is_ok());
    let many = Enrolment::new(Plan::photos(NEW, 17), thresholds(1.0));
    assert!(matches!(many, Err(PipelineError::TooManyViews(17))), "before any work");
    let foreign = |values: &[f32]| {
        let template = Template::new(ModelId::new([4; 16]), values).unwrap();
        Ok(GoodView { template, quality: GOOD, yaw_deg: 0.0, pitch_deg: 0.0 })
    };
    let mut enrolment = Enrolment::new(Plan::camera(NEW), thresholds(1.0)).unwrap();
    enrolment.take(view(1.0), Millis(0)).unwrap();
    let error = enrolment.take(foreign(&[1.0, 0.0]), Millis(0));
    assert!(matches!(error, Err(PipelineError::Template(_))));
    let mut other = Enrolment::new(Plan::camera(NEW), thresholds(1.0)).unwrap();
    other.take(foreign(&[1.0, 0.0]), Millis(0)).unwrap();
    assert!(matches!(other.finish(&gallery(&[&[0.0]])), Err(PipelineError::Gallery(_))));
}

#[test]
fn without_a_view_there_is_nothing_to_enrol_and_the_last_reason_says_why() {
    let gallery = gallery(&[]);
    let mut enrolment = Enrolment::new(Plan::camera(NEW), thresholds(1.0)).unwrap();
    let refused = enrolment.clone().finish(&gallery).unwrap().unwrap_err();
    assert_eq!(refused, EnrolmentRefused::NoView { last: None });
    for reason in [RetryReason::TooDark, RetryReason::TooFar] {
        enrolment.take(Err(reason), Millis(0)).unwrap();
    }
    let refused = enrolment.finish(&gallery).unwrap().unwrap_err();
    assert_eq!(refused, EnrolmentRefused::NoView { last: Some(RetryReason::TooFar) });
    assert_eq!(refused.to_string(), "no view was good enough: come closer");
}

#[test]
fn who_is_enrolled_already_is_a_duplicate_unless_that_is_allowed() {
    let gallery = gallery(&[&[0.0, 20.0], &[90.0]]);
    let refused = finish(NEW, &[50.0, 30.0], 0.9, &gallery).unwrap_err();
    assert_eq!(refused, EnrolmentRefused::Duplicate(id(&gallery, 0)), "the second view, 10 degrees away");
    let allowed = finish(Purpose::New { allow_duplicate: true }, &[50.0, 30.0], 0.9, &gallery).unwrap();
    assert_eq!(allowed.nearest.map(|nearest| nearest.subject), Some(id(&gallery, 0)));
    assert!(finish(NEW, &[55.0], 0.9, &gallery).is_ok(), "35 degrees from both are too far");
}

#[test]
fn a_re_enrolment_keeps_the_person_and_takes_nobody_elses_views() {
    let gallery = gallery(&[&[0.0], &[100.0]]);
    let (own, other) = (id(&gallery, 0), id(&gallery, 1));
    for purpose in [Purpose::Add { subject: own }, Purpose::Replace { subject: own }] {
        let finished = finish(purpose, &[59.0, 10.0], 0.9, &gallery).unwrap();
        let nearest = finished.nearest.unwrap();
        assert_eq!(nearest.subject, other, "its own templates do not count");
        let stranger = finish(purpose, &[-70.0, -100.0], 0.9, &gallery);
        assert_eq!(stranger.unwrap_err(), EnrolmentRefused::AnotherPerson);
        let swapped = finish(purpose, &[100.0], 0.9, &gallery);
        assert_eq!(swapped.unwrap_err(), EnrolmentRefused::AnotherPerson, "before it is a duplicate");
        let both = finish(purpose, &[45.0, 90.0], 0.9, &gallery);
        assert_eq!(both.unwrap_err(), EnrolmentRefused::Duplicate(other));
    }
    // Whoever was taken for a subject may well be enrolled, and looks like it.
    let denied = finish(Purpose::Deny { subject: own }, &[100.0], 0.9, &gallery).unwrap();
    assert_eq!(denied.templates.len(), 1);
    assert!(finish(Purpose::Deny { subject: own }, &[-100.0], 0.9, &gallery).is_ok());
}

/// The gallery rotates templates: its scores differ from the plain cosine by rounding.
const NEAR: f32 = 1e-4;

fn cosine(a: f32, b: f32) -> f32 {
    (a - b).to_radians().cos()
}

/// The best score of these views against these templates.
fn best(views: &[f32], templates: &[f32]) -> f32 {
    let scores = views.iter().flat_map(|&view| templates.iter().map(move |&held| cosine(view, held)));
    scores.fold(-1.0, f32::max)
}

proptest! {
    /// Whoever is enrolled, whatever the views: refused as another person where no view matches the subject,
    /// as a duplicate exactly where one matches another subject, and taken otherwise.
    #[test]
    fn the_rules_hold_for_every_gallery_and_every_view(
        enrolled in prop::collection::vec(prop::collection::vec(0.0_f32..360.0, 1..4), 1..6),
        own in any::<prop::sample::Index>(),
        first in 0.0_f32..360.0,
        turns in prop::collection::vec(-59.0_f32..59.0, 0..5),
        duplicate in 0.0_f32..1.0,
        kind in 0_usize..5,
    ) {
        let views: Vec<f32> = std::iter::once(first).chain(turns.iter().map(|turn| first + turn)).collect();
        let lists: Vec<&[f32]> = enrolled.iter().map(Vec::as_slice).collect();
        let (gallery, own) = (gallery(&lists), own.index(enrolled.len()));
        let subject = id(&gallery, own);
        let purpose = [
            NEW,
            Purpose::New { allow_duplicate: true },
            Purpose::Add { subject },
            Purpose::Replace { subject },
            Purpose::Deny { subject },
        ][kind];
        let is_own = |index: usize| kind >= 2 && index == own;
        let others = enrolled.iter().enumerate().filter(|(index, _)| !is_own(*index));
        let nearest = others.map(|(index, held)| (best(&views, held), index)).max_by(|a, b| a.0.total_cmp(&b.0));
        let to_own = best(&views, &enrolled[own]);
        // Others are repetitions: the test above is about them.
        let apart = |(a, b): (usize, usize)| cosine(views[a], views[b]) < 0.95 - NEAR;
        prop_assume!((0..views.len()).flat_map(|a| (0..a).map(move |b| (a, b))).all(apart));
        prop_assume!((to_own - 0.5).abs() > NEAR && nearest.is_none_or(|(score, _)| (score - duplicate).abs() > NEAR));

        let keeps_person = kind == 2 || kind == 3;
        let outcome = finish(purpose, &views, duplicate, &gallery);
        let is_duplicate = kind != 1 && kind != 4 && nearest.is_some_and(|(score, _)| score >= duplicate);
        if keeps_person && to_own < 0.5 {
            prop_assert_eq!(outcome.unwrap_err(), EnrolmentRefused::AnotherPerson);
        } else if is_duplicate {
            let EnrolmentRefused::Duplicate(found) = outcome.unwrap_err() else {
                return Err(TestCaseError::fail("refused for another reason"));
            };
            let at = gallery.list().iter().position(|subject| subject.id == found).unwrap();
            prop_assert!(!is_own(at) && best(&views, &enrolled[at]) >= duplicate - NEAR);
        } else {
            let finished = outcome.unwrap();
            prop_assert_eq!(finished.templates.len(), views.len());
            match (finished.nearest, nearest) {
                (Some(Candidate { score, .. }), Some((expected, _))) => {
                    prop_assert!((score.0 - expected).abs() <= NEAR);
                }
                (found, expected) => prop_assert_eq!(found.is_none(), expected.is_none()),
            }
        }
    }
}
