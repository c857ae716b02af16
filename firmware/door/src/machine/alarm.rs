//! What tamper and acknowledgement do.

use super::turn::Turn;
use crate::{About, Alarm, Contact, Reason};

impl Turn<'_> {
    pub(super) fn tamper(&mut self, is_open: bool) {
        match (self.door.tamper.replace(is_open), is_open) {
            (Some(true), true) => {}
            (_, true) => self.raise(Alarm::Tamper, Reason::Tamper),
            (Some(false), false) => {}
            (before, false) => {
                if before.is_some() {
                    self.note(Reason::TamperCleared);
                }
                self.end_alarms();
            }
        }
    }

    pub(super) fn acknowledge(&mut self) {
        let alarms = self.door.kept.alarms;
        let mut any = false;
        for alarm in alarms.iter().filter(|alarm| !alarms.is_acknowledged(*alarm)) {
            any = true;
            self.keep = true;
            self.door.kept.alarms.acknowledge(alarm);
            self.report(Reason::Acknowledged, About::Alarm(alarm));
        }
        if !any {
            return self.note(Reason::NothingToDo);
        }
        self.end_alarms();
    }

    /// Ends each alarm that somebody has seen and that nothing causes any more.
    pub(super) fn end_alarms(&mut self) {
        let alarms = self.door.kept.alarms;
        for alarm in alarms.iter().filter(|alarm| alarms.is_acknowledged(*alarm)) {
            let is_over = match alarm {
                // What is not told yet is not known to be over.
                Alarm::Forced | Alarm::HeldOpen => self.door.contact == Some(Contact::Closed),
                Alarm::Tamper => self.door.tamper == Some(false),
            };
            if is_over {
                self.keep = true;
                self.door.kept.alarms.end(alarm);
                self.report(Reason::AlarmEnded, About::Alarm(alarm));
            }
        }
    }
}
