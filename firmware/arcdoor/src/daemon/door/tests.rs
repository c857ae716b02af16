use super::*;
use crate::daemon::SystemClock;
use crate::home::Home;
use arcdoor_api::UtcTime;
use arcdoor_board::{Act, Board, Edges, Hand, Input, LineError, Output, RelayState, Simulated};
use arcdoor_core::{Millis, SubjectId};
use arcdoor_door::{Credential, Event, Fields, Method, Methods, Position, Reason};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::{Duration, Instant};

/// Lines that panic when they are told to.
#[derive(Debug)]
struct Brittle {
    lines: Simulated,
    breaks: Arc<AtomicBool>,
}

impl LineDriver for Brittle {
    fn set(&mut self, output: Output, active: bool, now: Millis) -> Result<(), LineError> {
        self.lines.set(output, active, now)
    }

    fn relay(&mut self, now: Millis) -> Result<RelayState, LineError> {
        self.lines.relay(now)
    }

    fn poll(&mut self, now: Millis, edges: &mut Edges) -> Result<(), LineError> {
        assert!(!self.breaks.swap(false, Ordering::Relaxed), "told to");
        self.lines.poll(now, edges)
    }
}

/// The system's clock, set forward or back by whoever sets clocks.
#[derive(Debug, Clone)]
struct SetClock {
    clock: SystemClock,
    set_s: Arc<AtomicI64>,
}

impl Clock for SetClock {
    fn now(&self) -> Now {
        let Now { at, utc } = self.clock.now();
        let seconds = utc.unix_s().saturating_add_signed(self.set_s.load(Ordering::Relaxed));
        Now { at, utc: UtcTime::from_unix_ns(seconds * 1_000_000_000) }
    }

    fn rest(&self, ms: u64) {
        self.clock.rest(ms);
    }
}

struct Place {
    door: Door,
    set_s: Arc<AtomicI64>,
    hands: Arc<Mutex<Vec<Hand>>>,
    breaks: Arc<AtomicBool>,
    ended: Arc<Mutex<Vec<String>>>,
    clock: SystemClock,
    _home: tempfile::TempDir,
}

fn place() -> Place {
    let home = tempfile::tempdir().unwrap();
    let (hands, breaks) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let (given, told, clock) = (hands.clone(), breaks.clone(), SystemClock::start());
    let lines: OpenLines = Box::new(move |now: Now| {
        let lines = Simulated::new(&Board::find("simulated").unwrap(), now.at);
        let mut given = given.lock().unwrap();
        // Somebody leans on the button inside when the door's part begins anew.
        lines.hand().act(Act::Put(Input::Recovery, !given.is_empty()));
        given.push(lines.hand());
        Ok(Box::new(Brittle { lines, breaks: told.clone() }))
    });
    let fields = Fields { methods: Methods::of(&[Method::Face]), unlock_ms: 1_000, ..Fields::default() };
    let kept = KeptDoor::new(&Home::resolve(Some(home.path().to_owned())).unwrap());
    let ended = Arc::new(Mutex::new(Vec::new()));
    let heard = ended.clone();
    let end: Ending = Arc::new(move |why: &str| heard.lock().unwrap().push(why.to_owned()));
    let policy = Policy::new(fields).unwrap();
    let calendar = Calendar::of(Some("UTC")).unwrap();
    let set_s = Arc::new(AtomicI64::new(0));
    let set = SetClock { clock, set_s: set_s.clone() };
    let keeper = Doorkeeper { policy, calendar, lines, kept, clock: Arc::new(set), end };
    Place { door: Door::open(keeper).unwrap(), set_s, hands, breaks, ended, clock, _home: home }
}

impl Place {
    /// Lives as a loop does until this holds.
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
            self.door.link().beat(Part::Loop, self.clock.now().at);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_released(&self) -> bool {
        self.hands.lock().unwrap().last().unwrap().is_released()
    }

    fn entries(&self) -> Vec<Entry> {
        std::iter::from_fn(|| self.door.link().entry()).map(|(entry, _)| entry).collect()
    }
}

#[test]
fn what_the_door_is_told_it_does_and_shows() {
    let place = place();
    place.until("no state", |place| place.door.link().state().is_some());
    place.door.link().set_camera(true);
    assert!(place.door.link().tell(Event::Present(Credential::Face(SubjectId(1)))));
    place.until("not unlocked", Place::is_released);
    place.until("not shown", |place| {
        let state = place.door.link().state().unwrap();
        state.position == Position::Unlocked && state.recognition
    });
    let hand = place.hands.lock().unwrap()[0].clone();
    let granted = |entry: &Entry| matches!(entry, Entry::Door { reason: Reason::Granted, .. });
    assert!(place.entries().iter().any(granted));
    drop(place);
    assert!(!hand.is_released(), "a door that is closed is left in its fail mode");
}

#[test]
fn a_panic_leaves_the_lock_in_its_fail_mode_is_told_and_the_door_goes_on() {
    let place = place();
    place.door.link().tell(Event::Present(Credential::Face(SubjectId(1))));
    place.until("not unlocked", Place::is_released);
    place.breaks.store(true, Ordering::Relaxed);
    place.until("not begun anew", |place| place.hands.lock().unwrap().len() == 2);
    assert!(!place.hands.lock().unwrap()[0].is_released(), "whoever was let in is forgotten");
    place.door.link().tell(Event::Present(Credential::Face(SubjectId(1))));
    place.until("not unlocked again", Place::is_released);
    let restarted = |entry: &Entry| matches!(entry, Entry::DoorFault { fault: DoorFault::Restarted, .. });
    std::thread::sleep(Duration::from_millis(HOLD_MS + 300));
    let entries = place.entries();
    assert_eq!(entries.iter().filter(|entry| restarted(entry)).count(), 1);
    assert!(
        !entries.iter().any(|entry| matches!(entry, Entry::InstallerFreed { .. })),
        "no start of the program"
    );
    assert!(place.ended.lock().unwrap().is_empty());
}

#[test]
fn a_door_that_breaks_again_and_again_ends_the_program() {
    let place = place();
    for round in 1..=MOST_RESTARTS + 1 {
        place.breaks.store(true, Ordering::Relaxed);
        place.until("neither begun anew nor ended", |place| {
            place.hands.lock().unwrap().len() > round || !place.ended.lock().unwrap().is_empty()
        });
    }
    assert!(place.ended.lock().unwrap()[0].contains("4 times in a minute"));
    assert!(!place.is_released());
}

#[test]
fn a_loop_without_a_sign_of_life_is_shown_and_then_ends_the_program() {
    let place = place();
    place.door.link().set_camera(true);
    place.until("not well", |place| place.door.link().state().is_some_and(|state| state.recognition));
    let begun = Instant::now();
    while place.ended.lock().unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(begun.elapsed() >= Duration::from_millis(HUNG_MS - 1_000), "and not at once");
    assert!(!place.door.link().state().unwrap().recognition);
    assert!(place.ended.lock().unwrap()[0].contains("no sign of life"));
}

#[test]
fn a_loop_that_answers_a_request_is_given_its_time() {
    let place = place();
    place.door.link().set_camera(true);
    place.door.link().set_busy(true);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(HUNG_MS + 1_000) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(place.ended.lock().unwrap().is_empty());
    assert!(place.door.link().state().unwrap().recognition, "and the panel does not call it broken");
}

#[test]
fn a_clock_that_is_set_while_the_door_is_open_neither_holds_it_open_nor_lets_anybody_in() {
    const YEAR_S: i64 = 366 * 86_400;
    let place = place();
    place.until("no state", |place| place.door.link().state().is_some());
    for set_s in [0, YEAR_S, -YEAR_S, -100 * YEAR_S] {
        place.door.link().tell(Event::Present(Credential::Face(SubjectId(1))));
        place.until("not unlocked", Place::is_released);
        place.set_s.store(set_s, Ordering::Relaxed);
        let begun = Instant::now();
        place.until("not locked again", |place| !place.is_released());
        assert!(begun.elapsed() < Duration::from_secs(10), "{set_s}: the wall's clock keeps no door open");
        let rest = Instant::now();
        place.until("", |place| {
            assert!(!place.is_released(), "{set_s}: nobody came");
            rest.elapsed() > Duration::from_millis(300)
        });
    }
    assert!(place.ended.lock().unwrap().is_empty());
}

#[test]
fn what_cannot_be_kept_is_told_and_the_lock_goes_on() {
    let place = place();
    place.until("no state", |place| place.door.link().state().is_some());
    let home = place._home.path();
    std::fs::remove_dir_all(home).unwrap();
    std::fs::write(home, "no folder").unwrap();
    place.door.link().tell(Event::Lockdown(true));
    place.until("no lockdown", |place| place.door.link().state().unwrap().lockdown);
    place.until("not told", |place| {
        let not_kept = |entry: &Entry| matches!(entry, Entry::DoorFault { fault: DoorFault::NotKept, .. });
        place.entries().iter().any(not_kept)
    });
    place.door.link().tell(Event::Present(Credential::Face(SubjectId(1))));
    std::thread::sleep(Duration::from_millis(200));
    assert!(!place.is_released(), "a lockdown that cannot be kept holds all the same");
    std::fs::remove_file(home).unwrap();
    std::fs::create_dir(home).unwrap();
}
