//! A segment: one file of records, whose first names it.

use crate::error::{LogError, io_error};
use crate::folder::Folder;
use crate::line::{Line, MAX_LINE_BYTES};
use arcdoor_api::{Content, Link, LogHash, UtcTime};

/// When a segment is this long, in bytes, the next begins.
pub const SEGMENT_BYTES: u64 = 256 << 10;
/// When a segment is this old, in seconds, the next begins: what is removed for its age is at most so much older.
pub const SEGMENT_S: u64 = 7 * 86_400;
/// The most bytes that are written to a segment, and that are read of one.
const MOST_BYTES: u64 = 2 * SEGMENT_BYTES;

const DIGITS: usize = 20;
const ENDING: &str = ".jsonl";

/// The name of a segment's file.
pub(crate) fn name(number: u64) -> String {
    format!("{number:0DIGITS$}{ENDING}")
}

/// The numbers of all segments, in their order.
///
/// # Errors
/// When the disk fails.
pub(crate) fn list(folder: &impl Folder) -> Result<Vec<u64>, LogError> {
    let names = folder.names().map_err(io_error("listing"))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| parse(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn parse(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(ENDING).filter(|digits| digits.len() == DIGITS)?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A segment's bytes from `offset`.
///
/// # Errors
/// [`LogError::SegmentTooLarge`]; or when the disk fails.
pub(crate) fn load(folder: &impl Folder, number: u64, offset: u64) -> Result<Vec<u8>, LogError> {
    let name = name(number);
    let length = folder.len(&name).map_err(io_error("reading"))?.unwrap_or(0);
    if length > MOST_BYTES {
        return Err(LogError::SegmentTooLarge(number));
    }
    folder.read(&name, offset, MOST_BYTES as usize).map_err(io_error("reading"))
}

/// The whole lines, without their newlines, and what follows the last newline.
pub(crate) fn lines(bytes: &[u8]) -> (impl Iterator<Item = &[u8]>, &[u8]) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (whole, rest) = bytes.split_at(end);
    (whole.split_inclusive(|byte| *byte == b'\n').map(|line| &line[..line.len() - 1]), rest)
}

/// What a segment's first record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heading {
    pub(crate) number: u64,
    /// The number of its first record.
    pub(crate) first: u64,
    /// When it began.
    pub(crate) began: UtcTime,
    pub(crate) epoch: u32,
    pub(crate) log: LogHash,
    /// The log's head before its first record.
    pub(crate) before: LogHash,
}

impl Heading {
    /// The heading in a line, without its newline; `None` where it is no first record.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let record = Line::parse(line)?.record;
        match record.content {
            Content::Link(Link::Segment { number, epoch, log, before }) => {
                Some(Self { number, first: record.n, began: record.at, epoch, log, before })
            }
            _ => None,
        }
    }

    /// The heading of segment `number`; `None` where its first line is no heading.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn read(folder: &impl Folder, number: u64) -> Result<Option<Self>, LogError> {
        let start = folder.read(&name(number), 0, MAX_LINE_BYTES / 32).map_err(io_error("reading"))?;
        Ok(lines(&start).0.next().and_then(Self::parse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_their_numbers_and_no_other_name_is_one() {
        assert_eq!(parse(&name(7)), Some(7));
        assert_eq!(parse(&name(u64::MAX)), Some(u64::MAX));
        assert!(name(9) < name(10));
        for other in ["state", "7.jsonl", "99999999999999999999.jsonl", "+0000000000000000001.jsonl", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_follows_the_last_newline_is_no_line() {
        let split = |bytes: &'static [u8]| {
            let (lines, rest) = lines(bytes);
            (lines.collect::<Vec<_>>(), rest)
        };
        assert_eq!(split(b"a\n\nb"), (vec![&b"a"[..], b""], &b"b"[..]));
        assert_eq!(split(b"a\n"), (vec![&b"a"[..]], &b""[..]));
        assert_eq!(split(b""), (vec![], &b""[..]));
    }
}
