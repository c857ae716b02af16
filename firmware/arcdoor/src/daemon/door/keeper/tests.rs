use super::*;
use arcdoor_board::{Act, Board, Hand, Role, Simulated};
use arcdoor_core::SubjectId;
use arcdoor_door::{Alarm, Credential, Fields, Method, Methods, Window};

const ADA: SubjectId = SubjectId(7);

/// A door at which time goes by in looks.
struct Place {
    keeper: Keeper,
    hand: Hand,
    at: u64,
    told: Vec<Told>,
}

fn place(fields: Fields) -> Place {
    let lines = Simulated::new(&Board::find("simulated").unwrap(), Millis(0));
    let hand = lines.hand();
    let policy = Policy::new(fields).unwrap();
    let keeper = Keeper::start(policy, Kept::default(), Box::new(lines), now(0));
    let mut place = Place { keeper, hand, at: 0, told: Vec::new() };
    place.pass(200);
    place.told.clear();
    place
}

fn face() -> Fields {
    Fields { methods: Methods::of(&[Method::Face]), ..Fields::default() }
}

const fn now(ms: u64) -> Now {
    Now { mono: Millis(ms), civil: None }
}

impl Place {
    fn tick(&mut self, events: &[Event]) {
        self.at += 20;
        let told = &mut self.told;
        self.keeper.tick(events.iter().copied(), now(self.at), &mut |one| told.push(one));
    }

    fn pass(&mut self, ms: u64) {
        (0..ms / 20).for_each(|_| self.tick(&[]));
    }

    fn is_on(&self, output: Output) -> bool {
        let driven = self.hand.driven();
        driven.iter().rev().find(|driven| driven.output == output).is_some_and(|driven| driven.active)
    }

    fn reasons(&self) -> Vec<Reason> {
        let reason = |told: &Told| match told {
            Told::Entry(Entry::Door { reason, .. }) => Some(*reason),
            _ => None,
        };
        self.told.iter().filter_map(reason).collect()
    }

    fn faults(&self) -> Vec<DoorFault> {
        let fault = |told: &Told| match told {
            Told::Entry(Entry::DoorFault { fault, .. }) => Some(*fault),
            _ => None,
        };
        self.told.iter().filter_map(fault).collect()
    }
}

#[test]
fn a_grant_releases_the_lock_says_why_and_ends_by_itself() {
    let mut place = place(face());
    assert!(!place.hand.is_released() && place.is_on(Output::LedDenied));
    place.tick(&[Event::Present(Credential::Face(ADA))]);
    assert!(place.hand.is_released() && place.is_on(Output::LedGranted) && !place.is_on(Output::LedDenied));
    let granted =
        Entry::Door { reason: Reason::Granted, subject: Some(ADA), method: Some(Method::Face), alarm: None };
    assert_eq!(place.told, [Told::Entry(granted)], "once");
    place.pass(6_000);
    assert!(!place.hand.is_released() && !place.is_on(Output::LedGranted));
    assert!(place.reasons().contains(&Reason::NotOpened) && place.faults().is_empty(), "{:?}", place.told);
}

#[test]
fn an_opened_door_locks_when_it_closes_and_a_forced_one_is_an_alarm_that_is_heard() {
    let mut place = place(face());
    place.tick(&[Event::Present(Credential::Face(ADA))]);
    place.hand.act(Act::Put(Input::Contact, true));
    place.pass(500);
    place.hand.act(Act::Put(Input::Contact, false));
    place.pass(500);
    assert!(!place.hand.is_released() && place.reasons().contains(&Reason::Opened));
    place.told.clear();
    place.hand.act(Act::Put(Input::Contact, true));
    place.pass(200);
    assert!(place.reasons().contains(&Reason::Forced) && place.is_on(Output::Buzzer), "{:?}", place.told);
    assert_eq!(place.keeper.state(now(place.at)).alarms, [Alarm::Forced]);
    assert!(place.told.contains(&Told::Keep) && place.keeper.kept().alarms.has(Alarm::Forced));
    place.hand.act(Act::Put(Input::Contact, false));
    place.pass(500);
    assert!(place.is_on(Output::Buzzer), "nobody has seen it");
    place.tick(&[Event::Acknowledge]);
    place.pass(40);
    assert!(!place.is_on(Output::Buzzer));
}

#[test]
fn whoever_asks_to_leave_forces_no_door() {
    let mut place = place(face());
    place.hand.act(Act::Put(Input::Rex, true));
    place.pass(100);
    place.hand.act(Act::Put(Input::Contact, true));
    place.pass(100);
    let reasons = place.reasons();
    assert!(reasons.contains(&Reason::OpenedToLeave) && !reasons.contains(&Reason::Forced), "{reasons:?}");
    assert!(!place.hand.is_released(), "the button's own wire did that");
}

#[test]
fn a_relay_that_sticks_is_told_once_and_shown_until_it_is_repaired() {
    let mut place = place(face());
    place.hand.act(Act::Stick(Some(Stuck::On)));
    place.pass(1_000);
    assert_eq!(place.reasons(), [Reason::RelayDiffers]);
    assert!(place.is_on(Output::LedFault));
    place.hand.act(Act::Stick(None));
    place.pass(1_000);
    assert_eq!(place.reasons(), [Reason::RelayDiffers, Reason::RelayAgrees]);
    assert!(!place.is_on(Output::LedFault));
}

#[test]
fn a_lost_line_leaves_the_lock_in_its_fail_mode_and_is_told_once_with_its_end() {
    let mut place = place(face());
    place.tick(&[Event::Present(Credential::Face(ADA))]);
    place.hand.act(Act::Lose(Role::Input(Input::Contact), true));
    place.pass(200);
    assert!(!place.hand.is_released(), "in the middle of a grant");
    assert_eq!(place.faults(), [DoorFault::Line]);
    assert!(place.keeper.state(now(place.at)).line.unwrap().contains("contact"));
    place.hand.act(Act::Lose(Role::Input(Input::Contact), false));
    place.pass(200);
    assert_eq!(place.faults(), [DoorFault::Line, DoorFault::LinesBack]);
    assert!(place.hand.is_released(), "the grant still holds");
    assert_eq!(place.keeper.state(now(place.at)).line, None);
}

#[test]
fn lights_follow_a_scheduled_unlock() {
    let mut fields = face();
    let window = Window { days: "mon-sun".parse().unwrap(), hours: "08:00-18:00".parse().unwrap() };
    fields.schedule.unlocked.push(window).unwrap();
    let mut place = place(fields);
    assert!(!place.hand.is_released() && place.is_on(Output::LedDenied), "no clock, no schedule");
    let civil = |minute: &str| {
        Some(arcdoor_door::Civil { date: "2026-11-30".parse().unwrap(), minute: minute.parse().unwrap() })
    };
    for (minute, is_open) in [("07:59", false), ("08:00", true), ("17:59", true), ("18:00", false)] {
        place.at += 20;
        let time = Now { mono: Millis(place.at), civil: civil(minute) };
        place.keeper.tick([], time, &mut |_| {});
        let seen = (place.hand.is_released(), place.is_on(Output::LedGranted));
        assert_eq!(seen, (is_open, is_open), "{minute}");
    }
}

#[test]
fn the_button_inside_counts_where_it_is_held_from_the_start_on() {
    let lines = Simulated::new(&Board::find("simulated").unwrap(), Millis(0));
    let hand = lines.hand();
    hand.act(Act::Put(Input::Recovery, true));
    let keeper = Keeper::start(Policy::new(face()).unwrap(), Kept::default(), Box::new(lines), now(0));
    let mut held = Place { keeper, hand, at: 0, told: Vec::new() };
    held.pass(4_900);
    assert!(!held.told.contains(&Told::Recovery));
    held.pass(10_000);
    assert_eq!(held.told.iter().filter(|told| **told == Told::Recovery).count(), 1);
    let mut later = place(face());
    later.hand.act(Act::Put(Input::Recovery, true));
    later.pass(10_000);
    assert!(later.told.is_empty(), "{:?}", later.told);
}

#[test]
fn a_relay_that_welds_while_it_is_released_is_told() {
    let mut place = place(face());
    place.tick(&[Event::Present(Credential::Face(ADA))]);
    place.pass(500);
    place.hand.act(Act::Stick(Some(Stuck::On)));
    place.pass(10_000);
    assert!(place.hand.is_released());
    assert_eq!(place.reasons(), [Reason::Granted, Reason::NotOpened, Reason::RelayDiffers], "once");
    assert!(place.is_on(Output::LedFault));
}

#[test]
fn a_relay_that_never_moves_is_told() {
    let mut place = place(face());
    place.hand.act(Act::Stick(Some(Stuck::Off)));
    place.pass(500);
    place.tick(&[Event::Present(Credential::Face(ADA))]);
    place.pass(1_000);
    assert_eq!(place.reasons(), [Reason::Granted, Reason::RelayDiffers], "once");
}

#[test]
fn a_lost_line_lights_the_light_for_faults() {
    let mut place = place(face());
    place.hand.act(Act::Lose(Role::Input(Input::Contact), true));
    place.pass(500);
    assert!(place.is_on(Output::LedFault));
}

#[test]
fn a_lost_lamp_silences_no_alarm() {
    let mut place = place(face());
    place.hand.act(Act::Lose(Role::Output(Output::LedGranted), true));
    place.hand.act(Act::Put(Input::Contact, true));
    place.pass(500);
    assert!(place.reasons().contains(&Reason::Forced) && place.is_on(Output::Buzzer));
}
