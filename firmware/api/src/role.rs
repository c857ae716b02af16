//! Who may ask for what, where a request comes over the daemon's socket.

use serde::{Deserialize, Serialize};

use crate::request::{Feed, Request};

/// What somebody may ask for. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads what happened and why, without names, how the door stands, and whether the device is well.
    Auditor,
    /// Enrols, revokes, gives PINs, looks into the gallery, and tells the door: lockdown, fire, alarms, who is inside.
    Operator,
    /// Keys, packs, and everything that touches files.
    Installer,
}

impl Role {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Auditor => "an auditor",
            Self::Operator => "an operator",
            Self::Installer => "the installer",
        }
    }
}

impl Request {
    /// The least role that may ask for this.
    #[must_use]
    pub fn role(&self) -> Role {
        if self.names_files() {
            return Role::Installer;
        }
        match self {
            Self::Log { of: None, names: false, .. }
            | Self::LogVerify { .. }
            | Self::LogWhy { .. }
            | Self::LogNote
            | Self::PackCheck { explain: false, .. }
            | Self::DoorState
            | Self::Doctor => Role::Auditor,
            Self::Log { .. }
            | Self::LogWrong { .. }
            | Self::Enrol { .. }
            | Self::ReEnrol { .. }
            | Self::NotThisPerson { .. }
            | Self::ForgetImpostors { .. }
            | Self::Identify { .. }
            | Self::Verify { .. }
            | Self::List
            | Self::Show { .. }
            | Self::Door(_)
            | Self::PackCheck { .. }
            | Self::PinSet { .. }
            | Self::PinRemove { .. }
            | Self::Revoke { .. } => Role::Operator,
            Self::Export { .. }
            | Self::Import { .. }
            | Self::KeyChange { .. }
            | Self::KeyRenew
            | Self::PackInstall { .. }
            | Self::PackUse { .. }
            | Self::Replay { .. }
            | Self::Tune { .. } => Role::Installer,
        }
    }

    /// Whether it names files. The daemon opens them with its own rights, which must not serve whoever has fewer.
    fn names_files(&self) -> bool {
        let feeds = self.feed().is_some_and(|feed| !matches!(feed, Feed::Camera(_)));
        feeds
            || match self {
                Self::Identify { annotate, .. } => annotate.is_some(),
                Self::LogVerify { note } => note.is_some(),
                Self::LogWhy { capsule, .. } => capsule.is_some(),
                Self::PackCheck { dir, .. } => dir.is_some(),
                _ => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::SubjectName;

    #[test]
    fn files_are_opened_for_the_installer_alone() {
        let name = SubjectName::new("Ada").unwrap();
        let enrol = |from| Request::Enrol { name: name.clone(), from, duplicate: false }.role();
        assert_eq!(enrol(Feed::Camera(None)), Role::Operator);
        assert_eq!(enrol(Feed::Photos(vec!["/etc/shadow".into()])), Role::Installer);
        assert_eq!(enrol(Feed::Replay("/etc".into())), Role::Installer);
        let identify = |annotate| Request::Identify { from: Feed::Camera(None), annotate }.role();
        assert_eq!((identify(None), identify(Some("/etc".into()))), (Role::Operator, Role::Installer));
        assert_eq!(Request::LogVerify { note: Some("/etc/note".into()) }.role(), Role::Installer);
        assert_eq!(Request::PackCheck { dir: Some("/etc".into()), explain: false }.role(), Role::Installer);
    }

    #[test]
    fn an_auditor_reads_no_name() {
        let log = |names| Request::Log { count: 1, of: None, names }.role();
        assert_eq!(
            (log(false), log(true), Request::List.role()),
            (Role::Auditor, Role::Operator, Role::Operator)
        );
        assert!(Role::Auditor < Role::Operator && Role::Operator < Role::Installer);
    }
}
