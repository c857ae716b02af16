//! Recognition on the present image. The only module that knows how it is put together.

use super::source::read_photo;
use crate::error::Error;
use crate::home::settings::Settings;
use arcdoor_api::{SeenFace, Sight, Verdict};
use arcdoor_core::{Candidate, Engines, Face, Millis, SubjectId, Template};
use arcdoor_frame::RgbImage;
use arcdoor_gallery::Gallery;
use arcdoor_models::Pack;
use arcdoor_pipeline::{Enrolment, EnrolmentStep, LockoutState, Question, Recognizer, Rules, Step};
use arcdoor_vision::tuning::Tuning;
use arcdoor_vision::{DetectSettings, Vision};
use std::path::Path;

/// The recogniser, and the image that it looks at.
pub struct Recognition {
    recognizer: Recognizer,
    image: RgbImage,
    /// The lockout that the first image of a row goes on with; `None` once one was decided about: then the recogniser
    /// holds it.
    resumes: Option<LockoutState>,
    /// When the last image of a row was decided about.
    last: Millis,
}

impl Recognition {
    /// Loads the networks of a verified pack.
    ///
    /// # Errors
    /// When a network cannot be loaded.
    pub fn open(pack: &Pack, settings: &Settings, tuning: Tuning) -> Result<Self, Error> {
        let vision = Vision::from_pack(pack, settings.detector, &settings.run_options(tuning))?;
        Ok(Self {
            recognizer: Recognizer::new(vision, detect_settings(settings)).choosing(settings.faces),
            image: RgbImage::new(),
            resumes: Some(LockoutState::default()),
            last: Millis(0),
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
        }
        let step = self.recognizer.step(self.image.view(), gallery, question, rules, now)?;
        (self.resumes, self.last) = (None, now);
        Ok(step)
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

/// What these settings look for.
#[must_use]
pub fn detect_settings(settings: &Settings) -> DetectSettings {
    let (min_face_px, region) = (settings.min_face_px, settings.region);
    DetectSettings { min_face_px, region, ..DetectSettings::default() }
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

fn seen_face(step: &Step, index: usize, face: &Face) -> SeenFace {
    let quality = step.qualities.iter().find(|(of, _)| *of == index).map(|(_, quality)| *quality);
    let is_confirmed = face.landmarks.is_some();
    SeenFace { rect: face.rect, detector_score: face.score, is_confirmed, quality }
}
