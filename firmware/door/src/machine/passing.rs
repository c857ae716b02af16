//! What time does.

use arcdoor_core::Millis;

use super::state::{Held, Situation};
use super::timer::Timer;
use super::turn::Turn;
use crate::{About, Alarm, Reason};

impl Turn<'_> {
    /// Lets time pass from `last` to `now`. A clock that ran backwards says nothing of how much passed, so every delay is
    /// over then, as it is after a jump forwards: neither leaves the door unlocked.
    pub(super) fn pass(&mut self, last: Millis, now: Millis) {
        let jumped = now < last;
        let elapsed_ms = if jumped { u64::MAX } else { now.since(last) };
        if jumped {
            self.note(Reason::ClockJumped);
        }
        if self.door.denied.as_mut().is_some_and(|timer| timer.pass(elapsed_ms)) {
            self.door.denied = None;
        }
        self.pass_attempts(elapsed_ms);
        self.pass_grant(elapsed_ms);
        if self.door.exit.as_mut().is_some_and(|timer| timer.pass(elapsed_ms)) {
            self.door.exit = None;
            self.note(Reason::ExitNotUsed);
        }
        self.pass_held(elapsed_ms);
    }

    fn pass_attempts(&mut self, elapsed_ms: u64) {
        if let Some(attempt) = self.door.attempt.take_if(|attempt| attempt.left.pass(elapsed_ms)) {
            self.deny(Some(attempt.subject), Reason::NoSecondFactor);
        }
        if let Some(first) = self.door.first.take_if(|first| first.left.pass(elapsed_ms)) {
            self.deny(Some(first.subject), Reason::NoSecondPerson);
        }
    }

    fn pass_grant(&mut self, elapsed_ms: u64) {
        let Some(grant) = self.door.grant.take_if(|grant| grant.left.pass(elapsed_ms)) else { return };
        if grant.opened {
            self.note(Reason::UnlockOver);
            return self.drive(Reason::UnlockOver);
        }
        for (subject, method) in &grant.people {
            self.report(Reason::NotOpened, About::Proven(*subject, *method));
        }
        self.drive(Reason::NotOpened);
    }

    fn pass_held(&mut self, elapsed_ms: u64) {
        let fields = self.fields().held;
        let (mut held, mut elapsed_ms) = (self.door.held, elapsed_ms);
        if let Held::Counting(mut timer) = held {
            let beyond = timer.beyond(elapsed_ms);
            if !timer.pass(elapsed_ms) {
                self.door.held = Held::Counting(timer);
                return;
            }
            self.note(Reason::HeldOpenWarning);
            held = Held::Warned(Timer::of(fields.alarm_ms - fields.warn_ms));
            elapsed_ms = beyond;
        }
        if let Held::Warned(timer) = &mut held
            && timer.pass(elapsed_ms)
        {
            held = Held::Alarmed;
            self.raise(Alarm::HeldOpen, Reason::HeldOpen);
        }
        self.door.held = held;
    }
}

impl Situation {
    /// Ends every attempt that is on its way, without a word: what ends them is reported.
    pub(super) fn end_attempts(&mut self) {
        (self.attempt, self.first, self.grant) = (None, None, None);
    }
}
