//! One lock for the whole home: who writes anything in it holds it from the first look at the key to the last change of
//! a name, so that no two processes can make a first key, or read a key that is being changed.
//!
//! It is the kernel's lock (flock) on the folder itself: it ends with its process, whatever ends that, and needs no file
//! of its own, so that a home on read-only media can be read.

use super::Home;
use crate::error::Error;
use arcdoor_api::Access;
use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest wait for the home folder.
pub const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);
/// Where the kernel lists its locks.
const LOCKS: &str = "/proc/locks";
/// Characters of a command line that a message shows.
const SHOWN: usize = 60;

/// The home folder, held until this is dropped.
#[derive(Debug)]
pub struct HomeLock {
    /// The open folder; none: nothing is held.
    _held: Option<File>,
    access: Access,
}

impl HomeLock {
    /// Holds nothing.
    pub const NOTHING: Self = Self { _held: None, access: Access::Nothing };

    /// Holds `home` for `access`, and makes it where it is to be written and is missing.
    ///
    /// # Errors
    /// [`Error::HomeInUse`] when another process holds it for more than 2 s; else when it cannot be opened.
    pub fn take(home: &Home, access: Access) -> Result<Self, Error> {
        Self::take_within(home, access, PATIENCE)
    }

    fn take_within(home: &Home, access: Access, patience: Duration) -> Result<Self, Error> {
        match access {
            Access::Nothing => return Ok(Self::NOTHING),
            // A folder that does not exist needs no lock: there is nothing to read or to change.
            Access::Read | Access::Change if !home.dir().exists() => {
                return Ok(Self { _held: None, access: Access::Read });
            }
            Access::Read | Access::Change => {}
            Access::Write => home.create()?,
        }
        let failed = |source| Error::File { path: home.dir().to_owned(), source };
        let dir = File::open(home.dir()).map_err(failed)?;
        let start = Instant::now();
        loop {
            let locked = if access == Access::Read { dir.try_lock_shared() } else { dir.try_lock() };
            match locked {
                Ok(()) => return Ok(Self { _held: Some(dir), access }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if start.elapsed() < patience => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(home.dir());
                    return Err(Error::HomeInUse { home: home.dir().to_owned(), holder });
                }
            }
        }
    }

    /// Whether the home may be written.
    #[must_use]
    pub const fn may_write(&self) -> bool {
        matches!(self.access, Access::Change | Access::Write)
    }
}

/// The process that holds the lock on `dir`, and its command: `1234 (arcdoor run)`; none where the kernel does not say.
fn holder(dir: &Path) -> Option<String> {
    let inode = dir.metadata().ok()?.ino();
    let locks = std::fs::read_to_string(LOCKS).ok()?;
    let pid = locks.lines().find_map(|line| holder_of(line, inode))?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let name = words.first().map(|word| word.rsplit('/').next().unwrap_or_default().to_owned());
    let rest = words.iter().skip(1).filter(|word| !word.is_empty());
    let command = rest.fold(name.unwrap_or_default(), |line, word| format!("{line} {word}"));
    Some(format!("{pid} ({})", command.chars().take(SHOWN).collect::<String>()))
}

/// The process of a line such as `5: FLOCK  ADVISORY  WRITE 1234 fe:00:4711 0 EOF`, if it locks this inode. A line with
/// `->` waits for the lock.
fn holder_of(line: &str, inode: u64) -> Option<u32> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let [_, "FLOCK", _, _, pid, place, ..] = fields[..] else { return None };
    let found: u64 = place.rsplit(':').next()?.parse().ok()?;
    pid.parse().ok().filter(|pid| found == inode && *pid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_written_by_one_and_the_other_learns_who_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().join("home"))).unwrap();
        let short = Duration::from_millis(50);
        let writer = HomeLock::take(&home, Access::Write).unwrap();
        for access in [Access::Read, Access::Write] {
            let start = Instant::now();
            let refused = HomeLock::take_within(&home, access, short).unwrap_err();
            let said = refused.to_string();
            assert!(matches!(refused, Error::HomeInUse { .. }), "{said}");
            assert!(said.contains(&std::process::id().to_string()), "{said}");
            assert!(start.elapsed() < PATIENCE);
        }
        drop(HomeLock::take_within(&home, Access::Nothing, short).unwrap());
        drop(writer);
        let readers = [Access::Read; 2].map(|access| HomeLock::take_within(&home, access, short).unwrap());
        assert!(HomeLock::take_within(&home, Access::Write, short).is_err(), "while somebody reads");
        drop(readers);
        HomeLock::take_within(&home, Access::Write, short).unwrap();
    }

    #[test]
    fn reading_makes_no_home() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().join("home"))).unwrap();
        for access in [Access::Nothing, Access::Read, Access::Change] {
            assert!(!HomeLock::take(&home, access).unwrap().may_write());
        }
        assert!(!home.dir().exists());
    }

    #[test]
    fn the_kernels_list_names_who_holds_and_not_who_waits() {
        let line = "5: FLOCK  ADVISORY  WRITE 1234 fe:00:4711 0 EOF";
        assert_eq!(holder_of(line, 4711), Some(1234));
        assert_eq!(holder_of(line, 4712), None);
        assert_eq!(holder_of("5: -> FLOCK  ADVISORY  WRITE 99 fe:00:4711 0 EOF", 4711), None);
        assert_eq!(holder_of("6: POSIX  ADVISORY  WRITE 99 fe:00:4711 0 EOF", 4711), None);
        assert_eq!(holder_of("", 0), None);
    }
}
