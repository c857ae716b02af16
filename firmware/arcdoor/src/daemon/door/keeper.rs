//! The door's machine and its wires, together: what happens goes in, the lock and the lights follow.

use super::recovery::Recovery;
use arcdoor_api::{DoorFault, DoorState, Entry};
use arcdoor_board::{Edges, Input, LineDriver, LineError, Output, RelayState, Stuck};
use arcdoor_core::Millis;
use arcdoor_door::{
    About, Action, Actions, Buzzer, Contact, Event, Kept, Level, Now, Policy, Position, Reason, State, View,
};

/// How long a beep is, and the pause after it, milliseconds.
const BEEP_MS: u64 = 250;

/// What comes of it, besides what is driven.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// For the log.
    Entry(Entry),
    /// What [`Keeper::kept`] holds is to be stored.
    Keep,
    /// Somebody held the button inside while the program started.
    Recovery,
}

/// Keeps one door.
#[derive(Debug)]
pub struct Keeper {
    policy: Policy,
    door: State,
    lines: Box<dyn LineDriver + Send>,
    edges: Edges,
    contact: Option<Contact>,
    /// What was asked when the relay's own contact was told of last, and what it said.
    read_back: Option<(Level, Level)>,
    /// What is wrong with a line.
    fault: Option<LineError>,
    recovery: Recovery,
    last: Millis,
}

impl Keeper {
    /// A door at its start, locked, with what was kept.
    #[must_use]
    pub fn start(policy: Policy, kept: Kept, lines: Box<dyn LineDriver + Send>, now: Now) -> Self {
        let door = State::start(kept, now);
        let (contact, read_back, fault, recovery) = (None, None, None, Recovery::default());
        Self { policy, door, lines, edges: Edges::new(), contact, read_back, fault, recovery, last: now.mono }
    }

    /// The program has started long ago: who holds the button inside from now on is nobody's installer.
    pub(super) fn forget_recovery(&mut self) {
        self.recovery = Recovery::Past;
    }

    /// Looks at the wires, takes what happened elsewhere, lets time pass, and drives what follows from it.
    pub fn tick(&mut self, events: impl IntoIterator<Item = Event>, now: Now, told: &mut dyn FnMut(Told)) {
        let mut edges = std::mem::take(&mut self.edges);
        let polled = self.lines.poll(now.mono, &mut edges);
        for edge in &edges {
            let mono = edge.at.min(now.mono).max(self.last);
            if let Some(event) = self.heard(edge.input, edge.active, mono) {
                self.take(event, Now { mono, ..now }, told);
            }
        }
        self.edges = edges;
        if self.recovery.is_due(now.mono) {
            told(Told::Recovery);
        }
        events.into_iter().for_each(|event| self.take(event, now, told));
        self.take(Event::Tick, now, told);
        let followed = self.follow(now, told);
        self.note_fault(polled.and(followed).err(), now, told);
    }

    fn heard(&mut self, input: Input, active: bool, at: Millis) -> Option<Event> {
        match input {
            // The moment of the press counts, however long it is held.
            Input::Rex => active.then_some(Event::Exit),
            Input::Contact => {
                let contact = if active { Contact::Open } else { Contact::Closed };
                self.contact = Some(contact);
                Some(Event::Contact(contact))
            }
            Input::Tamper => Some(Event::Tamper(active)),
            Input::Fire => Some(Event::Fire(active)),
            Input::Recovery => {
                self.recovery.press(active, at);
                None
            }
        }
    }

    fn take(&mut self, event: Event, now: Now, told: &mut dyn FnMut(Told)) {
        self.last = now.mono;
        let actions = self.door.step(&self.policy, event, now);
        self.carry_out(&actions, now, told);
    }

    fn carry_out(&mut self, actions: &Actions, now: Now, told: &mut dyn FnMut(Told)) {
        for action in actions {
            match *action {
                Action::Drive { level, reason } => {
                    let driven = self.lines.set(Output::Relay, self.releases(level), now.mono);
                    // Logged once it was done, or with what stopped it; once, where it is reported besides.
                    if !is_reported(actions, reason) {
                        told(Told::Entry(entry(reason, About::Door)));
                    }
                    if let Err(error) = driven {
                        self.note_fault(Some(error), now, told);
                    }
                }
                Action::Report { reason, about } => told(Told::Entry(entry(reason, about))),
                Action::Duress { subject } => told(Told::Entry(Entry::Duress { subject })),
                Action::Keep => told(Told::Keep),
            }
        }
    }

    /// Whether the relay is active: it releases the lock then, whatever its current does.
    fn releases(&self, level: Level) -> bool {
        level == self.policy.fields().fail_mode.level(Position::Unlocked)
    }

    /// What is read back, and lights and buzzer as the state has them.
    fn follow(&mut self, now: Now, told: &mut dyn FnMut(Told)) -> Result<(), LineError> {
        let fail_mode = self.policy.fields().fail_mode;
        let asked = fail_mode.level(self.door.position());
        let relay = self.lines.relay(now.mono);
        let level = match relay {
            Err(_) | Ok(RelayState::Unwatched | RelayState::Travelling) => None,
            Ok(RelayState::Follows) => Some(asked),
            Ok(RelayState::Stuck(Stuck::On)) => Some(fail_mode.level(Position::Unlocked)),
            Ok(RelayState::Stuck(Stuck::Off)) => Some(fail_mode.level(Position::Locked)),
        };
        if let Some(level) = level.filter(|level| self.read_back != Some((asked, *level))) {
            self.read_back = Some((asked, level));
            self.take(Event::ReadBack(level), now, told);
        }
        let mut result = relay.map(drop);
        let shown = self.door.indicators();
        let beep = (now.mono.0 / BEEP_MS).is_multiple_of(2);
        let sounds = match shown.buzzer {
            Buzzer::Silent => false,
            Buzzer::Beeps => beep,
            Buzzer::Steady => true,
        };
        let is_faulty = self.door.view() == View::OutOfOrder || self.fault.is_some();
        for (output, active) in [
            (Output::LedGranted, shown.green),
            (Output::LedDenied, shown.red),
            (Output::LedFault, is_faulty),
            (Output::Buzzer, sounds),
        ] {
            // Each of them is driven, whichever is lost.
            result = result.and(self.lines.set(output, active, now.mono));
        }
        result
    }

    /// A fault is told once, and its end; then the lock is driven again to what it is meant to be.
    fn note_fault(&mut self, fault: Option<LineError>, now: Now, told: &mut dyn FnMut(Told)) {
        if self.fault == fault {
            return;
        }
        let entry = match &fault {
            Some(error) => Entry::DoorFault { fault: DoorFault::Line, why: error.to_string() },
            None => Entry::DoorFault { fault: DoorFault::LinesBack, why: String::new() },
        };
        let is_back = fault.is_none();
        self.fault = fault;
        told(Told::Entry(entry));
        if is_back {
            let level = self.policy.fields().fail_mode.level(self.door.position());
            // What still fails is seen at the next look.
            let _ = self.lines.set(Output::Relay, self.releases(level), now.mono);
        }
    }

    /// How it stands; whether recognition works is not known here.
    #[must_use]
    pub fn state(&self, now: Now) -> DoorState {
        let kept = self.door.kept();
        DoorState {
            position: self.door.position(),
            contact: self.contact,
            alarms: kept.alarms.iter().collect(),
            lockdown: kept.lockdown,
            methods: self.policy.methods(now.civil, kept.alarms.any()).iter().collect(),
            line: self.fault.as_ref().map(ToString::to_string),
            recognition: true,
        }
    }

    /// What survives a restart.
    #[must_use]
    pub const fn kept(&self) -> &Kept {
        self.door.kept()
    }

    /// What the door shows.
    #[must_use]
    pub fn view(&self) -> View {
        self.door.view()
    }
}

fn is_reported(actions: &Actions, why: Reason) -> bool {
    actions.iter().any(|action| matches!(action, Action::Report { reason, .. } if *reason == why))
}

fn entry(reason: Reason, about: About) -> Entry {
    let (subject, method, alarm) = match about {
        About::Door => (None, None, None),
        About::Subject(subject) => (Some(subject), None, None),
        About::Proven(subject, method) => (Some(subject), Some(method), None),
        About::Alarm(alarm) => (None, None, Some(alarm)),
    };
    Entry::Door { reason, subject, method, alarm }
}

#[cfg(test)]
mod tests;
