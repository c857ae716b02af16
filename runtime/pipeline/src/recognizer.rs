//! The recognition path, frame by frame.

use std::time::Instant;

use arcdoor_core::{
    Candidates, Decision, Engines, Face, Faces, Millis, Quality, RetryReason, Stage, StageTimes, Template,
    Threshold,
};
use arcdoor_frame::RgbView;
use arcdoor_gallery::Gallery;
use arcdoor_vision::quality::{Assessment, QualityGate};
use arcdoor_vision::{DetectSettings, Vision};

use crate::decide::{Rules, State, decide};
use crate::error::PipelineError;
use crate::observation::{Contenders, Observation};
use crate::policy::Policy;

/// A second face at least this wide, as a share of the widest one, stands beside it and not behind it.
const BESIDE: f32 = 0.75;

/// What was found in one frame.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// All faces, best detector score first.
    pub faces: Faces,
    /// The one that was decided about: the widest with landmarks.
    pub chosen: Option<usize>,
    /// That face's quality.
    pub assessment: Option<Assessment>,
    /// Subjects by score, best first; empty where nothing was compared.
    pub candidates: Candidates,
    /// How long each stage took.
    pub times: StageTimes,
}

/// A frame's decision with what led to it.
#[derive(Debug, Clone)]
pub struct Step {
    /// What was found.
    pub seen: Seen,
    /// What the decision was made of; goes into a trace.
    pub observation: Observation,
    /// The decision.
    pub decision: Decision,
    /// What scores were held against.
    pub threshold: Threshold,
}

/// One view of a person: a template and the picture's quality, or why there is none.
pub type View = Result<(Template, Quality), RetryReason>;

/// Runs frames through detection, quality, embedding, search and decision, and remembers what decisions
/// need from frame to frame.
pub struct Recognizer {
    vision: Vision,
    detect: DetectSettings,
    rules: Rules,
    state: State,
    probe: Option<Template>,
}

impl Recognizer {
    /// A recognizer that has seen nothing yet.
    ///
    /// # Errors
    /// When the threshold was calibrated for another embedder.
    pub fn new(
        vision: Vision,
        detect: DetectSettings,
        threshold: Threshold,
        policy: Policy,
    ) -> Result<Self, PipelineError> {
        let embedder = vision.model_id();
        if threshold.model_id != embedder {
            return Err(PipelineError::Threshold { threshold: threshold.model_id, embedder });
        }
        let rules = Rules { threshold, policy };
        Ok(Self { vision, detect, rules, state: State::default(), probe: None })
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

    /// Holds scores against another threshold from now on, such as that of a gallery that has grown.
    ///
    /// # Errors
    /// When it was calibrated for another embedder.
    pub fn set_threshold(&mut self, threshold: Threshold) -> Result<(), PipelineError> {
        let embedder = self.vision.model_id();
        if threshold.model_id != embedder {
            return Err(PipelineError::Threshold { threshold: threshold.model_id, embedder });
        }
        self.rules.threshold = threshold;
        Ok(())
    }

    /// What decisions are held against.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The template of the last frame; `None` where no face was good enough.
    #[must_use]
    pub const fn probe(&self) -> Option<&Template> {
        self.probe.as_ref()
    }

    /// Forgets every earlier frame, a lockout as well.
    pub fn reset(&mut self) {
        self.state = State::default();
        self.probe = None;
    }

    /// Decides about the next frame.
    ///
    /// # Errors
    /// When a network or the search fails; then nothing is remembered of the frame.
    pub fn step(
        &mut self,
        frame: RgbView<'_>,
        gallery: &Gallery,
        now: Millis,
    ) -> Result<Step, PipelineError> {
        let mut seen = Seen::default();
        let observation = self.observe(frame, gallery, &mut seen)?;
        let (state, decision) = decide(&self.state, &observation, now, &self.rules);
        self.state = state;
        Ok(Step { seen, observation, decision, threshold: self.rules.threshold })
    }

    /// Looks at one picture for enrolment, with the stricter gate; decisions know nothing of it.
    ///
    /// # Errors
    /// When a network fails.
    pub fn view(&mut self, frame: RgbView<'_>) -> Result<View, PipelineError> {
        let mut seen = Seen::default();
        let looked = self.look(frame, &QualityGate::enrol(), &mut seen)?;
        Ok(match (looked, seen.assessment) {
            (Looked::Nobody(reason) | Looked::Unclear(_, reason), _) => Err(reason),
            (Looked::Face(_, template), Some(assessment)) => Ok((template, assessment.quality)),
            // Every face that was embedded was assessed before; this is for the compiler alone.
            (Looked::Face(..), None) => Err(RetryReason::NoFace),
        })
    }

    fn observe(
        &mut self,
        frame: RgbView<'_>,
        gallery: &Gallery,
        seen: &mut Seen,
    ) -> Result<Observation, PipelineError> {
        self.probe = None;
        let looked = self.look(frame, &QualityGate::recognise(), seen)?;
        seen.times = *self.vision.times();
        let (face, template) = match looked {
            Looked::Nobody(reason) => return Ok(Observation::Nobody { reason }),
            Looked::Unclear(face, reason) => return Ok(Observation::Unclear { rect: face.rect, reason }),
            Looked::Face(face, template) => (face, template),
        };
        let start = Instant::now();
        gallery.identify(&template, &mut seen.candidates)?;
        let impostor = match seen.candidates.first() {
            Some(best) => gallery.impostor(best.subject, &template)?,
            None => None,
        };
        seen.times.record(Stage::Match, start.elapsed());
        self.probe = Some(template);
        let contenders: Contenders = seen.candidates.iter().take(2).copied().collect();
        Ok(Observation::Face { rect: face.rect, contenders, impostor })
    }

    /// Detection, choice, quality and embedding.
    fn look(
        &mut self,
        frame: RgbView<'_>,
        gate: &QualityGate,
        seen: &mut Seen,
    ) -> Result<Looked, PipelineError> {
        // Loading a network for a new frame size is no part of the stages' times.
        self.prepare(frame.width(), frame.height())?;
        self.vision.detect(frame, &self.detect, &mut seen.faces)?;
        let chosen = match choose(&seen.faces) {
            Ok(chosen) => chosen,
            Err(reason) => return Ok(Looked::Nobody(reason)),
        };
        seen.chosen = Some(chosen);
        let face = seen.faces[chosen];
        let assessment = self.vision.assess(frame, &face);
        seen.assessment = Some(assessment);
        if let Err(reason) = gate.check(&assessment) {
            return Ok(Looked::Unclear(face, reason));
        }
        // A face without landmarks has no pose, and the gate wants one; this is for the compiler alone.
        let Some(landmarks) = face.landmarks else {
            return Ok(Looked::Unclear(face, RetryReason::TurnToCamera));
        };
        Ok(Looked::Face(face, self.vision.embed(frame, &landmarks)?))
    }
}

/// The outcome of looking at a picture.
#[expect(clippy::large_enum_variant, reason = "lives on the stack for a moment; a box would allocate")]
enum Looked {
    Nobody(RetryReason),
    Unclear(Face, RetryReason),
    Face(Face, Template),
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
    use arcdoor_core::{Landmarks5, Rect};

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
