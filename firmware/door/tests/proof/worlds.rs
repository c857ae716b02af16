//! Doors that are searched: rules, what can happen at them, how time passes, and what the clock on the wall may show.

use arcdoor_core::SubjectId;
use arcdoor_door::{Contact, Credential, Event, Factor, Level, Policy, scenario};

pub(crate) const ADA: SubjectId = SubjectId(1);
pub(crate) const BOB: SubjectId = SubjectId(2);

/// A door that is searched.
pub(crate) struct World {
    pub(crate) name: &'static str,
    /// As a scenario writes them.
    pub(crate) rules: &'static str,
    pub(crate) events: Vec<Event>,
    /// Steps of the monotonic clock at each event, milliseconds.
    pub(crate) steps_ms: &'static [u64],
    /// What the clock on the wall may show; the first at the start.
    pub(crate) clocks: &'static [&'static str],
}

impl World {
    pub(crate) fn policy(&self) -> Policy {
        scenario::policy(self.rules.lines()).unwrap()
    }
}

const fn card(subject: SubjectId) -> Event {
    Event::Present(Credential::Card(subject))
}

const fn face(subject: SubjectId) -> Event {
    Event::Present(Credential::Face(subject))
}

const fn pin(subject: SubjectId, duress: bool) -> Event {
    Event::Present(Credential::Pin { subject, duress })
}

const fn unknown(factor: Factor) -> Event {
    Event::Present(Credential::Unknown(factor))
}

const OPEN: Event = Event::Contact(Contact::Open);
const CLOSED: Event = Event::Contact(Contact::Closed);
const LOCKDOWN: [Event; 2] = [Event::Lockdown(true), Event::Lockdown(false)];
const FIRE: [Event; 3] = [Event::Fire(true), Event::Fire(false), Event::FireReset];
const TAMPER: [Event; 2] = [Event::Tamper(true), Event::Tamper(false)];
const READ_BACK: [Event; 2] = [Event::ReadBack(Level::Energised), Event::ReadBack(Level::DeEnergised)];

fn events(parts: &[&[Event]]) -> Vec<Event> {
    parts.concat()
}

const SHORT: &[u64] = &[0, 1_000];

/// Each door that is searched. A delay is one or two seconds long, so that steps of one second meet each deadline before
/// it, at it and beyond it.
pub(crate) fn all() -> Vec<World> {
    let door = [OPEN, CLOSED, Event::Exit, Event::Acknowledge];
    vec![
        World {
            name: "strike (fail-secure), every input",
            rules: "policy methods card\npolicy unlock 2s\npolicy exit 1s\npolicy held-warn 1s\npolicy held-alarm 2s",
            events: events(&[&[card(ADA), unknown(Factor::Card)], &door, &LOCKDOWN, &FIRE, &TAMPER]),
            steps_ms: SHORT,
            clocks: &["unset"],
        },
        World {
            name: "magnet (fail-safe), relay that sticks",
            rules: "policy fail-mode safe\npolicy methods card\npolicy unlock 1s\npolicy exit 2s\npolicy held-warn 2s\n\
                    policy held-alarm 3s",
            events: events(&[&[card(ADA), unknown(Factor::Pin)], &door, &LOCKDOWN, &FIRE, &READ_BACK]),
            steps_ms: SHORT,
            clocks: &["unset"],
        },
        World {
            name: "deadlines to the millisecond",
            rules: "policy methods card\npolicy unlock 2s\npolicy exit 2s\npolicy held-warn 1s\npolicy held-alarm 3s",
            events: events(&[&[card(ADA)], &door]),
            steps_ms: &[0, 999, 1_000, 1_001],
            clocks: &["unset"],
        },
        World {
            name: "face and PIN, duress",
            rules: "policy methods face+pin\npolicy unlock 1s\npolicy exit 1s\npolicy held-warn 1s\npolicy held-alarm 2s\n\
                    policy factor 2s",
            events: events(&[
                &[face(ADA), pin(ADA, false), pin(ADA, true), face(BOB), pin(BOB, false), pin(BOB, true)],
                &[card(ADA), unknown(Factor::Face), unknown(Factor::Pin)],
                &[OPEN, CLOSED, Event::Acknowledge],
                &LOCKDOWN,
            ]),
            steps_ms: SHORT,
            clocks: &["unset"],
        },
        World {
            name: "two people",
            rules: "policy methods card,face+pin\npolicy two-person 2s\npolicy unlock 1s\npolicy exit 1s\n\
                    policy held-warn 1s\npolicy held-alarm 2s\npolicy factor 1s",
            events: events(&[
                &[card(ADA), card(BOB), face(ADA), pin(ADA, false), pin(ADA, true), unknown(Factor::Card)],
                &[OPEN, CLOSED, Event::Acknowledge],
                &LOCKDOWN,
            ]),
            steps_ms: SHORT,
            clocks: &["unset"],
        },
        World {
            name: "anti-passback, two subjects",
            rules: "policy methods card\npolicy anti-passback on\npolicy unlock 2s\npolicy exit 1s\npolicy held-warn 1s\n\
                    policy held-alarm 2s",
            events: events(&[
                &[card(ADA), card(BOB), Event::Left(ADA), Event::Left(BOB), Event::ForgetInside],
                &door,
                &LOCKDOWN,
            ]),
            steps_ms: SHORT,
            clocks: &["unset"],
        },
        World {
            name: "two people, anti-passback, card and face",
            rules: "policy methods card+face\npolicy two-person 2s\npolicy anti-passback on\npolicy unlock 1s\n\
                    policy exit 1s\npolicy held-warn 1s\npolicy held-alarm 2s\npolicy factor 1s",
            events: events(&[
                &[card(ADA), card(BOB), face(ADA), face(BOB), Event::Left(ADA)],
                &[OPEN, CLOSED, Event::Acknowledge],
            ]),
            steps_ms: SHORT,
            clocks: &["unset"],
        },
        World {
            name: "hours, and methods by hour and alarm",
            rules: "policy methods face,card+pin\npolicy in-alarm card+pin\npolicy unlocked mon-fri 08:00-18:00\n\
                    policy methods-at mon-sun 22:00-24:00 card+pin\npolicy unlock 1s\npolicy exit 1s\npolicy held-warn 1s\n\
                    policy held-alarm 2s\npolicy factor 1s",
            events: events(&[&[face(ADA), card(ADA), pin(ADA, false)], &door, &LOCKDOWN, &FIRE]),
            steps_ms: SHORT,
            clocks: &["unset", "2026-11-30 07:59", "2026-11-30 08:00", "2026-11-30 23:00"],
        },
    ]
}

/// Doors with all rules at once and delays as they are in use: too wide to be searched, so walked at random.
pub(crate) fn wide() -> Vec<World> {
    const RULES: [&str; 2] = [
        "policy fail-mode safe\npolicy methods card,face+pin\npolicy in-alarm face+pin\npolicy anti-passback on\n\
         policy two-person 8s\npolicy unlocked mon-fri 08:00-18:00\npolicy methods-at mon-sun 22:00-24:00 card+face,face+pin",
        "policy methods face,card+pin\npolicy in-alarm card+pin\npolicy anti-passback on\n\
         policy unlocked mon-fri 08:00-18:00\npolicy methods-at mon-sun 22:00-24:00 card+pin",
    ];
    let people =
        [ADA, BOB].map(|who| [card(who), face(who), pin(who, false), pin(who, true), Event::Left(who)]);
    let unknown = [unknown(Factor::Face), unknown(Factor::Card), unknown(Factor::Pin), Event::ForgetInside];
    // Often, so that a walk comes through the door now and then.
    let door = [OPEN, CLOSED, OPEN, CLOSED, Event::Exit, Event::Acknowledge];
    let events = events(&[&people.concat(), &unknown, &door, &LOCKDOWN, &FIRE, &TAMPER, &READ_BACK]);
    let world = |rules| World {
        name: "all rules at once",
        rules,
        events: events.clone(),
        steps_ms: &[0, 0, 0, 1, 700, 1_999, 4_999, 5_000, 8_000, 14_999, 30_000, 60_000],
        clocks: &["unset", "2026-11-30 07:59", "2026-11-30 08:00", "2026-11-30 23:00"],
    };
    RULES.map(world).into()
}
