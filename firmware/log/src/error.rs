//! Why the log could not be written or read.

use std::io;

/// What went wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk failed or is full.
    #[error("{doing} the log failed: {source}; look at the card, and whether it is full or read-only")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// Somebody else writes.
    #[error("the log is open already: stop the other arcdoor, or ask it")]
    Locked,
    /// There is a log.
    #[error("there is a log already: open it, or move its folder away first")]
    Exists,
    /// There is no log.
    #[error("there is no log here: create one")]
    Missing,
    /// The state file cannot be believed, so nothing can be appended that would be believed.
    #[error(
        "the log's state is damaged, so that nothing can be appended: verify the log as it is, move its folder \
         away and keep it, and create a new one"
    )]
    StateDamaged,
    /// A record is too long for a line.
    #[error("a record of {bytes} bytes does not go into the log, which takes {most}: use a shorter path")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A record is no text.
    #[error("the entry cannot be written as text ({0}): use a path of UTF-8")]
    NotText(serde_json::Error),
    /// The last number or epoch was given away.
    #[error("the log's numbers are used up: move its folder away, and create a new one")]
    Exhausted,
    /// The system has no random numbers.
    #[error("the system has no random numbers: {0}")]
    NoRandom(String),
    /// A line is no record.
    #[error("line {line} of segment {segment} of the log is no record: verify the log")]
    Damaged {
        /// The segment's number.
        segment: u64,
        /// The line, from 1.
        line: usize,
    },
    /// A segment is larger than any that the log writes.
    #[error("segment {0} of the log is larger than any that is written: verify the log")]
    SegmentTooLarge(u64),
}

pub(crate) fn io_error(doing: &'static str) -> impl Fn(io::Error) -> LogError {
    move |source| LogError::Io { doing, source }
}
