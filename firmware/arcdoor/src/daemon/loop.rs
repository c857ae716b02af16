//! The loop at the door: a frame, a decision, a line. A frame that fails or panics is no grant, and
//! does not end the loop; many in a row do. A camera that is lost is opened again, as the ladder says.

use super::clock::Clock;
use super::decider::{Decided, Decider};
use super::door::{MAX_ENTRIES, Nobody, Porter};
use super::inbox::Inbox;
use super::ladder::{Fall, Return};
use super::motion::Motion;
use super::trace::Trace;
use super::watch::{Watch, Watched, fault};
use super::watchdog::Watchdog;
use crate::device::source::Frames;
use crate::device::{Now, Outcome, Reply};
use crate::error::Error;
use arcdoor_api::{DoorFault, Entry, Reason, Response, Sight, UtcTime, Verdict};
use arcdoor_camera::CameraError;
use arcdoor_core::{DenyReason, Millis, SubjectId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often probes whose time is over are looked for, where nobody is granted.
const SWEEP_MS: u64 = 3_600_000;
/// Entries of the door that are written between two frames: wires that are pulsed keep nobody from being recognised.
const MOST_NOTES: usize = 16;
/// Longest rest while a camera is away, milliseconds: requests and what time demands go on.
const REST_MS: u64 = 100;
/// A clock that differs by no more from one round to the next was corrected, not set, seconds.
const SLEWED_S: i64 = 2;
/// Frames that may fail in a row.
pub const MOST_FAILURES: u32 = 30;

/// The loop's state.
pub struct Loop<'a, D, I> {
    device: &'a mut D,
    watch: Watch,
    clock: &'a dyn Clock,
    start: Millis,
    inbox: I,
    porter: &'a dyn Porter,
    watchdog: Watchdog,
    /// None: every frame is looked at.
    motion: Option<Motion>,
    stop: Arc<AtomicBool>,
    trace: Option<Trace>,
    /// The decision that was logged last, and not again while it repeats: a person who stays is one entry.
    noted: Option<(Verdict, Option<Reason>, Option<SubjectId>)>,
    failures: u32,
    /// What the clock on the wall is ahead of the one that only counts, seconds, as it was last.
    ahead_s: Option<i64>,
}

impl<'a, D: Decider, I: Inbox<D>> Loop<'a, D, I> {
    /// Over frames, with requests from `inbox` between them.
    #[must_use]
    pub fn new(device: &'a mut D, frames: Frames, clock: &'a dyn Clock, inbox: I) -> Self {
        let (watch, start) = (Watch::new(frames), clock.now().at);
        let (porter, watchdog) = (&Nobody, Watchdog::of_systemd());
        let (motion, trace, noted) = (None, None, None);
        let stop = Arc::default();
        Self {
            device,
            watch,
            clock,
            start,
            inbox,
            porter,
            watchdog,
            motion,
            stop,
            trace,
            noted,
            failures: 0,
            ahead_s: None,
        }
    }

    /// Ends after the frame at which this is set.
    #[must_use]
    pub fn until(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = stop;
        self
    }

    /// Looks at few frames while nothing moves.
    #[must_use]
    pub fn dozing(mut self, dozes: bool) -> Self {
        self.motion = dozes.then(Motion::default);
        self
    }

    /// Beside this door.
    #[must_use]
    pub fn with_porter(mut self, porter: &'a dyn Porter) -> Self {
        self.porter = porter;
        self
    }

    /// Records every decision.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<Trace>) -> Self {
        self.trace = trace;
        self
    }

    /// Runs until the frames end, or `most` of them are done.
    ///
    /// # Errors
    /// When the camera stays away, an answer cannot be given, the log cannot be written, or 30 frames in a
    /// row fail.
    pub fn run(self, most: Option<u64>, reply: &mut dyn Reply) -> Result<Outcome, Error> {
        self.run_beside(most, reply, || {})
    }

    /// As [`Loop::run`]; `close` ends what runs beside it, and what that still tells is logged.
    ///
    /// # Errors
    /// As [`Loop::run`].
    pub fn run_beside(
        mut self,
        most: Option<u64>,
        reply: &mut dyn Reply,
        close: impl FnOnce(),
    ) -> Result<Outcome, Error> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.each_frame(most, reply)));
        let outcome = outcome.unwrap_or(Err(Error::LoopFault));
        self.watchdog.stop();
        close();
        let outcome = self.note_door(MAX_ENTRIES, reply).and(outcome);
        self.inbox.close(self.device, self.clock.now());
        let settled = self.device.settle(self.clock.now().utc, true);
        outcome.and_then(|outcome| settled.map(|()| outcome))
    }

    fn each_frame(&mut self, most: Option<u64>, reply: &mut dyn Reply) -> Result<Outcome, Error> {
        let (mut frame, mut swept) = (0, self.start);
        self.device.sweep(self.clock.now().utc)?;
        while most.is_none_or(|most| frame < most) && !self.stop.load(Ordering::Relaxed) {
            self.porter.beat(self.clock.now().at);
            self.watchdog.beat(self.clock.now().at);
            self.porter.busy(true);
            self.inbox.serve(self.device, self.clock.now());
            // In this order: a door that sees the one must not miss the other.
            self.porter.beat(self.clock.now().at);
            self.porter.busy(false);
            self.note_clock()?;
            self.note_door(MOST_NOTES, reply)?;
            self.device.settle(self.clock.now().utc, false)?;
            if self.clock.now().at.since(swept) >= SWEEP_MS {
                swept = self.clock.now().at;
                self.device.sweep(self.clock.now().utc)?;
            }
            let next = self.next(reply)?;
            let now = self.clock.now();
            let decided = match next {
                Next::End => break,
                Next::Nothing => continue,
                Next::Failed(why) => Some(self.failed(why)?),
                Next::Frame if self.inbox.take(self.device, frame, now) => None,
                Next::Frame if self.is_dozing(now)? => continue,
                Next::Frame => Some(self.decide(now, reply)?),
            };
            if let Some((decided, error)) = decided {
                self.porter.saw(&decided.sight);
                if decided.sight.faces > 0
                    && let Some(motion) = &mut self.motion
                {
                    motion.stir(now.at);
                }
                self.note(&decided, now.utc)?;
                let at_ms = now.at.since(self.start);
                reply.answer(&Response::Frame { frame, at_ms, sight: decided.sight, error })?;
            }
            frame += 1;
        }
        Ok(Outcome::Done)
    }

    /// One frame that cannot be read is a failed frame; a camera that is gone is waited for.
    fn next(&mut self, reply: &mut dyn Reply) -> Result<Next, Error> {
        let (device, watch, clock) = (&mut *self.device, &mut self.watch, self.clock);
        // Half a frame may be left, and nobody looks at it: the next frame is written over it.
        let watched = match catch_unwind(AssertUnwindSafe(|| watch.next(device.image()?, clock))) {
            Ok(Ok(watched)) => watched,
            Ok(Err(error)) if error.is_one_frame() => return Ok(Next::Failed(error.to_string())),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(Next::Failed("reading this frame panicked".to_owned())),
        };
        match watched {
            Watched::Frame => {
                self.porter.camera(true);
                return Ok(Next::Frame);
            }
            Watched::Returned(back) => return self.returned(back, reply),
            Watched::End => return Ok(Next::End),
            Watched::Nothing => {}
            Watched::Pause(ms) => self.clock.rest(ms.min(REST_MS)),
            Watched::Lost(error, fall) => self.lost(error, fall, reply)?,
        }
        Ok(Next::Nothing)
    }

    /// Whoever stood there before the loss may be somebody else now.
    fn returned(&mut self, back: Return, reply: &mut dyn Reply) -> Result<Next, Error> {
        let (now, Return { away_ms, note }) = (self.clock.now(), back);
        self.porter.camera(true);
        self.device.forget(now.at);
        if note {
            self.device.note_entry(&Entry::CameraReturned { away_ms }, now.utc)?;
        }
        reply.answer(&Response::CameraReturned { at_ms: now.at.since(self.start), away_ms })?;
        Ok(Next::Frame)
    }

    fn lost(&mut self, error: CameraError, fall: Fall, reply: &mut dyn Reply) -> Result<(), Error> {
        let Fall { tries, retry_ms, is_first, note } = fall;
        let (now, fault) = (self.clock.now(), fault(&error));
        self.porter.camera(false);
        if is_first {
            (self.noted, self.failures) = (None, 0);
            self.inbox.interrupt(self.device, now);
        }
        if note {
            self.device.note_entry(&Entry::CameraLost { fault }, now.utc)?;
        }
        let (at_ms, text) = (now.at.since(self.start), error.to_string());
        reply.answer(&Response::CameraLost { at_ms, fault, error: text, tries, retry_ms })?;
        match retry_ms {
            Some(_) => Ok(()),
            // It never was there, and trying again helps nobody.
            None if tries == 0 => Err(error.into()),
            None => Err(Error::CameraStaysAway { tries, source: error }),
        }
    }

    fn decide(&mut self, now: Now, reply: &mut dyn Reply) -> Result<(Decided, Option<String>), Error> {
        let device = &mut *self.device;
        // What panicked is thrown away, so nothing half-done in it is asked again.
        let why = match catch_unwind(AssertUnwindSafe(|| device.step(now.at))) {
            Ok(Ok(mut decided)) => {
                self.failures = 0;
                if let Some(lockout) = decided.resumed.take() {
                    self.record(reply, |trace| trace.resumed(now.at, lockout))?;
                }
                if let Some((rules, entry)) = decided.recorded.take() {
                    self.record(reply, |trace| trace.frame(&rules, entry))?;
                }
                return Ok((decided, None));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                self.device.renew()?;
                "recognition panicked on this frame and was started anew".to_owned()
            }
        };
        self.failed(why)
    }

    /// A trace that is full, or cannot be written, ends; the loop does not.
    fn record(
        &mut self,
        reply: &mut dyn Reply,
        write: impl FnOnce(&mut Trace) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let Some(trace) = &mut self.trace else { return Ok(()) };
        let error = match write(trace) {
            Ok(true) => return Ok(()),
            Ok(false) => None,
            Err(error) => Some(error.to_string()),
        };
        let (file, bytes) = (trace.path().to_owned(), trace.bytes());
        self.trace = None;
        reply.answer(&Response::TraceEnded { file: file.into(), bytes, error })
    }

    fn failed(&mut self, why: String) -> Result<(Decided, Option<String>), Error> {
        self.failures += 1;
        if self.failures >= MOST_FAILURES {
            return Err(Error::FramesFail(self.failures));
        }
        Ok((Decided::nothing(), Some(why)))
    }

    /// One entry an attempt, however often a face that stays is denied; and one for each face that meets a lockout.
    fn note(&mut self, decided: &Decided, at: UtcTime) -> Result<(), Error> {
        let sight = &decided.sight;
        if let Some(reason) = decided.before.map(Reason::Deny) {
            let (threshold, threshold_basis) = (sight.threshold, sight.threshold_basis);
            let failed = Sight { decision: Verdict::Denied, reason: Some(reason), ..Sight::nothing() };
            self.device.note(
                &Sight { threshold, threshold_basis, ..failed },
                decided.why_before.as_ref(),
                at,
            )?;
        }
        let now = (sight.decision, sight.reason, sight.subject);
        let is_lockout = sight.reason == Some(Reason::Deny(DenyReason::LockedOut));
        if sight.decision == Verdict::Retry {
            self.noted = None;
        } else if self.noted != Some(now) && (decided.ends_attempt || is_lockout) {
            self.device.note(sight, decided.why.as_ref(), at)?;
            self.porter.ended(sight);
            self.noted = Some(now);
        }
        Ok(())
    }

    /// Whether the present frame is passed over.
    fn is_dozing(&mut self, now: Now) -> Result<bool, Error> {
        let Some(motion) = &mut self.motion else { return Ok(false) };
        Ok(!motion.is_worth(self.device.image()?.view(), now.at))
    }

    /// Whoever reads the log later must know where its times jump.
    fn note_clock(&mut self) -> Result<(), Error> {
        let Now { at, utc } = self.clock.now();
        let seconds = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let ahead_s = seconds(utc.unix_s()).saturating_sub(seconds(at.0 / 1_000));
        let by_s = ahead_s.saturating_sub(self.ahead_s.replace(ahead_s).unwrap_or(ahead_s));
        if by_s.abs() > SLEWED_S { self.device.note_entry(&Entry::ClockSet { by_s }, utc) } else { Ok(()) }
    }

    /// What happened at the door is written by whoever holds the log.
    fn note_door(&mut self, most: usize, reply: &mut dyn Reply) -> Result<(), Error> {
        for _ in 0..most {
            let Some((entry, at)) = self.porter.entry() else { break };
            self.porter.beat(self.clock.now().at);
            self.device.note_entry(&entry, at)?;
            reply.answer(&Response::DoorEvent { at, entry })?;
        }
        if let lost @ 1.. = self.porter.unlogged() {
            let entry = Entry::DoorFault { fault: DoorFault::Unlogged, why: format!("{lost} entries") };
            self.device.note_entry(&entry, self.clock.now().utc)?;
        }
        Ok(())
    }
}

/// What became of the wait for a frame.
enum Next {
    Frame,
    /// There is none now.
    Nothing,
    Failed(String),
    End,
}

#[cfg(test)]
mod tests;
