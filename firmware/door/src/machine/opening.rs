//! What door, contact and request to exit do.

use super::state::Held;
use super::timer::Timer;
use super::turn::Turn;
use crate::{About, Alarm, Contact, Reason};

impl Turn<'_> {
    /// Somebody asks to leave. Their wire opened the lock already; here begins the time in which an opening is theirs.
    pub(super) fn ask_to_leave(&mut self) {
        self.note(Reason::ExitRequested);
        if self.door.contact != Some(Contact::Open) {
            self.door.exit = Some(Timer::of(self.fields().exit_ms));
        }
    }

    pub(super) fn contact(&mut self, contact: Contact) {
        let before = self.door.contact.replace(contact);
        match contact {
            _ if before == Some(contact) => {}
            Contact::Open => self.open(before),
            Contact::Closed => self.close(),
        }
    }

    fn open(&mut self, before: Option<Contact>) {
        let exit = self.door.exit.take();
        let warn = Timer::of(self.fields().held.warn_ms);
        if let Some(grant) = &mut self.door.grant {
            // Unlocked until it closes, or until it has stood open for long.
            (grant.opened, grant.left) = (true, warn);
            let people = grant.people.clone();
            for (subject, method) in &people {
                self.report(Reason::Opened, About::Proven(*subject, *method));
            }
            self.enter(&people);
        } else if exit.is_some() {
            self.note(Reason::OpenedToLeave);
        } else if self.door.is_free() {
            self.note(Reason::OpenedUnlocked);
        } else if before.is_none() {
            self.note(Reason::OpenAtStart);
        } else {
            self.raise(Alarm::Forced, Reason::Forced);
        }
        self.follow_held();
    }

    fn close(&mut self) {
        self.note(Reason::Closed);
        self.door.exit = None;
        self.door.held = Held::No;
        if self.door.grant.take_if(|grant| grant.opened).is_some() {
            self.drive(Reason::Closed);
        }
        self.end_alarms();
    }

    /// A door counts as held open while it stands open and may not. What began while it might begins anew.
    pub(super) fn follow_held(&mut self) {
        let counts = self.door.contact == Some(Contact::Open) && !self.door.is_free();
        match self.door.held {
            Held::No if counts => self.door.held = Held::Counting(Timer::of(self.fields().held.warn_ms)),
            _ if !counts => self.door.held = Held::No,
            _ => {}
        }
    }
}
