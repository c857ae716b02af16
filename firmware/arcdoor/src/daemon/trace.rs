//! The record of a loop's decisions, which `arcdoor replay` decides again.

use crate::error::Error;
use arcdoor_core::Millis;
use arcdoor_pipeline::{LockoutState, Rules, TraceEntry, TraceLine};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Largest trace, in bytes: some 600,000 frames.
pub const MAX_TRACE_BYTES: u64 = 256 << 20;

/// A trace that is being written.
#[derive(Debug)]
pub struct Trace {
    path: PathBuf,
    file: File,
    bytes: u64,
    rules: Option<Rules>,
}

impl Trace {
    /// A new file.
    ///
    /// # Errors
    /// When there is a file of this name already, or it cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Exists(path.to_owned()),
            _ => Error::File { path: path.to_owned(), source },
        })?;
        let mut trace = Self { path: path.to_owned(), file, bytes: 0, rules: None };
        trace.line(&TraceLine::HEADER)?;
        Ok(trace)
    }

    /// Adds a frame, and the rules that it was decided by where they are others than before. `false`: the trace has
    /// its full size, and takes no more.
    ///
    /// # Errors
    /// When the disk fails or is full.
    pub fn frame(&mut self, rules: &Rules, entry: TraceEntry) -> Result<bool, Error> {
        if self.rules != Some(*rules) && !self.line(&TraceLine::Rules(*rules))? {
            return Ok(false);
        }
        self.rules = Some(*rules);
        self.line(&TraceLine::Frame(entry))
    }

    /// Notes that all earlier frames were forgotten, except for this lockout.
    ///
    /// # Errors
    /// As [`Trace::frame`].
    pub fn resumed(&mut self, now: Millis, lockout: LockoutState) -> Result<bool, Error> {
        self.line(&TraceLine::Resumed { now, lockout })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size so far, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn line(&mut self, line: &TraceLine) -> Result<bool, Error> {
        let failed = |source| Error::File { path: self.path.clone(), source };
        let mut text = line.to_json().map_err(|error| failed(std::io::Error::other(error)))?;
        text.push('\n');
        if self.bytes + text.len() as u64 > MAX_TRACE_BYTES {
            return Ok(false);
        }
        self.file.write_all(text.as_bytes()).map_err(failed)?;
        self.bytes += text.len() as u64;
        Ok(true)
    }
}
