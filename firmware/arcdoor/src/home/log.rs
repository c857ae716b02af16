//! The operator's log: one JSON object a line, in the home folder. No pictures, no templates, no names
//! (ids only, so that revoking leaves nothing behind); bounded by one rotation. Each entry has a number, by
//! which it can be named.

use crate::error::Error;
use crate::home::keys::KeySource;
use crate::message::{Reason, Verdict};
use arcdoor_core::SubjectId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes of one file; there are two at most.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Which command asked for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// `identify`
    Identify,
    /// `verify`
    Verify,
    /// `run`
    Run,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// Somebody was enrolled.
    Enrolled {
        /// Who.
        subject: SubjectId,
        /// Templates stored.
        templates: usize,
    },
    /// Somebody was re-enrolled.
    ReEnrolled {
        /// Who.
        subject: SubjectId,
        /// Templates stored now.
        templates: usize,
    },
    /// A subject's templates were issued anew.
    ReIssued {
        /// Whose.
        subject: SubjectId,
        /// How often by now.
        generation: u32,
    },
    /// Somebody is denied being this subject.
    NotThisPerson {
        /// The subject.
        subject: SubjectId,
        /// The entry that was wrong; none where pictures were given.
        wrong: Option<u64>,
        /// Templates that deny, now.
        impostors: usize,
    },
    /// The templates that deny being this subject were removed.
    ImpostorsForgotten {
        /// The subject.
        subject: SubjectId,
        /// How many.
        impostors: usize,
    },
    /// Somebody was revoked.
    Revoked {
        /// Who.
        subject: SubjectId,
    },
    /// Everybody was written to a file.
    Exported {
        /// How many.
        subjects: usize,
        /// Where.
        #[serde(default)]
        file: PathBuf,
    },
    /// Subjects came from a file.
    Imported {
        /// How many.
        subjects: usize,
    },
    /// The gallery was sealed under a new key.
    KeyChanged {
        /// Where it comes from.
        source: KeySource,
    },
    /// A site's calibration was taken.
    SiteInstalled {
        /// The day it was made.
        made: String,
    },
    /// It was removed.
    SiteRemoved,
    /// Recognition decided.
    Decision {
        /// Which command asked.
        by: By,
        /// What was decided.
        decision: Verdict,
        /// Why, where it was not granted.
        reason: Option<Reason>,
        /// The best candidate.
        subject: Option<SubjectId>,
        /// Its score.
        score: Option<f32>,
        /// What it was compared with.
        threshold: f32,
    },
}

/// An entry as it lies in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// One more than that of the entry before; it stays the entry's name for good.
    #[serde(default)]
    pub n: u64,
    /// When (UTC).
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub entry: Entry,
}

impl Record {
    /// When, in seconds since 1970 (UTC).
    #[must_use]
    pub fn unix_s(&self) -> u64 {
        u64::try_from(self.at.as_second()).unwrap_or(0)
    }
}

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

    /// Appends `entry` with the next number and the present time, and returns them.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn append(&self, entry: &Entry) -> Result<Record, Error> {
        use std::os::unix::fs::OpenOptionsExt;
        let failed = self.failed();
        let n = self.last_number()? + 1;
        let record = Record { n, at: Timestamp::now(), entry: entry.clone() };
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
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
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

    #[test]
    fn a_full_log_is_rotated_once_and_stays_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log { path: dir.path().join("log.jsonl"), max_bytes: 1000 };
        for subject in 0..200 {
            log.append(&Entry::Revoked { subject: SubjectId(subject) }).unwrap();
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
        assert!(log.append(&Entry::Imported { subjects: 1 }).unwrap().n > 100, "a number is used once");
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
        let first = log.append(&decision).unwrap();
        let mut file = OpenOptions::new().append(true).open(&log.path).unwrap();
        file.write_all(b"{\"n\":2,\"at\":\"20").unwrap();
        let second = log.append(&Entry::Revoked { subject: SubjectId(3) }).unwrap();
        assert_eq!((first.n, second.n), (1, 2));
        assert_eq!(log.read().unwrap(), [first, second]);
    }
}
