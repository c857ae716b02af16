//! What is wrong with a log, at the first record where it shows.

/// The first thing that is wrong. Every fault names the record by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The line is no record.
    #[error("record {n} was altered: its line is no record of the log any more")]
    Unreadable {
        /// The number that belongs there.
        n: u64,
    },
    /// The record's code is not that of its epoch's key.
    #[error("record {n} was altered, or is sealed with the key of another epoch")]
    Altered {
        /// The number that belongs there.
        n: u64,
    },
    /// A later record stands there.
    #[error("record {n} was removed or moved: record {found} stands in its place")]
    Missing {
        /// The number that belongs there.
        n: u64,
        /// The number that stands there.
        found: u64,
    },
    /// An earlier record stands there.
    #[error("where record {n} belongs, record {found} stands once more")]
    Repeated {
        /// The number that belongs there.
        n: u64,
        /// The number that stands there.
        found: u64,
    },
    /// It is no record of this place: a segment or an epoch does not follow the one before.
    #[error(
        "record {n} does not follow from those before it: a segment or an epoch was altered, removed or moved"
    )]
    Misplaced {
        /// The record's number.
        n: u64,
    },
    /// The log begins late, and does not say that it removed what was before.
    #[error("the records before {n} were removed, and not by the log itself")]
    BeginningRemoved {
        /// The first number that is there.
        n: u64,
    },
    /// The log ends early.
    #[error("the log was cut before record {n}: the state or the note knows of record {known}")]
    Cut {
        /// The first number that is missing.
        n: u64,
        /// The newest number that is known to have been there.
        known: u64,
    },
    /// The note knows another record of this number.
    #[error("the log up to record {n} is not the one that the note was made of: it was written anew")]
    NotAsNoted {
        /// The note's number.
        n: u64,
    },
    /// The log is another one.
    #[error("the log, from record {n} on, is not the one that the verification key or the note belongs to")]
    OtherLog {
        /// The first number that is there.
        n: u64,
    },
    /// The state's file is no state, or not that of this log.
    #[error("the log's state was altered or removed: who did it may have cut the log after record {n}")]
    State {
        /// The last number that is there.
        n: u64,
    },
}

impl Fault {
    /// The first record that is affected.
    #[must_use]
    pub const fn n(self) -> u64 {
        match self {
            Self::Unreadable { n }
            | Self::Altered { n }
            | Self::Missing { n, .. }
            | Self::Repeated { n, .. }
            | Self::Misplaced { n }
            | Self::BeginningRemoved { n }
            | Self::Cut { n, .. }
            | Self::NotAsNoted { n }
            | Self::OtherLog { n }
            | Self::State { n } => n,
        }
    }
}
