//! The table in docs/door.md is what the machine does. `ARCDOOR_WRITE_DOCS=1` writes it anew.
#![allow(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::fmt::Write as _;

use arcdoor_core::{Millis, SubjectId};
use arcdoor_door::scenario::{event_text, policy};
use arcdoor_door::{
    Action, Actions, Civil, Contact, Credential, Event, Factor, Kept, Kind, Level, Now, Policy, Position,
    Reason, State, View,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/door.md");
const ADA: SubjectId = SubjectId(1);
const BOB: SubjectId = SubjectId(2);
const OPEN: Event = Event::Contact(Contact::Open);
const CLOSED: Event = Event::Contact(Contact::Closed);
const CARD: Event = Event::Present(Credential::Card(ADA));
const FACE: Event = Event::Present(Credential::Face(ADA));
const RULES: &str = "policy methods card,face+pin\npolicy unlocked mon-fri 08:00-18:00";
const TWO: &str = "policy methods card,face+pin\npolicy two-person 10s\npolicy unlocked mon-fri 08:00-18:00";

/// A state, by what leads there from a closed door at night: events, and seconds of time alone.
struct Situation {
    name: &'static str,
    rules: &'static str,
    way: &'static [Step],
}

#[derive(Clone, Copy)]
enum Step {
    Event(Event),
    Seconds(u64),
    /// The hours of the unlocked door begin, or end.
    Hours(bool),
}

const SITUATIONS: &[Situation] = &[
    at("Locked, closed", &[]),
    at("Waiting for the second factor", &[Step::Event(FACE)]),
    Situation { name: "Waiting for the second person", rules: TWO, way: &[Step::Event(CARD)] },
    at("Unlocked by a grant, closed", &[Step::Event(CARD)]),
    at("Unlocked by a grant, open", &[Step::Event(CARD), Step::Event(OPEN)]),
    at("Held open: warned", &[Step::Event(CARD), Step::Event(OPEN), Step::Seconds(30)]),
    at("Held open: alarm", &[Step::Event(CARD), Step::Event(OPEN), Step::Seconds(60)]),
    at("Forced open: alarm", &[Step::Event(OPEN)]),
    at("Closed again, alarm not acknowledged", &[Step::Event(OPEN), Step::Event(CLOSED)]),
    at("Time to leave, closed", &[Step::Event(Event::Exit)]),
    at("Unlocked by hours, closed", &[Step::Hours(true)]),
    at("Unlocked by hours, open", &[Step::Hours(true), Step::Event(OPEN)]),
    at("Lockdown, closed", &[Step::Event(Event::Lockdown(true))]),
    at("Fire release, input active", &[Step::Event(Event::Fire(true))]),
    at("Fire release, input clear", &[Step::Event(Event::Fire(true)), Step::Event(Event::Fire(false))]),
    at("Tamper: alarm", &[Step::Event(Event::Tamper(true))]),
];

const fn at(name: &'static str, way: &'static [Step]) -> Situation {
    Situation { name, rules: RULES, way }
}

/// A door, and the clocks beside it.
#[derive(Clone)]
struct Door {
    state: State,
    policy: Policy,
    mono_ms: u64,
    civil: Civil,
}

impl Door {
    fn in_situation(situation: &Situation) -> Self {
        let civil = Civil { date: "2026-11-30".parse().unwrap(), minute: "06:00".parse().unwrap() };
        let now = Now { mono: Millis(0), civil: Some(civil) };
        let state = State::start(Kept::default(), now);
        let mut door = Self { state, policy: policy(situation.rules.lines()).unwrap(), mono_ms: 0, civil };
        for step in [Step::Event(CLOSED), Step::Event(Event::Tamper(false))].iter().chain(situation.way) {
            door.take(*step);
        }
        door
    }

    fn take(&mut self, step: Step) -> Actions {
        let event = match step {
            Step::Event(event) => event,
            Step::Seconds(seconds) => {
                self.mono_ms += seconds * 1_000;
                Event::Tick
            }
            Step::Hours(begin) => {
                self.civil.minute = if begin { "08:00" } else { "18:00" }.parse().unwrap();
                Event::Tick
            }
        };
        let now = Now { mono: Millis(self.mono_ms), civil: Some(self.civil) };
        self.state.step(&self.policy, event, now)
    }
}

/// What is tried in each state: how the table calls it, and what it is.
fn steps(door: &Door) -> Vec<(String, Step)> {
    let pin = |duress| Event::Present(Credential::Pin { subject: ADA, duress });
    let events = [
        CARD,
        Event::Present(Credential::Card(BOB)),
        FACE,
        pin(false),
        pin(true),
        Event::Present(Credential::Unknown(Factor::Card)),
        Event::Exit,
        OPEN,
        CLOSED,
        Event::Acknowledge,
        Event::Tamper(true),
        Event::Tamper(false),
        Event::Lockdown(true),
        Event::Lockdown(false),
        Event::Fire(true),
        Event::Fire(false),
        Event::FireReset,
    ];
    let name = |subject: SubjectId| if subject == ADA { "Ada".to_owned() } else { "Bob".to_owned() };
    let mut steps: Vec<_> = events
        .iter()
        .map(|event| (format!("`{}`", event_text(*event, &name)), Step::Event(*event)))
        .collect();
    let (locked, unlocked) = (door.policy.fields().fail_mode.level(Position::Locked), Level::Energised);
    let wrong = if door.state.position() == Position::Locked { unlocked } else { locked };
    steps.push(("a read-back that differs".to_owned(), Step::Event(Event::ReadBack(wrong))));
    steps.push(("hours begin".to_owned(), Step::Hours(true)));
    steps.push(("hours end".to_owned(), Step::Hours(false)));
    steps.extend([5, 10, 30, 60].map(|seconds| (format!("{seconds} s pass"), Step::Seconds(seconds))));
    steps
}

const fn view_text(view: View) -> &'static str {
    match view {
        View::Fire => "fire",
        View::Alarm(_) => "alarm",
        View::CloseDoor => "close the door",
        View::Lockdown => "lockdown",
        View::OutOfOrder => "out of order",
        View::Welcome => "welcome",
        View::OpenHours => "open",
        View::Denied => "denied",
        View::SecondFactor(_) => "second factor",
        View::SecondPerson => "second person",
        View::Ready(_) => "ready",
    }
}

fn lock_text(position: Position) -> &'static str {
    if position == Position::Locked { "locked" } else { "unlocked" }
}

/// The reasons of a step, each once, in order.
fn reasons(actions: &Actions) -> String {
    let mut names: Vec<&str> = Vec::new();
    for action in actions {
        let name = match action {
            Action::Report { reason, .. } | Action::Drive { reason, .. } => reason.name(),
            Action::Duress { .. } => "(silent: duress)",
            Action::Keep => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// A section for each state, with a line for each event that does something there.
fn table() -> String {
    let mut text = String::new();
    for situation in SITUATIONS {
        let door = Door::in_situation(situation);
        let (position, view) = (lock_text(door.state.position()), view_text(door.state.view()));
        writeln!(text, "\n### {}\n\nThe lock is {position}; the panel shows \"{view}\".\n", situation.name)
            .unwrap();
        writeln!(text, "| event | lock | panel | reasons |\n|---|---|---|---|").unwrap();
        for (name, step) in steps(&door) {
            let mut after = door.clone();
            let actions = after.take(step);
            if !actions.is_empty() {
                let (lock, view) = (lock_text(after.state.position()), view_text(after.state.view()));
                writeln!(text, "| {name} | {lock} | {view} | {} |", reasons(&actions)).unwrap();
            }
        }
    }
    text
}

/// Every reason, by what it tells of.
fn list() -> String {
    let mut text = "\n| reason | tells of | what the operator reads |\n|---|---|---|\n".to_owned();
    for kind in [Kind::Granted, Kind::Denied, Kind::Awaited, Kind::Alarm, Kind::Trouble, Kind::Note] {
        for reason in Reason::ALL.iter().filter(|reason| reason.kind() == kind) {
            let kind = format!("{kind:?}").to_lowercase();
            writeln!(text, "| `{}` | {kind} | {reason} |", reason.name()).unwrap();
        }
    }
    text
}

/// The page with `text` between its marks.
fn with(page: &str, mark: &str, text: &str) -> String {
    let (begin, end) = (
        format!("<!-- {mark}: written by firmware/door/tests/table.rs -->\n"),
        format!("\n<!-- end of {mark} -->"),
    );
    let (head, rest) = page.split_once(&begin).unwrap();
    let (_, tail) = rest.split_once(&end).unwrap();
    format!("{head}{begin}{text}{end}{tail}")
}

#[test]
fn the_page_says_what_the_machine_does() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let wanted = with(&with(&page, "table", &table()), "reasons", &list());
    if std::env::var_os("ARCDOOR_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &wanted).unwrap();
        return;
    }
    let line = page.lines().zip(wanted.lines()).find(|(is, should)| is != should);
    assert!(
        page == wanted,
        "docs/door.md is not what the machine does; write it with ARCDOOR_WRITE_DOCS=1: {line:?}"
    );
}
