//! What the panel says while nothing runs behind it: why the program ended.

use super::{DoorError, Error};
use arcdoor_panel::Fault;
use std::io::ErrorKind;

impl Error {
    /// The fault that a panel shows once this has ended the program.
    #[must_use]
    pub fn shown(&self) -> Fault {
        if self.is_for_want_of_room() {
            return Fault::Storage;
        }
        match self {
            Self::NoPack { .. }
            | Self::NoPackNamed { .. }
            | Self::Pack(_)
            | Self::Calibration(_)
            | Self::OlderPack { .. }
            | Self::OlderThanCompiledIn { .. }
            | Self::NewerPackGone { .. }
            | Self::OtherEmbedder { .. }
            | Self::Vision(_) => Fault::Pack,
            Self::Gallery(_) => Fault::Gallery,
            Self::NoKey(_)
            | Self::WeakerKey { .. }
            | Self::NotUnderCredential(_)
            | Self::BadKey(_)
            | Self::NoCredential { .. }
            | Self::NoPassphrase
            | Self::NobodyToAsk { .. }
            | Self::LogKey { .. } => Fault::Key,
            Self::Camera(_) | Self::CameraStaysAway { .. } | Self::Mounting(_) => Fault::Camera,
            Self::Door(DoorError::Line(_)) => Fault::Lock,
            _ => Fault::Stopped,
        }
    }

    /// Whether nothing could be written any more, however deep that lies.
    fn is_for_want_of_room(&self) -> bool {
        let is_full = |error: &(dyn std::error::Error + 'static)| {
            error.downcast_ref::<std::io::Error>().is_some_and(|error| {
                matches!(
                    error.kind(),
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
                )
            })
        };
        std::iter::successors(Some(self as &(dyn std::error::Error + 'static)), |error| error.source())
            .any(is_full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_full_disk_is_found_under_whatever_it_broke() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        assert_eq!(Error::File { path: "x".into(), source: full() }.shown(), Fault::Storage);
        let log = arcdoor_log::LogError::Io { doing: "writing", source: full() };
        assert_eq!(Error::Log(log).shown(), Fault::Storage);
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        assert_eq!(Error::File { path: "x".into(), source: denied }.shown(), Fault::Stopped);
        assert_eq!(Error::NoPassphrase.shown(), Fault::Key);
        assert_eq!(
            Error::from(DoorError::NoContact).shown(),
            Fault::Stopped,
            "a word in a file is no broken lock"
        );
    }
}
