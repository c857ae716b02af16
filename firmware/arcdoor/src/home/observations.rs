//! What was observed before the newest decisions of the log, so that `arcdoor log why N --capsule` can hand it on.
//!
//! Boxes, scores, subjects' numbers, the rules in force: no image, no template, no name. The file is a row of slots, the
//! oldest of which the next decision takes: log entry's number u64, nanoseconds since 1970 u64, length u32,
//! little-endian, then lines of a trace. Number and time are those of the log: should a power cut take back a record, its
//! number is given to another one. What names a subject who is revoked is overwritten, and so is what is older than
//! the log.

use crate::error::Error;
use arcdoor_api::UtcTime;
use arcdoor_core::SubjectId;
use arcdoor_core::file::open_regular;
use arcdoor_pipeline::{MAX_FRAMES, TraceLine, Window};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

/// The most decisions that are kept.
pub const MAX_KEPT: usize = 512;
/// The most bytes of one of them; of more frames than go in, the newest stay.
pub const SLOT_BYTES: usize = 16 << 10;
const HEAD_BYTES: usize = 8 + 8 + 4;
const DAY_S: u64 = 86_400;

/// The file; opened for each use.
#[derive(Debug, Clone)]
pub struct Observations {
    path: PathBuf,
    days: u16,
}

/// The log's entry that a slot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    n: u64,
    at: UtcTime,
    length: usize,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (n, rest) = bytes.split_first_chunk::<8>()?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let length = usize::try_from(u32::from_le_bytes(*rest.first_chunk::<4>()?)).ok()?;
        let is_used = length > 0 && length <= SLOT_BYTES - HEAD_BYTES;
        let (n, at) = (u64::from_le_bytes(*n), UtcTime::from_unix_ns(u64::from_le_bytes(*at)));
        is_used.then_some(Self { n, at, length })
    }
}

impl Observations {
    /// The file at `path`, of what happened in so many days.
    #[must_use]
    pub const fn new(path: PathBuf, days: u16) -> Self {
        Self { path, days }
    }

    /// Keeps what led to entry `n`, in the place of the oldest where there is no room.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, n: u64, at: UtcTime, window: &Window) -> Result<(), Error> {
        let Some(text) = text(window) else { return Ok(()) };
        let (n, at, length) =
            (n.to_le_bytes(), at.unix_ns().to_le_bytes(), (text.len() as u32).to_le_bytes());
        let mut slot = [&n[..], &at, &length, text.as_bytes()].concat();
        slot.resize(SLOT_BYTES, 0);
        let heads = match self.open()? {
            Some(file) => self.heads(&file)?,
            None => Vec::new(),
        };
        let free = heads.iter().position(Option::is_none);
        let oldest = || (0..heads.len()).min_by_key(|at| heads[*at].map_or(0, |head| head.n));
        let place = match free {
            Some(place) => place,
            None if heads.len() < MAX_KEPT => heads.len(),
            None => oldest().unwrap_or(0),
        };
        let write = || {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
            file.write_all_at(&slot, (place * SLOT_BYTES) as u64)
        };
        write().map_err(self.failed())
    }

    /// The lines of a trace that led to the entry; none where they are not kept any more, or never were.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(&self, n: u64, at: UtcTime) -> Result<Option<String>, Error> {
        let Some(file) = self.open()? else { return Ok(None) };
        let heads = self.heads(&file)?;
        let place = heads.iter().position(|head| head.is_some_and(|head| (head.n, head.at) == (n, at)));
        place.map_or(Ok(None), |place| self.text(&file, place, heads[place]))
    }

    /// Overwrites what names this subject, and what cannot be read.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn forget_subject(&self, subject: SubjectId) -> Result<(), Error> {
        self.forget(|text, _| {
            let names = |line: &str| TraceLine::from_json(line).map_or(true, |line| line.names(subject));
            text.is_none_or(|text| text.lines().any(names))
        })
    }

    /// Overwrites what is older than the log's records. What is of the future stays: the log has it, too.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn sweep(&self, now: UtcTime) -> Result<(), Error> {
        let most_s = u64::from(self.days) * DAY_S;
        self.forget(|_, at| at.unix_s().saturating_add(most_s) < now.unix_s())
    }

    fn forget(&self, which: impl Fn(Option<&str>, UtcTime) -> bool) -> Result<(), Error> {
        let Some(file) = self.open()? else { return Ok(()) };
        let mut gone = Vec::new();
        for (place, head) in self.heads(&file)?.into_iter().enumerate() {
            let Some(at) = head.map(|head| head.at) else { continue };
            if which(self.text(&file, place, head)?.as_deref(), at) {
                gone.push(place);
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        let write = || {
            let file = OpenOptions::new().write(true).open(&self.path)?;
            for place in &gone {
                file.write_all_at(&[0; SLOT_BYTES], (place * SLOT_BYTES) as u64)?;
            }
            file.sync_data()
        };
        write().map_err(self.failed())
    }

    fn open(&self) -> Result<Option<File>, Error> {
        match open_regular(&self.path) {
            Err(error) if error.is_missing() => Ok(None),
            file => file.map(Some).map_err(|error| self.failed()(error.into())),
        }
    }

    fn heads(&self, file: &File) -> Result<Vec<Option<Head>>, Error> {
        let length = file.metadata().map_err(self.failed())?.len();
        let slots = usize::try_from(length).unwrap_or(usize::MAX).div_ceil(SLOT_BYTES).min(MAX_KEPT);
        let head = |place: usize| {
            let mut bytes = [0; HEAD_BYTES];
            match file.read_exact_at(&mut bytes, (place * SLOT_BYTES) as u64) {
                Ok(()) => Ok(Head::parse(&bytes)),
                // A write that the power cut.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
                Err(error) => Err(self.failed()(error)),
            }
        };
        (0..slots).map(head).collect()
    }

    /// What a slot holds; none where a power cut tore it.
    fn text(&self, file: &File, place: usize, head: Option<Head>) -> Result<Option<String>, Error> {
        let Some(Head { length, .. }) = head else { return Ok(None) };
        let mut bytes = vec![0; length];
        match file.read_exact_at(&mut bytes, (place * SLOT_BYTES + HEAD_BYTES) as u64) {
            Ok(()) => Ok(String::from_utf8(bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(self.failed()(error)),
        }
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> Error {
        let path = self.path.clone();
        move |source| Error::File { path: path.clone(), source }
    }
}

/// The lines of a window, as many of its newest frames as go into a slot; none where no frame does, or a number of them
/// is not finite.
fn text(window: &Window) -> Option<String> {
    let mut most = MAX_FRAMES;
    while most > 0 {
        let lines: Option<Vec<String>> = window.lines(most).iter().map(|line| line.to_json().ok()).collect();
        let text = lines?.join("\n");
        if text.len() <= SLOT_BYTES - HEAD_BYTES {
            return (!text.is_empty()).then_some(text);
        }
        most /= 2;
    }
    None
}
