//! The loop at the door: a frame, a decision, a line. A frame that fails or panics is no grant, and
//! does not end the loop; many in a row do.

use crate::engine::Engine;
use crate::error::Error;
use crate::journal::Journal;
use crate::log::By;
use crate::message::{Reason, Response, Sight, Stages, Verdict};
use crate::service::{Answer, Outcome, unix_seconds};
use crate::source::Frames;
use arcdoor_core::{Millis, RetryReason, SubjectId};
use arcdoor_gallery::Gallery;
use arcdoor_pipeline::Policy;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// How often probes whose time is over are looked for, where nobody is granted.
const SWEEP_MS: u64 = 3_600_000;
/// Frames that may fail in a row.
const MOST_FAILURES: u32 = 30;

/// The loop's state.
pub struct Loop<'a> {
    engine: Engine,
    frames: Frames,
    gallery: &'a Gallery,
    journal: &'a Journal,
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
        journal: &'a Journal,
        policy: Policy,
    ) -> Self {
        Self { engine, frames, gallery, journal, policy, logged: None, failures: 0 }
    }

    /// Runs until the frames end, or `most` of them are done.
    ///
    /// # Errors
    /// When the camera fails, an answer cannot be given, the log cannot be written, or 30 frames in a
    /// row fail.
    pub fn run(mut self, most: Option<u64>, answer: Answer<'_>) -> Result<Outcome, Error> {
        let (start, mut swept_ms) = (Instant::now(), 0);
        for frame in 0..most.unwrap_or(u64::MAX) {
            if !self.frames.next(self.engine.image())? {
                break;
            }
            let at_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            if at_ms - swept_ms >= SWEEP_MS {
                swept_ms = at_ms;
                self.journal.probes.sweep(unix_seconds())?;
            }
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
            self.journal.decided(By::Run, sight, self.gallery, self.engine.probe())?;
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
        stages: Stages::default(),
    }
}
