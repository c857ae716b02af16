//! The log, as its one writer has it.

use crate::chain::{Chain, Place};
use crate::denials::{Admission, Denials, seconds};
use crate::error::{LogError, io_error};
use crate::folder::Folder;
use crate::head::Head;
use crate::key::{EpochKey, VerificationKey};
use crate::line::{self, MAX_LINE_BYTES};
use crate::note::Note;
use crate::retention::Retention;
use crate::segment::{self, Heading, SEGMENT_BYTES, SEGMENT_S};
use crate::state::{Found, State};
use arcdoor_api::{Content, Entry, Link, Record, UtcTime};
use arcdoor_core::GalleryId;
use ed25519_dalek::SigningKey;

/// After so many records, the next epoch begins.
pub const EPOCH_RECORDS: u32 = 256;
/// After so many seconds, the next epoch begins, where the present one has a record.
pub const EPOCH_S: u64 = 3_600;
/// Bytes that may wait for a sync; an append beyond that syncs first.
pub const MAX_UNSYNCED_BYTES: usize = 64 << 10;
/// What the log's own records need at a segment's end.
const RESERVE_BYTES: u64 = 1 << 10;
const DAY_S: u64 = 86_400;

/// A log that is open for writing; no second one can be opened on its folder.
///
/// What was appended lies in memory until [`Log::sync`], which writes it in one piece: whoever must not act before the
/// record is safe calls it first. When a sync fails, everything waits in memory for the next one, so a failed write is
/// repeated as a whole.
#[derive(Debug)]
pub struct Log<F: Folder> {
    pub(crate) folder: F,
    _lock: F::Lock,
    pub(crate) retention: Retention,
    /// The place after the newest record, those that wait included, and the key that seals the next one.
    pub(crate) chain: Chain,
    /// The state as it lies on the disk.
    pub(crate) state: State,
    /// Whether the state lies there under its own name, and leads to the newest record.
    pub(crate) is_settled: bool,
    /// Oldest first. The last one is written to; there is always one.
    pub(crate) segments: Vec<Heading>,
    /// Bytes of the newest segment that are records, and durable.
    pub(crate) written: u64,
    /// The lines that wait for a sync.
    pub(crate) pending: Vec<u8>,
    /// Whether the newest segment's name may not be durable.
    pub(crate) is_new: bool,
    pub(crate) unsynced_since: Option<UtcTime>,
    pub(crate) epoch_began: UtcTime,
    pub(crate) epoch_records: u32,
    pub(crate) denials: Denials,
    pub(crate) swept: UtcTime,
}

impl<F: Folder> Log<F> {
    /// Makes a new log, durably. The key is handed out here and never again: show it to the operator, to be kept off
    /// the card. Where the power is cut before that, the log holds nothing yet: remove its folder and create it anew.
    ///
    /// # Errors
    /// [`LogError::Exists`], [`LogError::Locked`]; when the disk fails, or there are no random numbers.
    pub fn create(folder: F, now: UtcTime) -> Result<(Self, VerificationKey), LogError> {
        let lock = lock(&folder)?;
        let is_used = match State::find(&folder)? {
            Found::State(state) => state.chain.place.last.is_some(),
            Found::Damaged => true,
            Found::None => false,
        };
        if is_used || !segment::list(&folder)?.is_empty() {
            return Err(LogError::Exists);
        }
        let key = VerificationKey::generate()?;
        let epoch = key.epoch(Place::BEGINNING.epoch).ok_or(LogError::Exhausted)?;
        let state = State {
            log: key.log(),
            signer: EpochKey::new(key.signer().as_bytes()),
            chain: Chain { place: Place::BEGINNING, key: epoch },
            began: now,
            segment: 1,
            offset: 0,
        };
        state.save(&folder)?;
        let mut log = Self::at(folder, lock, state, now);
        log.begin_segment(1, now)?;
        log.sync()?;
        Ok((log, key))
    }

    /// Opens the log to append to it. What a power cut left of a write is dropped, and the log says so.
    ///
    /// # Errors
    /// [`LogError::Missing`], [`LogError::Locked`], [`LogError::StateDamaged`]; when the disk fails. A full disk is no
    /// reason: what has to be recorded waits in memory.
    pub fn open(folder: F, now: UtcTime) -> Result<Self, LogError> {
        let lock = lock(&folder)?;
        let state = match State::find(&folder)? {
            Found::State(state) => *state,
            Found::Damaged => return Err(LogError::StateDamaged),
            Found::None if segment::list(&folder)?.is_empty() => return Err(LogError::Missing),
            Found::None => return Err(LogError::StateDamaged),
        };
        let mut log = Self::at(folder, lock, state, now);
        log.is_settled = State::is_settled(&log.folder)?;
        log.catch_up(now)?;
        Ok(log)
    }

    /// A log at the state's place; no record after it has been read yet.
    fn at(folder: F, lock: F::Lock, state: State, now: UtcTime) -> Self {
        Self {
            folder,
            _lock: lock,
            retention: Retention::DEFAULT,
            chain: state.chain.clone(),
            epoch_began: state.began,
            state,
            is_settled: true,
            segments: Vec::new(),
            written: 0,
            pending: Vec::new(),
            is_new: false,
            unsynced_since: None,
            epoch_records: 0,
            denials: Denials::default(),
            swept: now,
        }
    }

    /// Sets how long records are kept. What is too old or too much is removed when a segment is full, or within a day.
    #[must_use]
    pub const fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// The folder, to read from while the log is open.
    #[must_use]
    pub const fn folder(&self) -> &F {
        &self.folder
    }

    /// Appends `entry`, which happened at `at` while `gallery` was open; it is durable after the next [`Log::sync`].
    /// Until then its number is not to be told to anybody who keeps it: should the power go, another record gets it.
    /// `None` for a denial beyond the budget of [`crate::Denials`]: it is counted, and the count gets a record of its
    /// own. Everything else gets its record, or an error.
    ///
    /// # Errors
    /// [`LogError::TooLong`], [`LogError::NotText`], [`LogError::Exhausted`]: nothing was appended. When the disk
    /// fails where something had to be written first, likewise.
    pub fn append(
        &mut self,
        entry: &Entry,
        at: UtcTime,
        gallery: Option<GalleryId>,
    ) -> Result<Option<Record>, LogError> {
        let n = self.next()?;
        let mut record = Record { n, at, gallery, legacy: false, content: Content::Entry(entry.clone()) };
        // A line that cannot be written must not use up anything.
        let length = line::write(&record, &self.chain.key, &self.chain.place.head)?.len();
        if self.denials.step(entry, at) == Admission::Counted {
            self.tick(at)?;
            return Ok(None);
        }
        self.tick(at)?;
        self.make_room(length, at)?;
        record.n = self.next()?;
        self.seal(&record)?;
        Ok(Some(record))
    }

    /// Makes every record durable. The new epoch's state with them, where one began.
    ///
    /// # Errors
    /// When the disk fails or is full. What waited goes on waiting.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.flush()?;
        if self.state.chain.place.epoch != self.chain.place.epoch || !self.is_settled {
            self.save()?;
        }
        Ok(())
    }

    /// Since when a record waits for [`Log::sync`].
    #[must_use]
    pub const fn unsynced_since(&self) -> Option<UtcTime> {
        self.unsynced_since
    }

    /// What time demands: the count of denials, the next epoch, the next segment, the end of what is too old. To be
    /// called every second or minute, whether or not anything happened; [`Log::append`] does it too.
    ///
    /// # Errors
    /// When the disk fails where something had to be written.
    pub fn tick(&mut self, at: UtcTime) -> Result<(), LogError> {
        if let Some(link) = self.denials.due(at) {
            self.make_room(MAX_LINE_BYTES / 32, at)?;
            self.push(at, Content::Link(link))?;
            self.denials.clear();
        }
        let newest = self.newest();
        if seconds(newest.began, at) >= SEGMENT_S && self.chain.place.last != Some(newest.first) {
            self.rotate(at)?;
        } else if self.epoch_records > 0 && seconds(self.epoch_began, at) >= EPOCH_S {
            self.advance(at)?;
        }
        if seconds(self.swept, at) >= DAY_S { self.sweep(at) } else { Ok(()) }
    }

    /// Writes down what is only counted so far, and syncs: at a planned end, for instance.
    ///
    /// # Errors
    /// As [`Log::sync`].
    pub fn close(mut self, at: UtcTime) -> Result<(), LogError> {
        if let Some(link) = self.denials.counted() {
            self.push(at, Content::Link(link))?;
        }
        self.sync()
    }

    /// The newest record and the hash over all, those that wait for a sync included.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { n: self.chain.place.last.unwrap_or(0), hash: self.chain.place.head }
    }

    /// The head as a signed note, for somebody who keeps it elsewhere; syncs first, so that no power cut takes back
    /// what the note says.
    ///
    /// # Errors
    /// As [`Log::sync`].
    pub fn note(&mut self) -> Result<Note, LogError> {
        self.sync()?;
        Ok(Note::sign(self.state.log, self.head(), &SigningKey::from_bytes(self.state.signer.bytes())))
    }

    pub(crate) fn next(&self) -> Result<u64, LogError> {
        self.chain.place.next().ok_or(LogError::Exhausted)
    }

    pub(crate) fn newest(&self) -> Heading {
        self.segments[self.segments.len() - 1]
    }

    /// Appends what the log says of itself.
    pub(crate) fn push(&mut self, at: UtcTime, content: Content) -> Result<(), LogError> {
        let record = Record { n: self.next()?, at, gallery: None, legacy: false, content };
        self.seal(&record)
    }

    pub(crate) fn seal(&mut self, record: &Record) -> Result<(), LogError> {
        let line = self.chain.seal(record)?;
        self.pending.extend(line);
        self.unsynced_since.get_or_insert(record.at);
        self.epoch_records += 1;
        Ok(())
    }

    /// Begins a segment, an epoch, or a write, where a line of `length` bytes needs it.
    pub(crate) fn make_room(&mut self, length: usize, at: UtcTime) -> Result<(), LogError> {
        let total = self.written + (self.pending.len() + length) as u64;
        if total + RESERVE_BYTES > SEGMENT_BYTES {
            self.rotate(at)?;
        } else if self.epoch_records >= EPOCH_RECORDS {
            self.advance(at)?;
        }
        if self.pending.len() + length > MAX_UNSYNCED_BYTES { self.sync() } else { Ok(()) }
    }

    /// Begins an epoch. Its first key is on the disk, and the one before is not, when this returns.
    pub(crate) fn advance(&mut self, at: UtcTime) -> Result<(), LogError> {
        self.sync()?;
        let epoch = self.chain.next_epoch()?;
        self.push(at, Content::Link(Link::Epoch { epoch }))?;
        (self.epoch_began, self.epoch_records) = (at, 0);
        self.sync()
    }

    /// Begins an epoch and with it a segment.
    fn rotate(&mut self, at: UtcTime) -> Result<(), LogError> {
        self.advance(at)?;
        self.begin_segment(self.newest().number.checked_add(1).ok_or(LogError::Exhausted)?, at)?;
        self.sweep(at)
    }

    /// Begins segment `number` with its first record. No record of the segment before it may wait to be written.
    pub(crate) fn begin_segment(&mut self, number: u64, at: UtcTime) -> Result<(), LogError> {
        let Place { head: before, epoch, .. } = self.chain.place;
        let (first, log) = (self.chain.place.next().unwrap_or(u64::MAX), self.state.log);
        // There is a newest segment also where no record goes into it any more.
        self.segments.push(Heading { number, first, began: at, epoch, log, before });
        (self.written, self.is_new) = (0, true);
        self.push(at, Content::Link(Link::Segment { number, epoch, log, before }))?;
        self.epoch_records = 0;
        Ok(())
    }

    /// Writes what waits, over anything that an earlier, failed or torn, write left.
    fn flush(&mut self) -> Result<(), LogError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let failed = io_error("writing");
        let name = segment::name(self.newest().number);
        let end = self.written + self.pending.len() as u64;
        self.folder.write(&name, self.written, &self.pending).map_err(&failed)?;
        if self.folder.len(&name).map_err(&failed)? != Some(end) {
            self.folder.set_len(&name, end).map_err(&failed)?;
        }
        self.folder.sync_file(&name).map_err(&failed)?;
        if self.is_new {
            self.folder.sync().map_err(&failed)?;
            self.is_new = false;
        }
        self.written = end;
        self.pending.clear();
        self.unsynced_since = None;
        Ok(())
    }

    /// The state follows the records, which are durable by now.
    fn save(&mut self) -> Result<(), LogError> {
        let state = State {
            chain: self.chain.clone(),
            began: self.epoch_began,
            segment: self.newest().number,
            offset: self.written,
            ..self.state.clone()
        };
        state.save(&self.folder)?;
        (self.state, self.is_settled) = (state, true);
        Ok(())
    }
}

fn lock<F: Folder>(folder: &F) -> Result<F::Lock, LogError> {
    folder.lock().map_err(io_error("locking"))?.ok_or(LogError::Locked)
}
