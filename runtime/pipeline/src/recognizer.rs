//! The recognition path, frame by frame.

use std::time::Instant;

use arcdoor_core::{
    Candidates, Decision, DenyReason, Engines, Face, Faces, Millis, ModelId, Quality, Rect, RetryReason,
    Stage, StageTimes, Template, Threshold,
};
use arcdoor_frame::RgbView;
use arcdoor_gallery::Gallery;
use arcdoor_vision::quality::{Assessment, QualityGate};
use arcdoor_vision::{DetectSettings, Vision};

use crate::choice::{FaceChoice, widest};
use crate::comparison::Comparison;
use crate::decide::{Rules, weigh};
use crate::denials::LockoutState;
use crate::error::PipelineError;
use crate::intent::Stance;
use crate::observation::Observation;
use crate::outcome::Outcome;
use crate::question::Question;
use crate::standing::Standings;
use crate::state::State;

/// The most faces of a frame whose quality is assessed.
pub const MOST_ASSESSED: usize = 4;

/// Places among a frame's faces, each with that face's quality.
pub type Qualities = heapless::Vec<(usize, Quality), MOST_ASSESSED>;

/// A frame's decision with all that led to it.
#[derive(Debug, Clone)]
pub struct Step {
    /// All faces, best detector score first.
    pub faces: Faces,
    /// The index of the face that was decided about, see [`FaceChoice`]; `None` where none may be.
    pub chosen: Option<usize>,
    /// That face's quality; `None` where none was chosen.
    pub assessment: Option<Assessment>,
    /// The quality of that face and of the widest others that landmarks confirm.
    pub qualities: Qualities,
    /// Subjects by score, best first; for a claim, the claimed subject alone; empty where nothing was compared.
    pub candidates: Candidates,
    /// How long each stage took.
    pub times: StageTimes,
    /// What the decision was made of; goes into a trace.
    pub observation: Observation,
    /// The decision, and which attempts are over.
    pub outcome: Outcome,
    /// How far the face had come, and the one that was followed before.
    pub standings: Standings,
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
    /// Nod in degrees, positive downwards.
    pub pitch_deg: f32,
}

/// One view of a person, or why there is none.
pub type View = Result<GoodView, RetryReason>;

/// How often a face is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checks {
    /// Once: what is compared with the gallery is forgotten again.
    One,
    /// Twice, where a template is kept for years: see [`Vision::second_look`].
    Two,
}

/// Runs frames through detection, quality, embedding, comparison and decision, and remembers what decisions
/// need from frame to frame. It holds no threshold and no gallery: both come with each frame, and may be
/// others than at the last one.
pub struct Recognizer {
    vision: Vision,
    detect: DetectSettings,
    choice: FaceChoice,
    state: State,
    probe: Option<Template>,
}

impl Recognizer {
    /// A recognizer that has seen nothing yet.
    #[must_use]
    pub fn new(vision: Vision, detect: DetectSettings) -> Self {
        Self { vision, detect, choice: FaceChoice::default(), state: State::default(), probe: None }
    }

    /// Decides about this one of several faces. An enrolment takes a face that is alone, whatever is chosen here.
    #[must_use]
    pub const fn choosing(mut self, choice: FaceChoice) -> Self {
        self.choice = choice;
        self
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
        let (step, state) = self.decide(&self.state.clone(), frame, gallery, question, rules, now)?;
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
        Ok(self.decide(&State::default(), image, gallery, question, rules, Millis(0))?.0)
    }

    fn decide(
        &mut self,
        state: &State,
        frame: RgbView<'_>,
        gallery: &Gallery,
        question: Question,
        rules: &Rules,
        now: Millis,
    ) -> Result<(Step, State), PipelineError> {
        self.probe = None;
        rules.thresholds.check(self.model_id())?;
        let Observed { faces, chosen, assessment, face } =
            self.observe(frame, &QualityGate::recognise(), self.choice, Checks::One)?;
        let mut comparison = Comparison::default();
        let qualities = self.qualities(frame, &faces, chosen.zip(assessment.map(|found| found.quality)));
        let mut times = *self.vision.times();
        let start = Instant::now();
        let observation = match face {
            Found::Nobody(reason) => Observation::Nobody { reason },
            Found::Unclear(rect, reason) => {
                Observation::Unclear { rect, stance: stance(&rect, frame, assessment.as_ref()), reason }
            }
            Found::Face(rect, template) => {
                comparison = Comparison::new(gallery, &template, question)?;
                times.record(Stage::Match, start.elapsed());
                self.probe = Some(template);
                comparison.observation(rect, stance(&rect, frame, assessment.as_ref()), question)
            }
        };
        let (state, outcome, standings) = weigh(state, &observation, now, rules);
        let threshold = *rules.thresholds.of(question.claim());
        // Of whoever shows no intent nothing is told, neither here nor in the lines of `run`.
        let is_open = matches!(
            outcome.decision,
            Decision::Retry { .. } | Decision::Denied { reason: DenyReason::LockedOut }
        );
        let is_silent = is_open && !state.shows_intent(now, &rules.policy);
        let candidates = if is_silent { Candidates::new() } else { comparison.candidates };
        let step = Step {
            faces,
            chosen,
            assessment,
            qualities,
            candidates,
            times,
            observation,
            outcome,
            standings,
            threshold,
        };
        Ok((step, state))
    }

    /// Assesses the widest faces beside the one that was assessed already.
    fn qualities(
        &mut self,
        frame: RgbView<'_>,
        faces: &[Face],
        known: Option<(usize, Quality)>,
    ) -> Qualities {
        let mut qualities: Qualities = known.into_iter().collect();
        while !qualities.is_full() {
            let is_new = |index| qualities.iter().all(|(known, _)| *known != index);
            let Some(widest) = widest(faces, is_new) else { break };
            // There is room: the loop asked.
            let _ = qualities.push((widest, self.vision.assess(frame, &faces[widest]).quality));
        }
        qualities
    }

    /// Observes one image for enrolment, with the stricter gate and a second look; decisions know nothing of it.
    ///
    /// # Errors
    /// When a network fails.
    pub fn view(&mut self, frame: RgbView<'_>) -> Result<View, PipelineError> {
        let observed = self.observe(frame, &QualityGate::enrol(), FaceChoice::Refuse, Checks::Two)?;
        Ok(match (observed.face, observed.assessment) {
            (Found::Nobody(reason) | Found::Unclear(_, reason), _) => Err(reason),
            (Found::Face(_, template), Some(Assessment { quality, measures, .. })) => {
                let (yaw_deg, pitch_deg) = (measures.yaw_deg, measures.pitch_deg);
                Ok(GoodView { template, quality, yaw_deg, pitch_deg })
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
        choice: FaceChoice,
        checks: Checks,
    ) -> Result<Observed, PipelineError> {
        // Loading a network for a new frame size is no part of the stages' times.
        self.prepare(frame.width(), frame.height())?;
        let mut faces = Faces::new();
        self.vision.detect(frame, &self.detect, &mut faces)?;
        let chosen = match choice.of(&faces) {
            Ok(chosen) => chosen,
            Err(reason) => {
                return Ok(Observed { faces, chosen: None, assessment: None, face: Found::Nobody(reason) });
            }
        };
        let face = faces[chosen];
        let before = self.vision.assess(frame, &face);
        let (assessment, face) = match (gate.check(&before), face.landmarks) {
            (Err(reason), _) => (before, Found::Unclear(face.rect, reason)),
            // A face without landmarks has no pose, and the gate wants one; this is for the compiler alone.
            (Ok(()), None) => (before, Found::Unclear(face.rect, RetryReason::TurnToCamera)),
            (Ok(()), Some(landmarks)) => {
                let template = self.vision.embed(frame, &landmarks)?;
                let assessment = before.with(self.vision.recognised());
                // Whoever is not recognisable is compared with nobody: no score, and no candidate.
                let checked = match (gate.check(&assessment), checks) {
                    (Ok(()), Checks::Two) => self.vision.second_look(frame, &landmarks)?.check(),
                    (checked, _) => checked,
                };
                match checked {
                    Ok(()) => (assessment, Found::Face(face.rect, template)),
                    Err(reason) => (assessment, Found::Unclear(face.rect, reason)),
                }
            }
        };
        Ok(Observed { faces, chosen: Some(chosen), assessment: Some(assessment), face })
    }
}

/// How the chosen face is seen; a face that was not assessed looks nowhere.
fn stance(rect: &Rect, frame: RgbView<'_>, assessment: Option<&Assessment>) -> Stance {
    let [yaw, pitch] =
        assessment.map_or([90.0; 2], |found| [found.measures.yaw_deg, found.measures.pitch_deg]);
    Stance::new(rect, frame.width(), yaw, pitch)
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
