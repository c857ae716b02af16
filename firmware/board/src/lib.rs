//! The board beside the door: what is wired to it, and what moves and reads the wires.
//!
//! A [`Board`] is data, read strictly from a file in boards/ or the installer's own. A [`LineDriver`] is the seam
//! between the door and its wires: [`Gpio`] over the kernel's character device, [`Simulated`] in memory. [`check`]
//! proves a board's wiring as far as software can. Beside them: a [`Framebuffer`] for what is drawn, a
//! [`PressDevice`] for what people press, and a [`Thermometer`].
//!
//! Time is an argument: [`Debounce`] and [`RelayWatch`] are pure, and what they say can be replayed.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

mod board;
mod camera;
mod check;
mod debounce;
mod device_path;
mod driver;
mod file;
mod framebuffer;
mod gpio;
mod input_line;
mod known;
mod limits;
mod line;
mod machine;
mod panel;
mod press;
mod relay_line;
mod relay_watch;
mod reset;
mod role;
mod serial_port;
mod simulated;
mod thermal;

pub use board::{Board, CpuFeature, Drive, Standing};
pub use camera::{Camera, CameraNumber, CameraNumberError};
pub use check::{Doubt, Fact, Fault, Finding, Proof, RelayTest, check};
pub use debounce::Debounce;
pub use device_path::{DevicePath, DevicePathError};
pub use driver::{Edge, Edges, LineCause, LineDriver, LineError};
pub use file::{BoardError, Problem};
pub use framebuffer::{Area, Framebuffer, FramebufferError, Pixels};
pub use gpio::Gpio;
pub use input_line::{DebounceError, DebounceMs, InputLine};
pub use known::BOARDS;
pub use limits::*;
pub use line::{Bias, ChipName, Line, LineValueError, Offset, Polarity};
pub use machine::{Boot, Machine, MachineError, WrongMachine};
pub use panel::{Panel, PanelKind, PanelValueError, Rotation, Side, TouchDevice};
pub use press::{Press, PressDevice, PressError, Presses};
pub use relay_line::{FailMode, ReadBackLine, RelayLine, TravelError, TravelMs};
pub use relay_watch::{RelayState, RelayWatch, Stuck};
pub use reset::ResetHold;
pub use role::{Input, Output, Role};
pub use serial_port::{Baud, BaudError, Peer, SerialPort};
pub use simulated::{Act, Driven, Hand, Simulated};
pub use thermal::{Heat, Temperature, ThermalError, ThermalLimits, Thermometer};
