//! Who is it (1:N), and is it this person (1:1)?

use super::annotate::Annotator;
use super::frames::{Begun, LOOK_MS, Stepper};
use crate::device::journal::Grounds;
use crate::device::recognition::{sight, still_window, why};
use crate::device::{Device, Now, Outcome, Reply, Work};
use crate::error::Error;
use arcdoor_api::{By, Feed, Progress, Reason, Response, Sight, Verdict};
use arcdoor_core::{Millis, RetryReason};
use arcdoor_pipeline::{Policy, Question};
use std::path::Path;

/// Asks about photos, each by itself, or about frames until one is decided.
pub(super) fn ask(
    device: &mut Device,
    question: Question,
    from: &Feed,
    annotate: Option<&Path>,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Begun, Error> {
    // Before anybody looks into the camera for nothing.
    device.work(Policy::still())?.journal.probes.sweep(now.utc.unix_s())?;
    let annotator = annotate.map(Annotator::new).transpose()?;
    let mut ask = Ask { question, annotator, since: now.at, last: None };
    let Feed::Photos(files) = from else { return Ok(Begun::Frames(Box::new(ask))) };
    let mut outcome = Outcome::Done;
    for (index, file) in files.iter().enumerate() {
        reply.progress(Progress::Photo { number: index + 1, of: files.len() });
        let photo = file.display().to_string();
        let end = match device.recognition()?.read(file) {
            Ok(()) => ask.decide(device, photo, Kind::Photo, now, reply)?.into(),
            Err(error) => {
                let code = error.code();
                reply.answer(&Response::Failed { photo, code, error: error.to_string() })?;
                Outcome::Failed(code)
            }
        };
        outcome = outcome.and(end);
    }
    Ok(outcome.into())
}

/// Where an image comes from: nobody knows which way up a photo is, and the settings say it of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Photo,
    Frame,
}

/// A question about image after image.
struct Ask {
    question: Question,
    annotator: Option<Annotator>,
    since: Millis,
    /// Why the last frame decided nothing; none where no frame came.
    last: Option<RetryReason>,
}

impl Ask {
    /// Decides about the present image by itself: nothing of an earlier one counts.
    fn decide(
        &mut self,
        device: &mut Device,
        photo: String,
        kind: Kind,
        now: Now,
        reply: &mut dyn Reply,
    ) -> Result<Verdict, Error> {
        let point = device.operating_point(self.question.claim())?;
        let Work { recognition, gallery, journal, rules } = device.work(Policy::still())?;
        let (step, turned) = match kind {
            Kind::Photo => recognition.photo(gallery, self.question, &rules)?,
            Kind::Frame => (recognition.still(gallery, self.question, &rules)?, None),
        };
        let (claim, by) = match self.question {
            Question::Identify => (None, By::Identify),
            Question::Verify(subject) => (Some(subject), By::Verify),
        };
        let sight = sight(&step, recognition.engine(), gallery, claim);
        let sight = Sight { operating_point: Some(point), ..sight };
        let templates = claim
            .map_or(gallery.templates(), |id| gallery.subject(id).map_or(0, |claimed| claimed.templates));
        let (why, window) = (why(&step, &rules, templates), still_window(&step, &rules));
        let grounds = Grounds { by, why: &why, window: &window, probe: recognition.probe() };
        journal.decided(&sight, grounds, gallery, now.utc)?;
        let decision = sight.decision;
        self.last = match sight.reason {
            Some(Reason::Retry(reason)) => Some(reason),
            _ => None,
        };
        let annotated = match &mut self.annotator {
            Some(annotator) => {
                Some(annotator.mark(recognition.image(), &step, &sight, Path::new(&photo))?.into())
            }
            None => None,
        };
        reply.answer(&match by {
            By::Verify => Response::Verified { photo, sight, turned },
            By::Identify | By::Run => Response::Identified { photo, sight, turned, annotated },
        })?;
        Ok(decision)
    }
}

impl Stepper for Ask {
    fn frame(
        &mut self,
        device: &mut Device,
        number: u64,
        now: Now,
        reply: &mut dyn Reply,
    ) -> Result<Option<Outcome>, Error> {
        let decision = self.decide(device, number.to_string(), Kind::Frame, now, reply)?;
        Ok((decision != Verdict::Retry).then(|| decision.into()))
    }

    fn is_late(&self, now: Now) -> bool {
        now.at.since(self.since) > LOOK_MS
    }

    fn end(self: Box<Self>, _: &mut Device, now: Now, _: &mut dyn Reply) -> Result<Outcome, Error> {
        Err(Error::NoView { seconds: now.at.since(self.since) / 1000, reason: self.last })
    }
}
