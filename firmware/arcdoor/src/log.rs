//! The operator's log: one JSON object a line, in the home folder. No pictures, no templates, no names
//! (ids only, so that revoking leaves nothing behind); bounded by one rotation.

use crate::error::Error;
use crate::keys::KeySource;
use crate::message::{Reason, Verdict};
use arcdoor_core::SubjectId;
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes of one file; there are two at most.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// Somebody was enrolled.
    Enrolled {
        /// Who.
        subject: SubjectId,
        /// Templates stored.
        templates: usize,
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
    /// Recognition decided.
    Decision {
        /// Which command asked.
        by: &'static str,
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

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// The log's file; opened for each entry, so that the operator may move it away.
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

    /// Appends `entry` with the present time (UTC).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&self, entry: &Entry) -> Result<(), Error> {
        use std::os::unix::fs::OpenOptionsExt;
        let failed = |source| Error::File { path: self.path.clone(), source };
        let line = Line { at: jiff::Timestamp::now().to_string(), entry };
        let mut text = serde_json::to_vec(&line).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        let length = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        if length > 0 && length + text.len() as u64 > self.max_bytes {
            fs::rename(&self.path, rotated(&self.path)).map_err(failed)?;
        }
        let mut file =
            OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path).map_err(failed)?;
        file.write_all(&text).map_err(failed)
    }
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
    }
}
