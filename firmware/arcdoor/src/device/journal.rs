//! What is kept of what happens: the log and, of a grant, its probe for a while.

use crate::error::Error;
use crate::home::Home;
use crate::home::observations::Observations;
use crate::home::probes::{Moment, Probes};
use crate::home::settings::Settings;
use arcdoor_api::{By, Entry, Record, Sight, UtcTime, Verdict, Why};
use arcdoor_core::file::{ReadError, open_regular};
use arcdoor_core::{GalleryId, Template};
use arcdoor_gallery::Gallery;
use arcdoor_log::{FileFolder, Log, LogError, Note, Records, Retention, VerificationKey};
use arcdoor_pipeline::Window;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

/// The longest that the record of a decision waits for the disk, seconds. No door waits for it.
const WAIT_S: u64 = 1;
/// The most of an older log's file that is taken over, bytes: it never was larger.
const MAX_OLDER_BYTES: u64 = 8 << 20;

/// Log and probes.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// Files of the log before this one, the oldest first.
    older: [PathBuf; 2],
    retention: Retention,
    /// Open for writing, from the first record on.
    log: Option<Log<FileFolder>>,
    /// The probes of the newest grants.
    pub probes: Probes,
    /// What was observed before the newest decisions.
    pub observations: Observations,
}

/// What is kept of a decision beside its verdict.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// Which command asked.
    pub by: By,
    /// What it rests on.
    pub why: &'a Why,
    /// The frames that led to it.
    pub window: &'a Window,
    /// The probe that was compared.
    pub probe: Option<&'a Template>,
}

impl Journal {
    /// The journal of this home; opens nothing yet.
    #[must_use]
    pub fn new(home: &Home, settings: &Settings) -> Self {
        let probes = Probes::new(home.probes(), settings.keep_probes, settings.keep_probes_h);
        let retention = Retention { days: settings.keep_log_days, ..Retention::DEFAULT };
        let observations = Observations::new(home.observations(), settings.keep_log_days);
        Self { folder: home.log(), older: home.older_logs(), retention, log: None, probes, observations }
    }

    /// Opens the log, or makes it: the verification key of a new one is handed out here and never again. The log before
    /// this one is taken over once.
    ///
    /// # Errors
    /// When it cannot be opened or made.
    pub fn begin(&mut self, at: UtcTime) -> Result<Option<VerificationKey>, Error> {
        if self.log.is_some() {
            return Ok(None);
        }
        let folder = FileFolder::make(&self.folder).map_err(|source| self.failed(source))?;
        let (log, key) = match Log::create(folder.clone(), at) {
            Ok((log, key)) => (log, Some(key)),
            Err(LogError::Exists) => (Log::open(folder, at)?, None),
            Err(error) => return Err(error.into()),
        };
        let log = self.log.insert(log.with_retention(self.retention));
        if self.older.iter().any(|path| path.exists()) {
            let files: Result<Vec<_>, Error> = self.older.iter().map(|path| older(path)).collect();
            log.take_over(files?.into_iter().flatten(), at)?;
            for path in self.older.iter().filter(|path| path.exists()) {
                std::fs::remove_file(path).map_err(|source| Error::File { path: path.clone(), source })?;
            }
        }
        Ok(key)
    }

    fn log(&mut self, at: UtcTime) -> Result<&mut Log<FileFolder>, Error> {
        self.begin(at)?;
        self.log.as_mut().ok_or(Error::Log(LogError::Missing))
    }

    /// Notes an operator's act, of the gallery that was open; the record is safe on the disk when this returns.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn note(&mut self, entry: &Entry, at: UtcTime, gallery: Option<GalleryId>) -> Result<u64, Error> {
        let log = self.log(at)?;
        // Only denials are counted instead, and those are noted by `decided`.
        let record = log.append(entry, at, gallery)?.ok_or(LogError::Exhausted)?;
        log.sync()?;
        Ok(record.n)
    }

    /// Notes a decision, keeps what led to it, and the probe of a grant. The record waits for [`Journal::tick`] or [`Journal::close`].
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn decided(
        &mut self,
        sight: &Sight,
        grounds: Grounds<'_>,
        gallery: &Gallery,
        at: UtcTime,
    ) -> Result<(), Error> {
        let Sight { decision, reason, subject, score, threshold, .. } = *sight;
        let Grounds { by, why, window, probe } = grounds;
        let entry =
            Entry::Decision { by, decision, reason, subject, score, threshold, why: Some(Box::new(*why)) };
        let Some(record) = self.log(at)?.append(&entry, at, gallery.id())? else { return Ok(()) };
        self.observations.keep(record.n, record.at, window)?;
        let granted = subject.filter(|_| decision == Verdict::Granted && self.probes.is_on());
        if let (Some(subject), Some(probe)) = (granted, probe) {
            // The record first: should a power cut take it back, its number is given to another one.
            self.sync()?;
            let moment = Moment { number: record.n, unix_s: record.at.unix_s(), subject };
            self.probes.sweep(moment.unix_s)?;
            self.probes.keep(moment, gallery.seal_probe(moment.number, subject, probe)?)?;
        }
        Ok(())
    }

    /// What time demands: records that have waited long enough are made safe.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn tick(&mut self, at: UtcTime) -> Result<(), Error> {
        let Some(log) = &mut self.log else { return Ok(()) };
        log.tick(at)?;
        // A clock that went back makes nothing wait for longer.
        let has_waited = |since: UtcTime| at < since || at.unix_s() - since.unix_s() >= WAIT_S;
        if log.unsynced_since().is_some_and(has_waited) { Ok(log.sync()?) } else { Ok(()) }
    }

    /// Makes every record safe.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.log.as_mut().map_or(Ok(()), |log| Ok(log.sync()?))
    }

    /// As [`Journal::sync`], with the count of denials that have no records of their own; the next record opens the log
    /// again.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn close(&mut self, at: UtcTime) -> Result<(), Error> {
        self.log.take().map_or(Ok(()), |log| Ok(log.close(at)?))
    }

    /// The head of the log, signed.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn signed_head(&mut self, at: UtcTime) -> Result<Note, Error> {
        Ok(self.log(at)?.note()?)
    }

    /// Where the log is read from, whether or not it is open; what waits is made safe first, so that it is read.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn folder(&mut self) -> Result<FileFolder, Error> {
        self.sync()?;
        Ok(FileFolder::new(&self.folder))
    }

    /// The record of this number.
    ///
    /// # Errors
    /// [`Error::NoEntry`] when it is not there (any more); when the log cannot be read.
    pub fn record(&mut self, n: u64) -> Result<Record, Error> {
        let folder = self.folder()?;
        let record = Records::range(&folder, n..=n)?.next().transpose()?;
        record.ok_or(Error::NoEntry(n))
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::File { path: self.folder.clone(), source }
    }
}

/// A file of the log before this one; none where there is none.
fn older(path: &Path) -> Result<Option<BufReader<std::io::Take<std::fs::File>>>, Error> {
    match open_regular(path) {
        Ok(file) => Ok(Some(BufReader::new(file.take(MAX_OLDER_BYTES)))),
        Err(error) if error.is_missing() => Ok(None),
        Err(ReadError::Io(source)) => Err(Error::File { path: path.to_owned(), source }),
        Err(error) => Err(Error::BadFile { path: path.to_owned(), problem: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_api::{Intended, Looks, Method, Reached};
    use arcdoor_core::{Basis, CalibrationId, ModelId};
    use arcdoor_gallery::{GalleryKey, MemoryDisk};

    fn at(ms: u64) -> UtcTime {
        UtcTime::from_unix_ns(1_795_843_884_250_000_000 + ms * 1_000_000)
    }

    fn decided(journal: &mut Journal, sight: &Sight, gallery: &Gallery, at: UtcTime) -> Result<(), Error> {
        let looks = Looks { agreeing: 3, agree: 3, of: 5, made: 3, intent: Intended::Shown };
        let why = Why {
            method: Method::Face,
            reached: Reached::Decided,
            quality: None,
            fmr: 1e-4,
            basis: Basis::Counted,
            templates: 1,
            rival: None,
            margin: 0.02,
            impostor: None,
            looks,
            locked_ms: 0,
            model_id: ModelId::new([1; 16]),
            calibration_id: CalibrationId::new([1; 16]),
        };
        let grounds = Grounds { by: By::Run, why: &why, window: &Window::default(), probe: None };
        journal.decided(sight, grounds, gallery, at)
    }

    /// Decisions that would be there if the power went now.
    fn on_the_disk(home: &Home) -> usize {
        let records = Records::newest_first(&FileFolder::new(&home.log()))
            .unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>();
        records.iter().filter(|record| matches!(record.entry(), Some(Entry::Decision { .. }))).count()
    }

    #[test]
    fn a_grant_is_on_the_disk_within_a_second_and_an_act_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().to_owned())).unwrap();
        let mut journal = Journal::new(&home, &Settings::default());
        let model = ModelId::new([1; 16]);
        let gallery =
            Gallery::open_on(MemoryDisk::new(), &GalleryKey::generate().unwrap(), model, 2).unwrap();
        let granted = Sight { decision: Verdict::Granted, ..Sight::nothing() };
        decided(&mut journal, &granted, &gallery, at(0)).unwrap();
        journal.tick(at(100)).unwrap();
        assert_eq!(on_the_disk(&home), 0, "no door waits for the disk");
        journal.tick(at(1_000)).unwrap();
        assert_eq!(on_the_disk(&home), 1);
        decided(&mut journal, &granted, &gallery, at(2_000)).unwrap();
        journal.note(&Entry::Imported { subjects: 1 }, at(2_001), None).unwrap();
        assert_eq!(on_the_disk(&home), 2, "an act takes what waits along");
        decided(&mut journal, &granted, &gallery, at(3_000)).unwrap();
        journal.tick(at(0)).unwrap();
        assert_eq!(on_the_disk(&home), 3, "a clock that went back");
        decided(&mut journal, &granted, &gallery, at(4_000)).unwrap();
        journal.close(at(4_001)).unwrap();
        assert_eq!(on_the_disk(&home), 4);
    }
}
