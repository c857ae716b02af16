//! Who may call, and as what.

use crate::home::settings::SocketSettings;
use arcdoor_api::Role;

/// The users that may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guests {
    own: u32,
    others: SocketSettings,
}

impl Guests {
    /// The daemon's own user and root as installers, and those whom the settings name.
    #[must_use]
    pub fn new(others: SocketSettings) -> Self {
        Self { own: rustix::process::geteuid().as_raw(), others }
    }

    /// What the user of this number may ask for; none: nothing. `is_freed`: somebody held the button inside, and so holds
    /// the board.
    #[must_use]
    pub fn role(&self, uid: u32, is_freed: bool) -> Option<Role> {
        if uid == 0 || uid == self.own || is_freed {
            Some(Role::Installer)
        } else if self.others.operators.contains(&uid) {
            Some(Role::Operator)
        } else {
            self.others.auditors.contains(&uid).then_some(Role::Auditor)
        }
    }

    /// Whether others than the daemon's own user and root may call.
    #[must_use]
    pub fn are_invited(&self) -> bool {
        !self.others.operators.is_empty() || !self.others.auditors.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_not_named_may_nothing() {
        let others = SocketSettings { operators: vec![4001], auditors: vec![4001, 4002] };
        let guests = Guests { own: 4000, others };
        let roles = [0, 4000, 4001, 4002, 4003].map(|uid| guests.role(uid, false));
        let (installer, operator) = (Some(Role::Installer), Some(Role::Operator));
        assert_eq!(roles, [installer, installer, operator, Some(Role::Auditor), None]);
        assert_eq!(guests.role(4003, true), installer, "who holds the board");
        assert!(guests.are_invited() && !Guests::new(SocketSettings::default()).are_invited());
    }
}
