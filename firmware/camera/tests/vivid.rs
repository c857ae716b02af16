//! The capture on a real kernel's virtual camera (the module vivid), which shows colour bars.
//!
//! `cargo xtask qemu camera` boots such a kernel and runs this; elsewhere `ARCDOOR_VIVID` may name the
//! device of a loaded vivid. Without it, the tests skip.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::process::Command;
use std::time::{Duration, Instant};

use arcdoor_camera::v4l2::{V4l2Backend, Wanted};
use arcdoor_camera::{CameraError, Live, Source, open};
use arcdoor_frame::{PixelFormat, RgbImage};
use nokhwa_core::traits::CaptureBackendTrait;
use nokhwa_core::types::FrameFormat;

const TIMEOUT: Duration = Duration::from_secs(5);
/// White, yellow, cyan, green, magenta, red, blue, black: which channels are lit.
const BARS: [[bool; 3]; 8] = [
    [true, true, true],
    [true, true, false],
    [false, true, true],
    [false, true, false],
    [true, false, true],
    [true, false, false],
    [false, false, true],
    [false, false, false],
];

fn device() -> Option<String> {
    let device = std::env::var("ARCDOOR_VIVID").ok();
    if device.is_none() {
        println!("skipped: ARCDOOR_VIVID names no virtual camera; `cargo xtask qemu camera` has one");
    }
    device
}

/// Sets a control of vivid's.
fn control(device: &str, setting: &str) {
    let status = Command::new("v4l2-ctl").args(["-d", device, "-c", setting]).status();
    assert!(status.unwrap().success(), "v4l2-ctl {setting}");
}

/// R, G, B in the middle of each bar, below vivid's text.
fn bars(frame: &RgbImage) -> [[u8; 3]; 8] {
    let (width, height) = (frame.width(), frame.height());
    core::array::from_fn(|bar| {
        let bar = u32::try_from(bar).unwrap();
        frame.view().pixel(width * (2 * bar + 1) / 16, height * 7 / 8)
    })
}

fn are_bars(seen: &[[u8; 3]; 8]) -> bool {
    let mut channels = seen.as_flattened().iter().zip(BARS.as_flattened());
    channels.all(|(value, lit)| if *lit { *value > 120 } else { *value < 90 })
}

/// All that vivid offers of what is converted.
const FORMATS: [PixelFormat; 8] = [
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::Yu12,
    PixelFormat::Yv12,
    PixelFormat::Grey,
    PixelFormat::Rgb8,
    PixelFormat::Bgr8,
];

/// The third frame of a format, and the bytes of a raw one. `stride`: what is asked of the driver; 0: nothing.
fn frame_of(device: &str, format: PixelFormat, stride: usize) -> (RgbImage, usize) {
    let stride = u32::try_from(stride).unwrap();
    let wanted = Wanted { format: Some(format), stride, ..Wanted::default() };
    let mut backend = V4l2Backend::open(device, wanted, TIMEOUT).unwrap();
    backend.open_stream().unwrap();
    let bytes = backend.frame_raw().unwrap().len();
    let mut live = Live::on(backend).unwrap();
    let mut frame = RgbImage::new();
    for _ in 0..3 {
        assert!(live.next_frame(&mut frame).unwrap());
    }
    (frame, bytes)
}

#[test]
fn every_format_shows_the_same_colour_bars_with_and_without_padding() {
    let Some(device) = device() else { return };
    for format in FORMATS {
        let row = format.row_bytes(Wanted::default().width);
        for padding in [0, 64] {
            let (frame, bytes) = frame_of(&device, format, if padding == 0 { 0 } else { row + padding });
            let seen = bars(&frame);
            println!("{format:?} {}x{} + {padding}: {bytes} bytes, {seen:?}", frame.width(), frame.height());
            assert!(bytes >= (row + padding) * frame.height() as usize, "vivid pads where it is asked to");
            if format == PixelFormat::Grey {
                assert!(seen.iter().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
                assert!(seen.windows(2).all(|pair| pair[0][0] > pair[1][0]), "{seen:?}");
                continue;
            }
            assert!(are_bars(&seen), "{format:?}: {seen:?}");
        }
    }
}

/// `cargo xtask board-test` runs it: another backend of nokhwa's fits in the place of ours.
#[cfg(feature = "nokhwa-v4l")]
#[test]
fn nokhwas_own_capture_shows_the_same_colour_bars() {
    let Some(device) = device() else { return };
    let mut camera = open(&device.replace("/dev/video", "nokhwa:"), TIMEOUT).unwrap();
    let mut frame = RgbImage::new();
    for _ in 0..3 {
        assert!(camera.next_frame(&mut frame).unwrap());
    }
    let seen = bars(&frame);
    println!("nokhwa: {}x{}, {seen:?}", frame.width(), frame.height());
    assert!(are_bars(&seen), "{seen:?}");
}

#[test]
fn a_format_of_nokhwas_can_be_chosen_by_its_name() {
    let Some(device) = device() else { return };
    let mut backend = V4l2Backend::open(&device, Wanted::default(), TIMEOUT).unwrap();
    let formats = backend.compatible_fourcc().unwrap();
    println!("formats: {formats:?}");
    for format in [FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::GRAY] {
        assert!(formats.contains(&format), "vivid offers {format}");
        backend.set_frame_format(format).unwrap();
        assert_eq!(backend.frame_format(), format);
    }
}

#[test]
fn a_rate_that_is_not_whole_is_kept() {
    let Some(device) = device() else { return };
    let wanted = Wanted { rate: 12.5, ..Wanted::default() };
    let mut backend = V4l2Backend::open(&device, wanted, TIMEOUT).unwrap();
    backend.open_stream().unwrap();
    backend.frame_raw().unwrap();
    let start = Instant::now();
    for _ in 0..10 {
        backend.frame_raw().unwrap();
    }
    let took = start.elapsed();
    println!("10 frames at 12.5 a second took {took:?}");
    assert!((Duration::from_millis(700)..Duration::from_millis(1200)).contains(&took), "{took:?}");
}

#[test]
fn a_stalled_camera_is_an_error_in_time_and_goes_on_afterwards() {
    let Some(device) = device() else { return };
    let mut live = open(&device, Duration::from_millis(700)).unwrap();
    let mut frame = RgbImage::new();
    assert!(live.next_frame(&mut frame).unwrap());
    control(&device, "percentage_of_dropped_buffers=100");
    // Frames that were under way may still come.
    let start = Instant::now();
    let error = loop {
        match live.next_frame(&mut frame) {
            Ok(_) => assert!(start.elapsed() < TIMEOUT, "frames keep coming"),
            Err(error) => break error,
        }
    };
    control(&device, "percentage_of_dropped_buffers=0");
    println!("stalled: {error}");
    assert!(matches!(error, CameraError::Stalled { waited_ms: 700, .. }), "{error}");
    assert!(live.next_frame(&mut frame).unwrap(), "it goes on once frames come again");
}

#[test]
fn a_camera_in_use_is_named_as_such() {
    let Some(device) = device() else { return };
    let mut first = open(&device, TIMEOUT).unwrap();
    first.next_frame(&mut RgbImage::new()).unwrap();
    let error = open(&device, TIMEOUT).map(drop).unwrap_err();
    println!("in use: {error}");
    assert!(error.to_string().contains("another program"), "{error}");
}

#[test]
fn z_an_unplugged_camera_is_an_error_and_no_wait() {
    let Some(device) = device() else { return };
    let mut live = open(&device, TIMEOUT).unwrap();
    let mut frame = RgbImage::new();
    live.next_frame(&mut frame).unwrap();
    control(&device, "disconnect=1");
    let start = Instant::now();
    let error = loop {
        if let Err(error) = live.next_frame(&mut frame) {
            break error;
        }
    };
    println!("unplugged after {:?}: {error}", start.elapsed());
    assert!(start.elapsed() < TIMEOUT);
    assert!(matches!(error, CameraError::Gone { .. }) && error.to_string().contains("unplugged"), "{error}");
}
