//! A board: what is wired to it, as a value.

use serde::Deserialize;

use crate::camera::Camera;
use crate::device_path::DevicePath;
use crate::input_line::InputLine;
use crate::line::Line;
use crate::machine::Machine;
use crate::panel::Panel;
use crate::relay_line::RelayLine;
use crate::role::{Input, Output, Role};
use crate::serial_port::SerialPort;
use crate::thermal::ThermalLimits;

/// Whether anybody has seen it work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was booted, and its lines were checked; where said, with what.
    Booted(Option<String>),
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

/// What is wired to one board. Read from a file by [`Board::parse`](crate::Board::parse); valid when it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    pub(crate) title: String,
    pub(crate) standing: Standing,
    pub(crate) drive: Drive,
    pub(crate) cpu: Vec<CpuFeature>,
    pub(crate) camera: Option<Camera>,
    pub(crate) panel: Option<Panel>,
    pub(crate) keypad: Option<DevicePath>,
    pub(crate) relay: RelayLine,
    pub(crate) outputs: [Option<Line>; 4],
    pub(crate) inputs: [Option<InputLine>; 5],
    pub(crate) serial: Vec<SerialPort>,
    pub(crate) thermal: ThermalLimits,
    pub(crate) machine: Option<Machine>,
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

    /// Which hardware it is and how that starts; `None` of a board that is no hardware of its own.
    #[must_use]
    pub const fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
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

    /// Its key pad's input device, where it has one.
    #[must_use]
    pub const fn keypad(&self) -> Option<&DevicePath> {
        self.keypad.as_ref()
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
            Input::Recovery => self.inputs[4].as_ref(),
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
