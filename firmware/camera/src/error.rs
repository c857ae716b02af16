//! What can be wrong with a camera.

use std::path::PathBuf;

use arcdoor_frame::FrameError;
use nokhwa::NokhwaError;

/// What helps against a [`CameraError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// This one frame is lost: the next call goes on with the one after it.
    Frame,
    /// The camera delivers nothing now: open it again, at once or later. It may come back.
    Camera,
    /// A person has to change something first: asking or opening again gives the same error.
    Setup,
}

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The words after `@` are no mode.
    #[error(
        "{0:?} names no camera: write DEVICE, DEVICE@WIDTHxHEIGHT or DEVICE@WIDTHxHEIGHT@RATE, such as /dev/video0@1280x720@15, \
         or rpicam:0@1280x720@15 for a Raspberry Pi's ribbon camera"
    )]
    Spec(String),
    /// The device file cannot be opened.
    #[error("{device}: {cause}{}", advice(cause))]
    Open {
        /// The device file.
        device: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The file is there, but captures nothing.
    #[error("{0}: this is no camera that streams frames; `ls -l /dev/v4l/by-id` shows those there are")]
    NotACamera(String),
    /// No format of the camera's is one of ours.
    #[error(
        "{device}: the camera offers {offered}; it must offer YUYV, UYVY, NV12, YU12, YV12, MJPEG, RGB, BGR or GREY"
    )]
    NoFormat {
        /// The device file.
        device: String,
        /// Its formats' four-letter codes.
        offered: String,
    },
    /// The camera was unplugged, or its driver gave it up, while it was open.
    #[error("{device}: {step} failed: the camera was unplugged; plug it in again")]
    Gone {
        /// The device file.
        device: String,
        /// The V4L2 request.
        step: &'static str,
    },
    /// A step of the capture failed for another reason.
    #[error("{device}: {step} failed: {cause}{}", advice(cause))]
    Device {
        /// The device file.
        device: String,
        /// The V4L2 request.
        step: &'static str,
        /// The system's words.
        cause: std::io::Error,
    },
    /// No frame came in time.
    #[error("{device}: no frame for {waited_ms} ms; check the cable and whether another program uses it")]
    Stalled {
        /// The device file.
        device: String,
        /// Milliseconds waited.
        waited_ms: u64,
    },
    /// The program that drives a ribbon camera cannot be started.
    #[error(
        "{program}: {cause}; a ribbon camera needs it: apt-get install rpicam-apps (Raspberry Pi OS has it)"
    )]
    Program {
        /// The program.
        program: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The kernel does not let go of the program that drove a ribbon camera.
    #[error(
        "{device}: rpicam-vid was killed and hangs in the camera's driver; if that lasts, start the board again"
    )]
    Held {
        /// The camera's name.
        device: String,
    },
    /// The program that drives a ribbon camera ended.
    #[error(
        "{device}: rpicam-vid ended: {said}; check the ribbon cable, and whether `rpicam-hello --list-cameras` shows the camera"
    )]
    Ended {
        /// The camera.
        device: String,
        /// What the program said last.
        said: String,
    },
    /// Another backend of nokhwa's than ours failed; what it says is all that is known.
    #[error("{0}")]
    Backend(#[from] NokhwaError),
    /// This system has no V4L2.
    #[error("live cameras need Linux; `--replay` reads photos from a folder")]
    NotLinux,
    /// A folder or file to replay is missing or unreadable.
    #[error("{}: {cause}", path.display())]
    Replay {
        /// Where.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// A folder to replay holds no photo.
    #[error("{}: no .jpg, .jpeg or .png file in this folder", .0.display())]
    NoPhotos(PathBuf),
    /// One photo of a replay is damaged or cannot be read.
    #[error("{}: {cause}", path.display())]
    Photo {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: FrameError,
    },
    /// A camera's frame is damaged: it does not convert.
    #[error("the camera's frame cannot be used: {0}")]
    Frame(#[from] FrameError),
}

impl CameraError {
    /// What helps against it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Photo { .. } | Self::Frame(_) => ErrorKind::Frame,
            Self::Stalled { .. }
            | Self::Gone { .. }
            | Self::Device { .. }
            | Self::Ended { .. }
            | Self::Held { .. }
            | Self::Backend(_) => ErrorKind::Camera,
            // While a camera is unplugged or another program holds it, there is no file, or a busy one.
            Self::Open { cause, .. } if cause.kind() != std::io::ErrorKind::PermissionDenied => {
                ErrorKind::Camera
            }
            Self::Open { .. }
            | Self::Program { .. }
            | Self::Spec(_)
            | Self::NotACamera(_)
            | Self::NoFormat { .. }
            | Self::NotLinux
            | Self::Replay { .. }
            | Self::NoPhotos(_) => ErrorKind::Setup,
        }
    }
}

/// What to do about a system error, where that is known.
fn advice(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::PermissionDenied => "; add the user to the group `video`",
        std::io::ErrorKind::NotFound => "; is the camera plugged in? `ls /dev/video*` shows what there is",
        std::io::ErrorKind::ResourceBusy => "; another program uses the camera",
        _ if cause.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => {
            "; the camera was unplugged"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind::{NotFound, PermissionDenied};

    #[test]
    fn a_camera_that_is_not_there_may_come_and_one_that_is_not_ours_to_open_needs_a_person() {
        let open =
            |kind: std::io::ErrorKind| CameraError::Open { device: "x".to_owned(), cause: kind.into() };
        assert_eq!(open(NotFound).kind(), ErrorKind::Camera);
        assert_eq!(open(PermissionDenied).kind(), ErrorKind::Setup);
        assert!(open(PermissionDenied).to_string().contains("group `video`"));
        assert_eq!(CameraError::NoPhotos("x".into()).kind(), ErrorKind::Setup);
    }
}
