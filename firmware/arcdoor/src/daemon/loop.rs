//! The loop at the door: a frame, a decision, a line. A frame that fails or panics is no grant, and
//! does not end the loop; many in a row do.

use super::clock::Clock;
use super::inbox::Inbox;
use super::trace::Trace;
use crate::device::recognition::sight;
use crate::device::source::Frames;
use crate::device::{Device, Now, Outcome, Reply, Work};
use crate::error::Error;
use arcdoor_api::{By, Reason, Response, Sight, UtcTime, Verdict};
use arcdoor_core::{DenyReason, Millis, SubjectId};
use arcdoor_frame::RgbImage;
use arcdoor_pipeline::{LockoutState, Question, Rules, TraceEntry};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How often probes whose time is over are looked for, where nobody is granted.
const SWEEP_MS: u64 = 3_600_000;
/// Frames that may fail in a row.
pub const MOST_FAILURES: u32 = 30;

/// A frame's decision, and what a trace records of it.
pub struct Decided {
    /// What is printed and logged of it.
    pub sight: Sight,
    /// The rules it was decided by, and what was observed; none of a frame that failed.
    pub recorded: Option<(Rules, TraceEntry)>,
    /// Where recognition was loaded for this frame, the lockout that it went on with: all else of earlier frames was
    /// forgotten.
    pub resumed: Option<LockoutState>,
    /// Why the attempt before this frame failed, where it did: to be logged as well.
    pub before: Option<DenyReason>,
    /// Whether the decision ends an attempt, and does not repeat an earlier one about the same face.
    pub ends_attempt: bool,
}

impl Decided {
    /// The decision about a frame that failed: no grant.
    fn nothing() -> Self {
        Self { sight: Sight::nothing(), recorded: None, resumed: None, before: None, ends_attempt: false }
    }
}

/// What the loop asks of a device. A trait, so that tests can put a device that fails in its place.
pub trait Decider {
    /// Where the next frame goes.
    ///
    /// # Errors
    /// When the networks cannot be loaded.
    fn image(&mut self) -> Result<&mut RgbImage, Error>;

    /// Decides about the present frame as the next of a row.
    ///
    /// # Errors
    /// When a network or the gallery fails.
    fn step(&mut self, now: Millis) -> Result<Decided, Error>;

    /// Throws away what a panic may have left half-done, with all that was remembered.
    ///
    /// # Errors
    /// When the networks cannot be loaded again.
    fn renew(&mut self) -> Result<(), Error>;

    /// Notes the decision of the last step.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn note(&mut self, sight: &Sight, at: UtcTime) -> Result<(), Error>;

    /// What time demands of the log, and of what must survive a restart; `is_last`: everything is made safe.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn settle(&mut self, at: UtcTime, is_last: bool) -> Result<(), Error>;

    /// Forgets what was kept for a while, and whose time is over.
    ///
    /// # Errors
    /// When it cannot be overwritten.
    fn sweep(&mut self, at: UtcTime) -> Result<(), Error>;
}

impl Decider for Device {
    fn image(&mut self) -> Result<&mut RgbImage, Error> {
        Ok(self.recognition()?.image())
    }

    fn step(&mut self, now: Millis) -> Result<Decided, Error> {
        let Work { recognition, gallery, rules, .. } = self.work(self.settings().policy)?;
        let resumed = recognition.resumes().cloned();
        let step = recognition.step(gallery, Question::Identify, &rules, now)?;
        let sight = sight(&step, recognition.engine(), gallery, None);
        let (before, ends_attempt) = (step.outcome.before, step.outcome.ends_attempt);
        let entry = TraceEntry { now, observation: step.observation, outcome: step.outcome };
        Ok(Decided { sight, recorded: Some((rules, entry)), resumed, before, ends_attempt })
    }

    fn renew(&mut self) -> Result<(), Error> {
        self.drop_recognition();
        self.recognition().map(drop)
    }

    fn note(&mut self, sight: &Sight, at: UtcTime) -> Result<(), Error> {
        let Work { recognition, gallery, journal, .. } = self.work(self.settings().policy)?;
        journal.decided(By::Run, sight, gallery, recognition.probe(), at)
    }

    fn settle(&mut self, at: UtcTime, is_last: bool) -> Result<(), Error> {
        self.keep_lockout()?;
        if is_last { self.journal().close(at) } else { self.journal().tick(at) }
    }

    fn sweep(&mut self, at: UtcTime) -> Result<(), Error> {
        self.journal().probes.sweep(at.unix_s())
    }
}

/// The loop's state.
pub struct Loop<'a, D, I> {
    device: &'a mut D,
    frames: Frames,
    clock: &'a dyn Clock,
    inbox: I,
    trace: Option<Trace>,
    /// The decision that was logged last, and not again while it repeats: a person who stays is one entry.
    noted: Option<(Verdict, Option<Reason>, Option<SubjectId>)>,
    failures: u32,
}

impl<'a, D: Decider, I: Inbox<D>> Loop<'a, D, I> {
    /// Over frames, with requests from `inbox` between them.
    #[must_use]
    pub const fn new(device: &'a mut D, frames: Frames, clock: &'a dyn Clock, inbox: I) -> Self {
        Self { device, frames, clock, inbox, trace: None, noted: None, failures: 0 }
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
    /// When the camera fails, an answer cannot be given, the log cannot be written, or 30 frames in a
    /// row fail.
    pub fn run(mut self, most: Option<u64>, reply: &mut dyn Reply) -> Result<Outcome, Error> {
        let outcome = self.each_frame(most, reply);
        self.inbox.close(self.device, self.clock.now());
        let settled = self.device.settle(self.clock.now().utc, true);
        outcome.and_then(|outcome| settled.map(|()| outcome))
    }

    fn each_frame(&mut self, most: Option<u64>, reply: &mut dyn Reply) -> Result<Outcome, Error> {
        let (start, mut swept_ms) = (self.clock.now().at, 0);
        self.device.sweep(self.clock.now().utc)?;
        for frame in 0..most.unwrap_or(u64::MAX) {
            self.inbox.serve(self.device, self.clock.now());
            self.device.settle(self.clock.now().utc, false)?;
            let next = self.next()?;
            let now = self.clock.now();
            let at_ms = now.at.since(start);
            let (decided, error) = match next {
                Next::End => break,
                Next::Failed(why) => self.failed(why)?,
                Next::Frame if self.inbox.take(self.device, frame, now) => continue,
                Next::Frame => self.decide(now, reply)?,
            };
            if at_ms - swept_ms >= SWEEP_MS {
                swept_ms = at_ms;
                self.device.sweep(now.utc)?;
            }
            self.note(&decided, now.utc)?;
            reply.answer(&Response::Frame { frame, at_ms, sight: decided.sight, error })?;
        }
        Ok(Outcome::Done)
    }

    /// One frame that cannot be read is a failed frame; a camera that is gone ends the loop.
    fn next(&mut self) -> Result<Next, Error> {
        let (device, frames) = (&mut *self.device, &mut self.frames);
        // Half a frame may be left, and nobody looks at it: the next frame is written over it.
        match catch_unwind(AssertUnwindSafe(|| frames.next(device.image()?))) {
            Ok(Ok(true)) => Ok(Next::Frame),
            Ok(Ok(false)) => Ok(Next::End),
            Ok(Err(error)) if error.is_one_frame() => Ok(Next::Failed(error.to_string())),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Next::Failed("reading this frame panicked".to_owned())),
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
            self.device.note(&Sight { threshold, threshold_basis, ..failed }, at)?;
        }
        let now = (sight.decision, sight.reason, sight.subject);
        let is_lockout = sight.reason == Some(Reason::Deny(DenyReason::LockedOut));
        if sight.decision == Verdict::Retry {
            self.noted = None;
        } else if self.noted != Some(now) && (decided.ends_attempt || is_lockout) {
            self.device.note(sight, at)?;
            self.noted = Some(now);
        }
        Ok(())
    }
}

/// What became of the wait for a frame.
enum Next {
    Frame,
    Failed(String),
    End,
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_camera::{CameraError, Source};
    use arcdoor_core::DenyReason;

    /// What a frame does.
    #[derive(Clone, Copy, PartialEq)]
    enum Frame {
        Grant,
        Deny,
        GoneBeforeDenial,
        NoImage,
        PanicInSource,
        PanicInStep,
        Unplugged,
    }

    struct Faulty {
        frames: std::vec::IntoIter<Frame>,
    }

    /// The frame's kind lies in its first pixel.
    impl Source for Faulty {
        #[allow(clippy::panic, reason = "the fault")]
        fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError> {
            let Some(frame) = self.frames.next() else { return Ok(false) };
            out.reshape(1, 1);
            out.data_mut().fill(frame as u8);
            match frame {
                Frame::PanicInSource => panic!("injected"),
                Frame::NoImage => Err(CameraError::Frame(arcdoor_frame::FrameError::UnknownFormat)),
                Frame::Unplugged => Err(CameraError::Stalled { device: "x".to_owned(), waited_ms: 1 }),
                _ => Ok(true),
            }
        }
    }

    /// Grants until it panicked; after that it wants to be made anew.
    #[derive(Default)]
    struct Doubtful {
        image: RgbImage,
        broken: bool,
        renewed: u32,
        noted: Vec<Verdict>,
    }

    impl Decider for Doubtful {
        fn image(&mut self) -> Result<&mut RgbImage, Error> {
            Ok(&mut self.image)
        }

        #[allow(clippy::panic, reason = "the fault")]
        fn step(&mut self, _: Millis) -> Result<Decided, Error> {
            assert!(!self.broken, "what panicked was asked again");
            let kind = self.image.data_mut()[0];
            if kind == Frame::PanicInStep as u8 {
                self.broken = true;
                panic!("injected");
            }
            if kind == Frame::GoneBeforeDenial as u8 {
                return Ok(Decided { before: Some(DenyReason::NoMatch), ..Decided::nothing() });
            }
            let granted = kind == Frame::Grant as u8;
            let (decision, reason) = if granted {
                (Verdict::Granted, None)
            } else {
                (Verdict::Denied, Some(Reason::Deny(DenyReason::NoMatch)))
            };
            Ok(Decided {
                sight: Sight { decision, reason, ..Sight::nothing() },
                ends_attempt: true,
                ..Decided::nothing()
            })
        }

        fn renew(&mut self) -> Result<(), Error> {
            self.broken = false;
            self.renewed += 1;
            Ok(())
        }

        fn note(&mut self, sight: &Sight, _: UtcTime) -> Result<(), Error> {
            self.noted.push(sight.decision);
            Ok(())
        }

        fn settle(&mut self, _: UtcTime, _: bool) -> Result<(), Error> {
            Ok(())
        }

        fn sweep(&mut self, _: UtcTime) -> Result<(), Error> {
            Ok(())
        }
    }

    struct Standing;

    impl Clock for Standing {
        fn now(&self) -> Now {
            Now { at: Millis(0), utc: UtcTime::default() }
        }
    }

    type Lines = Vec<(Verdict, bool)>;

    fn run(frames: Vec<Frame>) -> (Result<Outcome, Error>, Lines, Doubtful) {
        let source = Frames::of(Box::new(Faulty { frames: frames.into_iter() }));
        let (mut doubtful, mut lines) = (Doubtful::default(), Vec::new());
        let mut reply = |response: &Response| {
            if let Response::Frame { sight, error, .. } = response {
                lines.push((sight.decision, error.is_some()));
            }
            Ok(())
        };
        let outcome = Loop::new(&mut doubtful, source, &Standing, ()).run(None, &mut reply);
        (outcome, lines, doubtful)
    }

    fn count(noted: &[Verdict], verdict: Verdict) -> usize {
        noted.iter().filter(|noted| **noted == verdict).count()
    }

    #[test]
    fn a_panic_or_a_bad_frame_opens_nothing_and_the_loop_goes_on() {
        let faults = [Frame::NoImage, Frame::PanicInSource, Frame::PanicInStep];
        let frames: Vec<_> = faults.iter().flat_map(|&fault| [Frame::Grant, fault, Frame::Deny]).collect();
        let (outcome, lines, door) = run(frames);
        assert_eq!((outcome.unwrap(), door.renewed), (Outcome::Done, 1));
        let visit = [(Verdict::Granted, false), (Verdict::Retry, true), (Verdict::Denied, false)];
        assert_eq!(lines, visit.repeat(3));
        assert_eq!(count(&door.noted, Verdict::Granted), 3);
    }

    #[test]
    fn many_failures_in_a_row_end_the_loop_and_so_does_a_camera_that_is_gone() {
        for fault in [Frame::NoImage, Frame::PanicInSource, Frame::PanicInStep] {
            let most = MOST_FAILURES as usize;
            let (outcome, lines, ..) = run(vec![fault; most + 5]);
            assert!(matches!(outcome, Err(Error::FramesFail(MOST_FAILURES))));
            assert_eq!(lines, vec![(Verdict::Retry, true); most - 1], "at the edge, and not past it");
            let row = [vec![fault; most - 1], vec![Frame::Deny], vec![fault; most - 1]].concat();
            let (outcome, lines, ..) = run(row);
            assert_eq!((outcome.unwrap(), lines.len()), (Outcome::Done, 2 * most - 1));
        }
        let (outcome, lines, ..) = run(vec![Frame::Deny, Frame::Unplugged, Frame::Grant]);
        assert!(matches!(outcome, Err(Error::Camera(_))) && lines.len() == 1);
    }

    #[test]
    fn an_attempt_that_was_cut_short_is_logged_although_its_frame_is_no_denial() {
        let (_, lines, door) = run(vec![Frame::Grant, Frame::GoneBeforeDenial, Frame::GoneBeforeDenial]);
        assert_eq!(lines[1..], [(Verdict::Retry, false); 2]);
        assert_eq!(door.noted, [Verdict::Granted, Verdict::Denied, Verdict::Denied]);
    }
}
