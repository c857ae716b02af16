//! Pack and recognizer: a picture in, what was seen and decided out. The only module that knows how
//! recognition is put together.

use crate::error::Error;
use crate::home::Home;
use crate::message::{Reason, Sight, Verdict, verdict};
use crate::settings::Settings;
use crate::tuning;
use arcdoor_calib::gallery_threshold;
use arcdoor_core::{
    Candidate, Candidates, DenyReason, Engines, Faces, Millis, RetryReason, SubjectId, SubjectName, Template,
    Threshold,
};
use arcdoor_frame::{ImageLimits, RgbImage, RgbView, read_image};
use arcdoor_gallery::{Gallery, Subject};
use arcdoor_models::Pack;
use arcdoor_pipeline::{Enrolment, Policy, Recognizer, Step};
use arcdoor_vision::tuning::Tuning;
use arcdoor_vision::{DetectSettings, Vision};
use std::path::Path;

/// Where the faces are; for marking a photo.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// All of them.
    pub faces: Faces,
    /// The one that was decided about.
    pub chosen: Option<usize>,
}

/// Everything that turns pictures into decisions.
pub struct Engine {
    pack: Pack,
    settings: Settings,
    tuning: Tuning,
    /// Of one comparison.
    threshold: Threshold,
    /// The same by the pack alone: from there on, two faces are one person's until somebody says otherwise.
    duplicate: Threshold,
    /// Of a search in the gallery, once one is followed.
    search: Option<Threshold>,
    recognizer: Recognizer,
    image: RgbImage,
    limits: ImageLimits,
}

impl Engine {
    /// Verifies the pack in `dir` and loads its networks, tuned as `home` says where that fits. `policy` says
    /// how many frames must agree.
    ///
    /// # Errors
    /// When the pack is refused, or has no threshold for the settings' target.
    pub fn open(dir: &Path, home: &Home, settings: &Settings, policy: Policy) -> Result<Self, Error> {
        let pack = settings.open_pack(dir)?;
        let threshold = settings.calibration(&pack)?.threshold(settings.target_fmr)?;
        let plain = Settings { site: None, ..settings.clone() };
        let duplicate = plain.calibration(&pack)?.threshold(settings.target_fmr)?;
        let tuning = tuning::of(home, &pack);
        let recognizer = recognizer(&pack, settings, &tuning, threshold, policy)?;
        let (image, limits) = (RgbImage::new(), ImageLimits::default());
        let (settings, search) = (settings.clone(), None);
        Ok(Self { pack, settings, tuning, threshold, duplicate, search, recognizer, image, limits })
    }

    /// The pack.
    #[must_use]
    pub const fn pack(&self) -> &Pack {
        &self.pack
    }

    /// Takes the threshold that a gallery of this size asks for, and returns it: strangers are compared with
    /// all of it.
    ///
    /// # Errors
    /// When the pack's calibration has none.
    pub fn follow(&mut self, gallery: &Gallery) -> Result<Threshold, Error> {
        let (calibration, target) = (self.settings.calibration(&self.pack)?, self.settings.target_fpir);
        let search = gallery_threshold(&calibration, target, gallery.templates())?.threshold;
        self.search = Some(search);
        self.recognizer.set_threshold(search)?;
        Ok(search)
    }

    /// A recognizer with nothing left of the old one: after a panic, whatever it held is not to be
    /// trusted.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn renew(&mut self, policy: Policy) -> Result<(), Error> {
        let threshold = self.search.unwrap_or(self.threshold);
        self.recognizer = recognizer(&self.pack, &self.settings, &self.tuning, threshold, policy)?;
        Ok(())
    }

    /// Reads a photo; it stays in [`Engine::image`].
    ///
    /// # Errors
    /// When it cannot be read, is no JPEG or PNG, or is too large.
    pub fn read(&mut self, path: &Path) -> Result<(), Error> {
        read_image(path, &self.limits, &mut self.image)
            .map_err(|source| Error::Photo { path: path.to_owned(), source })
    }

    /// The present picture; a camera writes here.
    pub const fn image(&mut self) -> &mut RgbImage {
        &mut self.image
    }

    /// Identifies the present picture by itself: nothing of an earlier one counts.
    ///
    /// # Errors
    /// When a network fails.
    pub fn still(&mut self, gallery: &Gallery) -> Result<(Seen, Sight), Error> {
        self.recognizer.reset();
        self.step(gallery, Millis(0))
    }

    /// Identifies the present picture as the next of a row.
    ///
    /// # Errors
    /// When a network fails.
    pub fn step(&mut self, gallery: &Gallery, now: Millis) -> Result<(Seen, Sight), Error> {
        let step = self.recognizer.step(self.image.view(), gallery, now)?;
        let best = step.seen.candidates.first().copied();
        let sight =
            sight(&step, self.recognizer.engine(), best, best.and_then(|best| gallery.subject(best.subject)));
        Ok((seen(&step), sight))
    }

    /// Compares the present picture with one subject alone.
    ///
    /// # Errors
    /// When a network fails.
    pub fn verify(&mut self, gallery: &Gallery, subject: &Subject) -> Result<(Seen, Sight), Error> {
        self.recognizer.reset();
        let step = self.recognizer.step(self.image.view(), gallery, Millis(0))?;
        let (score, impostor) = match self.recognizer.probe() {
            Some(probe) => (gallery.verify(subject.id, probe)?, gallery.impostor(subject.id, probe)?),
            None => (None, None),
        };
        let best = score.map(|score| Candidate { subject: subject.id, score });
        let mut sight = sight(&step, self.recognizer.engine(), best, Some(subject));
        // Whoever else is enrolled has no say in a 1:1 comparison.
        if let Some(score) = score {
            let denied = if !step.threshold.admits(score) {
                Some(DenyReason::NoMatch)
            } else if impostor.is_some_and(|impostor| impostor >= score) {
                Some(DenyReason::NotThisPerson)
            } else {
                None
            };
            sight.decision = if denied.is_none() { Verdict::Granted } else { Verdict::Denied };
            sight.reason = denied.map(Reason::Deny);
        }
        Ok((seen(&step), sight))
    }

    /// Offers the present picture to an enrolment. `Some`: why it was not taken.
    ///
    /// # Errors
    /// When a network fails.
    pub fn offer(&mut self, enrolment: &mut Enrolment) -> Result<Option<RetryReason>, Error> {
        let frame: RgbView<'_> = self.image.view();
        Ok(enrolment.offer(&mut self.recognizer, frame)?)
    }

    /// The enrolled subject, other than `but`, that one of these templates matches as well as `verify` asks for,
    /// or would ask for by the pack alone: a stricter site hides no duplicate.
    ///
    /// # Errors
    /// When the gallery is of another embedder.
    pub fn known<'a>(
        &self,
        gallery: &'a Gallery,
        templates: &[Template],
        but: Option<SubjectId>,
    ) -> Result<Option<&'a Subject>, Error> {
        let nearest = self.nearest(gallery, templates, but)?;
        let same = nearest.filter(|nearest| self.duplicate.admits(nearest.score));
        Ok(same.and_then(|same| gallery.subject(same.subject)))
    }

    /// The subject that one of these templates is nearest to, other than `but`.
    ///
    /// # Errors
    /// When the gallery is of another embedder.
    pub fn nearest(
        &self,
        gallery: &Gallery,
        templates: &[Template],
        but: Option<SubjectId>,
    ) -> Result<Option<Candidate>, Error> {
        let (mut candidates, mut nearest) = (Candidates::new(), None::<Candidate>);
        for template in templates {
            gallery.identify(template, &mut candidates)?;
            let other = candidates.iter().find(|candidate| Some(candidate.subject) != but).copied();
            if let Some(other) = other.filter(|other| nearest.is_none_or(|held| held.score < other.score)) {
                nearest = Some(other);
            }
        }
        Ok(nearest)
    }

    /// The threshold of one comparison.
    #[must_use]
    pub const fn single(&self) -> Threshold {
        self.threshold
    }

    /// The probe of the last picture that was compared.
    #[must_use]
    pub const fn probe(&self) -> Option<&Template> {
        self.recognizer.probe()
    }
}

fn recognizer(
    pack: &Pack,
    settings: &Settings,
    tuning: &Tuning,
    threshold: Threshold,
    policy: Policy,
) -> Result<Recognizer, Error> {
    let vision = Vision::from_pack_tuned(pack, settings.detector, settings.run_options(), tuning)?;
    let (min_face_px, region) = (settings.min_face_px, settings.region);
    let detect = DetectSettings { min_face_px, region, ..DetectSettings::default() };
    Ok(Recognizer::new(vision, detect, threshold, policy)?)
}

fn seen(step: &Step) -> Seen {
    Seen { faces: step.seen.faces.clone(), chosen: step.seen.chosen }
}

fn sight(step: &Step, engine: Engines, best: Option<Candidate>, subject: Option<&Subject>) -> Sight {
    let (decision, reason) = verdict(step.decision);
    Sight {
        faces: step.seen.faces.len(),
        candidate: subject.map(|subject| -> SubjectName { subject.name.clone() }),
        subject: subject.map(|subject| subject.id),
        score: best.map(|best| best.score.0),
        threshold: step.threshold.value.0,
        threshold_basis: step.threshold.basis,
        decision,
        reason,
        engine: Some(engine),
        stages: step.seen.times,
    }
}
