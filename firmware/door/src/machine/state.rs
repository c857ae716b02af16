//! What is remembered from step to step.

use arcdoor_core::{Millis, SubjectId};

use super::timer::Timer;
use crate::{Alarms, Contact, Factors, Indicators, Kept, Level, Method, Methods, Now, Position, View};

/// One door: all that is remembered from step to step.
#[derive(Debug, Clone)]
pub struct State {
    /// When the last step was.
    pub(super) last: Millis,
    pub(super) situation: Situation,
}

/// All of a [`State`] but what its clock showed: two doors in equal situations do the same from then on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Situation {
    /// What the line was driven to last; `None` before the first step.
    pub(super) driven: Option<Level>,
    pub(super) relay_differs: bool,
    pub(super) grant: Option<Grant>,
    /// What is left of the time to leave in.
    pub(super) exit: Option<Timer>,
    /// `None`: not told yet.
    pub(super) contact: Option<Contact>,
    pub(super) held: Held,
    pub(super) attempt: Option<Attempt>,
    pub(super) first: Option<First>,
    /// How long a denial is still shown.
    pub(super) denied: Option<Timer>,
    /// Whether the schedule unlocks.
    pub(super) hours: bool,
    /// What is enough to come in, as of the last step.
    pub(super) methods: Methods,
    pub(super) fire: Fire,
    /// Whether a housing is open; `None`: not told yet.
    pub(super) tamper: Option<bool>,
    pub(super) kept: Kept,
}

/// Somebody is let in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Grant {
    pub(super) left: Timer,
    /// Whether the door opened since.
    pub(super) opened: bool,
    pub(super) people: heapless::Vec<(SubjectId, Method), 2>,
}

/// How long the door stands open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Held {
    /// It is closed, or may stand open.
    No,
    /// Until it warns.
    Counting(Timer),
    /// It has warned; until it is an alarm.
    Warned(Timer),
    /// It is an alarm.
    Alarmed,
}

/// Somebody has presented a part of what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    pub(super) subject: SubjectId,
    pub(super) factors: Factors,
    pub(super) left: Timer,
}

/// The first of two people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct First {
    pub(super) subject: SubjectId,
    pub(super) method: Method,
    pub(super) left: Timer,
}

/// The fire release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fire {
    No,
    /// The input calls for it.
    Called,
    /// The input is clear, and nobody has reset the release.
    Latched,
}

impl State {
    /// A door at the start: locked, whatever it was before, with what was kept. The first step drives the lock's line.
    #[must_use]
    pub const fn start(kept: Kept, now: Now) -> Self {
        let situation = Situation {
            driven: None,
            relay_differs: false,
            grant: None,
            exit: None,
            contact: None,
            held: Held::No,
            attempt: None,
            first: None,
            denied: None,
            hours: false,
            methods: Methods::NONE,
            fire: Fire::No,
            tamper: None,
            kept,
        };
        Self { last: now.mono, situation }
    }

    /// All but what the clock showed.
    #[must_use]
    pub const fn situation(&self) -> &Situation {
        &self.situation
    }

    /// What is to survive a restart.
    #[must_use]
    pub const fn kept(&self) -> &Kept {
        &self.situation.kept
    }

    /// The alarms that stand.
    #[must_use]
    pub const fn alarms(&self) -> Alarms {
        self.situation.kept.alarms
    }

    /// What the lock is meant to be.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.situation.position()
    }

    /// What the door shows.
    #[must_use]
    pub fn view(&self) -> View {
        self.situation.view()
    }

    /// What lights and buzzer show.
    #[must_use]
    pub fn indicators(&self) -> Indicators {
        Indicators::of(self.position(), self.view())
    }
}

impl Situation {
    pub(super) const fn is_fire(&self) -> bool {
        !matches!(self.fire, Fire::No)
    }

    /// Whether the door may stand open, and be opened by anybody.
    pub(super) const fn is_free(&self) -> bool {
        self.is_fire() || (self.hours && !self.kept.lockdown)
    }

    pub(super) const fn position(&self) -> Position {
        let granted = self.grant.is_some() && !self.kept.lockdown;
        if self.is_free() || granted { Position::Unlocked } else { Position::Locked }
    }

    fn view(&self) -> View {
        let alarm = self.kept.alarms.iter().next();
        match (self.fire, alarm, self.held, &self.grant, &self.attempt) {
            (Fire::Called | Fire::Latched, ..) => View::Fire,
            (_, Some(alarm), ..) => View::Alarm(alarm),
            (_, _, Held::Warned(_) | Held::Alarmed, ..) => View::CloseDoor,
            _ if self.kept.lockdown => View::Lockdown,
            _ if self.relay_differs => View::OutOfOrder,
            (_, _, _, Some(_), _) => View::Welcome,
            _ if self.hours => View::OpenHours,
            _ if self.denied.is_some() => View::Denied,
            (_, _, _, _, Some(attempt)) => View::SecondFactor(attempt.factors),
            _ if self.first.is_some() => View::SecondPerson,
            _ => View::Ready(self.methods),
        }
    }
}
