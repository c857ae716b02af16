//! The loop at the door: a frame, a decision, a line. A frame that fails or panics is no grant, and
//! does not end the loop; many in a row do.

use crate::engine::Engine;
use crate::error::Error;
use crate::log::{Entry, Log};
use crate::message::{Reason, Response, Sight, Stages, Verdict};
use crate::service::{Answer, Outcome};
use crate::source::Frames;
use arcdoor_core::{Millis, RetryReason, SubjectId};
use arcdoor_gallery::Gallery;
use arcdoor_pipeline::Policy;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Frames that may fail in a row.
const MOST_FAILURES: u32 = 30;

/// The log's line for a decision.
#[must_use]
pub fn entry(by: &'static str, sight: &Sight) -> Entry {
    Entry::Decision {
        by,
        decision: sight.decision,
        reason: sight.reason,
        subject: sight.subject,
        score: sight.score,
        threshold: sight.threshold,
    }
}

/// The loop's state.
pub struct Loop<'a> {
    engine: Engine,
    frames: Frames,
    gallery: &'a Gallery,
    log: &'a Log,
    policy: Policy,
    /// What was logged last: a person who stands there is one entry.
    logged: Option<(Verdict, Option<Reason>, Option<SubjectId>)>,
    failures: u32,
}

impl<'a> Loop<'a> {
    /// Over frames, for a gallery.
    #[must_use]
    pub const fn new(
        engine: Engine,
        frames: Frames,
        gallery: &'a Gallery,
        log: &'a Log,
        policy: Policy,
    ) -> Self {
        Self { engine, frames, gallery, log, policy, logged: None, failures: 0 }
    }

    /// Runs until the frames end, or `most` of them are done.
    ///
    /// # Errors
    /// When the camera fails, an answer cannot be given, the log cannot be written, or 30 frames in a
    /// row fail.
    pub fn run(mut self, most: Option<u64>, answer: Answer<'_>) -> Result<Outcome, Error> {
        let start = Instant::now();
        for frame in 0..most.unwrap_or(u64::MAX) {
            if !self.frames.next(self.engine.image())? {
                break;
            }
            let at_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            let (sight, error) = self.decide(Millis(at_ms))?;
            self.note(&sight)?;
            answer(&Response::Frame { frame, at_ms, sight, error })?;
        }
        Ok(Outcome::Done)
    }

    fn decide(&mut self, now: Millis) -> Result<(Sight, Option<String>), Error> {
        let (engine, gallery) = (&mut self.engine, self.gallery);
        // The engine is thrown away after a panic, so nothing half-done in it is seen again.
        let why = match catch_unwind(AssertUnwindSafe(|| engine.step(gallery, now))) {
            Ok(Ok((_, sight))) => {
                self.failures = 0;
                return Ok((sight, None));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                self.engine.renew(self.policy)?;
                "recognition panicked on this frame and was started anew".to_owned()
            }
        };
        self.failures += 1;
        if self.failures >= MOST_FAILURES {
            return Err(Error::FramesFail(self.failures));
        }
        Ok((nothing(), Some(why)))
    }

    fn note(&mut self, sight: &Sight) -> Result<(), Error> {
        let now = (sight.decision, sight.reason, sight.subject);
        if sight.decision == Verdict::Retry {
            self.logged = None;
        } else if self.logged != Some(now) {
            self.log.append(&entry("run", sight))?;
            self.logged = Some(now);
        }
        Ok(())
    }
}

/// What a failed frame says: nothing.
fn nothing() -> Sight {
    Sight {
        faces: 0,
        candidate: None,
        subject: None,
        score: None,
        threshold: 1.0,
        decision: Verdict::Retry,
        reason: Some(Reason::Retry(RetryReason::Looking)),
        engine: None,
        stages: Stages::default(),
    }
}
