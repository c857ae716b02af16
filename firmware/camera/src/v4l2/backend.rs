//! The capture behind nokhwa's trait.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use arcdoor_frame::PixelFormat;
use nokhwa::NokhwaError;
use nokhwa_core::buffer::Buffer;
use nokhwa_core::traits::CaptureBackendTrait;
use nokhwa_core::types::{
    ApiBackend, CameraControl, CameraFormat, CameraIndex, CameraInfo, ControlValueSetter, FrameFormat,
    KnownCameraControl, Resolution,
};

use super::device::{Buffers, Device};
use super::format::{Mode, Rate, Wanted, choose};
use super::stream::{NoFrame, Stream};
use crate::error::CameraError;

/// How nokhwa is told about this backend.
pub const API: ApiBackend = ApiBackend::Video4Linux;

/// A V4L2 camera.
#[derive(Debug)]
pub struct V4l2Backend {
    device: Device,
    info: CameraInfo,
    mode: Mode,
    pixels: PixelFormat,
    stride: usize,
    timeout: Duration,
    stream: Option<Stream<Buffers>>,
    /// Rows without their padding, where the driver pads them: nokhwa knows no stride.
    packed: Vec<u8>,
}

impl V4l2Backend {
    /// Opens a camera and sets the mode nearest to `wanted`. A frame is waited for until `timeout`.
    ///
    /// # Errors
    /// When the device cannot be opened, is no camera, or has no format that can be converted.
    pub fn open(path: &str, wanted: Wanted, timeout: Duration) -> Result<Self, CameraError> {
        let device = Device::open(path)?;
        let modes = device.modes(wanted)?;
        let Some(mode) = choose(&modes, wanted) else {
            let mut offered: Vec<String> = modes.iter().map(|mode| mode.code.to_string()).collect();
            offered.dedup();
            let offered = if offered.is_empty() { "no format".to_owned() } else { offered.join(", ") };
            return Err(CameraError::NoFormat { device: path.to_owned(), offered });
        };
        let index = CameraIndex::String(path.to_owned());
        let info = CameraInfo::new(path, "V4L2", "", index);
        let (mode, pixels, stride) = set(&device, &mode)?;
        Ok(Self { device, info, mode, pixels, stride, timeout, stream: None, packed: Vec::new() })
    }

    fn change(&mut self, wanted: CameraFormat) -> Result<(), CameraError> {
        let Resolution { width_x: width, height_y: height } = wanted.resolution();
        let near = Wanted { width, height, rate: f64::from(wanted.frame_rate()) };
        let all = self.device.modes(near)?;
        let code = |mode: &&Mode| mode.code.pixel_format().map(to_nokhwa) == Some(wanted.format());
        let of_format: Vec<Mode> = all.iter().filter(code).copied().collect();
        let mode = choose(&of_format, near).ok_or_else(|| CameraError::NoFormat {
            device: self.device.path().to_owned(),
            offered: format!("no {}", wanted.format()),
        })?;
        let was_open = self.stream.take().is_some();
        (self.mode, self.pixels, self.stride) = set(&self.device, &mode)?;
        if was_open { self.start() } else { Ok(()) }
    }

    fn start(&mut self) -> Result<(), CameraError> {
        if self.stream.is_none() {
            self.stream = Some(Stream::new(Buffers::start(&self.device)?));
        }
        Ok(())
    }

    fn newest(&mut self) -> Result<&[u8], CameraError> {
        self.start()?;
        let Some(stream) = &mut self.stream else { return Ok(&[]) };
        let filled = match stream.newest(self.timeout) {
            Ok(filled) => filled,
            Err(NoFrame::Failed(errno)) => return Err(self.device.failed("reading a frame")(errno)),
            Err(NoFrame::Stalled) => {
                let waited_ms = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
                return Err(CameraError::Stalled { device: self.device.path().to_owned(), waited_ms });
            }
        };
        let bytes = stream.queue.bytes(&filled);
        let (row, rows) = plane(self.pixels, self.mode.width as usize, self.mode.height as usize);
        if row == 0 || self.stride <= row {
            return Ok(bytes);
        }
        self.packed.clear();
        for padded in bytes.chunks(self.stride).take(rows) {
            self.packed.extend_from_slice(&padded[..row.min(padded.len())]);
        }
        Ok(&self.packed)
    }
}

/// Sets a mode; the driver may answer with another one, even of another format.
fn set(device: &Device, mode: &Mode) -> Result<(Mode, PixelFormat, usize), CameraError> {
    let (mode, stride) = device.set(mode)?;
    match mode.code.pixel_format() {
        Some(pixels) => Ok((mode, pixels, stride)),
        None => {
            let (device, offered) = (device.path().to_owned(), mode.code.to_string());
            Err(CameraError::NoFormat { device, offered })
        }
    }
}

/// Bytes of a row without padding, and rows; 0 where there are no rows.
const fn plane(pixels: PixelFormat, width: usize, height: usize) -> (usize, usize) {
    match pixels {
        PixelFormat::Rgb8 | PixelFormat::Bgr8 => (width * 3, height),
        PixelFormat::Yuyv => (width * 2, height),
        PixelFormat::Nv12 => (width, height + height / 2),
        PixelFormat::Grey => (width, height),
        PixelFormat::Mjpeg => (0, 0),
    }
}

/// nokhwa's name of a format.
const fn to_nokhwa(pixels: PixelFormat) -> FrameFormat {
    match pixels {
        PixelFormat::Rgb8 => FrameFormat::RAWRGB,
        PixelFormat::Bgr8 => FrameFormat::RAWBGR,
        PixelFormat::Yuyv => FrameFormat::YUYV,
        PixelFormat::Nv12 => FrameFormat::NV12,
        PixelFormat::Grey => FrameFormat::GRAY,
        PixelFormat::Mjpeg => FrameFormat::MJPEG,
    }
}

const fn resolution(mode: &Mode) -> Resolution {
    Resolution { width_x: mode.width, height_y: mode.height }
}

/// A rate as nokhwa counts it: rounded, and at least 1.
fn whole(rate: Option<Rate>) -> u32 {
    rate.map_or(1, |rate| (rate.per_second().round() as u32).max(1))
}

fn unsupported<T>() -> Result<T, NokhwaError> {
    Err(NokhwaError::UnsupportedOperationError(API))
}

impl CaptureBackendTrait for V4l2Backend {
    fn backend(&self) -> ApiBackend {
        API
    }

    fn camera_info(&self) -> &CameraInfo {
        &self.info
    }

    fn refresh_camera_format(&mut self) -> Result<(), NokhwaError> {
        // The driver's format is only ever set here.
        Ok(())
    }

    fn camera_format(&self) -> CameraFormat {
        CameraFormat::new(self.resolution(), self.frame_format(), self.frame_rate())
    }

    fn set_camera_format(&mut self, new_fmt: CameraFormat) -> Result<(), NokhwaError> {
        self.change(new_fmt).map_err(|error| NokhwaError::SetPropertyError {
            property: "format".to_owned(),
            value: new_fmt.to_string(),
            error: error.to_string(),
        })
    }

    fn compatible_list_by_resolution(
        &mut self,
        fourcc: FrameFormat,
    ) -> Result<HashMap<Resolution, Vec<u32>>, NokhwaError> {
        let modes = self.device.modes(Wanted::default()).map_err(property_error)?;
        let mut list: HashMap<Resolution, Vec<u32>> = HashMap::new();
        for mode in modes.iter().filter(|mode| mode.code.pixel_format().map(to_nokhwa) == Some(fourcc)) {
            let rates = list.entry(resolution(mode)).or_default();
            if !rates.contains(&whole(mode.rate)) {
                rates.push(whole(mode.rate));
            }
        }
        Ok(list)
    }

    fn compatible_fourcc(&mut self) -> Result<Vec<FrameFormat>, NokhwaError> {
        let modes = self.device.modes(Wanted::default()).map_err(property_error)?;
        let mut known: Vec<FrameFormat> =
            modes.iter().filter_map(|mode| mode.code.pixel_format().map(to_nokhwa)).collect();
        known.sort();
        known.dedup();
        Ok(known)
    }

    fn resolution(&self) -> Resolution {
        resolution(&self.mode)
    }

    fn set_resolution(&mut self, new_res: Resolution) -> Result<(), NokhwaError> {
        self.set_camera_format(CameraFormat::new(new_res, self.frame_format(), self.frame_rate()))
    }

    fn frame_rate(&self) -> u32 {
        whole(self.mode.rate)
    }

    fn set_frame_rate(&mut self, new_fps: u32) -> Result<(), NokhwaError> {
        self.set_camera_format(CameraFormat::new(self.resolution(), self.frame_format(), new_fps))
    }

    fn frame_format(&self) -> FrameFormat {
        to_nokhwa(self.pixels)
    }

    fn set_frame_format(&mut self, fourcc: FrameFormat) -> Result<(), NokhwaError> {
        self.set_camera_format(CameraFormat::new(self.resolution(), fourcc, self.frame_rate()))
    }

    fn camera_control(&self, _: KnownCameraControl) -> Result<CameraControl, NokhwaError> {
        unsupported()
    }

    fn camera_controls(&self) -> Result<Vec<CameraControl>, NokhwaError> {
        Ok(Vec::new())
    }

    fn set_camera_control(
        &mut self,
        _: KnownCameraControl,
        _: ControlValueSetter,
    ) -> Result<(), NokhwaError> {
        unsupported()
    }

    fn open_stream(&mut self) -> Result<(), NokhwaError> {
        self.start().map_err(|error| NokhwaError::OpenStreamError(error.to_string()))
    }

    fn is_stream_open(&self) -> bool {
        self.stream.is_some()
    }

    fn frame(&mut self) -> Result<Buffer, NokhwaError> {
        let (resolution, format) = (self.resolution(), self.frame_format());
        let bytes = self.newest().map_err(|error| NokhwaError::ReadFrameError(error.to_string()))?;
        Ok(Buffer::new(resolution, bytes, format))
    }

    fn frame_raw(&mut self) -> Result<Cow<'_, [u8]>, NokhwaError> {
        self.newest().map(Cow::Borrowed).map_err(|error| NokhwaError::ReadFrameError(error.to_string()))
    }

    fn stop_stream(&mut self) -> Result<(), NokhwaError> {
        self.stream = None;
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn property_error(error: CameraError) -> NokhwaError {
    NokhwaError::GetPropertyError { property: "formats".to_owned(), error: error.to_string() }
}
