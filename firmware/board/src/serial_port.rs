//! A serial port.

use serde::Deserialize;

use crate::device_path::DevicePath;

/// The rates that RS-485 devices at doors use, in baud.
const RATES: [u32; 6] = [9600, 19_200, 38_400, 57_600, 115_200, 230_400];

/// Why a number is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} baud is no rate of a device at a door: {RATES:?}")]
pub struct BaudError(pub u32);

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
    type Error = BaudError;

    fn try_from(baud: u32) -> Result<Self, BaudError> {
        if RATES.contains(&baud) { Ok(Self(baud)) } else { Err(BaudError(baud)) }
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
