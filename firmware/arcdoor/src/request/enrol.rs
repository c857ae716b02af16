//! Requests about who is enrolled: enrol, re-enrol, and "not this person".

use crate::device::recognition::Engine;
use crate::device::source::Frames;
use crate::error::Error;
use crate::home::log::Entry;
use crate::message::{Advice, Pictures, Response, View};
use crate::request::{Answer, LOOK, Outcome, Service, progress, unix_seconds};
use arcdoor_core::limits::MAX_TEMPLATES_PER_SUBJECT;
use arcdoor_core::{RetryReason, SubjectId, SubjectName, Template};
use arcdoor_gallery::{Gallery, GalleryError};
use arcdoor_pipeline::{Enrolment, Policy};
use std::path::PathBuf;
use std::time::Instant;

/// Views that an enrolment in front of a camera takes.
const VIEWS: usize = 5;
/// Two scores that are nearer than this are called close, in advice alone: a choice, not a measurement.
const CLOSE: f32 = 0.1;
/// A picture whose weakest part is below this, of 100, is called poor, in advice alone: a choice, not a
/// measurement.
const POOR: u8 = 60;

/// The views of one person.
struct Views {
    enrolment: Enrolment,
    views: Vec<View>,
}

impl Service {
    pub(crate) fn enrol(
        &self,
        name: &SubjectName,
        from: &Pictures,
        duplicate: bool,
        answer: Answer<'_>,
    ) -> Result<Outcome, Error> {
        let (mut engine, mut gallery) = self.engine(Policy::still())?;
        // Before anybody looks into the camera for nothing.
        if gallery.find(name).is_some() {
            return Err(Error::Enrolled(name.clone()));
        }
        let views = self.collect(&mut engine, from)?;
        let advice = advice(&mut engine, &gallery, &views.enrolment, None, 0)?;
        let consistency = consistency(&views.enrolment)?;
        let templates = views.enrolment.finish();
        if !duplicate && let Some(known) = engine.known(&gallery, &templates, None)? {
            return Err(Error::Duplicate(known.name.clone()));
        }
        let mut subject = None;
        if !templates.is_empty() {
            let id = gallery.enrol(name, &templates, unix_seconds())?;
            subject = Some(id);
            self.journal.log.append(&Entry::Enrolled { subject: id, templates: templates.len() })?;
        }
        let (templates, name, views) = (templates.len(), name.clone(), views.views);
        answer(&Response::Enrolled { name, subject, templates, views, consistency, advice })?;
        Ok(if subject.is_some() { Outcome::Done } else { Outcome::Refused })
    }

    pub(crate) fn re_enrol(
        &self,
        name: &SubjectName,
        from: &Pictures,
        add: bool,
        answer: Answer<'_>,
    ) -> Result<Outcome, Error> {
        let (mut engine, mut gallery) = self.engine(Policy::still())?;
        let known = gallery.find(name).ok_or_else(|| Error::UnknownName(name.clone()))?;
        let (id, held) = (known.id, if add { known.templates } else { 0 });
        let views = self.collect(&mut engine, from)?;
        let advice = advice(&mut engine, &gallery, &views.enrolment, Some(id), held)?;
        let consistency = consistency(&views.enrolment)?;
        let templates = views.enrolment.finish();
        let mut subject = None;
        if !templates.is_empty() {
            // A re-enrolment changes the pictures, never the person.
            if !is_same(&engine, &gallery, id, &templates)? {
                return Err(Error::AnotherPerson(name.clone()));
            }
            if let Some(known) = engine.known(&gallery, &templates, Some(id))? {
                return Err(Error::Duplicate(known.name.clone()));
            }
            if add {
                gallery.add_templates(id, &templates)?;
            } else {
                gallery.replace_templates(id, &templates)?;
            }
            subject = Some(id);
            self.journal.log.append(&Entry::ReEnrolled { subject: id, templates: held + templates.len() })?;
        }
        let (templates, name, views) = (held + templates.len(), name.clone(), views.views);
        answer(&Response::Enrolled { name, subject, templates, views, consistency, advice })?;
        Ok(if subject.is_some() { Outcome::Done } else { Outcome::Refused })
    }

    pub(crate) fn not_this_person(
        &self,
        name: &SubjectName,
        from: &Pictures,
        answer: Answer<'_>,
    ) -> Result<Outcome, Error> {
        let (mut engine, mut gallery) = self.engine(Policy::still())?;
        let id = gallery.find(name).ok_or_else(|| Error::UnknownName(name.clone()))?.id;
        let Views { enrolment, views } = self.collect(&mut engine, from)?;
        let templates = enrolment.finish();
        if templates.is_empty() {
            return Err(Error::NoGoodPicture);
        }
        self.deny(&mut gallery, id, &templates, None, views, answer)
    }

    /// Stores templates that deny being the subject `id`, logs it and answers.
    pub(crate) fn deny(
        &self,
        gallery: &mut Gallery,
        id: SubjectId,
        templates: &[Template],
        wrong: Option<u64>,
        views: Vec<View>,
        answer: Answer<'_>,
    ) -> Result<Outcome, Error> {
        let mut score: Option<f32> = None;
        for template in templates {
            let now = gallery.verify(id, template)?.map(|score| score.0);
            score = match (score, now) {
                (Some(held), Some(now)) => Some(held.max(now)),
                (held, now) => held.or(now),
            };
        }
        gallery.deny(id, templates)?;
        let subject = gallery.subject(id).ok_or(GalleryError::UnknownSubject(id))?;
        let (name, impostors) = (subject.name.clone(), subject.impostors);
        self.journal.log.append(&Entry::NotThisPerson { subject: id, wrong, impostors })?;
        let mut advice = Vec::new();
        if let (denied @ 1.., of) = gallery.denied_views(id)? {
            advice.push(Advice::DeniesOwn { views: denied, of });
        }
        answer(&Response::NotThisPerson { name, subject: id, wrong, score, impostors, views, advice })?;
        Ok(Outcome::Done)
    }

    pub(crate) fn forget_impostors(&self, name: &SubjectName, answer: Answer<'_>) -> Result<Outcome, Error> {
        let unknown = || Error::UnknownName(name.clone());
        let mut gallery = self.enrolled()?.ok_or_else(unknown)?.gallery;
        let subject = gallery.find(name).ok_or_else(unknown)?.id;
        let impostors = gallery.forget_impostors(subject)?;
        self.journal.log.append(&Entry::ImpostorsForgotten { subject, impostors })?;
        answer(&Response::ImpostorsForgotten { name: name.clone(), subject, impostors })?;
        Ok(Outcome::Done)
    }

    fn collect(&self, engine: &mut Engine, from: &Pictures) -> Result<Views, Error> {
        let mut enrolment = Enrolment::new();
        let views = match from {
            Pictures::Images(files) => {
                // Refused before the work, not after it.
                if files.len() > MAX_TEMPLATES_PER_SUBJECT {
                    return Err(GalleryError::TooManyTemplates(files.len()).into());
                }
                offer_photos(engine, &mut enrolment, files)?
            }
            Pictures::Camera(_) | Pictures::Replay(_) => self.offer_frames(engine, &mut enrolment, from)?,
        };
        Ok(Views { enrolment, views })
    }

    fn offer_frames(
        &self,
        engine: &mut Engine,
        enrolment: &mut Enrolment,
        from: &Pictures,
    ) -> Result<Vec<View>, Error> {
        let mut frames = Frames::open(from, &self.settings)?;
        let (start, mut views, mut taken) = (Instant::now(), Vec::new(), 0);
        let mut advice = "no frame came";
        for frame in 0_u64.. {
            if taken == VIEWS || start.elapsed() > LOOK || !frames.next(engine.image())? {
                break;
            }
            let reason = engine.offer(enrolment)?;
            let text = reason.map_or("good", |reason| reason.text());
            if text != advice {
                advice = text;
                progress(&format!("{taken}/{VIEWS} views: {advice}"));
            }
            if reason.is_none() {
                taken += 1;
                views.push(view(frame.to_string(), reason, enrolment));
            }
        }
        if taken == 0 {
            return Err(Error::NoView { seconds: start.elapsed().as_secs(), advice });
        }
        Ok(views)
    }
}

fn offer_photos(
    engine: &mut Engine,
    enrolment: &mut Enrolment,
    files: &[PathBuf],
) -> Result<Vec<View>, Error> {
    let mut views = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        if files.len() > 1 {
            progress(&format!("{}/{}", index + 1, files.len()));
        }
        engine.read(file)?;
        let reason = engine.offer(enrolment)?;
        views.push(view(file.display().to_string(), reason, enrolment));
    }
    Ok(views)
}

fn view(photo: String, reason: Option<RetryReason>, enrolment: &Enrolment) -> View {
    let quality = enrolment.qualities().last().copied().filter(|_| reason.is_none());
    View { photo, reason, quality }
}

/// Whether one of these templates matches the subject as well as `verify` asks for.
fn is_same(engine: &Engine, gallery: &Gallery, id: SubjectId, templates: &[Template]) -> Result<bool, Error> {
    for template in templates {
        if gallery.verify(id, template)?.is_some_and(|score| engine.single().admits(score)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn consistency(enrolment: &Enrolment) -> Result<Option<f32>, Error> {
    Ok(enrolment.consistency()?.map(|score| score.0))
}

/// What would make this enrolment better, with the numbers that say so; `held` templates stay beside it.
fn advice(
    engine: &mut Engine,
    gallery: &Gallery,
    enrolment: &Enrolment,
    own: Option<SubjectId>,
    held: usize,
) -> Result<Vec<Advice>, Error> {
    let mut advice = Vec::new();
    if enrolment.is_empty() {
        return Ok(advice);
    }
    let threshold = engine.follow(gallery)?.value.0;
    if held + enrolment.len() == 1 {
        advice.push(Advice::OneView);
    }
    if let Some(score) = consistency(enrolment)?.filter(|score| *score < threshold + CLOSE) {
        advice.push(Advice::Inconsistent { score, threshold });
    }
    let nearest = engine.nearest(gallery, enrolment.templates(), own)?;
    if let Some(nearest) = nearest.filter(|nearest| nearest.score.0 >= threshold - CLOSE)
        && let Some(other) = gallery.subject(nearest.subject)
    {
        let (name, subject, score) = (other.name.clone(), other.id, nearest.score.0);
        advice.push(Advice::CloseTo { name, subject, score, threshold });
    }
    if let Some(best) = enrolment.qualities().iter().max_by_key(|quality| quality.overall())
        && best.overall() < POOR
    {
        let (part, value) = best.weakest();
        advice.push(Advice::LowQuality { part, value });
    }
    Ok(advice)
}
