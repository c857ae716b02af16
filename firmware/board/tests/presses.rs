//! Fingers and keys on a real kernel's input devices, which the test plugs in by uinput.
//!
//! `cargo xtask qemu gpio` boots such a kernel and runs this; elsewhere `ARCDOOR_UINPUT=1` asks for it. Without it, the test
//! skips.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use arcdoor_board::{Board, DevicePath, Press, PressDevice, PressError, Presses};
use evdev::uinput::VirtualDevice;
use evdev::{AbsInfo, AbsoluteAxisCode, AttributeSet, EventType, InputEvent, KeyCode, UinputAbsSetup};

const PANEL: &str = "\n[panel]\nkind = \"framebuffer\"\ndevice = \"/dev/fb0\"\nwidth = 800\nheight = 480\nrotation = 180\ntouch = \"auto\"\n";

fn plug(name: &str, keys: &[KeyCode], axes: &[AbsoluteAxisCode]) -> VirtualDevice {
    let keys: AttributeSet<KeyCode> = keys.iter().collect();
    let mut builder = VirtualDevice::builder().unwrap().name(name).with_keys(&keys).unwrap();
    for axis in axes {
        let range = AbsInfo::new(0, 0, 4095, 0, 0, 1);
        builder = builder.with_absolute_axis(&UinputAbsSetup::new(*axis, range)).unwrap();
    }
    builder.build().unwrap()
}

fn key(code: KeyCode, value: i32) -> InputEvent {
    InputEvent::new(EventType::KEY.0, code.code(), value)
}

fn place(axis: AbsoluteAxisCode, value: i32) -> InputEvent {
    InputEvent::new(EventType::ABSOLUTE.0, axis.0, value)
}

/// Reads until this many presses came.
fn pressed(device: &mut PressDevice, count: usize) -> Vec<Press> {
    let (begun, mut all, mut presses) = (Instant::now(), Vec::new(), Presses::new());
    while all.len() < count {
        assert!(begun.elapsed() < Duration::from_secs(30), "{all:?}");
        device.read(&mut presses, 100).unwrap();
        all.extend(presses.iter().copied());
    }
    all
}

/// The kernel makes the file of a device that is plugged in a moment later.
fn opened(open: impl Fn() -> Result<PressDevice, PressError>) -> PressDevice {
    let begun = Instant::now();
    loop {
        match open() {
            Ok(device) => return device,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(30), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn fingers_and_keys_are_pressed_once_are_heard_by_nobody_else_and_an_unplugged_device_says_so() {
    if std::env::var_os("ARCDOOR_UINPUT").is_none() {
        println!("skipped: ARCDOOR_UINPUT is not set; `cargo xtask qemu gpio` has a kernel with uinput");
        return;
    }
    let text = include_str!("../boards/simulated.toml").to_owned() + PANEL;
    let board = Board::parse(Path::new("touch.toml"), &text).unwrap();
    let panel = board.panel().unwrap();
    let touch = || PressDevice::touch(panel, panel.touch.as_ref().unwrap());
    assert!(matches!(touch(), Err(PressError::NoPanel)), "nothing is plugged in");
    let mut pad = plug("pad", &[KeyCode::KEY_KP1, KeyCode::KEY_KP4, KeyCode::KEY_KPENTER], &[]);
    let axes = [AbsoluteAxisCode::ABS_X, AbsoluteAxisCode::ABS_Y];
    let mut screen = plug("screen", &[KeyCode::BTN_TOUCH], &axes);

    let mut fingers = opened(touch);
    assert!(matches!(touch(), Err(PressError::Grabbed(_))), "a second program hears nothing");
    screen.emit(&[place(axes[0], 0), place(axes[1], 4095), key(KeyCode::BTN_TOUCH, 1)]).unwrap();
    screen.emit(&[place(axes[0], 99)]).unwrap();
    screen.emit(&[key(KeyCode::BTN_TOUCH, 0)]).unwrap();
    screen.emit(&[place(axes[0], 4095), place(axes[1], 0), key(KeyCode::BTN_TOUCH, 1)]).unwrap();
    // The panel hangs upside down.
    assert_eq!(pressed(&mut fingers, 2), [Press::At { x: 799, y: 0 }, Press::At { x: 0, y: 479 }]);

    let node = pad.enumerate_dev_nodes_blocking().unwrap().next().unwrap().unwrap();
    let node = DevicePath::try_from(node.to_str().unwrap().to_owned()).unwrap();
    let mut keys = opened(|| PressDevice::keys(&node));
    for code in [KeyCode::KEY_KP4, KeyCode::KEY_KP1, KeyCode::KEY_KPENTER] {
        pad.emit(&[key(code, 1)]).unwrap();
        pad.emit(&[key(code, 0)]).unwrap();
    }
    assert_eq!(pressed(&mut keys, 3), [Press::Digit(4), Press::Digit(1), Press::Enter]);

    drop(pad);
    let (begun, mut presses) = (Instant::now(), Presses::new());
    let error = loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "an unplugged pad is not missed");
        if let Err(error) = keys.read(&mut presses, 100) {
            break error;
        }
    };
    assert!(error.to_string().contains("unplugged"), "{error}");
}
