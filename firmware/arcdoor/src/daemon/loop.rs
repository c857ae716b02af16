//! The loop at the door: a frame, a decision, a line. A frame that fails or panics is no grant, and
//! does not end the loop; many in a row do. A camera that is lost is opened again, as the ladder says.

use super::clock::Clock;
use super::inbox::Inbox;
use super::trace::Trace;
use super::watch::{Loss, Watch, Watched, fault};
use crate::device::recognition::sight;
use crate::device::source::Frames;
use crate::device::{Device, Now, Outcome, Reply, Work};
use crate::error::Error;
use arcdoor_api::{By, Entry, Reason, Response, Sight, UtcTime, Verdict};
use arcdoor_core::{DenyReason, Millis, SubjectId};
use arcdoor_frame::RgbImage;
use arcdoor_pipeline::{LockoutState, Question, Rules, TraceEntry};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How often probes whose time is over are looked for, where nobody is granted.
const SWEEP_MS: u64 = 3_600_000;
/// Longest rest while a camera is away, milliseconds: requests and what time demands go on.
const REST_MS: u64 = 100;
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

    /// Forgets all earlier frames, but for a lockout and the denials that lead to one.
    fn forget(&mut self, now: Millis);

    /// Notes what became of the camera.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn note_camera(&mut self, entry: &Entry, at: UtcTime) -> Result<(), Error>;

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

    fn forget(&mut self, now: Millis) {
        self.forget_frames(now);
    }

    fn note_camera(&mut self, entry: &Entry, at: UtcTime) -> Result<(), Error> {
        Device::note(self, entry, at).map(drop)
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
    watch: Watch,
    clock: &'a dyn Clock,
    start: Millis,
    inbox: I,
    trace: Option<Trace>,
    /// The decision that was logged last, and not again while it repeats: a person who stays is one entry.
    noted: Option<(Verdict, Option<Reason>, Option<SubjectId>)>,
    failures: u32,
}

impl<'a, D: Decider, I: Inbox<D>> Loop<'a, D, I> {
    /// Over frames, with requests from `inbox` between them.
    #[must_use]
    pub fn new(device: &'a mut D, frames: Frames, clock: &'a dyn Clock, inbox: I) -> Self {
        let (watch, start) = (Watch::new(frames), clock.now().at);
        Self { device, watch, clock, start, inbox, trace: None, noted: None, failures: 0 }
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
    pub fn run(mut self, most: Option<u64>, reply: &mut dyn Reply) -> Result<Outcome, Error> {
        let outcome = self.each_frame(most, reply);
        self.inbox.close(self.device, self.clock.now());
        let settled = self.device.settle(self.clock.now().utc, true);
        outcome.and_then(|outcome| settled.map(|()| outcome))
    }

    fn each_frame(&mut self, most: Option<u64>, reply: &mut dyn Reply) -> Result<Outcome, Error> {
        let (mut frame, mut swept) = (0, self.start);
        self.device.sweep(self.clock.now().utc)?;
        while most.is_none_or(|most| frame < most) {
            self.inbox.serve(self.device, self.clock.now());
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
                Next::Frame => Some(self.decide(now, reply)?),
            };
            if let Some((decided, error)) = decided {
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
        let (device, watch, now) = (&mut *self.device, &mut self.watch, self.clock.now());
        // Half a frame may be left, and nobody looks at it: the next frame is written over it.
        let watched = match catch_unwind(AssertUnwindSafe(|| watch.next(device.image()?, now.at))) {
            Ok(Ok(watched)) => watched,
            Ok(Err(error)) if error.is_one_frame() => return Ok(Next::Failed(error.to_string())),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(Next::Failed("reading this frame panicked".to_owned())),
        };
        match watched {
            Watched::Frame => return Ok(Next::Frame),
            Watched::Returned { away_ms, note } => return self.returned(away_ms, note, reply),
            Watched::End => return Ok(Next::End),
            Watched::Nothing => {}
            Watched::Pause(ms) => self.clock.rest(ms.min(REST_MS)),
            Watched::Lost(loss) => self.lost(loss, reply)?,
        }
        Ok(Next::Nothing)
    }

    /// Whoever stood there before the loss may be somebody else now.
    fn returned(&mut self, away_ms: u64, note: bool, reply: &mut dyn Reply) -> Result<Next, Error> {
        let now = self.clock.now();
        self.device.forget(now.at);
        if note {
            self.device.note_camera(&Entry::CameraReturned { away_ms }, now.utc)?;
        }
        reply.answer(&Response::CameraReturned { at_ms: now.at.since(self.start), away_ms })?;
        Ok(Next::Frame)
    }

    fn lost(&mut self, loss: Loss, reply: &mut dyn Reply) -> Result<(), Error> {
        let Loss { error, tries, retry_ms, is_first, note } = loss;
        let (now, fault) = (self.clock.now(), fault(&error));
        if is_first {
            (self.noted, self.failures) = (None, 0);
            self.inbox.interrupt(self.device, now);
        }
        if note {
            self.device.note_camera(&Entry::CameraLost { fault }, now.utc)?;
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
    /// There is none now.
    Nothing,
    Failed(String),
    End,
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_api::CameraFault;
    use arcdoor_camera::{CameraError, Source};
    use arcdoor_core::DenyReason;
    use std::cell::Cell;

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
        cameras: Vec<Entry>,
        forgot: u32,
        /// Calls of what time demands.
        settled: u32,
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

        fn forget(&mut self, _: Millis) {
            self.forgot += 1;
        }

        fn note_camera(&mut self, entry: &Entry, _: UtcTime) -> Result<(), Error> {
            self.cameras.push(entry.clone());
            Ok(())
        }

        fn note(&mut self, sight: &Sight, _: UtcTime) -> Result<(), Error> {
            self.noted.push(sight.decision);
            Ok(())
        }

        fn settle(&mut self, _: UtcTime, _: bool) -> Result<(), Error> {
            self.settled += 1;
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

        fn rest(&self, _: u64) {}
    }

    /// Goes on by rests alone.
    #[derive(Default)]
    struct Resting(Cell<u64>);

    impl Clock for Resting {
        fn now(&self) -> Now {
            Now { at: Millis(self.0.get()), utc: UtcTime::default() }
        }

        fn rest(&self, ms: u64) {
            assert!(ms <= REST_MS, "no long sleep");
            self.0.set(self.0.get() + ms);
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

    /// What a camera does at each opening: it cannot be opened, or gives frames and is then gone. Its first frames are
    /// passed over.
    fn camera(openings: Vec<Option<Vec<Frame>>>) -> Frames {
        let mut openings = openings.into_iter();
        let gone = || CameraError::Gone { device: "x".to_owned(), step: "reading a frame" };
        let missing =
            || CameraError::Open { device: "x".to_owned(), cause: std::io::ErrorKind::NotFound.into() };
        Frames::of_camera(Box::new(move || match openings.next() {
            Some(Some(frames)) => Ok(Box::new(Lit { frames: frames.into_iter(), end: gone })),
            _ => Err(missing()),
        }))
    }

    /// Frames as [`Faulty`] gives them, well exposed but for the first pixel.
    struct Lit<E> {
        frames: std::vec::IntoIter<Frame>,
        end: E,
    }

    impl<E: Fn() -> CameraError> Source for Lit<E> {
        fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError> {
            let frame = self.frames.next().ok_or_else(&self.end)?;
            out.reshape(64, 1);
            out.data_mut().fill(100);
            out.data_mut()[0] = frame as u8;
            Ok(true)
        }
    }

    /// Of a run over a camera: how it ended, what was said, and the door.
    fn watch(openings: Vec<Option<Vec<Frame>>>) -> (Result<Outcome, Error>, Vec<Response>, Doubtful, u64) {
        let (mut door, mut said, clock) = (Doubtful::default(), Vec::new(), Resting::default());
        let mut reply = |response: &Response| {
            said.push(response.clone());
            Ok(())
        };
        let outcome = Loop::new(&mut door, camera(openings), &clock, ()).run(None, &mut reply);
        (outcome, said, door, clock.0.get())
    }

    /// So many first frames of a camera are passed over.
    const UNSETTLED: usize = 3;

    #[test]
    fn a_lost_camera_is_opened_again_with_nothing_remembered_and_one_that_stays_away_ends_the_loop() {
        let frames = |count| Some(vec![Frame::Grant; UNSETTLED + count]);
        let (outcome, said, door, waited_ms) = watch(vec![frames(2), None, None, frames(1)]);
        let error = outcome.unwrap_err();
        assert!(matches!(&error, Error::CameraStaysAway { tries: 5, .. }) && error.code() == 5, "{error}");
        let words = said.iter().map(|response| match response {
            Response::Frame { sight, error: None, .. } => format!("{:?}", sight.decision),
            Response::CameraLost { tries, retry_ms, .. } => format!("lost {tries} {retry_ms:?}"),
            Response::CameraReturned { away_ms, .. } => format!("returned {away_ms}"),
            other => format!("{other:?}"),
        });
        let wanted = [
            "Granted",
            "Granted",
            "lost 0 Some(1000)",
            "lost 1 Some(2000)",
            "lost 2 Some(5000)",
            "returned 8000",
            "Granted",
            "lost 3 Some(10000)",
            "lost 4 Some(30000)",
            "lost 5 None",
        ];
        assert_eq!(words.collect::<Vec<_>>(), wanted);
        let lost = |fault| Entry::CameraLost { fault };
        let entries =
            [lost(CameraFault::Gone), Entry::CameraReturned { away_ms: 8_000 }, lost(CameraFault::NotOpened)];
        assert_eq!(door.cameras, entries);
        assert_eq!(door.noted, [Verdict::Granted; 2], "a grant after the loss is one of its own");
        assert_eq!((door.forgot, waited_ms), (1, 48_000));
        assert!(u64::from(door.settled) >= waited_ms / REST_MS, "what time demands goes on");
    }

    #[test]
    fn a_camera_that_is_not_there_yet_at_the_start_is_waited_for() {
        let (_, said, door, _) = watch(vec![None, Some(vec![Frame::Deny; UNSETTLED + 1])]);
        let is_judged = |response: &&Response| matches!(response, Response::Frame { .. });
        assert_eq!(said.iter().filter(is_judged).count(), 1);
        assert!(matches!(said[0], Response::CameraLost { fault: CameraFault::NotOpened, tries: 0, .. }));
        assert_eq!(door.noted, [Verdict::Denied]);
    }

    #[test]
    fn a_camera_whose_words_are_wrong_is_not_waited_for() {
        let open = || Err(CameraError::Spec("x".to_owned()));
        let (mut door, clock) = (Doubtful::default(), Resting::default());
        let frames = Frames::of_camera(Box::new(open));
        let outcome = Loop::new(&mut door, frames, &clock, ()).run(None, &mut |_: &Response| Ok(()));
        assert!(matches!(outcome, Err(Error::Camera(CameraError::Spec(_)))));
        assert_eq!((door.cameras, clock.0.get()), (Vec::new(), 0));
    }

    #[test]
    fn an_attempt_that_was_cut_short_is_logged_although_its_frame_is_no_denial() {
        let (_, lines, door) = run(vec![Frame::Grant, Frame::GoneBeforeDenial, Frame::GoneBeforeDenial]);
        assert_eq!(lines[1..], [(Verdict::Retry, false); 2]);
        assert_eq!(door.noted, [Verdict::Granted, Verdict::Denied, Verdict::Denied]);
    }
}
