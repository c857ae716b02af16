//! Why a call is not taken.

use crate::error;
use arcdoor_api::{CALL_VERSION, MAX_CALL_BYTES, Role, Said};

/// Most photos of one request while the loop waits for it.
pub const MAX_PHOTOS_BESIDE: usize = 64;

/// Lines of an answer that wait to be taken, and so entries of the log in one answer.
pub(super) const MAX_WAITING: usize = 4096;

/// Why a call is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nobody knows who asks.
    #[error(
        "user {uid} may not ask this door anything: name it in settings.toml, under [socket] operators or auditors, and \
         start `arcdoor run` again"
    )]
    Stranger {
        /// The user's number.
        uid: u32,
    },
    /// Somebody else may.
    #[error("this is for {}, and you are {}: ask as another user, or see [socket] in settings.toml", .wants.text(), .is.text())]
    Role {
        /// The least role.
        wants: Role,
        /// Theirs.
        is: Role,
    },
    /// All places are taken.
    #[error("the door answers others already: try again in a moment")]
    Full,
    /// The queue of requests is full.
    #[error("the door has too much to do: try again in a moment")]
    Busy,
    /// The call did not come.
    #[error("the request did not come whole within {0} s")]
    Slow(u64),
    /// Too long a line.
    #[error("a request has at most {MAX_CALL_BYTES} bytes: give fewer photos at once")]
    TooLong,
    /// No call.
    #[error("this is no request: {0}")]
    NotACall(#[from] serde_json::Error),
    /// A call of another version.
    #[error("the door answers calls of version {CALL_VERSION}, not {0}: use the arcdoor that runs it")]
    Version(u32),
    /// There is no lock.
    #[error("this door only recognises: it has no [door] in settings.toml")]
    NoDoor,
    /// A camera of its own.
    #[error("while the door runs, its own camera is used: leave the camera's name out")]
    OtherCamera,
    /// Frames of a folder.
    #[error("while the door runs, its own frames are used: give photos with --image")]
    OtherFrames,
    /// So many that nobody would be recognised meanwhile.
    #[error(
        "{0} photos would keep the door waiting: give at most {MAX_PHOTOS_BESIDE} at once, or stop `arcdoor run`"
    )]
    ManyPhotos(usize),
    /// More of the log than an answer holds.
    #[error("while the door runs, at most {MAX_WAITING} entries come at once, not {0}: give a smaller -n")]
    ManyEntries(usize),
    /// It was done, and may not survive a restart.
    #[error(
        "the door did it, but it is not on disk, and a restart may forget it: look at `arcdoor doctor` and `arcdoor log`"
    )]
    NotKept,
    /// It listens no more.
    #[error("the door is stopping: try again when it runs")]
    Closing,
}

impl Refusal {
    /// What is said to the call.
    #[must_use]
    pub fn said(&self) -> Said {
        Said::Failed { code: self.code(), error: self.to_string(), unsure: false }
    }

    const fn code(&self) -> u8 {
        match self {
            Self::NoDoor
            | Self::OtherCamera
            | Self::OtherFrames
            | Self::ManyPhotos(_)
            | Self::ManyEntries(_) => error::USAGE,
            Self::NotACall(_) | Self::TooLong | Self::Version(_) => error::INPUT,
            Self::Stranger { .. } | Self::Role { .. } => error::PACK,
            Self::Full | Self::Busy | Self::Slow(_) | Self::NotKept | Self::Closing => error::DEVICE,
        }
    }
}
