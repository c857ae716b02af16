//! A live camera, through nokhwa.

use std::time::Duration;

use arcdoor_frame::{Converter, PixelFormat, RawFrame, RgbImage};
use nokhwa::Camera;
use nokhwa_core::types::{CameraFormat, FrameFormat};

use crate::error::CameraError;
use crate::last_error::LastError;
use crate::layout::{AgreedLayout, Layout};
#[cfg(target_os = "linux")]
use crate::rpicam::{Mode, Rpicam};
use crate::source::Source;
#[cfg(target_os = "linux")]
use crate::v4l2::V4l2Backend;

/// Opens a live camera: `DEVICE`, `DEVICE@WIDTHxHEIGHT` or `DEVICE@WIDTHxHEIGHT@RATE`, such as
/// `/dev/video0@1280x720@7.5`; the nearest mode that the camera has is taken. `rpicam:N` in the place of `DEVICE` is the
/// N-th ribbon camera of a Raspberry Pi, counted from 0; there a fourth part may say how many bytes a row takes, where
/// libcamera does not pad it to a multiple of 64. A frame is waited for until `timeout`, then it is an error.
///
/// # Errors
/// When the words name no camera, or it cannot be opened or started.
#[cfg(target_os = "linux")]
pub fn open(spec: &str, timeout: Duration) -> Result<Box<dyn Source>, CameraError> {
    if let Some(words) = spec.strip_prefix("rpicam:") {
        let mode = Mode::parse(words).ok_or_else(|| CameraError::Spec(spec.to_owned()))?;
        return Ok(Box::new(Rpicam::open(mode, timeout)?));
    }
    #[cfg(feature = "nokhwa-v4l")]
    if let Some(index) = spec.strip_prefix("nokhwa:") {
        let index = index.parse().map_err(|_| CameraError::Spec(spec.to_owned()))?;
        let index = nokhwa_core::types::CameraIndex::Index(index);
        return Ok(Box::new(Live::new(Camera::new(index, nokhwa_wants())?)?));
    }
    let (device, wanted) = parse(spec)?;
    Ok(Box::new(Live::on(V4l2Backend::open(device, wanted, timeout)?)?))
}

/// Refuses: live cameras need Linux.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn open(_: &str, _: Duration) -> Result<Box<dyn Source>, CameraError> {
    Err(CameraError::NotLinux)
}

/// What is asked of nokhwa's own capture: any format that converts, at its fastest.
#[cfg(feature = "nokhwa-v4l")]
fn nokhwa_wants() -> nokhwa::utils::RequestedFormat<'static> {
    use nokhwa::utils::{RequestedFormat, RequestedFormatType};

    const FORMATS: [FrameFormat; 5] =
        [FrameFormat::RAWRGB, FrameFormat::RAWBGR, FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::MJPEG];
    RequestedFormat::with_formats(RequestedFormatType::AbsoluteHighestFrameRate, &FORMATS)
}

#[cfg(target_os = "linux")]
fn parse(spec: &str) -> Result<(&str, crate::v4l2::Wanted), CameraError> {
    use crate::v4l2::Wanted;

    let wrong = || CameraError::Spec(spec.to_owned());
    let mut parts = spec.split('@');
    let device = parts.next().filter(|device| !device.is_empty()).ok_or_else(wrong)?;
    let mut wanted = Wanted::default();
    if let Some(size) = parts.next() {
        let (width, height) = size.split_once('x').ok_or_else(wrong)?;
        let side =
            |text: &str| text.parse().ok().filter(|side| (16..=16_384).contains(side)).ok_or_else(wrong);
        (wanted.width, wanted.height) = (side(width)?, side(height)?);
    }
    if let Some(rate) = parts.next() {
        wanted.rate = rate.parse().ok().filter(|rate| (0.01..=1000.0).contains(rate)).ok_or_else(wrong)?;
    }
    if parts.next().is_some() { Err(wrong()) } else { Ok((device, wanted)) }
}

/// Any camera of nokhwa's as a [`Source`].
pub struct Live {
    camera: Camera,
    converter: Converter,
    last_error: LastError,
    layout: AgreedLayout,
}

impl Live {
    /// Starts a camera on any backend of nokhwa's; what fails there is a [`CameraError::Backend`].
    ///
    /// # Errors
    /// When its stream cannot be started.
    pub fn new(camera: Camera) -> Result<Self, CameraError> {
        Self::start(camera, LastError::default(), AgreedLayout::default())
    }

    /// Starts a camera on our own capture, whose errors keep their type.
    ///
    /// # Errors
    /// When its stream cannot be started.
    #[cfg(target_os = "linux")]
    pub fn on(backend: V4l2Backend) -> Result<Self, CameraError> {
        use nokhwa_core::traits::CaptureBackendTrait as _;

        let index = backend.camera_info().index().clone();
        let (last_error, layout) = (backend.last_error(), backend.layout());
        Self::start(Camera::with_custom(index, backend.backend(), Box::new(backend)), last_error, layout)
    }

    fn start(mut camera: Camera, last_error: LastError, layout: AgreedLayout) -> Result<Self, CameraError> {
        camera.open_stream().map_err(|said| last_error.take(said))?;
        Ok(Self { camera, converter: Converter::default(), last_error, layout })
    }
}

impl Source for Live {
    fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError> {
        let nokhwas = self.camera.camera_format();
        let data = self.camera.frame_raw().map_err(|said| self.last_error.take(said))?;
        let layout = self.layout.get().unwrap_or_else(|| from_nokhwa(nokhwas));
        let Layout { format, width, height, stride } = layout;
        self.converter.to_rgb(&RawFrame { format, width, height, stride, data: &data }, out)?;
        Ok(true)
    }
}

/// What another backend of nokhwa's delivers: rows without padding.
fn from_nokhwa(agreed: CameraFormat) -> Layout {
    let format = match agreed.format() {
        FrameFormat::MJPEG => PixelFormat::Mjpeg,
        FrameFormat::YUYV => PixelFormat::Yuyv,
        FrameFormat::NV12 => PixelFormat::Nv12,
        FrameFormat::GRAY => PixelFormat::Grey,
        FrameFormat::RAWRGB => PixelFormat::Rgb8,
        FrameFormat::RAWBGR => PixelFormat::Bgr8,
    };
    let (width, height) = (agreed.width(), agreed.height());
    Layout { format, width, height, stride: format.row_bytes(width) }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::v4l2::Wanted;

    #[test]
    fn a_camera_is_named_by_its_file_and_perhaps_a_size() {
        assert_eq!(parse("/dev/video0").unwrap(), ("/dev/video0", Wanted::default()));
        let wanted = Wanted { width: 1280, height: 720, ..Wanted::default() };
        assert_eq!(parse("/dev/video2@1280x720").unwrap(), ("/dev/video2", wanted));
        let slow = Wanted { rate: 7.5, ..wanted };
        assert_eq!(parse("/dev/video2@1280x720@7.5").unwrap(), ("/dev/video2", slow));
        for mode in ["", "640", "0x480", "axb", "640x480@", "640x480@0", "640x480@nan", "640x480@5@5"] {
            let wrong = format!("/dev/video0@{mode}");
            assert!(matches!(parse(&wrong), Err(CameraError::Spec(_))), "{wrong}");
        }
        assert!(parse("").is_err() && parse("@640x480").is_err());
    }
}
