//! From a board's file to a [`Board`], strictly: what is unknown, impossible or against itself is refused, with its
//! line and what to do.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::board::{Board, CpuFeature, Drive, Standing};
use crate::camera::Camera;
use crate::device_path::DevicePath;
use crate::input_line::InputLine;
use crate::known;
use crate::limits::{MAX_FILE_BYTES, MAX_SERIAL, MAX_TEXT};
use crate::line::Line;
use crate::machine::Machine;
use crate::panel::Panel;
use crate::relay_line::{FailMode, RelayLine};
use crate::role::{Input, Output, Role};
use crate::serial_port::SerialPort;
use crate::thermal::ThermalLimits;

/// Why there is no board.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// No file of that name comes with this program, and none was given.
    #[error("no board is called {0:?}: write one of {known}, or a file's path", known = known::names())]
    Unknown(String),
    /// The file cannot be read.
    #[error("{}: {cause}: check the path and its permissions", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// Too long to be a board.
    #[error("{}: longer than {MAX_FILE_BYTES} bytes: this is no board's file", .0.display())]
    TooLong(PathBuf),
    /// One line of it is wrong.
    #[error("{}:{line}: {problem}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        problem: Problem,
    },
}

/// What is wrong with a line of a board's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not TOML, an unknown field, or a value out of its range; the reader's words, which say what is expected.
    #[error("{0}")]
    Value(String),
    /// Two roles on one wire.
    #[error("{line} is {first} already: give {second} a line of its own")]
    SharedLine {
        /// The line.
        line: Line,
        /// Who has it.
        first: Role,
        /// Who wants it as well.
        second: Role,
    },
    /// The pull gives the other state.
    #[error(
        "fail_mode is {said}, but the pull gives {pulled} when nobody drives the relay: change bias or polarity, or say \
         {pulled}"
    )]
    FailMode {
        /// What the file says.
        said: FailMode,
        /// What bias and polarity give.
        pulled: FailMode,
    },
    /// `booted = false` without a sentence.
    #[error("a board that nobody has booted says so in `note`: one sentence about what its values rest on")]
    NoNote,
    /// A text of nothing, or too long.
    #[error("{field} has 1 to {MAX_TEXT} characters")]
    Text {
        /// The field.
        field: &'static str,
    },
    /// Limits out of order or beyond silicon.
    #[error("warn_c lies below throttle_c, and both within 30..=125 degrees; not {0} and {1}")]
    Thermal(i32, i32),
    /// Two peers on one port.
    #[error("{} has a peer already: one device for one port", .0.display())]
    SharedPort(PathBuf),
    /// More than any board has.
    #[error("at most {MAX_SERIAL} serial ports")]
    TooManyPorts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBoard {
    title: Spanned<String>,
    booted: Spanned<bool>,
    note: Option<Spanned<String>>,
    drive: Drive,
    #[serde(default)]
    cpu: Vec<CpuFeature>,
    machine: Option<Machine>,
    camera: Option<Camera>,
    panel: Option<Panel>,
    keypad: Option<Keypad>,
    lines: RawLines,
    #[serde(default)]
    serial: Vec<Spanned<SerialPort>>,
    thermal: Spanned<ThermalLimits>,
}

/// Keys beside the door.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keypad {
    device: DevicePath,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLines {
    relay: Spanned<RelayLine>,
    rex: Option<Spanned<InputLine>>,
    contact: Option<Spanned<InputLine>>,
    tamper: Option<Spanned<InputLine>>,
    fire: Option<Spanned<InputLine>>,
    recovery: Option<Spanned<InputLine>>,
    led_granted: Option<Spanned<Line>>,
    led_denied: Option<Spanned<Line>>,
    led_fault: Option<Spanned<Line>>,
    buzzer: Option<Spanned<Line>>,
}

impl RawLines {
    /// Every line with its role and where it stands.
    fn all(&self) -> impl Iterator<Item = (Role, &Line, Range<usize>)> {
        let relay = self.relay.get_ref();
        let outputs = [
            (Output::LedGranted, &self.led_granted),
            (Output::LedDenied, &self.led_denied),
            (Output::LedFault, &self.led_fault),
            (Output::Buzzer, &self.buzzer),
        ];
        let inputs = [
            (Input::Rex, &self.rex),
            (Input::Contact, &self.contact),
            (Input::Tamper, &self.tamper),
            (Input::Fire, &self.fire),
            (Input::Recovery, &self.recovery),
        ];
        let outputs = outputs.into_iter().filter_map(|(role, line)| {
            line.as_ref().map(|line| (Role::Output(role), line.get_ref(), line.span()))
        });
        let inputs = inputs.into_iter().filter_map(|(role, line)| {
            line.as_ref().map(|line| (Role::Input(role), &line.get_ref().line, line.span()))
        });
        let read_back = relay.read_back.iter().map(|line| (Role::ReadBack, &line.line, self.relay.span()));
        [(Role::Output(Output::Relay), &relay.line, self.relay.span())]
            .into_iter()
            .chain(read_back)
            .chain(inputs)
            .chain(outputs)
    }

    fn judge(&self) -> Result<(), Wrong> {
        let relay = self.relay.get_ref();
        if let Some(active) = relay.line.pulled_active() {
            let pulled = if active { FailMode::Unlocked } else { FailMode::Locked };
            if pulled != relay.fail_mode {
                let problem = Problem::FailMode { said: relay.fail_mode, pulled };
                return Err(Wrong { at: self.relay.span().start, problem });
            }
        }
        for (index, (second, line, span)) in self.all().enumerate() {
            let same = |(_, other, _): &(Role, &Line, Range<usize>)| {
                other.chip == line.chip && other.offset == line.offset
            };
            if let Some((first, ..)) = self.all().take(index).find(same) {
                let problem = Problem::SharedLine { line: line.clone(), first, second };
                return Err(Wrong { at: span.start, problem });
            }
        }
        Ok(())
    }
}

/// A problem and the byte at which it stands.
struct Wrong {
    at: usize,
    problem: Problem,
}

impl RawBoard {
    fn judge(&self) -> Result<(), Wrong> {
        text(&self.title, "title")?;
        match &self.note {
            Some(note) => text(note, "note")?,
            None if *self.booted.get_ref() => {}
            None => return Err(Wrong { at: self.booted.span().start, problem: Problem::NoNote }),
        }
        self.lines.judge()?;
        for (index, port) in self.serial.iter().enumerate() {
            let at = port.span().start;
            if index >= MAX_SERIAL {
                return Err(Wrong { at, problem: Problem::TooManyPorts });
            }
            let device = &port.get_ref().device;
            if self.serial.iter().take(index).any(|other| other.get_ref().device == *device) {
                return Err(Wrong { at, problem: Problem::SharedPort(device.as_path().to_owned()) });
            }
        }
        let ThermalLimits { warn_c, throttle_c } = *self.thermal.get_ref();
        if !(30..=125).contains(&warn_c) || !(30..=125).contains(&throttle_c) || warn_c >= throttle_c {
            return Err(Wrong {
                at: self.thermal.span().start,
                problem: Problem::Thermal(warn_c, throttle_c),
            });
        }
        Ok(())
    }

    fn into_board(self) -> Board {
        let lines = self.lines;
        let outputs = [lines.led_granted, lines.led_denied, lines.led_fault, lines.buzzer];
        let inputs = [lines.rex, lines.contact, lines.tamper, lines.fire, lines.recovery];
        let standing = match self.note {
            Some(note) if !*self.booted.get_ref() => Standing::Unbooted(note.into_inner()),
            note => Standing::Booted(note.map(Spanned::into_inner)),
        };
        Board {
            title: self.title.into_inner(),
            standing,
            drive: self.drive,
            cpu: self.cpu,
            camera: self.camera,
            panel: self.panel,
            keypad: self.keypad.map(|keypad| keypad.device),
            relay: lines.relay.into_inner(),
            outputs: outputs.map(|line| line.map(Spanned::into_inner)),
            inputs: inputs.map(|line| line.map(Spanned::into_inner)),
            serial: self.serial.into_iter().map(Spanned::into_inner).collect(),
            thermal: self.thermal.into_inner(),
            machine: self.machine,
        }
    }
}

fn text(text: &Spanned<String>, field: &'static str) -> Result<(), Wrong> {
    if (1..=MAX_TEXT).contains(&text.get_ref().trim().chars().count()) {
        return Ok(());
    }
    Err(Wrong { at: text.span().start, problem: Problem::Text { field } })
}

/// The line, counted from 1, that holds the byte `at`.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

impl Board {
    /// Reads a board's text; `file` is what errors call it.
    ///
    /// # Errors
    /// The first line that is wrong, and what to do.
    pub fn parse(file: &Path, text: &str) -> Result<Self, BoardError> {
        let refuse =
            |at: usize, problem| BoardError::Line { file: file.to_owned(), line: line_of(text, at), problem };
        let raw: RawBoard = toml::from_str(text).map_err(|error| {
            refuse(error.span().unwrap_or(0..0).start, Problem::Value(error.message().to_owned()))
        })?;
        raw.judge().map_err(|wrong| refuse(wrong.at, wrong.problem))?;
        Ok(raw.into_board())
    }

    /// Reads a board's file.
    ///
    /// # Errors
    /// A file that cannot be read, is too long, or is wrong in a line.
    pub fn read(file: &Path) -> Result<Self, BoardError> {
        let failed = |cause| BoardError::Read { file: file.to_owned(), cause };
        let mut text = String::new();
        let opened = File::open(file).map_err(failed)?;
        opened.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(BoardError::TooLong(file.to_owned()));
        }
        Self::parse(file, &text)
    }

    /// A board that comes with this program, by name, or the file at a path: whatever holds a `/` or ends in `.toml`.
    ///
    /// # Errors
    /// As [`read`](Self::read); a name that is none.
    pub fn find(name: &str) -> Result<Self, BoardError> {
        if name.contains('/') || name.ends_with(".toml") {
            return Self::read(Path::new(name));
        }
        let known = known::BOARDS.iter().find(|(known, _)| *known == name);
        let (_, text) = known.ok_or_else(|| BoardError::Unknown(name.to_owned()))?;
        Self::parse(Path::new(name), text)
    }
}
