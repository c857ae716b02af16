//! Recognition on the present image. The only module that knows how it is put together.

use super::source::read_photo;
use crate::error::Error;
use crate::home::settings::Settings;
use arcdoor_api::{FoundFace, GatedQuality, Intended, Looks, Method, Reached, Sight, Verdict, Why};
use arcdoor_core::{Candidate, Decision, Engines, Face, Millis, RetryReason, SubjectId, Template, Threshold};
use arcdoor_frame::{Orientation, RgbImage, Turn};
use arcdoor_gallery::Gallery;
use arcdoor_models::Pack;
use arcdoor_pipeline::{
    Enrolment, EnrolmentStep, Intends, LockoutState, Observation, Question, Recognizer, Rules, Standing,
    Step, TraceEntry, Window,
};
use arcdoor_vision::quality::QualityGate;
use arcdoor_vision::tuning::Tuning;
use arcdoor_vision::{DetectSettings, Vision};
use std::path::Path;

/// The recogniser, and the image that it looks at.
pub struct Recognition {
    recognizer: Recognizer,
    image: RgbImage,
    scratch: RgbImage,
    /// The lockout that the first image of a row goes on with; `None` once one was decided about: then the recogniser
    /// holds it.
    resumes: Option<LockoutState>,
    /// When the last image of a row was decided about.
    last: Millis,
    /// What led to the newest decision of a row.
    window: Window,
    /// The quality of the face of a row that was assessed last.
    assessed: Option<GatedQuality>,
}

impl Recognition {
    /// Loads the networks of a verified pack.
    ///
    /// # Errors
    /// When a network cannot be loaded.
    pub fn open(pack: &Pack, settings: &Settings, tuning: Tuning) -> Result<Self, Error> {
        let vision = Vision::from_pack(pack, settings.detector, &settings.run_options(tuning))?
            .asking_seetaface(settings.frontal_check);
        Ok(Self {
            recognizer: Recognizer::new(vision, detect_settings(settings)).choosing(settings.faces),
            image: RgbImage::new(),
            scratch: RgbImage::new(),
            resumes: Some(LockoutState::default()),
            last: Millis(0),
            window: Window::default(),
            assessed: None,
        })
    }

    /// Goes on under this lockout.
    #[must_use]
    pub fn resuming(mut self, lockout: LockoutState) -> Self {
        self.resumes = Some(lockout);
        self
    }

    /// The present image; a camera writes here.
    pub const fn image(&mut self) -> &mut RgbImage {
        &mut self.image
    }

    /// Makes a photo the present image.
    ///
    /// # Errors
    /// When it cannot be read, is no JPEG or PNG, or is too large.
    pub fn read(&mut self, path: &Path) -> Result<(), Error> {
        read_photo(path, &mut self.image)
    }

    /// Decides about the present image as the next of a row.
    ///
    /// # Errors
    /// When a network or the search fails.
    pub fn step(
        &mut self,
        gallery: &Gallery,
        question: Question,
        rules: &Rules,
        now: Millis,
    ) -> Result<Step, Error> {
        if let Some(lockout) = &self.resumes {
            self.recognizer.resume(lockout, now);
            self.window.resume(lockout, now);
        }
        let step = self.recognizer.step(self.image.view(), gallery, question, rules, now)?;
        (self.resumes, self.last) = (None, now);
        self.window.push(rules, &entry(&step, now));
        Ok(step)
    }

    /// Keeps the quality of the face that this step assessed, and gives that of the one before.
    pub const fn assessed(&mut self, now: Option<GatedQuality>) -> Option<GatedQuality> {
        let before = self.assessed;
        if now.is_some() {
            self.assessed = now;
        }
        before
    }

    /// What led to the newest decision of a row.
    #[must_use]
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// The lockout that the next image goes on with, where it is the first of a row: nothing else is remembered.
    #[must_use]
    pub const fn resumes(&self) -> Option<&LockoutState> {
        self.resumes.as_ref()
    }

    /// What must not be forgotten when recognition is loaded anew.
    #[must_use]
    pub fn lockout(&self) -> LockoutState {
        self.resumes.clone().unwrap_or_else(|| self.recognizer.lockout(self.last))
    }

    /// Forgets the frames of the row, but for a lockout and the denials that lead to one.
    pub fn forget(&mut self, now: Millis) {
        self.assessed = None;
        if self.resumes.is_none() {
            self.resumes = Some(self.recognizer.lockout(now));
        }
    }

    /// Decides about the present image by itself: no image before or after it counts.
    ///
    /// # Errors
    /// As [`Recognition::step`].
    pub fn still(&mut self, gallery: &Gallery, question: Question, rules: &Rules) -> Result<Step, Error> {
        Ok(self.recognizer.still(self.image.view(), gallery, question, rules)?)
    }

    /// Decides about a photo, the present image, by itself. Where it shows no face well enough, it is turned, and the
    /// best of its turns is decided about, with the degrees clockwise; nothing in any turn: as it is.
    ///
    /// # Errors
    /// As [`Recognition::step`].
    pub fn photo(
        &mut self,
        gallery: &Gallery,
        question: Question,
        rules: &Rules,
    ) -> Result<(Step, Option<u16>), Error> {
        let upright = self.still(gallery, question, rules)?;
        let reason = match upright.observation {
            Observation::Nobody { reason } | Observation::Unclear { reason, .. } => reason,
            Observation::Face { .. } => return Ok((upright, None)),
        };
        let value = |recognition: &mut Self| {
            let step = recognition.still(gallery, question, rules)?;
            let is_face = matches!(step.observation, Observation::Face { .. });
            Ok(step.assessment.filter(|_| is_face).map(|assessment| assessment.quality.overall()))
        };
        Ok(match self.turn_to_best(reason, value)? {
            // Once more, so that image, probe and step are of the same turn.
            Some(degrees) => (self.still(gallery, question, rules)?, Some(degrees)),
            None => (upright, None),
        })
    }

    /// Offers a photo, the present image, to an enrolment. Where it shows no face well enough, it is turned, and the best
    /// of its turns is offered, with the degrees clockwise.
    ///
    /// # Errors
    /// When a network fails.
    pub fn offer_photo(
        &mut self,
        enrolment: &mut Enrolment,
        now: Millis,
    ) -> Result<(EnrolmentStep, Option<u16>), Error> {
        let upright = self.offer(enrolment, now)?;
        let EnrolmentStep::NotTaken(reason) = upright else { return Ok((upright, None)) };
        let value = |recognition: &mut Self| {
            let view = recognition.recognizer.view(recognition.image.view())?;
            Ok(view.ok().map(|view| view.quality.overall()))
        };
        Ok(match self.turn_to_best(reason, value)? {
            Some(degrees) => (self.offer(enrolment, now)?, Some(degrees)),
            None => (upright, None),
        })
    }

    /// Turns the present image to where `value` is highest, and says by how many degrees clockwise; `None`: it has none
    /// in any turn, or `reason`, why it has none as it is, is one that no turn mends, and the image is as before.
    fn turn_to_best(
        &mut self,
        reason: RetryReason,
        mut value: impl FnMut(&mut Self) -> Result<Option<u8>, Error>,
    ) -> Result<Option<u16>, Error> {
        if !is_mended_by_turning(reason) {
            return Ok(None);
        }
        let mut best: Option<(u8, u16)> = None;
        for degrees in [90, 180, 270] {
            self.turn(90);
            let value = value(self)?;
            if let Some(value) = value.filter(|value| best.is_none_or(|(held, _)| *value > held)) {
                best = Some((value, degrees));
            }
        }
        let degrees = best.map_or(0, |(_, degrees)| degrees);
        // From 270 degrees, the last that was tried.
        self.turn((degrees + 90) % 360);
        Ok(best.map(|(_, degrees)| degrees))
    }

    /// Turns the present image clockwise.
    fn turn(&mut self, degrees: u16) {
        let turn = Turn::from_degrees(degrees).unwrap_or_default();
        Orientation { mirror: false, turn }.apply(&mut self.image, &mut self.scratch);
    }

    /// Offers the present image to an enrolment.
    ///
    /// # Errors
    /// When a network fails.
    pub fn offer(&mut self, enrolment: &mut Enrolment, now: Millis) -> Result<EnrolmentStep, Error> {
        Ok(enrolment.step(&mut self.recognizer, self.image.view(), now)?)
    }

    /// The probe of the last image that was compared.
    #[must_use]
    pub const fn probe(&self) -> Option<&Template> {
        self.recognizer.probe()
    }

    /// What runs the networks.
    #[must_use]
    pub fn engine(&self) -> Engines {
        self.recognizer.engine()
    }
}

/// Whether a photo that shows nobody well for this reason may show somebody once it is turned. Of several people, a turn
/// must not choose one; and who was compared stands upright.
const fn is_mended_by_turning(reason: RetryReason) -> bool {
    match reason {
        RetryReason::SeveralFaces
        | RetryReason::SomebodyElse
        | RetryReason::SameView
        | RetryReason::SamePhoto
        | RetryReason::ShowIntent
        | RetryReason::Looking => false,
        RetryReason::NoFace
        | RetryReason::FaceCutOff
        | RetryReason::TooFar
        | RetryReason::TurnToCamera
        | RetryReason::HoldUpright
        | RetryReason::TooDark
        | RetryReason::TooBright
        | RetryReason::LightFromBehind
        | RetryReason::Covered
        | RetryReason::NotClear
        | RetryReason::HoldStill => true,
    }
}

/// What these settings look for.
#[must_use]
pub fn detect_settings(settings: &Settings) -> DetectSettings {
    let (min_face_px, region) = (settings.min_face_px, settings.region);
    DetectSettings { min_face_px, region, ..DetectSettings::default() }
}

/// What a trace records of a step.
#[must_use]
pub fn entry(step: &Step, now: Millis) -> TraceEntry {
    TraceEntry { now, observation: step.observation.clone(), outcome: step.outcome }
}

/// What led to the decision about one image by itself.
#[must_use]
pub fn still_window(step: &Step, rules: &Rules) -> Window {
    let mut window = Window::default();
    window.push(rules, &entry(step, Millis(0)));
    window
}

/// What a step's decision rests on, for the log. Of whoever shows no intent, it says as little as the step.
#[must_use]
pub fn why(step: &Step, rules: &Rules, templates: usize) -> Why {
    let Threshold { target, basis, model_id, calibration_id, .. } = step.threshold;
    let reached = match (&step.observation, step.outcome.decision) {
        (_, Decision::Granted { .. } | Decision::Denied { .. }) => Reached::Decided,
        (Observation::Nobody { .. }, Decision::Retry { .. }) => Reached::Nobody,
        (Observation::Unclear { .. }, Decision::Retry { .. }) => Reached::Unclear,
        (Observation::Face { .. }, Decision::Retry { .. }) => Reached::Compared,
    };
    let impostor = match (&step.observation, step.candidates.first()) {
        (Observation::Face { impostor, .. }, Some(_)) => impostor.map(|score| score.0),
        _ => None,
    };
    let least = QualityGate::recognise().least;
    Why {
        method: Method::Face,
        reached,
        quality: step.assessment.map(|found| GatedQuality::new(&found.quality, &least)),
        fmr: target.get(),
        basis,
        templates: u32::try_from(templates).unwrap_or(u32::MAX),
        rival: step.candidates.get(1).copied(),
        margin: rules.policy.fields().margin,
        impostor,
        looks: looks(&step.standings.present, rules),
        locked_ms: step.standings.present.locked_ms,
        model_id,
        calibration_id,
    }
}

/// What an attempt that failed before this step rests on: what the step says of the rules, and the failed face's looks and
/// `quality`, as it was assessed last.
#[must_use]
pub fn why_before(present: &Why, quality: Option<GatedQuality>, step: &Step, rules: &Rules) -> Why {
    let looks = looks(&step.standings.before, rules);
    Why { reached: Reached::Decided, quality, rival: None, impostor: None, looks, ..*present }
}

fn looks(standing: &Standing, rules: &Rules) -> Looks {
    let fields = rules.policy.fields();
    let intent = match standing.intends {
        Intends::NotAsked => Intended::NotAsked,
        Intends::Shown => Intended::Shown,
        Intends::TooShort => Intended::TooShort,
        Intends::NotShown => Intended::NotShown,
    };
    Looks { agreeing: standing.agreeing, agree: fields.agree, of: fields.of, made: standing.looks, intent }
}

/// What a step says to people and programs. `claim`: whom the question was about.
#[must_use]
pub fn sight(step: &Step, engine: Engines, gallery: &Gallery, claim: Option<SubjectId>) -> Sight {
    let best: Option<Candidate> = step.candidates.first().copied();
    let subject = claim.or(best.map(|best| best.subject)).and_then(|id| gallery.subject(id));
    let (decision, reason) = Verdict::of(step.outcome.decision);
    Sight {
        faces: step.faces.len(),
        candidate: subject.map(|subject| subject.name.clone()),
        subject: subject.map(|subject| subject.id),
        score: best.map(|best| best.score.0),
        threshold: step.threshold.value.0,
        threshold_basis: step.threshold.basis,
        operating_point: None,
        each_face: step.faces.iter().enumerate().map(|(index, face)| seen_face(step, index, face)).collect(),
        chosen: step.chosen,
        decision,
        reason,
        engine: Some(engine),
        stages: step.times,
    }
}

fn seen_face(step: &Step, index: usize, face: &Face) -> FoundFace {
    let quality = step.qualities.iter().find(|(of, _)| *of == index).map(|(_, quality)| *quality);
    let is_confirmed = face.landmarks.is_some();
    FoundFace { rect: face.rect, detector_score: face.score, is_confirmed, quality }
}
