use super::*;
use arcdoor_api::{CameraFault, Why};
use arcdoor_camera::{CameraError, Source};
use arcdoor_core::DenyReason;
use arcdoor_frame::RgbImage;
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

    fn note_entry(&mut self, entry: &Entry, _: UtcTime) -> Result<(), Error> {
        self.cameras.push(entry.clone());
        Ok(())
    }

    fn note(&mut self, sight: &Sight, _: Option<&Why>, _: UtcTime) -> Result<(), Error> {
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
    let missing = || CameraError::Open { device: "x".to_owned(), cause: std::io::ErrorKind::NotFound.into() };
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

/// Wires that are pulsed faster than anybody can write.
#[derive(Default)]
struct Pulsed(Cell<usize>);

impl Porter for Pulsed {
    fn entry(&self) -> Option<(Entry, UtcTime)> {
        self.0.set(self.0.get() + 1);
        assert!(self.0.get() < 10_000, "the loop writes and looks no more");
        Some((Entry::DoorFault { fault: DoorFault::Line, why: String::new() }, UtcTime::default()))
    }
}

#[test]
fn wires_that_are_pulsed_without_end_keep_nobody_from_being_recognised() {
    let source = Frames::of(Box::new(Faulty { frames: vec![Frame::Grant; 3].into_iter() }));
    let (mut doubtful, pulsed) = (Doubtful::default(), Pulsed::default());
    let outcome = Loop::new(&mut doubtful, source, &Standing, ())
        .with_porter(&pulsed)
        .run(None, &mut |_: &Response| Ok(()));
    assert!(matches!(outcome, Ok(Outcome::Done)) && count(&doubtful.noted, Verdict::Granted) == 1);
    assert_eq!(
        doubtful.cameras.len(),
        4 * MOST_NOTES + MAX_ENTRIES,
        "some between two frames, the rest at the end"
    );
}

/// On whose wall the clock is set at the tenth look.
#[derive(Default)]
struct Set(Cell<u64>);

impl Clock for Set {
    fn now(&self) -> Now {
        self.0.set(self.0.get() + 1);
        let looks = self.0.get();
        let utc_s = 2_000_000_000 + looks - if looks >= 10 { 3_600 } else { 0 };
        Now { at: Millis(looks * 1_000), utc: UtcTime::from_unix_s(utc_s).unwrap() }
    }

    fn rest(&self, _: u64) {}
}

#[test]
fn a_clock_that_is_set_while_the_door_runs_is_in_the_log_once() {
    let source = Frames::of(Box::new(Faulty { frames: vec![Frame::Grant; 8].into_iter() }));
    let (mut doubtful, clock) = (Doubtful::default(), Set::default());
    Loop::new(&mut doubtful, source, &clock, ()).run(None, &mut |_: &Response| Ok(())).unwrap();
    let set: Vec<_> =
        doubtful.cameras.iter().filter(|entry| matches!(entry, Entry::ClockSet { .. })).collect();
    assert_eq!(set, [&Entry::ClockSet { by_s: -3_600 }]);
}
