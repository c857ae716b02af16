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

use super::device::{Device, failed};
use super::driver::Driver;
use super::format::{Mode, Rate, Wanted, choose};
use super::stream::{NoFrame, Queue, Stream};
use crate::error::CameraError;
use crate::last_error::LastError;
use crate::layout::{AgreedLayout, Layout};

/// How nokhwa is told about this backend.
const API: ApiBackend = ApiBackend::Video4Linux;

/// How long a camera that gives frames may give none before it counts as stalled: a door shows it within a second.
const STALL: Duration = Duration::from_millis(900);
/// In a mode so slow that this is longer: so many of its frames.
const STALL_FRAMES: f64 = 3.0;

/// A V4L2 camera.
#[derive(Debug)]
pub struct V4l2Backend {
    device: Box<dyn Driver>,
    info: CameraInfo,
    mode: Mode,
    pixels: PixelFormat,
    /// What the frames of [`CaptureBackendTrait::frame_raw`] are: as the driver fills them, with the padding of their
    /// rows.
    layout: AgreedLayout,
    /// What is asked of the driver whenever a mode is set; 0: nothing.
    stride: u32,
    timeout: Duration,
    stream: Option<Stream<Box<dyn Queue>>>,
    /// Whether the stream has given a frame: the first one takes longer, while a camera sets itself up.
    flows: bool,
    last_error: LastError,
}

impl V4l2Backend {
    /// Opens a camera and sets the mode nearest to `wanted`. The first frame is waited for until `timeout`, another one no
    /// longer than 900 ms, or three frames of its mode.
    ///
    /// # Errors
    /// When the device cannot be opened, is no camera, or has no format that can be converted.
    pub fn open(path: &str, wanted: Wanted, timeout: Duration) -> Result<Self, CameraError> {
        Self::on(Box::new(Device::open(path)?), wanted, timeout)
    }

    pub(super) fn on(
        device: Box<dyn Driver>,
        wanted: Wanted,
        timeout: Duration,
    ) -> Result<Self, CameraError> {
        let path = device.path().to_owned();
        let modes = device.modes(wanted)?;
        let Some(mode) = choose(&modes, wanted) else {
            let mut offered: Vec<String> = modes.iter().map(|mode| mode.code.to_string()).collect();
            offered.dedup();
            let offered = if offered.is_empty() { "no format".to_owned() } else { offered.join(", ") };
            return Err(CameraError::NoFormat { device: path, offered });
        };
        let info = CameraInfo::new(&path, "V4L2", "", CameraIndex::String(path.clone()));
        let (layout, last_error, stride) = (AgreedLayout::default(), LastError::default(), wanted.stride);
        let (mode, pixels) = set(&*device, &mode, stride, &layout)?;
        Ok(Self {
            device,
            info,
            mode,
            pixels,
            layout,
            stride,
            timeout,
            stream: None,
            flows: false,
            last_error,
        })
    }

    /// Where the last error of [`CaptureBackendTrait::open_stream`] and [`CaptureBackendTrait::frame_raw`] is kept, of
    /// which nokhwa passes on the text alone.
    pub(crate) fn last_error(&self) -> LastError {
        self.last_error.clone()
    }

    /// Where the layout of the frames lies.
    pub(crate) fn layout(&self) -> AgreedLayout {
        self.layout.clone()
    }

    fn change(&mut self, wanted: CameraFormat) -> Result<(), CameraError> {
        let Resolution { width_x: width, height_y: height } = wanted.resolution();
        let near = Wanted { width, height, rate: f64::from(wanted.frame_rate()), ..Wanted::default() };
        let all = self.device.modes(near)?;
        let code = |mode: &&Mode| mode.code.pixel_format().and_then(to_nokhwa) == Some(wanted.format());
        let of_format: Vec<Mode> = all.iter().filter(code).copied().collect();
        let mode = choose(&of_format, near).ok_or_else(|| CameraError::NoFormat {
            device: self.device.path().to_owned(),
            offered: format!("no {}", wanted.format()),
        })?;
        let was_open = self.stream.take().is_some();
        (self.mode, self.pixels) = set(&*self.device, &mode, self.stride, &self.layout)?;
        if was_open { self.start() } else { Ok(()) }
    }

    fn start(&mut self) -> Result<(), CameraError> {
        if self.stream.is_none() {
            self.flows = false;
            self.stream = Some(Stream::new(self.device.start()?));
        }
        Ok(())
    }

    fn newest(&mut self) -> Result<&[u8], CameraError> {
        self.start()?;
        let patience = self.patience();
        let Some(stream) = &mut self.stream else { return Ok(&[]) };
        let filled = match stream.newest(patience) {
            Ok(filled) => filled,
            Err(NoFrame::Failed(errno)) => return Err(failed(self.device.path(), "reading a frame", errno)),
            Err(NoFrame::Stalled) => {
                let waited_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
                return Err(CameraError::Stalled { device: self.device.path().to_owned(), waited_ms });
            }
        };
        self.flows = true;
        Ok(stream.queue.bytes(&filled))
    }

    /// How long the next frame is waited for.
    fn patience(&self) -> Duration {
        if !self.flows {
            return self.timeout;
        }
        let slow = self.mode.rate.map(|rate| Duration::try_from_secs_f64(STALL_FRAMES / rate.per_second()));
        self.timeout.min(STALL.max(slow.and_then(Result::ok).unwrap_or(STALL)))
    }
}

/// Sets a mode and keeps its layout; the driver may answer with another one, even of another format.
fn set(
    device: &dyn Driver,
    mode: &Mode,
    stride: u32,
    layout: &AgreedLayout,
) -> Result<(Mode, PixelFormat), CameraError> {
    let (mode, stride) = device.set(mode, stride)?;
    let Some(format) = mode.code.pixel_format() else {
        let (device, offered) = (device.path().to_owned(), mode.code.to_string());
        return Err(CameraError::NoFormat { device, offered });
    };
    let Mode { width, height, .. } = mode;
    // A driver that says nothing pads nothing.
    let stride = stride.max(format.row_bytes(width));
    layout.keep(Layout { format, width, height, stride });
    Ok((mode, format))
}

/// nokhwa's name of a format; `None` where it has none.
const fn to_nokhwa(pixels: PixelFormat) -> Option<FrameFormat> {
    match pixels {
        PixelFormat::Rgb8 => Some(FrameFormat::RAWRGB),
        PixelFormat::Bgr8 => Some(FrameFormat::RAWBGR),
        PixelFormat::Yuyv => Some(FrameFormat::YUYV),
        PixelFormat::Nv12 => Some(FrameFormat::NV12),
        PixelFormat::Grey => Some(FrameFormat::GRAY),
        PixelFormat::Mjpeg => Some(FrameFormat::MJPEG),
        PixelFormat::Uyvy | PixelFormat::Yu12 | PixelFormat::Yv12 => None,
    }
}

const fn resolution(mode: &Mode) -> Resolution {
    Resolution { width_x: mode.width, height_y: mode.height }
}

/// A rate as nokhwa counts it: whole frames a second, rounded, and at least 1.
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
        for mode in modes.iter().filter(|mode| mode.code.pixel_format().and_then(to_nokhwa) == Some(fourcc)) {
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
            modes.iter().filter_map(|mode| mode.code.pixel_format().and_then(to_nokhwa)).collect();
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
        // Of what nokhwa has no name for, the nearest that it has; `frame` refuses those.
        to_nokhwa(self.pixels).unwrap_or(match self.pixels {
            PixelFormat::Uyvy => FrameFormat::YUYV,
            _ => FrameFormat::NV12,
        })
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
        self.start().map_err(|error| NokhwaError::OpenStreamError(self.last_error.keep(error)))
    }

    fn is_stream_open(&self) -> bool {
        self.stream.is_some()
    }

    fn frame(&mut self) -> Result<Buffer, NokhwaError> {
        // A buffer of nokhwa's says neither stride nor these formats, and would be read wrongly.
        let plain = self.pixels.row_bytes(self.mode.width);
        let is_plain = self.layout.get().is_some_and(|layout| layout.stride == plain);
        let Some(format) = to_nokhwa(self.pixels).filter(|_| is_plain) else { return unsupported() };
        let resolution = self.resolution();
        Ok(Buffer::new(resolution, &self.frame_raw()?, format))
    }

    fn frame_raw(&mut self) -> Result<Cow<'_, [u8]>, NokhwaError> {
        let last_error = self.last_error.clone();
        self.newest().map(Cow::Borrowed).map_err(|error| NokhwaError::ReadFrameError(last_error.keep(error)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::live::Live;
    use crate::source::Source as _;
    use crate::v4l2::fake::{FakeDriver, FakeQueue, good};
    use arcdoor_frame::RgbImage;
    use rustix::io::Errno;
    use std::cell::RefCell;

    type Script = Result<FakeQueue, CameraError>;

    /// Our capture on a fake driver, behind nokhwa's camera, as a source.
    fn live(code: [u8; 4], scripts: Vec<Script>) -> Result<Live, CameraError> {
        padded(code, 0, scripts)
    }

    /// With so many bytes from row to row.
    fn padded(code: [u8; 4], stride: usize, scripts: Vec<Script>) -> Result<Live, CameraError> {
        let driver = FakeDriver { code, stride, scripts: RefCell::new(scripts.into()) };
        let timeout = Duration::from_millis(700);
        Live::on(V4l2Backend::on(Box::new(driver), Wanted::default(), timeout).unwrap())
    }

    /// Grey frames of 16 x 16 pixels; `filled` gives the bytes of each, or the error in its place.
    fn grey(filled: &[Result<usize, Errno>]) -> Script {
        let filled = filled
            .iter()
            .enumerate()
            .map(|(index, used)| used.map(|used| super::super::stream::Filled { used, ..good(index) }));
        Ok(FakeQueue {
            later: filled.map(|step| vec![step]).collect(),
            bytes: vec![128; 256],
            ..FakeQueue::default()
        })
    }

    #[test]
    fn a_stall_a_vanished_camera_and_a_damaged_frame_arrive_through_nokhwa_as_what_they_are() {
        let script = grey(&[Ok(256), Ok(100), Ok(256), Err(Errno::IO), Err(Errno::NODEV)]);
        let mut live = live(*b"GREY", vec![script]).unwrap();
        let mut out = RgbImage::new();
        let mut next = || live.next_frame(&mut out).map(|_| out.view().pixel(0, 0));
        assert_eq!(next().unwrap(), [128; 3]);
        let damaged = next().unwrap_err();
        assert!(matches!(damaged, CameraError::Frame(_)) && damaged.kind() == ErrorKind::Frame, "{damaged}");
        assert_eq!(next().unwrap(), [128; 3], "the frame after a damaged one");
        let failed = next().unwrap_err();
        let is_io = matches!(&failed, CameraError::Device { step: "reading a frame", cause, .. }
            if cause.raw_os_error() == Some(Errno::IO.raw_os_error()));
        assert!(is_io && failed.kind() == ErrorKind::Camera, "{failed}");
        let gone = next().unwrap_err();
        let is_gone = matches!(&gone, CameraError::Gone { device, .. } if device == "/dev/fake");
        assert!(is_gone && gone.kind() == ErrorKind::Camera, "{gone}");
        let stalled = next().unwrap_err();
        let is_stall =
            matches!(&stalled, CameraError::Stalled { device, waited_ms: 700 } if device == "/dev/fake");
        assert!(is_stall && stalled.kind() == ErrorKind::Camera, "{stalled}");
        assert!(stalled.to_string().contains("no frame for 700 ms"));
    }

    #[test]
    fn the_first_frame_is_waited_for_longer_than_the_next_ones_and_a_slow_mode_is_given_its_time() {
        let stalls = |rate: Option<(u32, u32)>, frames: usize| {
            let scripts = RefCell::new([grey(&vec![Ok(256); frames])].into());
            let driver = Box::new(FakeDriver { code: *b"GREY", stride: 0, scripts });
            let mut backend = V4l2Backend::on(driver, Wanted::default(), Duration::from_secs(2)).unwrap();
            backend.mode.rate = rate.map(|(frames, seconds)| Rate { frames, seconds });
            for _ in 0..frames {
                assert_eq!(backend.newest().unwrap().len(), 256);
            }
            match backend.newest().unwrap_err() {
                CameraError::Stalled { waited_ms, .. } => waited_ms,
                other => panic!("{other}"),
            }
        };
        let usual = Some((30, 1));
        assert_eq!((stalls(usual, 0), stalls(usual, 1), stalls(None, 2)), (2_000, 900, 900));
        assert_eq!((stalls(Some((2, 1)), 1), stalls(Some((1, 1_000)), 1)), (1_500, 2_000));
        assert_eq!(stalls(Some((0, 0)), 1), 900, "a driver's nonsense");
    }

    /// A frame of 16 x 16 pixels whose planes have `rows` and strides; padding is what no pixel may show.
    fn planes(planes: &[(usize, usize, usize, u8)]) -> Script {
        let mut bytes = Vec::new();
        for &(rows, row, stride, value) in planes {
            let with_padding = [vec![value; row], vec![0xee; stride - row]].concat();
            bytes.extend(with_padding.repeat(rows));
        }
        let filled = super::super::stream::Filled { used: bytes.len(), ..good(0) };
        Ok(FakeQueue { later: [vec![Ok(filled)]].into(), bytes, ..FakeQueue::default() })
    }

    #[test]
    fn padded_rows_and_formats_that_nokhwa_does_not_name_are_read_as_the_driver_lays_them() {
        let red = |seen: [u8; 3]| seen[0] > 250 && seen[1] < 5 && seen[2] < 5;
        for stride in [0, 16, 24, 64] {
            let luma = stride.max(16);
            let half = luma / 2;
            let y = (16, 16, luma, 81);
            let (u, v) = ((8, 8, half, 90), (8, 8, half, 240));
            for (code, script) in [(*b"YU12", planes(&[y, u, v])), (*b"YV12", planes(&[y, v, u]))] {
                let mut out = RgbImage::new();
                padded(code, stride, vec![script]).unwrap().next_frame(&mut out).unwrap();
                for (x, y) in [(0, 0), (15, 0), (0, 15), (15, 15)] {
                    assert!(red(out.view().pixel(x, y)), "{code:?} {stride}");
                }
            }
            let mut out = RgbImage::new();
            let grey = planes(&[(16, 16, luma, 7)]);
            padded(*b"GREY", stride, vec![grey]).unwrap().next_frame(&mut out).unwrap();
            assert!(out.data_mut().iter().all(|value| *value == 7));
        }
        let short = planes(&[(16, 16, 24, 81), (8, 8, 12, 90), (7, 8, 12, 240)]);
        let error = padded(*b"YU12", 24, vec![short]).unwrap().next_frame(&mut RgbImage::new()).unwrap_err();
        assert!(matches!(error, CameraError::Frame(_)), "{error}");
    }

    #[test]
    fn what_a_buffer_of_nokhwas_cannot_say_is_refused_there() {
        for (code, stride, is_plain) in [(*b"UYVY", 0, false), (*b"GREY", 24, false), (*b"GREY", 16, true)] {
            let scripts = RefCell::new([planes(&[(16, 32, 32, 1)])].into());
            let driver = Box::new(FakeDriver { code, stride, scripts });
            let mut backend = V4l2Backend::on(driver, Wanted::default(), Duration::from_millis(700)).unwrap();
            assert_eq!(backend.frame().is_ok(), is_plain, "{code:?} {stride}");
        }
    }

    #[test]
    fn a_damaged_jpeg_is_a_frames_error() {
        let script =
            FakeQueue { later: [vec![Ok(good(0))]].into(), bytes: vec![9; 10], ..FakeQueue::default() };
        let error = live(*b"MJPG", vec![Ok(script)]).unwrap().next_frame(&mut RgbImage::new()).unwrap_err();
        assert!(matches!(error, CameraError::Frame(_)), "{error}");
    }

    #[test]
    fn a_camera_that_vanishes_before_it_starts_is_gone() {
        let script = Err(failed("/dev/fake", "asking for buffers", Errno::NODEV));
        let error = live(*b"GREY", vec![script]).map(drop).unwrap_err();
        assert!(matches!(error, CameraError::Gone { step: "asking for buffers", .. }), "{error}");
        let busy = Err(failed("/dev/fake", "asking for buffers", Errno::BUSY));
        let error = live(*b"GREY", vec![busy]).map(drop).unwrap_err();
        assert!(matches!(error, CameraError::Device { .. }) && error.to_string().contains("another program"));
    }
}
