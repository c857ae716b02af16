//! A board: what is wired to it, as a value.

use std::path::PathBuf;

use serde::Deserialize;

use crate::limits::MAX_PANEL_PX;
use crate::line::{InputLine, Line, RelayLine};
use crate::role::{Input, Output, Role};

/// Whether anybody has seen it work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was booted, and its lines were checked.
    Booted,
    /// Nobody has booted it on hardware; the sentence says what its values rest on.
    Unbooted(String),
}

/// What moves its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drive {
    /// The kernel's GPIO character device.
    Gpio,
    /// Nothing: everything is in memory.
    Simulated,
}

/// What the processor can do beyond the base of its architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CpuFeature {
    /// 128-bit vectors on ARM.
    Neon,
    /// Dot products of bytes on ARM.
    Dotprod,
    /// Half-precision arithmetic on ARM.
    Fp16,
    /// 256-bit vectors on x86.
    Avx2,
}

/// How a camera is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CameraKind {
    /// Video4Linux: USB cameras.
    V4l2,
}

/// The pixel format that is asked of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "V4L2's own names")]
pub enum CameraFormat {
    Yuyv,
    Uyvy,
    Nv12,
    Mjpeg,
    Grey,
}

/// The camera beside the door.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// How it is read.
    pub kind: CameraKind,
    /// Its device file.
    pub device: DevicePath,
    /// The format; without one, the camera's best.
    pub format: Option<CameraFormat>,
}

/// What shows the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PanelKind {
    /// The kernel's framebuffer, /dev/fbN.
    Framebuffer,
}

/// By how much what is drawn is turned, clockwise, before it meets the panel's own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub enum Rotation {
    /// Not at all.
    None,
    /// A quarter.
    Quarter,
    /// Upside down.
    Half,
    /// Three quarters.
    ThreeQuarters,
}

/// Why a value in a board's file is no part of a panel or a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoardValueError {
    /// Not a quarter turn.
    #[error("rotation is 0, 90, 180 or 270, not {0}")]
    Rotation(u32),
    /// A side of nothing, or longer than any panel.
    #[error("a panel's side is 1 to {MAX_PANEL_PX} px, not {0}")]
    Side(u32),
    /// Not a device file.
    #[error("{0:?} is no device file: it begins with /dev/ and has no `..` in it")]
    Device(String),
    /// A rate that no port has.
    #[error("{0} baud is no rate of a serial port: 9600, 19200, 38400, 57600, 115200 or 230400")]
    Baud(u32),
}

impl TryFrom<u32> for Rotation {
    type Error = BoardValueError;

    fn try_from(degrees: u32) -> Result<Self, BoardValueError> {
        match degrees {
            0 => Ok(Self::None),
            90 => Ok(Self::Quarter),
            180 => Ok(Self::Half),
            270 => Ok(Self::ThreeQuarters),
            _ => Err(BoardValueError::Rotation(degrees)),
        }
    }
}

/// One side of a panel in pixels, 1..=[`MAX_PANEL_PX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Side(u32);

impl Side {
    /// Pixels.
    #[must_use]
    pub const fn px(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Side {
    type Error = BoardValueError;

    fn try_from(px: u32) -> Result<Self, BoardValueError> {
        if (1..=MAX_PANEL_PX).contains(&px) { Ok(Self(px)) } else { Err(BoardValueError::Side(px)) }
    }
}

/// A device file under /dev.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DevicePath(PathBuf);

impl DevicePath {
    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &std::path::Path {
        &self.0
    }
}

impl TryFrom<String> for DevicePath {
    type Error = BoardValueError;

    fn try_from(path: String) -> Result<Self, BoardValueError> {
        let name = path.strip_prefix("/dev/").unwrap_or_default();
        let is_plain = !name.is_empty()
            && name.len() <= 100
            && name.bytes().all(|byte| byte.is_ascii_graphic())
            && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if is_plain { Ok(Self(PathBuf::from(path))) } else { Err(BoardValueError::Device(path)) }
    }
}

/// The panel on the wall.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// What shows it.
    pub kind: PanelKind,
    /// Its device file.
    pub device: DevicePath,
    /// Its own rows' length, before any turn.
    pub width: Side,
    /// How many rows it has.
    pub height: Side,
    /// How it hangs.
    pub rotation: Rotation,
}

/// What is at a serial port's other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    /// An OSDP reader or control panel, over RS-485.
    Osdp,
    /// The lock controller on the safe side of the door.
    Lock,
}

/// A serial port's rate in baud, one of those that RS-485 devices at doors use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Baud(u32);

impl Baud {
    /// Baud.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Baud {
    type Error = BoardValueError;

    fn try_from(baud: u32) -> Result<Self, BoardValueError> {
        let is_known = [9600, 19_200, 38_400, 57_600, 115_200, 230_400].contains(&baud);
        if is_known { Ok(Self(baud)) } else { Err(BoardValueError::Baud(baud)) }
    }
}

/// A serial port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SerialPort {
    /// What is at its other end.
    pub peer: Peer,
    /// Its device file.
    pub device: DevicePath,
    /// Its rate.
    pub baud: Baud,
}

/// Temperatures in degrees Celsius from which something is done. `warn_c` lies below `throttle_c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThermalLimits {
    /// From here on the operator is told.
    pub warn_c: i32,
    /// From here on the load is lowered.
    pub throttle_c: i32,
}

/// What is wired to one board. Read from a file by [`Board::parse`](crate::Board::parse); valid when it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    pub(crate) title: String,
    pub(crate) standing: Standing,
    pub(crate) drive: Drive,
    pub(crate) cpu: Vec<CpuFeature>,
    pub(crate) camera: Option<Camera>,
    pub(crate) panel: Option<Panel>,
    pub(crate) relay: RelayLine,
    pub(crate) outputs: [Option<Line>; 4],
    pub(crate) inputs: [Option<InputLine>; 4],
    pub(crate) serial: Vec<SerialPort>,
    pub(crate) thermal: ThermalLimits,
}

impl Board {
    /// Its name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether anybody has seen it work.
    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What moves its lines.
    #[must_use]
    pub const fn drive(&self) -> Drive {
        self.drive
    }

    /// What its processor can do.
    #[must_use]
    pub fn cpu(&self) -> &[CpuFeature] {
        &self.cpu
    }

    /// Its camera, where the board names one.
    #[must_use]
    pub const fn camera(&self) -> Option<&Camera> {
        self.camera.as_ref()
    }

    /// Its panel, where it has one.
    #[must_use]
    pub const fn panel(&self) -> Option<&Panel> {
        self.panel.as_ref()
    }

    /// The relay: every board has one.
    #[must_use]
    pub const fn relay(&self) -> &RelayLine {
        &self.relay
    }

    /// The line that is driven for `output`, where it is wired; the relay's always is.
    #[must_use]
    pub const fn output(&self, output: Output) -> Option<&Line> {
        match output {
            Output::Relay => Some(&self.relay.line),
            Output::LedGranted => self.outputs[0].as_ref(),
            Output::LedDenied => self.outputs[1].as_ref(),
            Output::LedFault => self.outputs[2].as_ref(),
            Output::Buzzer => self.outputs[3].as_ref(),
        }
    }

    /// The line that is observed for `input`, where it is wired.
    #[must_use]
    pub const fn input(&self, input: Input) -> Option<&InputLine> {
        match input {
            Input::Rex => self.inputs[0].as_ref(),
            Input::Contact => self.inputs[1].as_ref(),
            Input::Tamper => self.inputs[2].as_ref(),
            Input::Fire => self.inputs[3].as_ref(),
        }
    }

    /// Every wired line with its role, the relay first.
    pub fn lines(&self) -> impl Iterator<Item = (Role, &Line)> {
        let outputs = Output::ALL.into_iter().map(|role| (Role::Output(role), self.output(role)));
        let inputs =
            Input::ALL.into_iter().map(|role| (Role::Input(role), self.input(role).map(|input| &input.line)));
        let read_back = self.relay.read_back.as_ref().map(|read_back| &read_back.line);
        outputs
            .chain(inputs)
            .chain([(Role::ReadBack, read_back)])
            .filter_map(|(role, line)| line.map(|line| (role, line)))
    }

    /// Its serial ports.
    #[must_use]
    pub fn serial(&self) -> &[SerialPort] {
        &self.serial
    }

    /// Its limits of temperature.
    #[must_use]
    pub const fn thermal(&self) -> ThermalLimits {
        self.thermal
    }
}
