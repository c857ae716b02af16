//! Which exit code goes with which error.

use super::Error;
use super::exit::{DEVICE, INPUT, PACK, REFUSED, USAGE};
use crate::home::capsule::CapsuleError;
use arcdoor_camera::CameraError;
use arcdoor_gallery::GalleryError;
use arcdoor_log::LogError;
use arcdoor_pipeline::TraceError;

impl Error {
    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::After { source, .. } => source.code(),
            Self::AtTheDoor { code, .. } => *code,
            Self::Door(error) => error.code(),
            Self::Unconfirmed(_)
            | Self::ReEnrolUnconfirmed { .. }
            | Self::TooManyPhotos(_)
            | Self::KeyStaysHere
            | Self::Mounting(_) => USAGE,
            Self::NewName(_)
            | Self::ShortPassphrase { .. }
            | Self::PassphrasesDiffer
            | Self::Exists(_)
            | Self::SamePassphrase
            | Self::NotText(_)
            | Self::BadKey(_)
            | Self::BadFile { .. }
            | Self::NobodyEnrolled
            | Self::Enrolled(_)
            | Self::AnotherPerson(_)
            | Self::LogKey { .. }
            | Self::LogNote { .. }
            | Self::Log(LogError::TooLong { .. } | LogError::NotText(_))
            | Self::NoEntry(_)
            | Self::NoObservations(_)
            | Self::NoGrant(_)
            | Self::NoProbe(_)
            | Self::Duplicate(_) => INPUT,
            Self::Camera(
                CameraError::Photo { .. } | CameraError::Replay { .. } | CameraError::NoPhotos(_),
            ) => INPUT,
            Self::Trace { source: TraceError::Mismatch { .. }, .. }
            | Self::Capsule { source: CapsuleError::Trace(TraceError::Mismatch { .. }), .. } => REFUSED,
            Self::Capsule { source: CapsuleError::Seal(_), .. } => PACK,
            Self::Trace { .. } | Self::Capsule { .. } => INPUT,
            Self::Declined | Self::PackDeclined | Self::NoView { .. } | Self::NoGoodView => REFUSED,
            Self::Photo { .. } | Self::UnknownName(_) | Self::Settings { .. } => INPUT,
            Self::Gallery(
                GalleryError::NameTaken(_)
                | GalleryError::UnknownSubject(_)
                | GalleryError::NoTemplates
                | GalleryError::TooManyTemplates(_)
                | GalleryError::TooManyImpostors(_),
            ) => INPUT,
            Self::Gallery(GalleryError::Locked(_) | GalleryError::Closed | GalleryError::Io { .. }) => DEVICE,
            Self::Log(LogError::StateDamaged | LogError::Exhausted | LogError::Damaged { .. })
            | Self::Log(LogError::SegmentTooLarge(_))
            | Self::NoKey(_)
            | Self::WeakerKey { .. }
            | Self::NotUnderCredential(_)
            | Self::NoCredential { .. }
            | Self::NoPassphrase
            | Self::NobodyToAsk { .. }
            | Self::Hint
            | Self::OlderPack { .. }
            | Self::OlderThanCompiledIn { .. }
            | Self::NewerPackGone { .. }
            | Self::LogNotBegun => PACK,
            Self::NoPack { .. }
            | Self::OtherEmbedder { .. }
            | Self::NoPackNamed { .. }
            | Self::PackPath(_)
            | Self::Pack(_)
            | Self::Calibration(_)
            | Self::Gallery(_)
            | Self::Vision(_)
            | Self::Layer(_)
            | Self::Tuning(_)
            | Self::Pipeline(_) => PACK,
            Self::NoHome
            | Self::Log(_)
            | Self::Promise(_)
            | Self::TunedValues { .. }
            | Self::File { .. }
            | Self::Annotate { .. }
            | Self::Camera(_)
            | Self::CameraStaysAway { .. }
            | Self::Output(_)
            | Self::OutputStalled(_)
            | Self::HomeInUse { .. }
            | Self::Socket { .. }
            | Self::Thread(_)
            | Self::DoorGone(_)
            | Self::Busy
            | Self::LoopEnded
            | Self::NotRead
            | Self::LoopFault
            | Self::Fault
            | Self::FramesFail(_) => DEVICE,
        }
    }
}
