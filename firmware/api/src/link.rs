//! What the log says of itself, between the entries: where a segment begins, what was removed, what was lost.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::time::UtcTime;

/// A SHA-256, written as 64 hexadecimal digits. The log's head after a record is the hash over the head before it and
/// the record's line.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LogHash([u8; 32]);

/// A text that is no such hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a hash is written as 64 hexadecimal digits in lower case")]
pub struct NoHash;

impl LogHash {
    /// These bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for LogHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogHash({self})")
    }
}

impl FromStr for LogHash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(NoHash),
        };
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| NoHash)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for LogHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A record that the log makes of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Link {
    /// A segment begins: the first record of each file.
    Segment {
        /// The segment's number, from 1.
        number: u64,
        /// The epoch whose key seals this record.
        epoch: u32,
        /// Which log this is.
        log: LogHash,
        /// The log's head before this record.
        before: LogHash,
    },
    /// The next epoch begins after this record, which the key of the old one seals.
    Epoch {
        /// The epoch that begins.
        epoch: u32,
    },
    /// What a power cut left of a write was dropped when the log was opened.
    Torn {
        /// How many bytes were dropped.
        bytes: u64,
    },
    /// When the log was opened, records were missing or damaged that no power cut takes. What is left of them stays as
    /// it is; this record follows the last one that is whole.
    Damaged {
        /// The number of the last one that is whole; none where none is.
        after: Option<u64>,
    },
    /// A whole segment was removed because it was old, or the log too large.
    Removed {
        /// The number of the segment's first record.
        first: u64,
        /// The number of its last record.
        last: u64,
        /// The log's head after the segment's last record.
        head: LogHash,
    },
    /// Denials that were counted and have no records of their own.
    Denials {
        /// How many denials.
        count: u64,
        /// When the first of them was.
        from: UtcTime,
        /// When the last was.
        to: UtcTime,
    },
    /// An older log, which nothing had sealed, was taken over; its records are marked `legacy`.
    TakenOver {
        /// How many records were taken over.
        records: u64,
        /// Lines that were no records.
        unreadable: u64,
    },
}
