//! The operator's log: one JSON object a line, in the home folder; bounded by one rotation. What it holds is
//! [`arcdoor_api::Record`].

use crate::error::Error;
use arcdoor_api::{Content, Entry, Record, UtcTime};
use arcdoor_core::file::open_regular;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Bytes of one file; there are two at most.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The log's file; opened for each entry, so that the operator may move it away. Whoever appends holds the
/// gallery, so there is one at a time.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
    max_bytes: u64,
}

impl Log {
    /// The log at `path`, at most [`MAX_BYTES`] in each of its two files.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, max_bytes: MAX_BYTES }
    }

    /// Appends `entry`, which happened at `at`, under the next number; returns both.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn append(&self, entry: &Entry, at: UtcTime) -> Result<Record, Error> {
        use std::os::unix::fs::OpenOptionsExt;
        let failed = self.failed();
        let n = self.last_number()? + 1;
        let record = Record { n, at, gallery: None, legacy: false, content: Content::Entry(entry.clone()) };
        let mut text = serde_json::to_vec(&record).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        let length = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        if length > 0 && length + text.len() as u64 > self.max_bytes {
            fs::rename(&self.path, rotated(&self.path)).map_err(&failed)?;
        } else if length > 0 && tail(&self.path, 1).map_err(&failed)? != b"\n" {
            // A power cut left half a line.
            text.insert(0, b'\n');
        }
        let mut file =
            OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path).map_err(&failed)?;
        file.write_all(&text).map_err(&failed)?;
        Ok(record)
    }

    /// Every entry that is still there, oldest first. What a power cut tore is left out.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(&self) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        for path in [rotated(&self.path), self.path.clone()] {
            let bytes = tail(&path, self.max_bytes).map_err(self.failed())?;
            records.extend(bytes.split(|byte| *byte == b'\n').filter_map(parse));
        }
        Ok(records)
    }

    /// Of the newest entry; 0 before the first.
    fn last_number(&self) -> Result<u64, Error> {
        for path in [self.path.clone(), rotated(&self.path)] {
            let bytes = tail(&path, 4096).map_err(self.failed())?;
            if let Some(last) = bytes.rsplit(|byte| *byte == b'\n').find_map(parse) {
                return Ok(last.n);
            }
        }
        Ok(0)
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::File { path: path.clone(), source }
    }
}

fn parse(line: &[u8]) -> Option<Record> {
    serde_json::from_slice(line).ok()
}

/// The last `most` bytes of a file; nothing where there is none.
fn tail(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    use std::io::{Seek, SeekFrom};
    let mut file = match open_regular(path) {
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        file => file?,
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where the full file goes: `log.jsonl` becomes `log.1.jsonl`.
#[must_use]
pub fn rotated(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_api::{By, Reason, Verdict};
    use arcdoor_core::SubjectId;

    const NOW: UtcTime = UtcTime::from_unix_ns(1_795_843_884_250_000_000);

    #[test]
    fn a_full_log_is_rotated_once_and_stays_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log { path: dir.path().join("log.jsonl"), max_bytes: 1000 };
        for subject in 0..200 {
            log.append(&Entry::Revoked { subject: SubjectId(subject) }, NOW).unwrap();
        }
        let mut files: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert_eq!(files, [rotated(&log.path), log.path.clone()]);
        assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() <= 1000));
        let text = fs::read_to_string(&log.path).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((last["event"].as_str(), last["subject"].as_u64()), (Some("revoked"), Some(199)));
        let records = log.read().unwrap();
        assert!(records.windows(2).all(|pair| pair[1].n == pair[0].n + 1), "numbers go on over the rotation");
        assert_eq!(records.last().unwrap().n, 200);
        fs::remove_file(&log.path).unwrap();
        assert!(log.append(&Entry::Imported { subjects: 1 }, NOW).unwrap().n > 100, "a number is used once");
    }

    #[test]
    fn half_a_line_costs_no_other_entry() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("log.jsonl"));
        assert_eq!(log.read().unwrap(), []);
        let decision = Entry::Decision {
            by: By::Run,
            decision: Verdict::Denied,
            reason: Some(Reason::Deny(arcdoor_core::DenyReason::NoMatch)),
            subject: Some(SubjectId(3)),
            score: Some(0.25),
            threshold: 0.42,
        };
        let first = log.append(&decision, NOW).unwrap();
        let mut file = OpenOptions::new().append(true).open(&log.path).unwrap();
        file.write_all(b"{\"n\":2,\"at\":\"20").unwrap();
        let second = log.append(&Entry::Revoked { subject: SubjectId(3) }, NOW).unwrap();
        assert_eq!((first.n, second.n), (1, 2));
        assert_eq!(log.read().unwrap(), [first, second]);
    }
}
