//! One step.

use super::state::State;
use super::turn::Turn;
use crate::{Action, Actions, Event, Now, Policy};

impl State {
    /// What `event` leads to at `now`. The same state, rules, event and time lead to the same.
    ///
    /// First what time alone does, in this order: delays that are over, then the schedule. Then the event. Every change of
    /// the lock's position is an [`Action::Drive`].
    pub fn step(&mut self, policy: &Policy, event: Event, now: Now) -> Actions {
        let (last, door) = (core::mem::replace(&mut self.last, now.mono), &mut self.situation);
        let mut turn =
            Turn { door, policy, civil: now.civil, actions: Actions::new(), drove: false, keep: false };
        turn.begin();
        turn.pass(last, now.mono);
        turn.follow_hours();
        turn.follow_methods();
        turn.take(event);
        turn.follow_held();
        turn.follow_methods();
        if turn.keep {
            turn.push(Action::Keep);
        }
        turn.actions
    }
}

impl Turn<'_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::Tick => {}
            Event::Present(credential) => self.present(credential),
            Event::Exit => self.ask_to_leave(),
            Event::Contact(contact) => self.contact(contact),
            Event::Tamper(is_open) => self.tamper(is_open),
            Event::Fire(is_called) => self.fire(is_called),
            Event::FireReset => self.reset_fire(),
            Event::Lockdown(is_on) => self.lockdown(is_on),
            Event::Acknowledge => self.acknowledge(),
            Event::ReadBack(level) => self.read_back(level),
            Event::Left(subject) => self.left(subject),
            Event::ForgetInside => self.forget_inside(),
        }
    }

    /// Which methods are enough now.
    fn follow_methods(&mut self) {
        let is_alarm = self.door.kept.alarms.any();
        self.door.methods = self.policy.methods(self.civil, is_alarm);
    }
}
