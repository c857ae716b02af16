//! What people press: a touch panel, or a pad of keys with digits, by the kernel's input events.
//!
//! A touch panel is read as one pointer (`ABS_X`, `ABS_Y`, `BTN_TOUCH`), which the kernel's drivers of panels with many
//! fingers give as well (`input_mt_report_pointer_emulation`); a key pad by its key codes. Both are grabbed, so that a PIN
//! is typed into no console.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use evdev::{AbsoluteAxisCode, Device, EventSummary, InputEvent, KeyCode, SynchronizationCode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::device_path::DevicePath;
use crate::limits::MAX_PRESSES;
use crate::panel::{Panel, TouchDevice};

/// Something was pressed: once for each finger or key that goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// A place on the screen in pixels, as whoever draws sees it.
    At {
        /// Columns from the left.
        x: u32,
        /// Rows from the top.
        y: u32,
    },
    /// A digit, 0..=9.
    Digit(u8),
    /// Takes the last digit back.
    Erase,
    /// What was typed is complete.
    Enter,
}

/// Presses since the last look, oldest first.
pub type Presses = heapless::Vec<Press, MAX_PRESSES>;

/// Why nothing can be pressed.
#[derive(Debug, thiserror::Error)]
pub enum PressError {
    /// The device cannot be opened.
    #[error("{}: {cause}: is it plugged in, and may this user read it? Run as a member of the group `input`", device.display())]
    Open {
        /// The device file.
        device: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// None of the devices is one.
    #[error(
        "no touch panel is there, or this user may not read /dev/input: connect one, run as a member of the group `input`, or \
         name a device as `touch` in the board's file"
    )]
    NoPanel,
    /// Another program reads it alone.
    #[error("{}: another program has it for itself: stop that one, a PIN must not be typed into it", .0.display())]
    Grabbed(PathBuf),
    /// It has no two axes.
    #[error("{}: no touch panel: it gives no place on a screen; `evtest` lists what does", .0.display())]
    NoPlace(PathBuf),
    /// It was there.
    #[error("{}: {cause}: was it unplugged?", device.display())]
    Read {
        /// The device file.
        device: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
}

/// An open touch panel or key pad.
#[derive(Debug)]
pub struct PressDevice {
    path: PathBuf,
    device: Device,
    reader: Reader,
}

impl PressDevice {
    /// The fingers on this panel, by its input device.
    ///
    /// # Errors
    /// A device that cannot be opened, that another program has grabbed, or that is no touch panel.
    pub fn touch(panel: &Panel, touch: &TouchDevice) -> Result<Self, PressError> {
        let path = match touch {
            TouchDevice::At(path) => path.as_path().to_owned(),
            TouchDevice::Auto => first_touch_panel()?,
        };
        let device = open(&path)?;
        let range = |wanted| {
            let found = device.get_absinfo().ok()?.find(|(code, _)| *code == wanted)?.1;
            Range::new(found.minimum(), found.maximum())
        };
        let (Some(x), Some(y)) = (range(AbsoluteAxisCode::ABS_X), range(AbsoluteAxisCode::ABS_Y)) else {
            return Err(PressError::NoPlace(path));
        };
        let reader = Reader { touch: Some(Touch::new(panel.clone(), [x, y])) };
        Ok(Self { path, device, reader })
    }

    /// A key pad.
    ///
    /// # Errors
    /// A device that cannot be opened, or that another program has grabbed.
    pub fn keys(path: &DevicePath) -> Result<Self, PressError> {
        let path = path.as_path().to_owned();
        let device = open(&path)?;
        Ok(Self { path, device, reader: Reader { touch: None } })
    }

    /// Replaces `presses` by those since the last look; waits for one, but not longer than `wait_ms`.
    ///
    /// # Errors
    /// When the device is gone.
    pub fn read(&mut self, presses: &mut Presses, wait_ms: u32) -> Result<(), PressError> {
        presses.clear();
        let wait = Timespec {
            tv_sec: (wait_ms / 1_000).into(),
            tv_nsec: (i64::from(wait_ms % 1_000) * 1_000_000) as _,
        };
        // Interrupted or not: what is there is read.
        let _ = poll(&mut [PollFd::new(&self.device.as_fd(), PollFlags::IN)], Some(&wait));
        match self.device.fetch_events() {
            Ok(events) => {
                for press in events.filter_map(|event| self.reader.take(event)) {
                    // Nobody presses so many at once: what is more is noise.
                    let _ = presses.push(press);
                }
                Ok(())
            }
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(cause) => Err(PressError::Read { device: self.path.clone(), cause }),
        }
    }
}

fn open(path: &Path) -> Result<Device, PressError> {
    let failed = |cause| PressError::Open { device: path.to_owned(), cause };
    let mut device = Device::open(path).map_err(failed)?;
    device.set_nonblocking(true).map_err(failed)?;
    device.grab().map_err(|cause| match cause.kind() {
        ErrorKind::ResourceBusy => PressError::Grabbed(path.to_owned()),
        _ => failed(cause),
    })?;
    Ok(device)
}

/// A mouse gives no places and a key pad no touch: only a panel has both.
fn first_touch_panel() -> Result<PathBuf, PressError> {
    let gives_places = |device: &Device| {
        let axes = device.supported_absolute_axes();
        axes.is_some_and(|axes| {
            axes.contains(AbsoluteAxisCode::ABS_X) && axes.contains(AbsoluteAxisCode::ABS_Y)
        })
    };
    let is_touched =
        |device: &Device| device.supported_keys().is_some_and(|keys| keys.contains(KeyCode::BTN_TOUCH));
    let mut found: Vec<PathBuf> = evdev::enumerate()
        .filter(|(_, device)| gives_places(device) && is_touched(device))
        .map(|(path, _)| path)
        .collect();
    // The kernel's numbers, not the folder's order.
    found.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    found.into_iter().next().ok_or(PressError::NoPanel)
}

/// From events to presses.
#[derive(Debug)]
struct Reader {
    touch: Option<Touch>,
}

impl Reader {
    fn take(&mut self, event: InputEvent) -> Option<Press> {
        match &mut self.touch {
            Some(touch) => touch.take(event),
            None => typed(event),
        }
    }
}

/// One axis of a touch panel: its least and greatest value.
#[derive(Debug, Clone, Copy)]
struct Range {
    least: i32,
    greatest: i32,
}

impl Range {
    fn new(least: i32, greatest: i32) -> Option<Self> {
        (least < greatest).then_some(Self { least, greatest })
    }

    /// The pixel of a side of `side_px` pixels.
    fn px(self, value: i32, side_px: u32) -> u32 {
        let (least, span) = (i64::from(self.least), i64::from(self.greatest) - i64::from(self.least));
        let along = (i64::from(value) - least).clamp(0, span);
        u32::try_from(along * i64::from(side_px.saturating_sub(1)) / span).unwrap_or(0)
    }
}

/// A finger on a touch panel.
#[derive(Debug)]
struct Touch {
    panel: Panel,
    ranges: [Range; 2],
    at: [i32; 2],
    /// It went down, and its place is not complete yet.
    is_new: bool,
}

impl Touch {
    const fn new(panel: Panel, ranges: [Range; 2]) -> Self {
        let at = [ranges[0].least, ranges[1].least];
        Self { panel, ranges, at, is_new: false }
    }

    fn take(&mut self, event: InputEvent) -> Option<Press> {
        match event.destructure() {
            EventSummary::AbsoluteAxis(_, AbsoluteAxisCode::ABS_X, x) => self.at[0] = x,
            EventSummary::AbsoluteAxis(_, AbsoluteAxisCode::ABS_Y, y) => self.at[1] = y,
            // The left button is that of a pointer which gives places, as emulated machines have one.
            EventSummary::Key(_, KeyCode::BTN_TOUCH | KeyCode::BTN_LEFT, value) => self.is_new = value == 1,
            EventSummary::Synchronization(_, SynchronizationCode::SYN_REPORT, _) if self.is_new => {
                self.is_new = false;
                let (width, height) = (self.panel.width.px(), self.panel.height.px());
                let [x, y] = [self.ranges[0].px(self.at[0], width), self.ranges[1].px(self.at[1], height)];
                let (x, y) = self.panel.rotation.from_panel((width, height), (x, y));
                return Some(Press::At { x, y });
            }
            _ => {}
        }
        None
    }
}

/// What a key that goes down means; one that is held repeats nothing.
fn typed(event: InputEvent) -> Option<Press> {
    let EventSummary::Key(_, key, 1) = event.destructure() else { return None };
    Some(match key {
        KeyCode::KEY_0 | KeyCode::KEY_KP0 | KeyCode::KEY_NUMERIC_0 => Press::Digit(0),
        KeyCode::KEY_1 | KeyCode::KEY_KP1 | KeyCode::KEY_NUMERIC_1 => Press::Digit(1),
        KeyCode::KEY_2 | KeyCode::KEY_KP2 | KeyCode::KEY_NUMERIC_2 => Press::Digit(2),
        KeyCode::KEY_3 | KeyCode::KEY_KP3 | KeyCode::KEY_NUMERIC_3 => Press::Digit(3),
        KeyCode::KEY_4 | KeyCode::KEY_KP4 | KeyCode::KEY_NUMERIC_4 => Press::Digit(4),
        KeyCode::KEY_5 | KeyCode::KEY_KP5 | KeyCode::KEY_NUMERIC_5 => Press::Digit(5),
        KeyCode::KEY_6 | KeyCode::KEY_KP6 | KeyCode::KEY_NUMERIC_6 => Press::Digit(6),
        KeyCode::KEY_7 | KeyCode::KEY_KP7 | KeyCode::KEY_NUMERIC_7 => Press::Digit(7),
        KeyCode::KEY_8 | KeyCode::KEY_KP8 | KeyCode::KEY_NUMERIC_8 => Press::Digit(8),
        KeyCode::KEY_9 | KeyCode::KEY_KP9 | KeyCode::KEY_NUMERIC_9 => Press::Digit(9),
        KeyCode::KEY_BACKSPACE
        | KeyCode::KEY_DELETE
        | KeyCode::KEY_ESC
        | KeyCode::KEY_KPASTERISK
        | KeyCode::KEY_NUMERIC_STAR => Press::Erase,
        KeyCode::KEY_ENTER | KeyCode::KEY_KPENTER | KeyCode::KEY_NUMERIC_POUND => Press::Enter,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::{PanelKind, Rotation, Side};
    use evdev::EventType;
    use proptest::prelude::*;

    const X: (EventType, u16) = (EventType::ABSOLUTE, 0);
    const Y: (EventType, u16) = (EventType::ABSOLUTE, 1);
    const DOWN: (EventType, u16) = (EventType::KEY, 0x14a);
    const REPORT: (EventType, u16) = (EventType::SYNCHRONIZATION, 0);

    fn touch(degrees: u32) -> Touch {
        let panel = Panel {
            kind: PanelKind::Framebuffer,
            device: DevicePath::try_from("/dev/fb0".to_owned()).unwrap(),
            width: Side::try_from(800).unwrap(),
            height: Side::try_from(480).unwrap(),
            rotation: Rotation::try_from(degrees).unwrap(),
            touch: None,
        };
        Touch::new(panel, [Range::new(0, 4095).unwrap(), Range::new(0, 4095).unwrap()])
    }

    fn pressed(touch: &mut Touch, events: &[((EventType, u16), i32)]) -> Vec<Press> {
        let take = |((kind, code), value): &((EventType, u16), i32)| {
            touch.take(InputEvent::new(kind.0, *code, *value))
        };
        events.iter().filter_map(take).collect()
    }

    #[test]
    fn a_finger_that_goes_down_presses_once_however_it_moves_then() {
        let mut touch = touch(0);
        let down = [(DOWN, 1), (X, 4095), (Y, 0), (REPORT, 0)];
        assert_eq!(pressed(&mut touch, &down), [Press::At { x: 799, y: 0 }]);
        assert_eq!(pressed(&mut touch, &[(X, 10), (REPORT, 0), (DOWN, 0), (REPORT, 0)]), []);
        // A driver tells what changed alone: the place may be the one before.
        assert_eq!(pressed(&mut touch, &[(DOWN, 1), (REPORT, 0)]), [Press::At { x: 1, y: 0 }]);
    }

    #[test]
    fn a_finger_on_a_turned_panel_presses_what_is_drawn_there() {
        let corner = [(DOWN, 1), (X, 0), (Y, 0), (REPORT, 0)];
        let at = |degrees| pressed(&mut touch(degrees), &corner)[0];
        assert_eq!(at(90), Press::At { x: 0, y: 799 });
        assert_eq!(at(180), Press::At { x: 799, y: 479 });
        assert_eq!(at(270), Press::At { x: 479, y: 0 });
    }

    #[test]
    fn keys_of_either_row_are_digits_and_a_held_key_is_one() {
        let key = |code: KeyCode, value| typed(InputEvent::new(EventType::KEY.0, code.code(), value));
        assert_eq!(
            (key(KeyCode::KEY_7, 1), key(KeyCode::KEY_KP7, 1)),
            (Some(Press::Digit(7)), Some(Press::Digit(7)))
        );
        assert_eq!(
            (key(KeyCode::KEY_7, 2), key(KeyCode::KEY_7, 0), key(KeyCode::KEY_A, 1)),
            (None, None, None)
        );
        assert_eq!(
            (key(KeyCode::KEY_KPENTER, 1), key(KeyCode::KEY_BACKSPACE, 1)),
            (Some(Press::Enter), Some(Press::Erase))
        );
    }

    #[test]
    fn a_device_that_is_missing_says_so() {
        let missing = DevicePath::try_from("/dev/input/none".to_owned()).unwrap();
        let error = PressDevice::keys(&missing).unwrap_err();
        assert!(error.to_string().contains("/dev/input/none") && error.to_string().contains("group `input`"));
    }

    proptest! {
        /// Whatever a driver sends: no press lies beside the screen.
        #[test]
        fn no_press_lies_beside_the_screen(
            quarters in 0_u32..4,
            events in proptest::collection::vec((0_u16..4, 0_u16..0x300, any::<i32>()), 0..100),
        ) {
            let mut touch = touch(quarters * 90);
            let (width, height) = if quarters % 2 == 0 { (800, 480) } else { (480, 800) };
            for (kind, code, value) in events {
                if let Some(press) = touch.take(InputEvent::new(kind, code, value)) {
                    let Press::At { x, y } = press else { return Err(TestCaseError::fail("no place")) };
                    prop_assert!(x < width && y < height);
                }
            }
        }
    }
}
