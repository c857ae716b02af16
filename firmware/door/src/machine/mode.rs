//! What hours, lockdown, fire and the relay's read-back do.

use arcdoor_core::SubjectId;

use super::state::Fire;
use super::turn::Turn;
use crate::{About, Action, Level, Reason};

impl Turn<'_> {
    /// The first step: says what was kept, and drives the line.
    pub(super) fn begin(&mut self) {
        if self.door.driven.is_some() {
            return;
        }
        self.note(Reason::Started);
        if self.door.kept.lockdown {
            self.note(Reason::LockdownKept);
        }
        for alarm in self.door.kept.alarms.iter() {
            self.report(Reason::AlarmKept, About::Alarm(alarm));
        }
        self.drive(Reason::Started);
    }

    /// Follows the schedule.
    pub(super) fn follow_hours(&mut self) {
        let hours = self.fields().schedule.unlocks(self.civil);
        if hours == self.door.hours {
            return;
        }
        self.door.hours = hours;
        let reason = match (hours, self.civil) {
            (true, _) => Reason::HoursBegan,
            (false, Some(_)) => Reason::HoursEnded,
            (false, None) => Reason::ClockLost,
        };
        self.note(reason);
        self.drive(reason);
    }

    pub(super) fn lockdown(&mut self, is_on: bool) {
        if self.door.kept.lockdown == is_on {
            return;
        }
        self.door.kept.lockdown = is_on;
        self.keep = true;
        let reason = if is_on { Reason::LockdownBegan } else { Reason::LockdownEnded };
        self.door.end_attempts();
        self.note(reason);
        self.drive(reason);
    }

    pub(super) fn fire(&mut self, is_called: bool) {
        let (next, reason) = match (self.door.fire, is_called) {
            (Fire::No | Fire::Latched, true) => (Fire::Called, Reason::FireBegan),
            (Fire::Called, false) => (Fire::Latched, Reason::FireClear),
            _ => return,
        };
        self.door.fire = next;
        self.door.end_attempts();
        self.note(reason);
        self.drive(reason);
    }

    pub(super) fn reset_fire(&mut self) {
        match self.door.fire {
            Fire::No => self.note(Reason::NothingToDo),
            Fire::Called => self.note(Reason::FireNotClear),
            Fire::Latched => {
                self.door.fire = Fire::No;
                self.note(Reason::FireReset);
                self.drive(Reason::FireReset);
            }
        }
    }

    /// Compares what the line is with what it was driven to, and drives it again where it differs. What was read before
    /// this very step drove the line anew says nothing.
    pub(super) fn read_back(&mut self, level: Level) {
        let Some(driven) = self.door.driven.filter(|_| !self.drove) else { return };
        let differs = level != driven;
        if differs != self.door.relay_differs {
            self.door.relay_differs = differs;
            self.note(if differs { Reason::RelayDiffers } else { Reason::RelayAgrees });
        }
        if differs {
            self.push(Action::Drive { level: driven, reason: Reason::RelayDiffers });
        }
    }

    pub(super) fn left(&mut self, subject: SubjectId) {
        let changed = self.door.kept.inside.leave(subject);
        self.keep |= changed;
        self.report(if changed { Reason::Left } else { Reason::NothingToDo }, About::Subject(subject));
    }

    pub(super) fn forget_inside(&mut self) {
        let changed = self.door.kept.inside.clear();
        self.keep |= changed;
        self.note(if changed { Reason::InsideForgotten } else { Reason::NothingToDo });
    }
}
