//! A day at a door, faster than time: visits and faults drawn from a seed, through the loop, the door's machine, its wires
//! and the log.
//!
//! `cargo xtask soak` plays 2,000 visits; `cargo test` alone 60.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use arcdoor::daemon::door::{Keeper, Porter, Told};
use arcdoor::daemon::{Clock, Loop, Queue};
use arcdoor::device::Now;
use arcdoor::device::source::{Frames, Opener};
use arcdoor::{Device, Outcome};
use arcdoor_api::{Entry, Feed, Request, Response, Sight, UtcTime, Verdict};
use arcdoor_board::{Act, Board, Hand, Input, Role, Simulated, Stuck};
use arcdoor_calib::Random;
use arcdoor_camera::{CameraError, Source};
use arcdoor_core::Millis;
use arcdoor_door::{Alarm, Credential, Event, Factor, Fields, Kept, Method, Methods, Policy};
use arcdoor_frame::{FrameError, RgbImage};
use arcdoor_tests::{Real, ask, barack, device};

/// Between two frames, milliseconds.
const FRAME_MS: u64 = 100;
/// Between two looks at the wires, milliseconds.
const LOOK_MS: u64 = 20;
/// A visit in so many milliseconds: 2,000 of them are a day.
const VISIT_MS: u64 = 43_200;
/// Frames of a visit: whoever comes, and nobody.
const FACES: u32 = 10;
const EMPTY: u32 = 14;

/// The time, which frames and rests move on.
#[derive(Clone, Default)]
struct Moved(Rc<Cell<u64>>);

impl Clock for Moved {
    fn now(&self) -> Now {
        let ms = self.0.get();
        Now { at: Millis(ms), utc: UtcTime::from_unix_ns(1_795_843_884_250_000_000 + ms * 1_000_000) }
    }

    fn rest(&self, ms: u64) {
        self.0.set(self.0.get() + ms);
    }
}

/// What is done to the door beside a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    StuckRelay,
    LostLine,
    LostCamera,
    DamagedFrame,
    Forced,
    HeldOpen,
    Tamper,
    NotOpened,
    PowerCut,
}

const FAULTS: [Fault; 9] = [
    Fault::StuckRelay,
    Fault::LostLine,
    Fault::LostCamera,
    Fault::DamagedFrame,
    Fault::Forced,
    Fault::HeldOpen,
    Fault::Tamper,
    Fault::NotOpened,
    Fault::PowerCut,
];

/// The door, kept in line with the frames.
struct Door {
    keeper: Keeper,
    hand: Hand,
    events: VecDeque<Event>,
    entries: VecDeque<(Entry, UtcTime)>,
    kept: Kept,
    clock: Moved,
}

fn policy() -> Policy {
    Policy::new(Fields { methods: Methods::of(&[Method::Face]), ..Fields::default() }).unwrap()
}

impl Door {
    fn open(clock: &Moved, kept: Kept) -> Self {
        let lines = Simulated::new(&Board::find("simulated").unwrap(), clock.now().at);
        let hand = lines.hand();
        let keeper = Keeper::start(policy(), kept.clone(), Box::new(lines), door_time(clock));
        let (events, entries) = (VecDeque::new(), VecDeque::new());
        Self { keeper, hand, events, entries, kept, clock: clock.clone() }
    }

    /// The power goes and comes back.
    fn restart(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        let hand = self.hand.clone();
        *self = Self::open(&self.clock, self.kept.clone());
        assert!(!hand.is_released(), "without power, the lock is in its fail mode");
        self.entries = entries;
    }

    fn tick(&mut self, ms: u64) {
        self.clock.rest(ms);
        let (utc, mut keeps) = (self.clock.now().utc, false);
        let entries = &mut self.entries;
        self.keeper.tick(self.events.drain(..), door_time(&self.clock), &mut |told| match told {
            Told::Entry(entry) => entries.push_back((entry, utc)),
            Told::Keep => keeps = true,
            Told::Recovery => {}
        });
        if keeps {
            self.kept = self.keeper.kept().clone();
        }
    }

    fn pass(&mut self, ms: u64) {
        (0..ms / LOOK_MS).for_each(|_| self.tick(LOOK_MS));
    }

    fn put(&mut self, input: Input, active: bool) {
        self.hand.act(Act::Put(input, active));
        self.pass(200);
    }

    /// Closes what stands open, has the alarms seen, and lets time pass until the door is at rest.
    fn settle(&mut self) {
        self.put(Input::Contact, false);
        self.put(Input::Tamper, false);
        self.events.push_back(Event::Acknowledge);
        self.pass(7_000);
        assert!(!self.hand.is_released(), "a missed relock at {} ms", self.clock.0.get());
        assert_eq!(self.keeper.state(door_time(&self.clock)).alarms, Vec::<Alarm>::new());
    }
}

fn door_time(clock: &Moved) -> arcdoor_door::Now {
    arcdoor_door::Now { mono: clock.now().at, civil: None }
}

/// What the loop tells the door.
struct Beside(Rc<RefCell<Door>>);

impl Porter for Beside {
    fn ended(&self, sight: &Sight) {
        let credential = match (sight.decision, sight.subject) {
            (Verdict::Granted, Some(subject)) => Credential::Face(subject),
            _ => Credential::Unknown(Factor::Face),
        };
        self.0.borrow_mut().events.push_back(Event::Present(credential));
    }

    fn entry(&self) -> Option<(Entry, UtcTime)> {
        self.0.borrow_mut().entries.pop_front()
    }
}

/// The camera, and everybody who comes before it.
struct Street {
    door: Rc<RefCell<Door>>,
    random: Random,
    known: Vec<RgbImage>,
    stranger: RgbImage,
    empty: RgbImage,
    visits: u32,
    visit: u32,
    /// The visit at which the camera was lost last.
    lost_at: u32,
    /// Frames of this visit so far.
    frame: u32,
    fault: Option<Fault>,
    is_known: bool,
    /// Whether the lock was released in this visit.
    was_let_in: bool,
    told: Rc<RefCell<Played>>,
}

/// What was played.
#[derive(Default)]
struct Played {
    faults: BTreeMap<Fault, usize>,
    let_in: usize,
    known: usize,
    /// Resident bytes and open files, after a tenth of the visits and at the end.
    footprints: Vec<(u64, usize)>,
}

impl Street {
    /// Begins a visit; whether there is one.
    fn begin(&mut self) -> bool {
        if self.visit > 0 {
            self.finish();
        }
        if self.visit == self.visits / 10 || self.visit == self.visits {
            self.told.borrow_mut().footprints.push(footprint());
        }
        if self.visit == self.visits {
            return false;
        }
        (self.visit, self.frame, self.was_let_in) = (self.visit + 1, 0, false);
        self.is_known = below(&mut self.random, 10) < 8;
        // Each fault within some minutes; never before a first visit was well.
        let which = below(&mut self.random, FAULTS.len() * 4);
        self.fault = FAULTS.get(which).copied().filter(|_| self.visit > 2);
        // A camera that comes and goes within a minute is one loss.
        let is_too_soon = self.fault == Some(Fault::LostCamera) && self.visit < self.lost_at + 3;
        self.fault = self.fault.filter(|_| !is_too_soon);
        if self.fault == Some(Fault::LostCamera) {
            self.lost_at = self.visit;
        }
        // These need somebody who is let in.
        self.is_known |= matches!(self.fault, Some(Fault::HeldOpen | Fault::NotOpened));
        if let Some(fault) = self.fault {
            *self.told.borrow_mut().faults.entry(fault).or_default() += 1;
        }
        true
    }

    fn finish(&mut self) {
        let mut door = self.door.borrow_mut();
        match self.fault {
            Some(Fault::StuckRelay) => {
                door.hand.act(Act::Stick(Some(Stuck::On)));
                door.pass(1_000);
                door.hand.act(Act::Stick(None));
            }
            Some(Fault::LostLine) => {
                door.hand.act(Act::Lose(Role::Input(Input::Contact), true));
                door.pass(500);
                door.hand.act(Act::Lose(Role::Input(Input::Contact), false));
            }
            Some(Fault::Forced) => {
                door.pass(7_000);
                door.put(Input::Contact, true);
            }
            Some(Fault::Tamper) => door.put(Input::Tamper, true),
            Some(Fault::PowerCut) => door.restart(),
            _ => {}
        }
        door.settle();
        let (end, now) = (u64::from(self.visit) * VISIT_MS, door.clock.0.get());
        // Idle until the next one comes.
        (now..end).step_by(1_000).for_each(|_| door.tick(1_000));
        let mut told = self.told.borrow_mut();
        told.known += usize::from(self.is_known);
        told.let_in += usize::from(self.was_let_in);
    }

    /// Whoever is let in goes through the door, or does not.
    fn go_through(&mut self) {
        let mut door = self.door.borrow_mut();
        if self.was_let_in || !door.hand.is_released() {
            return;
        }
        self.was_let_in = true;
        match self.fault {
            Some(Fault::NotOpened) => door.pass(7_000),
            Some(Fault::HeldOpen) => {
                door.put(Input::Contact, true);
                door.pass(61_000);
            }
            _ => {
                door.put(Input::Contact, true);
                door.pass(1_500);
                door.put(Input::Contact, false);
            }
        }
    }
}

/// A camera that can be opened again.
struct Camera(Rc<RefCell<Street>>);

impl Source for Camera {
    fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError> {
        let mut street = self.0.borrow_mut();
        if (street.visit == 0 || street.frame == FACES + EMPTY) && !street.begin() {
            return Ok(false);
        }
        street.door.borrow_mut().pass(FRAME_MS);
        street.frame += 1;
        // Once nobody stands before the camera any more: going through takes a while.
        if street.frame > FACES {
            street.go_through();
        }
        match street.fault {
            Some(Fault::LostCamera) if street.frame == FACES + 2 => {
                return Err(CameraError::Gone { device: "camera".to_owned(), step: "reading a frame" });
            }
            Some(Fault::DamagedFrame) if street.frame == 3 => {
                return Err(CameraError::Frame(FrameError::UnknownFormat));
            }
            _ => {}
        }
        let image = match (street.frame, street.is_known) {
            (frame, true) if frame <= FACES => &street.known[frame as usize % street.known.len()],
            (frame, false) if frame <= FACES => &street.stranger,
            _ => &street.empty,
        };
        out.clone_from(image);
        Ok(true)
    }
}

fn below(random: &mut Random, most: usize) -> usize {
    (random.next_u64() % most as u64) as usize
}

/// Resident bytes, and open files.
fn footprint() -> (u64, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    (kib * 1024, std::fs::read_dir("/proc/self/fd").unwrap().count())
}

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// Plays a day; what was played, and the log.
fn play(device: &mut Device, real: &Real, visits: u32, seed: u64) -> (Played, Vec<Entry>) {
    let clock = Moved::default();
    let door = Rc::new(RefCell::new(Door::open(&clock, Kept::default())));
    let told = Rc::new(RefCell::new(Played::default()));
    let mut empty = RgbImage::with_size(320, 320);
    empty.data_mut().fill(96);
    let street = Rc::new(RefCell::new(Street {
        door: door.clone(),
        random: Random(seed),
        known: (0..6).map(|i| real.frame("obama2.jpg", i * 3)).collect(),
        stranger: real.frame("biden.jpg", 0),
        empty,
        visits,
        visit: 0,
        lost_at: 0,
        frame: 0,
        fault: None,
        is_known: false,
        was_let_in: false,
        told: told.clone(),
    }));
    let camera: Opener = Box::new(move || Ok(Box::new(Camera(street.clone()))));
    let porter = Beside(door);
    let mut quiet = |_: &Response| Ok(());
    let frames = Frames::of_camera(camera);
    let run = Loop::new(device, frames, &clock, Queue::new().1).with_porter(&porter);
    assert_eq!(run.run(None, &mut quiet).unwrap(), Outcome::Done);
    let (outcome, answers) = ask(device, &Request::Log { count: 10_000_000, of: None, names: false });
    assert_eq!(outcome.unwrap(), Outcome::Done);
    let entry = |answer: &Response| match answer {
        Response::LogEntry { record, .. } => record.entry().cloned(),
        _ => None,
    };
    (told.take(), answers.iter().filter_map(entry).collect())
}

#[test]
fn a_day_of_visits_and_faults_misses_no_relock_and_no_entry_and_leaves_memory_as_it_was() {
    let Some(real) = Real::find() else { return };
    let (visits, seed) = (number("ARCDOOR_SOAK_VISITS", 60), u64::from(number("ARCDOOR_SOAK_SEED", 1)));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("settings.toml"), "").unwrap();
    let mut device = device(folder.path(), &real.pack);
    let from = Feed::Photos(vec![real.photo("obama.jpg")]);
    let (outcome, _) = ask(&mut device, &Request::Enrol { name: barack(), from, duplicate: false });
    assert_eq!(outcome.unwrap(), Outcome::Done);
    let (played, entries) = play(&mut device, &real, visits, seed);
    let count = |text: &str| {
        let is = |entry: &&Entry| serde_json::to_string(entry).unwrap().contains(text);
        entries.iter().filter(is).count()
    };
    let faults = |fault: Fault| played.faults.get(&fault).copied().unwrap_or_default();
    println!(
        "seed {seed}: {visits} visits, {} let in of {} known; {} entries",
        played.let_in,
        played.known,
        entries.len()
    );
    println!("faults: {:?}", played.faults);
    for (place, (resident, files)) in ["a tenth", "the end"].iter().zip(&played.footprints) {
        println!("at {place}: {:.1} MB resident, {files} open files", *resident as f64 / 1e6);
    }
    assert_eq!(played.let_in, played.known, "every known person of every visit");
    assert_eq!(count("\"reason\":\"granted\",\"subject\""), played.known, "and in the log");
    assert_eq!(count("\"relay_differs\""), faults(Fault::StuckRelay));
    assert_eq!(count("\"reason\":\"not_opened\""), faults(Fault::NotOpened));
    assert_eq!(count("\"fault\":\"line\""), faults(Fault::LostLine));
    assert_eq!(count("\"lines_back\""), faults(Fault::LostLine));
    assert_eq!(count("\"camera_lost\""), faults(Fault::LostCamera));
    assert_eq!(count("\"camera_returned\""), faults(Fault::LostCamera));
    assert_eq!(count("\"reason\":\"forced\""), faults(Fault::Forced));
    assert_eq!(count("\"reason\":\"held_open\""), faults(Fault::HeldOpen));
    assert_eq!(count("\"reason\":\"tamper\""), faults(Fault::Tamper));
    assert_eq!(count("\"reason\":\"started\""), faults(Fault::PowerCut) + 1);
    let [early, late] = played.footprints[..] else { panic!("{:?}", played.footprints) };
    assert!(late.0 <= early.0 + 4_000_000, "memory grew: {early:?} {late:?}");
    assert_eq!(early.1, late.1, "files stayed open");
}
