//! One step on its way.

use super::state::Situation;
use crate::{About, Action, Actions, Alarm, Civil, Fields, Policy, Reason};

/// The state that a step changes, the rules, and the actions so far.
pub(super) struct Turn<'a> {
    pub(super) door: &'a mut Situation,
    pub(super) policy: &'a Policy,
    pub(super) civil: Option<Civil>,
    pub(super) actions: Actions,
    /// Whether this step drove the line to another level.
    pub(super) drove: bool,
    /// Whether what is kept changed.
    pub(super) keep: bool,
}

impl<'a> Turn<'a> {
    pub(super) const fn fields(&self) -> &'a Fields {
        self.policy.fields()
    }

    pub(super) fn report(&mut self, reason: Reason, about: About) {
        self.push(Action::Report { reason, about });
    }

    pub(super) fn note(&mut self, reason: Reason) {
        self.report(reason, About::Door);
    }

    /// Drives the line to what the state asks for, where it is not there yet.
    pub(super) fn drive(&mut self, reason: Reason) {
        let level = self.fields().fail_mode.level(self.door.position());
        if self.door.driven != Some(level) && self.push(Action::Drive { level, reason }) {
            (self.door.driven, self.drove) = (Some(level), true);
        }
    }

    /// Whether there was room, which there is: see [`MAX_ACTIONS`](crate::limits::MAX_ACTIONS).
    pub(super) fn push(&mut self, action: Action) -> bool {
        self.actions.push(action).is_ok()
    }

    pub(super) fn raise(&mut self, alarm: Alarm, reason: Reason) {
        self.door.kept.alarms.raise(alarm);
        self.keep = true;
        self.report(reason, About::Alarm(alarm));
    }
}
