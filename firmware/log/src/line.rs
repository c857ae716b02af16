//! A record as a line: its JSON, with the code as the last field.
//!
//! `{"n":7,"at":"…","event":"revoked","subject":3,"mac":"<32 hexadecimal digits>"}`. The code is over the text before
//! `,"mac"`, and the head after the record is over the whole line, so not a byte can be written in two ways.

use crate::error::LogError;
use crate::key::{EpochKey, MAC_BYTES};
use arcdoor_api::{LogHash, Record};
use sha2::{Digest as _, Sha256};

const FIELD: &str = ",\"mac\":\"";
const END: &str = "\"}";
/// Bytes that follow the body.
pub(crate) const SUFFIX_BYTES: usize = FIELD.len() + 2 * MAC_BYTES + END.len();
/// The longest line, its newline included: a path of 4,095 bytes whose every byte is escaped goes in.
pub const MAX_LINE_BYTES: usize = 32 << 10;

/// A line that has the right form. Whether its code is right is another question.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    whole: &'a [u8],
    pub(crate) record: Record,
}

impl<'a> Line<'a> {
    /// Reads a line without its newline; `None` for what is no line of a log.
    pub(crate) fn parse(whole: &'a [u8]) -> Option<Self> {
        if whole.len() >= MAX_LINE_BYTES {
            return None;
        }
        let (_, suffix) = whole.split_at_checked(whole.len().checked_sub(SUFFIX_BYTES)?)?;
        let digits = suffix.strip_prefix(FIELD.as_bytes())?.strip_suffix(END.as_bytes())?;
        digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(())?;
        Some(Self { whole, record: serde_json::from_slice(whole).ok()? })
    }

    /// Whether `key` sealed it after the head `before`.
    pub(crate) fn is_sealed_by(&self, key: &EpochKey, before: &LogHash) -> bool {
        let (body, suffix) = self.whole.split_at(self.whole.len() - SUFFIX_BYTES);
        // Compared in the open: whoever can ask how long this takes holds the file and the board.
        suffix == suffix_of(key, before, body).as_bytes()
    }

    /// The head after it.
    pub(crate) fn head(&self, before: &LogHash) -> LogHash {
        head_after(before, self.whole)
    }
}

fn suffix_of(key: &EpochKey, before: &LogHash, body: &[u8]) -> String {
    let digits: String = key.mac(before, body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{FIELD}{digits}{END}")
}

/// The head after the line `whole`, which has no newline.
pub(crate) fn head_after(before: &LogHash, whole: &[u8]) -> LogHash {
    LogHash::new(Sha256::new().chain_update(before.bytes()).chain_update(whole).finalize().into())
}

/// Writes a record as a line without its newline, sealed by `key` after the head `before`.
///
/// # Errors
/// [`LogError::TooLong`], or [`LogError::NotText`] for a path that is no UTF-8.
pub(crate) fn write(record: &Record, key: &EpochKey, before: &LogHash) -> Result<Vec<u8>, LogError> {
    let mut line = serde_json::to_vec(record).map_err(LogError::NotText)?;
    line.pop();
    let bytes = line.len() + SUFFIX_BYTES + 1;
    if bytes > MAX_LINE_BYTES {
        return Err(LogError::TooLong { bytes, most: MAX_LINE_BYTES });
    }
    let suffix = suffix_of(key, before, &line);
    line.extend_from_slice(suffix.as_bytes());
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_api::{Content, Entry, UtcTime};
    use arcdoor_core::SubjectId;
    use proptest::prelude::*;

    fn record(n: u64, subject: u32, file: String) -> Record {
        let entry = if file.is_empty() {
            Entry::Revoked { subject: SubjectId(subject) }
        } else {
            Entry::Exporting { subjects: 3, file: file.into(), part: "part".into() }
        };
        let at = UtcTime::from_unix_ns(n.rotate_left(17));
        Record { n, at, gallery: None, legacy: false, content: Content::Entry(entry) }
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_it_was_written_and_opens_under_its_key_alone(
            n: u64, subject: u32, file in ".{0,80}", key: [u8; 32], before: [u8; 32],
        ) {
            let (key, before) = (EpochKey::new(&key), LogHash::new(before));
            let record = record(n, subject, file);
            let line = write(&record, &key, &before).unwrap();
            prop_assert!(!line.contains(&b'\n'), "a line is one line whatever a path holds");
            let read = Line::parse(&line).unwrap();
            prop_assert_eq!(&read.record, &record);
            prop_assert!(read.is_sealed_by(&key, &before));
            prop_assert!(!read.is_sealed_by(&key.next(), &before));
            prop_assert!(!read.is_sealed_by(&key, &read.head(&before)));
        }

        #[test]
        fn whatever_comes_in_is_a_line_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Line::parse(&bytes);
        }

        #[test]
        fn a_changed_byte_never_goes_unseen(at in 0_usize..300, flip in 1_u8..=255) {
            let (key, before) = (EpochKey::new(&[1; 32]), LogHash::default());
            let mut line = write(&record(7, 3, "/tmp/ada".into()), &key, &before).unwrap();
            let at = at % line.len();
            let head = head_after(&before, &line);
            line[at] ^= flip;
            prop_assert!(!Line::parse(&line).is_some_and(|line| line.is_sealed_by(&key, &before)));
            prop_assert_ne!(head_after(&before, &line), head);
        }
    }

    #[test]
    fn a_path_that_is_too_long_or_no_text_is_refused() {
        let (key, before) = (EpochKey::new(&[1; 32]), LogHash::default());
        let longest = "\u{1}".repeat(4_095);
        assert!(write(&record(u64::MAX, 0, longest), &key, &before).is_ok(), "every path that Linux takes");
        let long = write(&record(1, 0, "a".repeat(MAX_LINE_BYTES)), &key, &before);
        assert!(matches!(long, Err(LogError::TooLong { .. })));
        use std::os::unix::ffi::OsStringExt as _;
        let file = std::ffi::OsString::from_vec(vec![0xff]).into();
        let record =
            Record { content: Content::Entry(Entry::ExportFailed { file }), ..record(1, 0, String::new()) };
        assert!(matches!(write(&record, &key, &before), Err(LogError::NotText(_))));
    }
}
