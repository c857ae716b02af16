//! Who is enrolled: enrol, re-enrol, and "not this person".

use super::find::find;
use super::frames::{Begun, Stepper};
use super::pin::unpin;
use crate::device::{Device, Now, Outcome, Reply, Work};
use crate::error::Error;
use arcdoor_api::{Act, Advice, Entry, Feed, NewName, Progress, Response, View};
use arcdoor_core::limits::MAX_TEMPLATES_PER_SUBJECT;
use arcdoor_core::{Millis, QualityPart, SubjectId, SubjectName, Template};
use arcdoor_gallery::{Gallery, GalleryError};
use arcdoor_pipeline::{Enrolment, EnrolmentRefused, EnrolmentStep, Finished, Medium, Plan, Policy, Purpose};

/// Two scores that are nearer than this are called close, in advice alone: a choice, not a measurement.
const CLOSE: f32 = 0.1;
/// A view whose weakest part is below this, of 100, is called poor, in advice alone: a choice, not a
/// measurement.
const POOR: u8 = 60;

/// Enrols somebody new.
pub(super) fn enrol(
    device: &mut Device,
    name: &SubjectName,
    from: &Feed,
    allow_duplicate: bool,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Begun, Error> {
    let name = &NewName::new(name)?.into_name();
    // Before anybody looks into the camera for nothing.
    if device.gallery()?.find(name).is_some() {
        return Err(Error::Enrolled(name.clone()));
    }
    collect(device, name, Purpose::New { allow_duplicate }, from, now, reply)
}

/// Enrols other views of a subject, or further ones.
pub(super) fn re_enrol(
    device: &mut Device,
    name: &SubjectName,
    from: &Feed,
    add: bool,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Begun, Error> {
    let subject = find(device.gallery()?, name)?.id;
    let purpose = if add { Purpose::Add { subject } } else { Purpose::Replace { subject } };
    collect(device, name, purpose, from, now, reply)
}

/// Stores templates of somebody who was taken for a subject, to deny.
pub(super) fn not_this_person(
    device: &mut Device,
    name: &SubjectName,
    from: &Feed,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Begun, Error> {
    let subject = find(device.gallery()?, name)?.id;
    collect(device, name, Purpose::Deny { subject }, from, now, reply)
}

/// Removes what denies being a subject.
pub(super) fn forget_impostors(
    device: &mut Device,
    name: &SubjectName,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let unknown = || Error::UnknownName(name.clone());
    let subject = find(&device.enrolled()?.ok_or_else(unknown)?.gallery, name)?.id;
    let impostors = device.act(Act::ForgetImpostors, Some(subject), now.utc, |device| {
        Ok(device.enrolled()?.ok_or_else(unknown)?.gallery.forget_impostors(subject)?)
    })?;
    device
        .note(&Entry::ImpostorsForgotten { subject, impostors }, now.utc)
        .map_err(|error| error.after(format!("nobody is denied being {name} any more")))?;
    reply.answer(&Response::ImpostorsForgotten { name: name.clone(), subject, impostors })?;
    Ok(Outcome::Done)
}

/// Takes views of photos and enrols them, or waits for frames.
fn collect(
    device: &mut Device,
    name: &SubjectName,
    purpose: Purpose,
    from: &Feed,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Begun, Error> {
    let plan = match from {
        // More photos than a subject may have templates are refused before any of them is read.
        Feed::Photos(files) if files.len() > MAX_TEMPLATES_PER_SUBJECT => {
            return Err(GalleryError::TooManyTemplates(files.len()).into());
        }
        Feed::Photos(files) => Plan::photos(purpose, files.len()),
        Feed::Camera(_) | Feed::Replay(_) => Plan::camera(purpose),
    };
    let Work { journal, rules, .. } = device.work(Policy::still())?;
    journal.probes.sweep(now.utc.unix_s())?;
    let enrolment = Enrolment::new(plan, rules.thresholds)?;
    let mut job = Job { name: name.clone(), plan, enrolment, views: Vec::new(), since: now.at };
    let Feed::Photos(files) = from else { return Ok(Begun::Frames(Box::new(job))) };
    for (index, file) in files.iter().enumerate() {
        reply.progress(Progress::Photo { number: index + 1, of: files.len() });
        device.recognition()?.read(file)?;
        let view = job.offer(device, file.display().to_string(), now)?;
        job.views.extend(view);
    }
    Ok(job.conclude(device, now, reply)?.into())
}

/// An enrolment under way.
struct Job {
    name: SubjectName,
    plan: Plan,
    enrolment: Enrolment,
    views: Vec<View>,
    since: Millis,
}

impl Job {
    /// Offers the present image to the enrolment; `None`: it wants no more.
    fn offer(&mut self, device: &mut Device, photo: String, now: Now) -> Result<Option<View>, Error> {
        let recognition = device.recognition()?;
        let (step, turned) = match self.plan.medium {
            Medium::Photos => recognition.offer_photo(&mut self.enrolment, now.at)?,
            Medium::Camera => (recognition.offer(&mut self.enrolment, now.at)?, None),
        };
        let (reason, quality) = match step {
            EnrolmentStep::Taken { quality } => (None, Some(quality)),
            EnrolmentStep::NotTaken(reason) => (Some(reason), None),
            EnrolmentStep::Over => return Ok(None),
        };
        Ok(Some(View { photo, reason, quality, turned }))
    }

    /// Holds the views against the gallery, and stores them.
    fn conclude(self, device: &mut Device, now: Now, reply: &mut dyn Reply) -> Result<Outcome, Error> {
        let Self { name, plan, enrolment, views, .. } = self;
        let purpose = plan.purpose;
        let Work { gallery, rules, .. } = device.work(Policy::still())?;
        let finished = match enrolment.finish(gallery)? {
            Ok(finished) => finished,
            Err(EnrolmentRefused::NoView { .. }) => {
                return nothing(gallery, name, purpose, views, reply);
            }
            Err(refused) => return Err(refusal(gallery, name, refused)),
        };
        if let Purpose::Deny { subject } = purpose {
            return deny(device, subject, &finished.templates, None, views, now, reply);
        }
        let held = match purpose {
            Purpose::Add { subject } => gallery.subject(subject).map_or(0, |subject| subject.templates),
            _ => 0,
        };
        let advice = advice(gallery, &finished, plan, held, rules.thresholds.identify.value.0);
        let consistency = finished.consistency.map(|score| score.0);
        let templates = held + finished.templates.len();
        let stored = store(device, &name, purpose, &finished.templates, now)?;
        let entry = match purpose.subject() {
            None => Entry::Enrolled { subject: stored, templates },
            Some(subject) => Entry::ReEnrolled { subject, templates },
        };
        let done = format!("{name} is enrolled with {templates} template(s)");
        let noted = device.note(&entry, now.utc);
        // A gallery that was begun anew counts from 1 again: nobody inherits the PIN of a number.
        let is_new = purpose.subject().is_none();
        let unpinned = if is_new { unpin(device, &[stored]) } else { Ok(()) };
        noted.and(unpinned).map_err(|error| error.after(done))?;
        let subject = Some(stored);
        reply.answer(&Response::Enrolled { name, subject, templates, views, consistency, advice })?;
        Ok(Outcome::Done)
    }
}

impl Stepper for Job {
    fn frame(
        &mut self,
        device: &mut Device,
        number: u64,
        now: Now,
        reply: &mut dyn Reply,
    ) -> Result<Option<Outcome>, Error> {
        let view = self.offer(device, number.to_string(), now)?;
        let reason = view.as_ref().and_then(|view| view.reason);
        // Frames come by the hundred: what became of those that were not taken is progress, and kept nowhere.
        self.views.extend(view.filter(|view| view.reason.is_none()));
        let (taken, unseen) = (self.enrolment.len(), self.enrolment.unseen().next());
        reply.progress(Progress::Views { taken, of: self.plan.views, reason, unseen });
        Ok(None)
    }

    fn is_late(&self, now: Now) -> bool {
        let late = |within_ms| now.at.since(self.since) > within_ms;
        self.enrolment.is_over(now.at) || self.plan.within_ms.is_some_and(late)
    }

    fn end(self: Box<Self>, device: &mut Device, now: Now, reply: &mut dyn Reply) -> Result<Outcome, Error> {
        let seconds = now.at.since(self.since) / 1000;
        if self.enrolment.is_empty() {
            let Work { gallery, .. } = device.work(Policy::still())?;
            let reason = match self.enrolment.finish(gallery)? {
                Err(EnrolmentRefused::NoView { last }) => last,
                _ => None,
            };
            return Err(Error::NoView { seconds, reason });
        }
        self.conclude(device, now, reply)
    }
}

/// Stores the templates of an enrolment.
fn store(
    device: &mut Device,
    name: &SubjectName,
    purpose: Purpose,
    templates: &[Template],
    now: Now,
) -> Result<SubjectId, Error> {
    let act = if purpose.subject().is_none() { Act::Enrol } else { Act::ReEnrol };
    device.act(act, purpose.subject(), now.utc, |device| {
        let gallery = device.gallery()?;
        Ok(match purpose {
            Purpose::Add { subject } => gallery.add_templates(subject, templates).map(|()| subject)?,
            Purpose::Replace { subject } => {
                gallery.replace_templates(subject, templates).map(|()| subject)?
            }
            Purpose::New { .. } | Purpose::Deny { .. } => gallery.enrol(name, templates, now.utc.unix_s())?,
        })
    })
}

/// Answers for photos of which none could be used.
fn nothing(
    gallery: &Gallery,
    name: SubjectName,
    purpose: Purpose,
    views: Vec<View>,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    if matches!(purpose, Purpose::Deny { .. }) {
        return Err(Error::NoGoodView);
    }
    let templates = match purpose {
        Purpose::Add { subject } => gallery.subject(subject).map_or(0, |subject| subject.templates),
        _ => 0,
    };
    let (subject, consistency, advice) = (None, None, Vec::new());
    reply.answer(&Response::Enrolled { name, subject, templates, views, consistency, advice })?;
    Ok(Outcome::Refused)
}

fn refusal(gallery: &Gallery, name: SubjectName, refused: EnrolmentRefused) -> Error {
    match refused {
        EnrolmentRefused::Duplicate(subject) => match gallery.subject(subject) {
            Some(other) => Error::Duplicate(other.name.clone()),
            None => GalleryError::UnknownSubject(subject).into(),
        },
        EnrolmentRefused::AnotherPerson => Error::AnotherPerson(name),
        EnrolmentRefused::NoView { .. } => Error::NoGoodView,
    }
}

/// Stores templates that deny being `subject`, logs it and answers. `wrong`: the log's entry that was wrong.
pub(super) fn deny(
    device: &mut Device,
    subject: SubjectId,
    templates: &[Template],
    wrong: Option<u64>,
    views: Vec<View>,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let unknown = || GalleryError::UnknownSubject(subject);
    let gallery = &device.enrolled()?.ok_or_else(unknown)?.gallery;
    let mut score: Option<f32> = None;
    for template in templates {
        let now = gallery.verify(subject, template)?.map(|score| score.0);
        score = match (score, now) {
            (Some(held), Some(now)) => Some(held.max(now)),
            (held, now) => held.or(now),
        };
    }
    device.act(Act::Deny, Some(subject), now.utc, |device| {
        Ok(device.enrolled()?.ok_or_else(unknown)?.gallery.deny(subject, templates)?)
    })?;
    let gallery = &device.enrolled()?.ok_or_else(unknown)?.gallery;
    let known = gallery.subject(subject).ok_or_else(unknown)?;
    let (name, impostors) = (known.name.clone(), known.impostors);
    let mut advice = Vec::new();
    if let (denied @ 1.., of) = gallery.denied_views(subject)? {
        advice.push(Advice::DeniesOwn { views: denied, of });
    }
    device
        .note(&Entry::NotThisPerson { subject, wrong, impostors }, now.utc)
        .map_err(|error| error.after(format!("this person is denied being {name}")))?;
    reply.answer(&Response::NotThisPerson { name, subject, wrong, score, impostors, views, advice })?;
    Ok(Outcome::Done)
}

/// What would make this enrolment better, with the numbers that say so; `held` templates stay beside it. `threshold`:
/// what the door asks for.
fn advice(gallery: &Gallery, finished: &Finished, plan: Plan, held: usize, threshold: f32) -> Vec<Advice> {
    let mut advice = Vec::new();
    if held + finished.templates.len() == 1 {
        advice.push(Advice::OneView);
    }
    if plan.medium == Medium::Camera {
        let views = finished.templates.len();
        if views < plan.views {
            advice.push(Advice::FewViews { views, of: plan.views });
        }
        advice.extend(finished.unseen.iter().map(|&side| Advice::NotTurned { side }));
    }
    if let Some(score) = finished.consistency.filter(|score| score.0 < threshold + CLOSE) {
        advice.push(Advice::Inconsistent { score: score.0, threshold });
    }
    if let Some(nearest) = finished.nearest.filter(|nearest| nearest.score.0 >= threshold - CLOSE)
        && let Some(other) = gallery.subject(nearest.subject)
    {
        let (name, subject, score) = (other.name.clone(), other.id, nearest.score.0);
        advice.push(Advice::CloseTo { name, subject, score, threshold });
    }
    if let Some(best) = finished.qualities.iter().max_by_key(|quality| quality.overall())
        && let (part, value) = best.weakest()
        // Of recognisability a quarter of all good views have less: its scale is the share of faces that are refused.
        && part != QualityPart::Recognisability
        && value < POOR
    {
        advice.push(Advice::LowQuality { part, value });
    }
    advice
}
