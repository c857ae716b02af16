//! The recognition path, frame by frame.

use std::time::Instant;

use arcdoor_core::{
    Candidates, Engines, Face, Faces, Millis, ModelId, Quality, Rect, RetryReason, Stage, StageTimes,
    Template, Threshold,
};
use arcdoor_frame::RgbView;
use arcdoor_gallery::Gallery;
use arcdoor_vision::quality::{Assessment, QualityGate};
use arcdoor_vision::{DetectSettings, Vision};

use crate::comparison::Comparison;
use crate::decide::{Rules, decide};
use crate::denials::LockoutState;
use crate::error::PipelineError;
use crate::observation::Observation;
use crate::outcome::Outcome;
use crate::question::Question;
use crate::state::State;

/// A second face at least this wide, as a share of the widest one, stands beside it and not behind it.
const BESIDE: f32 = 0.75;

/// A frame's decision with all that led to it.
#[derive(Debug, Clone)]
pub struct Step {
    /// All faces, best detector score first.
    pub faces: Faces,
    /// The index of the face that was decided about: the widest with landmarks. `None` where no face has any, or
    /// another one is nearly as wide.
    pub chosen: Option<usize>,
    /// That face's quality; `None` where none was chosen.
    pub assessment: Option<Assessment>,
    /// Subjects by score, best first; for a claim, the claimed subject alone; empty where nothing was compared.
    pub candidates: Candidates,
    /// How long each stage took.
    pub times: StageTimes,
    /// What the decision was made of; goes into a trace.
    pub observation: Observation,
    /// The decision, and which attempts are over.
    pub outcome: Outcome,
    /// What the scores were held against.
    pub threshold: Threshold,
}

/// One view of a person that may be enrolled.
#[derive(Debug, Clone, PartialEq)]
pub struct GoodView {
    /// The face's template.
    pub template: Template,
    /// The image's quality.
    pub quality: Quality,
    /// Turn to the side in degrees, positive towards the image's right.
    pub yaw_deg: f32,
}

/// One view of a person, or why there is none.
pub type View = Result<GoodView, RetryReason>;

/// How often a face is looked at before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// Once: the next frame is the second look.
    One,
    /// Twice, where one image decides by itself: see [`Vision::confirms`].
    Two,
}

/// Runs frames through detection, quality, embedding, comparison and decision, and remembers what decisions
/// need from frame to frame. It holds no threshold and no gallery: both come with each frame, and may be
/// others than at the last one.
pub struct Recognizer {
    vision: Vision,
    detect: DetectSettings,
    state: State,
    probe: Option<Template>,
}

impl Recognizer {
    /// A recognizer that has seen nothing yet.
    #[must_use]
    pub fn new(vision: Vision, detect: DetectSettings) -> Self {
        Self { vision, detect, state: State::default(), probe: None }
    }

    /// Loads what frames of this size need, so that the first frame is as fast as the others.
    ///
    /// # Errors
    /// When a network cannot be loaded.
    pub fn prepare(&mut self, width: u32, height: u32) -> Result<(), PipelineError> {
        Ok(self.vision.prepare(width, height, &self.detect)?)
    }

    /// What runs the networks.
    #[must_use]
    pub fn engine(&self) -> Engines {
        self.vision.engines()
    }

    /// The embedder whose templates it makes.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.vision.model_id()
    }

    /// The template of the last frame; `None` where no face was good enough.
    #[must_use]
    pub const fn probe(&self) -> Option<&Template> {
        self.probe.as_ref()
    }

    /// What must not be forgotten when recognition is made anew or the program ends: put it back with
    /// [`resume`](Self::resume).
    #[must_use]
    pub fn lockout(&self, now: Millis) -> LockoutState {
        self.state.lockout(now)
    }

    /// Forgets every earlier frame, and goes on under this lockout.
    pub fn resume(&mut self, lockout: &LockoutState, now: Millis) {
        self.state = State::resumed(lockout, now);
        self.probe = None;
    }

    /// Decides about the next frame, by these rules and the gallery as it is now.
    ///
    /// # Errors
    /// When a threshold is of another embedder, or a network or the search fails; then nothing is remembered
    /// of the frame.
    pub fn step(
        &mut self,
        frame: RgbView<'_>,
        gallery: &Gallery,
        question: Question,
        rules: &Rules,
        now: Millis,
    ) -> Result<Step, PipelineError> {
        let (step, state) =
            self.decide(&self.state.clone(), frame, Looks::One, gallery, question, rules, now)?;
        self.state = state;
        Ok(step)
    }

    /// Decides about one image by itself: no earlier frame counts, and it counts for no later one.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn still(
        &mut self,
        image: RgbView<'_>,
        gallery: &Gallery,
        question: Question,
        rules: &Rules,
    ) -> Result<Step, PipelineError> {
        Ok(self.decide(&State::default(), image, Looks::Two, gallery, question, rules, Millis(0))?.0)
    }

    #[expect(clippy::too_many_arguments, reason = "what `step` and `still` are given, and how they differ")]
    fn decide(
        &mut self,
        state: &State,
        frame: RgbView<'_>,
        looks: Looks,
        gallery: &Gallery,
        question: Question,
        rules: &Rules,
        now: Millis,
    ) -> Result<(Step, State), PipelineError> {
        self.probe = None;
        rules.thresholds.check(self.model_id())?;
        let Observed { faces, chosen, assessment, face } =
            self.observe(frame, &QualityGate::recognise(), looks)?;
        let start = Instant::now();
        let (mut comparison, mut times) = (Comparison::default(), *self.vision.times());
        let observation = match face {
            Found::Nobody(reason) => Observation::Nobody { reason },
            Found::Unclear(rect, reason) => Observation::Unclear { rect, reason },
            Found::Face(rect, template) => {
                comparison = Comparison::new(gallery, &template, question)?;
                times.record(Stage::Match, start.elapsed());
                self.probe = Some(template);
                comparison.observation(rect, question)
            }
        };
        let (state, outcome) = decide(state, &observation, now, rules);
        let threshold = *rules.thresholds.of(question.claim());
        let candidates = comparison.candidates;
        let step = Step { faces, chosen, assessment, candidates, times, observation, outcome, threshold };
        Ok((step, state))
    }

    /// Observes one image for enrolment, with the stricter gate and a second look; decisions know nothing of it.
    ///
    /// # Errors
    /// When a network fails.
    pub fn view(&mut self, frame: RgbView<'_>) -> Result<View, PipelineError> {
        let observed = self.observe(frame, &QualityGate::enrol(), Looks::Two)?;
        Ok(match (observed.face, observed.assessment) {
            (Found::Nobody(reason) | Found::Unclear(_, reason), _) => Err(reason),
            (Found::Face(_, template), Some(Assessment { quality, measures })) => {
                Ok(GoodView { template, quality, yaw_deg: measures.yaw_deg })
            }
            // Every face that was embedded was assessed before; this is for the compiler alone.
            (Found::Face(..), None) => Err(RetryReason::NoFace),
        })
    }

    /// Detection, choice, quality and embedding.
    fn observe(
        &mut self,
        frame: RgbView<'_>,
        gate: &QualityGate,
        looks: Looks,
    ) -> Result<Observed, PipelineError> {
        // Loading a network for a new frame size is no part of the stages' times.
        self.prepare(frame.width(), frame.height())?;
        let mut faces = Faces::new();
        self.vision.detect(frame, &self.detect, &mut faces)?;
        let chosen = match choose(&faces) {
            Ok(chosen) => chosen,
            Err(reason) => {
                return Ok(Observed { faces, chosen: None, assessment: None, face: Found::Nobody(reason) });
            }
        };
        let face = faces[chosen];
        let assessment = self.vision.assess(frame, &face);
        let face = match (gate.check(&assessment), face.landmarks) {
            (Err(reason), _) => Found::Unclear(face.rect, reason),
            (Ok(()), Some(landmarks))
                if looks == Looks::Two && !self.vision.confirms(frame, &landmarks)? =>
            {
                Found::Unclear(face.rect, RetryReason::HoldUpright)
            }
            (Ok(()), Some(landmarks)) => Found::Face(face.rect, self.vision.embed(frame, &landmarks)?),
            // A face without landmarks has no pose, and the gate wants one; this is for the compiler alone.
            (Ok(()), None) => Found::Unclear(face.rect, RetryReason::TurnToCamera),
        };
        Ok(Observed { faces, chosen: Some(chosen), assessment: Some(assessment), face })
    }
}

/// What the pixels of one image show, before it is compared with anybody.
struct Observed {
    faces: Faces,
    chosen: Option<usize>,
    assessment: Option<Assessment>,
    face: Found,
}

/// What there is to decide about.
#[expect(clippy::large_enum_variant, reason = "lives on the stack for a moment; a box would allocate")]
enum Found {
    Nobody(RetryReason),
    Unclear(Rect, RetryReason),
    Face(Rect, Template),
}

/// The face that stands in front: the widest that landmarks confirm. Where another such face is nearly as
/// wide, nobody can say whose turn it is.
fn choose(faces: &[Face]) -> Result<usize, RetryReason> {
    let width = |index: &usize| faces[*index].rect.w;
    let confirmed = || (0..faces.len()).filter(|&index| faces[index].landmarks.is_some());
    let widest = confirmed().max_by(|a, b| width(a).total_cmp(&width(b))).ok_or(RetryReason::NoFace)?;
    let beside = |index: &usize| *index != widest && width(index) >= BESIDE * width(&widest);
    if confirmed().any(|index| beside(&index)) { Err(RetryReason::SeveralFaces) } else { Ok(widest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::Landmarks5;

    fn face(w: f32, confirmed: bool) -> Face {
        Face { rect: Rect::new(0.0, 0.0, w, w), landmarks: confirmed.then(Landmarks5::default), score: 0.9 }
    }

    #[test]
    fn the_widest_confirmed_face_is_chosen_unless_another_stands_beside_it() {
        assert_eq!(choose(&[]), Err(RetryReason::NoFace));
        assert_eq!(choose(&[face(90.0, false)]), Err(RetryReason::NoFace));
        assert_eq!(choose(&[face(40.0, true), face(90.0, true), face(95.0, false)]), Ok(1));
        assert_eq!(choose(&[face(80.0, true), face(90.0, true)]), Err(RetryReason::SeveralFaces));
    }
}
