//! A face's template held against the gallery, as far as the question asks.

use arcdoor_core::{Candidate, Candidates, Rect, Score, Template};
use arcdoor_gallery::{Gallery, GalleryError};

use crate::intent::Stance;
use crate::observation::Observation;
use crate::question::Question;

/// What the gallery says about one template.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Subjects by score, best first; for a claim, the claimed subject alone.
    pub(crate) candidates: Candidates,
    /// The best score against templates that were reported as not the first candidate; `None` where there are none.
    impostor: Option<Score>,
}

impl Comparison {
    /// Asks the gallery as it is now. Allocates nothing.
    pub(crate) fn new(gallery: &Gallery, probe: &Template, question: Question) -> Result<Self, GalleryError> {
        let mut candidates = Candidates::new();
        match question {
            Question::Identify => gallery.identify(probe, &mut candidates)?,
            Question::Verify(subject) => {
                let claimed = gallery.verify(subject, probe)?.map(|score| Candidate { subject, score });
                candidates.extend(claimed);
            }
        }
        let impostor = match candidates.first() {
            Some(best) => gallery.impostor(best.subject, probe)?,
            None => None,
        };
        Ok(Self { candidates, impostor })
    }

    /// What decisions need of it, for a face at `rect`.
    pub(crate) fn observation(&self, rect: Rect, stance: Stance, question: Question) -> Observation {
        let contenders = self.candidates.iter().take(2).copied().collect();
        Observation::Face { rect, stance, claim: question.claim(), contenders, impostor: self.impostor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Rules, decide};
    use crate::intent::Intent;
    use crate::policy::{Fields, Policy};
    use crate::state::State;
    use crate::thresholds::Thresholds;
    use arcdoor_core::{
        Basis, CalibrationId, Decision, DenyReason, Fmr, Millis, ModelId, SubjectId, SubjectName, Threshold,
    };
    use arcdoor_gallery::{GalleryKey, MemoryDisk};

    const MODEL: ModelId = ModelId::new([3; 16]);

    fn template(values: [f32; 2]) -> Template {
        Template::new(MODEL, &values).unwrap()
    }

    fn gallery(people: &[(&str, [f32; 2])]) -> (Gallery, Vec<SubjectId>) {
        let key = GalleryKey::new(&[1; 32]);
        let mut gallery = Gallery::open_on(MemoryDisk::new(), &key, MODEL, 2).unwrap();
        let enrol = |&(name, values): &(&str, [f32; 2])| {
            gallery.enrol(&SubjectName::new(name).unwrap(), &[template(values)], 0).unwrap()
        };
        let ids = people.iter().map(enrol).collect();
        (gallery, ids)
    }

    /// Two of three frames agree; scores from 0.5 on match.
    fn rules() -> Rules {
        let threshold = Threshold {
            value: Score(0.5),
            target: Fmr::new(1e-3).unwrap(),
            model_id: MODEL,
            calibration_id: CalibrationId::new([0; 16]),
            basis: Basis::Counted,
        };
        let intent = Intent::NOT_REQUIRED;
        let fields = Fields { agree: 2, of: 3, lockout: None, intent, ..Fields::default() };
        let thresholds = Thresholds::new(threshold, threshold, threshold).unwrap();
        Rules { thresholds, policy: Policy::new(fields).unwrap() }
    }

    /// Frames of one person, a tenth of a second apart, each held against the gallery of its time.
    struct Visit {
        state: State,
        now: Millis,
        question: Question,
    }

    impl Visit {
        fn new(question: Question) -> Self {
            Self { state: State::default(), now: Millis(0), question }
        }

        fn step(&mut self, gallery: &Gallery) -> Decision {
            let comparison = Comparison::new(gallery, &template([1.0, 0.0]), self.question).unwrap();
            let rect = Rect::new(0.0, 0.0, 100.0, 100.0);
            let seen = comparison.observation(rect, Stance::new(&rect, 640, 0.0, 0.0), self.question);
            self.now = self.now.plus(100);
            let outcome;
            (self.state, outcome) = decide(&self.state, &seen, self.now, &rules());
            outcome.decision
        }
    }

    #[test]
    fn who_is_revoked_between_two_frames_is_not_granted_at_the_next() {
        for is_claim in [false, true] {
            let (mut gallery, ids) = gallery(&[("ada", [1.0, 0.0]), ("bob", [0.0, 1.0])]);
            let question = if is_claim { Question::Verify(ids[0]) } else { Question::Identify };
            let mut visit = Visit::new(question);
            visit.step(&gallery);
            assert!(matches!(visit.step(&gallery), Decision::Granted { subject, .. } if subject == ids[0]));
            gallery.revoke(ids[0]).unwrap();
            for _ in 0..5 {
                let decision = visit.step(&gallery);
                assert!(!matches!(decision, Decision::Granted { .. }), "{question:?}: {decision:?}");
            }
            assert_eq!(visit.step(&gallery), Decision::Denied { reason: DenyReason::NoMatch });
        }
    }

    #[test]
    fn who_is_enrolled_between_two_frames_is_granted_once_enough_frames_agree() {
        let (mut gallery, _) = gallery(&[]);
        let mut visit = Visit::new(Question::Identify);
        for _ in 0..3 {
            visit.step(&gallery);
        }
        assert_eq!(visit.step(&gallery), Decision::Denied { reason: DenyReason::NobodyEnrolled });
        let id = gallery.enrol(&SubjectName::new("ada").unwrap(), &[template([1.0, 0.0])], 0).unwrap();
        assert!(matches!(visit.step(&gallery), Decision::Retry { .. }));
        assert!(matches!(visit.step(&gallery), Decision::Granted { subject, .. } if subject == id));
    }

    #[test]
    fn a_claim_is_compared_with_the_claimed_subject_alone_and_scores_as_in_a_search() {
        let (mut gallery, ids) = gallery(&[("ada", [1.0, 0.5]), ("bob", [1.0, 0.1])]);
        gallery.deny(ids[0], &[template([1.0, -0.1])]).unwrap();
        let probe = template([1.0, 0.0]);
        let search = Comparison::new(&gallery, &probe, Question::Identify).unwrap();
        assert_eq!((search.candidates[0].subject, search.candidates.len()), (ids[1], 2));
        assert_eq!(search.impostor, None, "nobody was reported as not bob");
        let claim = Comparison::new(&gallery, &probe, Question::Verify(ids[0])).unwrap();
        assert_eq!(claim.candidates[..], search.candidates[1..]);
        assert!(claim.impostor > Some(claim.candidates[0].score), "whoever is not ada is nearer");
        let nobody = Comparison::new(&gallery, &probe, Question::Verify(SubjectId(99))).unwrap();
        assert!(nobody.candidates.is_empty() && nobody.impostor.is_none());
    }
}
