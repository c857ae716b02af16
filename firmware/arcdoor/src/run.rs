//! The loop at the door: a frame, a decision, a line. A frame that fails or panics is no grant, and
//! does not end the loop; many in a row do.

use crate::engine::{Engine, Seen};
use crate::error::Error;
use crate::journal::Journal;
use crate::log::By;
use crate::message::{Reason, Response, Sight, Verdict};
use crate::service::{Answer, Outcome, unix_seconds};
use crate::source::Frames;
use arcdoor_camera::CameraError;
use arcdoor_core::{Millis, RetryReason, StageTimes, SubjectId, Template};
use arcdoor_frame::RgbImage;
use arcdoor_gallery::Gallery;
use arcdoor_pipeline::Policy;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// How often probes whose time is over are looked for, where nobody is granted.
const SWEEP_MS: u64 = 3_600_000;
/// Frames that may fail in a row.
pub const MOST_FAILURES: u32 = 30;
/// Denials that are logged in one minute; more would push the log's past out of its two files.
pub const MOST_DENIALS_LOGGED: u32 = 60;

/// What the loop asks of recognition; the place where tests put faults.
pub trait Decider {
    /// Where the next frame goes.
    fn image(&mut self) -> &mut RgbImage;

    /// As [`Engine::step`].
    ///
    /// # Errors
    /// When a network fails.
    fn step(&mut self, gallery: &Gallery, now: Millis) -> Result<(Seen, Sight), Error>;

    /// As [`Engine::renew`].
    ///
    /// # Errors
    /// When the networks cannot be loaded again.
    fn renew(&mut self, policy: Policy) -> Result<(), Error>;

    /// As [`Engine::probe`].
    fn probe(&self) -> Option<&Template>;
}

impl Decider for Engine {
    fn image(&mut self) -> &mut RgbImage {
        Self::image(self)
    }

    fn step(&mut self, gallery: &Gallery, now: Millis) -> Result<(Seen, Sight), Error> {
        Self::step(self, gallery, now)
    }

    fn renew(&mut self, policy: Policy) -> Result<(), Error> {
        Self::renew(self, policy)
    }

    fn probe(&self) -> Option<&Template> {
        Self::probe(self)
    }
}

/// The loop's state.
pub struct Loop<'a, D = Engine> {
    engine: D,
    frames: Frames,
    gallery: &'a Gallery,
    journal: &'a Journal,
    policy: Policy,
    /// What was logged last: a person who stands there is one entry.
    logged: Option<(Verdict, Option<Reason>, Option<SubjectId>)>,
    failures: u32,
    /// The minute since the loop began, and the denials logged in it.
    denials: (u64, u32),
}

impl<'a, D: Decider> Loop<'a, D> {
    /// Over frames, for a gallery.
    #[must_use]
    pub const fn new(
        engine: D,
        frames: Frames,
        gallery: &'a Gallery,
        journal: &'a Journal,
        policy: Policy,
    ) -> Self {
        Self { engine, frames, gallery, journal, policy, logged: None, failures: 0, denials: (0, 0) }
    }

    /// Runs until the frames end, or `most` of them are done.
    ///
    /// # Errors
    /// When the camera fails, an answer cannot be given, the log cannot be written, or 30 frames in a
    /// row fail.
    pub fn run(mut self, most: Option<u64>, answer: Answer<'_>) -> Result<Outcome, Error> {
        let (start, mut swept_ms) = (Instant::now(), 0);
        for frame in 0..most.unwrap_or(u64::MAX) {
            let at_ms = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            let (at_ms, (sight, error)) = match self.next()? {
                Next::End => break,
                Next::Failed(why) => (at_ms(), self.failed(why)?),
                Next::Frame => {
                    let at_ms = at_ms();
                    (at_ms, self.decide(Millis(at_ms))?)
                }
            };
            if at_ms - swept_ms >= SWEEP_MS {
                swept_ms = at_ms;
                self.journal.probes.sweep(unix_seconds())?;
            }
            self.note(&sight, at_ms)?;
            answer(&Response::Frame { frame, at_ms, sight, error })?;
        }
        Ok(Outcome::Done)
    }

    /// One bad picture is a failed frame; a camera that is gone ends the loop.
    fn next(&mut self) -> Result<Next, Error> {
        let (engine, frames) = (&mut self.engine, &mut self.frames);
        // Half a picture may be left, and nobody looks at it: the next frame is written over it.
        match catch_unwind(AssertUnwindSafe(|| frames.next(engine.image()))) {
            Ok(Ok(true)) => Ok(Next::Frame),
            Ok(Ok(false)) => Ok(Next::End),
            Ok(Err(
                error @ (Error::Photo { .. }
                | Error::Camera(CameraError::Picture { .. } | CameraError::Frame(_))),
            )) => Ok(Next::Failed(error.to_string())),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Next::Failed("reading this frame panicked".to_owned())),
        }
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
        self.failed(why)
    }

    fn failed(&mut self, why: String) -> Result<(Sight, Option<String>), Error> {
        self.failures += 1;
        if self.failures >= MOST_FAILURES {
            return Err(Error::FramesFail(self.failures));
        }
        Ok((nothing(), Some(why)))
    }

    fn note(&mut self, sight: &Sight, at_ms: u64) -> Result<(), Error> {
        let now = (sight.decision, sight.reason, sight.subject);
        if sight.decision == Verdict::Retry {
            self.logged = None;
        } else if self.logged != Some(now) {
            if self.may_log(sight.decision, at_ms) {
                self.journal.decided(By::Run, sight, self.gallery, self.engine.probe())?;
            }
            self.logged = Some(now);
        }
        Ok(())
    }

    /// Every grant, and so many denials a minute.
    fn may_log(&mut self, decision: Verdict, at_ms: u64) -> bool {
        if decision == Verdict::Granted {
            return true;
        }
        let minute = at_ms / 60_000;
        if self.denials.0 != minute {
            self.denials = (minute, 0);
        }
        self.denials.1 += 1;
        self.denials.1 <= MOST_DENIALS_LOGGED
    }
}

/// What became of the wait for a frame.
enum Next {
    Frame,
    Failed(String),
    End,
}

/// What a failed frame says: nothing.
fn nothing() -> Sight {
    Sight {
        faces: 0,
        candidate: None,
        subject: None,
        score: None,
        threshold: 1.0,
        threshold_basis: arcdoor_core::Basis::Counted,
        decision: Verdict::Retry,
        reason: Some(Reason::Retry(RetryReason::Looking)),
        engine: None,
        stages: StageTimes::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;
    use crate::probes::Probes;
    use arcdoor_camera::Source;
    use arcdoor_core::{DenyReason, ModelId};
    use arcdoor_gallery::{GalleryKey, MemoryDisk};

    /// What a frame does.
    #[derive(Clone, Copy, PartialEq)]
    enum Frame {
        Grant,
        Deny,
        NoPicture,
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
                Frame::NoPicture => Err(CameraError::Frame(arcdoor_frame::FrameError::UnknownFormat)),
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
    }

    impl Decider for &mut Doubtful {
        fn image(&mut self) -> &mut RgbImage {
            &mut self.image
        }

        #[allow(clippy::panic, reason = "the fault")]
        fn step(&mut self, _: &Gallery, _: Millis) -> Result<(Seen, Sight), Error> {
            assert!(!self.broken, "what panicked was asked again");
            let kind = self.image.data_mut()[0];
            if kind == Frame::PanicInStep as u8 {
                self.broken = true;
                panic!("injected");
            }
            let granted = kind == Frame::Grant as u8;
            let (decision, reason) = if granted {
                (Verdict::Granted, None)
            } else {
                (Verdict::Denied, Some(Reason::Deny(DenyReason::NoMatch)))
            };
            Ok((Seen::default(), Sight { decision, reason, ..nothing() }))
        }

        fn renew(&mut self, _: Policy) -> Result<(), Error> {
            self.broken = false;
            self.renewed += 1;
            Ok(())
        }

        fn probe(&self) -> Option<&Template> {
            None
        }
    }

    type Lines = Vec<(Verdict, bool)>;

    fn run(frames: Vec<Frame>) -> (Result<Outcome, Error>, Lines, u32, String) {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new(folder.path().join("log.jsonl"));
        let journal = Journal { log, probes: Probes::new(folder.path().join("probes.bin"), 0, 1) };
        let key = GalleryKey::new(&[1; 32]);
        let gallery = Gallery::open_on(MemoryDisk::new(), &key, ModelId::new([1; 16]), 8).unwrap();
        let source = Frames::Source(Box::new(Faulty { frames: frames.into_iter() }));
        let (mut doubtful, mut lines) = (Doubtful::default(), Vec::new());
        let outcome = Loop::new(&mut doubtful, source, &gallery, &journal, Policy::default()).run(
            None,
            &mut |response| {
                if let Response::Frame { sight, error, .. } = response {
                    lines.push((sight.decision, error.is_some()));
                }
                Ok(())
            },
        );
        let text = std::fs::read_to_string(folder.path().join("log.jsonl")).unwrap_or_default();
        (outcome, lines, doubtful.renewed, text)
    }

    #[test]
    fn a_panic_or_a_bad_picture_opens_nothing_and_the_loop_goes_on() {
        let faults = [Frame::NoPicture, Frame::PanicInSource, Frame::PanicInStep];
        let frames: Vec<_> = faults.iter().flat_map(|&fault| [Frame::Grant, fault, Frame::Deny]).collect();
        let (outcome, lines, renewed, log) = run(frames);
        assert_eq!((outcome.unwrap(), renewed), (Outcome::Done, 1));
        let visit = [(Verdict::Granted, false), (Verdict::Retry, true), (Verdict::Denied, false)];
        assert_eq!(lines, visit.repeat(3));
        assert_eq!(log.matches("granted").count(), 3, "{log}");
    }

    #[test]
    fn many_failures_in_a_row_end_the_loop_and_so_does_a_camera_that_is_gone() {
        for fault in [Frame::NoPicture, Frame::PanicInSource, Frame::PanicInStep] {
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
    fn the_log_takes_every_grant_and_so_many_denials_a_minute() {
        let most = MOST_DENIALS_LOGGED as usize;
        let (_, _, _, log) = run([Frame::Grant, Frame::Deny].repeat(2 * most));
        let count = |word| log.matches(word).count();
        assert_eq!((count("granted"), count("denied")), (2 * most, most));
    }
}
