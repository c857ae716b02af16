//! The probes of the newest grants, so that `arcdoor log wrong N` can say "not this person" afterwards.
//!
//! A wrong grant is noticed hours later, by somebody who reads the log; without its probe, nothing could be
//! learnt from it. Nothing is kept unless the settings ask for it (`keep_probes`, at most 256), and then little, for a
//! short time: of grants alone, the newest ones, for three days unless `keep_probes_h` says otherwise, sealed under
//! the gallery's key, overwritten when their time is over, when the subject is revoked or the key changes. No
//! image, and nothing of anybody who was not granted.
//!
//! The file is a row of slots: log entry's number u64, Unix seconds u64, subject u32, length u16,
//! little-endian, then the sealed probe. Number, time and subject are those of the log. A slot that the power
//! tore does not open, and is as good as none.

use crate::error::Error;
use arcdoor_core::SubjectId;
use arcdoor_core::file::open_regular;
use arcdoor_core::limits::MAX_DIMENSION;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Most probes that settings may ask to keep.
pub const MOST_PROBES: usize = 256;
/// Most hours that settings may ask to keep them for.
pub const MOST_HOURS: u64 = 30 * 24;

const HEAD_BYTES: usize = 8 + 8 + 4 + 2;
/// The head, 40 bytes of nonce and tag, and the largest template in f32.
const SLOT_BYTES: usize = HEAD_BYTES + 40 + 4 * MAX_DIMENSION;

/// What a probe belongs to: an entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The entry's number.
    pub number: u64,
    /// When, in seconds since 1970 (UTC).
    pub unix_s: u64,
    /// Who was granted.
    pub subject: SubjectId,
}

/// The file of probes; opened for each use.
#[derive(Debug, Clone)]
pub struct Probes {
    path: PathBuf,
    most: usize,
    seconds: u64,
}

struct Slot {
    moment: Moment,
    sealed: Vec<u8>,
}

impl Slot {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        let (unix_s, rest) = rest.split_first_chunk::<8>()?;
        let (subject, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length));
        let moment = Moment {
            number: u64::from_le_bytes(*number),
            unix_s: u64::from_le_bytes(*unix_s),
            subject: SubjectId(u32::from_le_bytes(*subject)),
        };
        (length > 0).then_some(Self { moment, sealed: rest.get(..length)?.to_vec() })
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        let Moment { number, unix_s, subject } = self.moment;
        let length = u16::try_from(self.sealed.len()).ok()?;
        let head = [&number.to_le_bytes()[..], &unix_s.to_le_bytes(), &subject.0.to_le_bytes()].concat();
        let mut bytes = [&head[..], &length.to_le_bytes(), &self.sealed].concat();
        (bytes.len() <= SLOT_BYTES).then(|| {
            bytes.resize(SLOT_BYTES, 0);
            bytes
        })
    }
}

impl Probes {
    /// The file at `path`, of at most `most` probes that are kept for `hours`.
    #[must_use]
    pub fn new(path: PathBuf, most: usize, hours: u64) -> Self {
        Self { path, most: most.min(MOST_PROBES), seconds: hours.min(MOST_HOURS) * 3600 }
    }

    /// Whether any are kept.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.most > 0
    }

    /// Keeps a probe, in the place of the oldest where there is no room.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, moment: Moment, sealed: Vec<u8>) -> Result<(), Error> {
        let Some(bytes) = (Slot { moment, sealed }).to_bytes().filter(|_| self.is_on()) else {
            return Ok(());
        };
        let slots = self.read()?;
        let slot = |at: usize| slots.get(at).and_then(Option::as_ref);
        let oldest =
            (0..self.most).min_by_key(|at| slot(*at).map_or(0, |slot| slot.moment.number.saturating_add(1)));
        self.write(oldest.unwrap_or(0), &bytes, false)
    }

    /// Whose probes are kept.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn moments(&self) -> Result<Vec<Moment>, Error> {
        Ok(self.read()?.into_iter().flatten().map(|slot| slot.moment).collect())
    }

    /// The sealed probe of a moment, if it is still kept.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(&self, moment: Moment) -> Result<Option<Vec<u8>>, Error> {
        let slots = self.read()?;
        Ok(slots.into_iter().flatten().find(|slot| slot.moment == moment).map(|slot| slot.sealed))
    }

    /// Overwrites every probe whose time is over, or that is beyond the number in the settings. One from the future is over
    /// as well: the clock was ahead when it was kept, and nobody knows how old it is.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn sweep(&self, now_unix_s: u64) -> Result<(), Error> {
        self.forget(|at, moment| {
            let is_over = moment.unix_s.saturating_add(self.seconds) < now_unix_s;
            at >= self.most || is_over || moment.unix_s > now_unix_s
        })
    }

    /// Overwrites the probes of a subject.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn forget_subject(&self, subject: SubjectId) -> Result<(), Error> {
        self.forget(|_, moment| moment.subject == subject)
    }

    /// Overwrites the probe of one entry.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn forget_entry(&self, number: u64) -> Result<(), Error> {
        self.forget(|_, moment| moment.number == number)
    }

    /// Overwrites all of them.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn forget_all(&self) -> Result<(), Error> {
        self.forget(|_, _| true)
    }

    fn forget(&self, which: impl Fn(usize, Moment) -> bool) -> Result<(), Error> {
        for (at, slot) in self.read()?.iter().enumerate() {
            if slot.as_ref().is_some_and(|slot| which(at, slot.moment)) {
                self.write(at, &[0; SLOT_BYTES], true)?;
            }
        }
        Ok(())
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> Error {
        let path = self.path.clone();
        move |source| Error::File { path: path.clone(), source }
    }

    fn read(&self) -> Result<Vec<Option<Slot>>, Error> {
        let file = match open_regular(&self.path) {
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            file => file.map_err(|error| self.failed()(error.into()))?,
        };
        let (mut bytes, most) = (Vec::new(), MOST_PROBES * SLOT_BYTES);
        file.take(most as u64).read_to_end(&mut bytes).map_err(self.failed())?;
        Ok(bytes.chunks(SLOT_BYTES).map(Slot::parse).collect())
    }

    fn write(&self, at: usize, bytes: &[u8], durably: bool) -> Result<(), Error> {
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
            file.seek(SeekFrom::Start((at * SLOT_BYTES) as u64))?;
            file.write_all(bytes)?;
            if durably { file.sync_data() } else { Ok(()) }
        };
        write().map_err(self.failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(number: u64) -> Moment {
        Moment { number, unix_s: 1_000 + number, subject: SubjectId(number as u32 % 2) }
    }

    fn numbers(probes: &Probes) -> Vec<u64> {
        let mut numbers: Vec<_> = probes.moments().unwrap().iter().map(|moment| moment.number).collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn the_newest_are_kept_and_what_is_forgotten_is_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("probes.bin");
        let probes = Probes::new(path.clone(), 3, 1);
        probes.sweep(0).unwrap();
        assert!(!path.exists(), "nothing is made for nothing");
        for number in 1..=5 {
            probes.keep(moment(number), vec![0xa0 + number as u8; 100]).unwrap();
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(numbers(&probes), [3, 4, 5]);
        assert_eq!(probes.find(moment(4)).unwrap(), Some(vec![0xa4; 100]));
        assert_eq!(probes.find(Moment { unix_s: 7, ..moment(4) }).unwrap(), None, "another time's entry 4");
        probes.forget_subject(SubjectId(0)).unwrap();
        assert_eq!(numbers(&probes), [3, 5]);
        assert!(!std::fs::read(&path).unwrap().contains(&0xa4));
        probes.sweep(1_003 + 3_600).unwrap();
        assert_eq!(numbers(&probes), [3, 5], "not a second too early");
        probes.sweep(1_004 + 3_600).unwrap();
        assert_eq!(numbers(&probes), [5]);
        Probes::new(path.clone(), 0, 1).sweep(0).unwrap();
        assert!(std::fs::read(&path).unwrap().iter().all(|byte| *byte == 0), "turned off, nothing stays");
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_no_probe_for_years() {
        let dir = tempfile::tempdir().unwrap();
        let probes = Probes::new(dir.path().join("probes.bin"), 3, 1);
        let year_2031 = Moment { number: 1, unix_s: 1_930_000_000, subject: SubjectId(1) };
        probes.keep(year_2031, vec![1; 50]).unwrap();
        probes.keep(Moment { number: 2, unix_s: 1_795_843_884, ..year_2031 }, vec![2; 50]).unwrap();
        probes.sweep(1_795_843_900).unwrap();
        assert_eq!(numbers(&probes), [2], "the clock was put right");
    }

    #[test]
    fn torn_and_foreign_files_are_no_probes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("probes.bin");
        let probes = Probes::new(path.clone(), 3, 1);
        let highest = [&[0xff; 20][..], &[1, 0], &[0xff; SLOT_BYTES - 22]].concat();
        for bytes in [&[0xff; 10][..], &[0xff; SLOT_BYTES + 5], b"notes", &highest] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(probes.find(moment(1)).unwrap(), None);
            probes.keep(moment(1), vec![1; 50]).unwrap();
            assert_eq!(probes.find(moment(1)).unwrap(), Some(vec![1; 50]));
        }
        probes.keep(moment(2), vec![1; SLOT_BYTES]).unwrap();
        assert_eq!(probes.find(moment(2)).unwrap(), None, "larger than any probe");
    }
}
