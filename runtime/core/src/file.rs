//! Files that come from outside: regular ones alone, and never more of them than a limit.

extern crate std;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::vec::Vec;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system's reason.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A folder, a pipe or a device: name a regular file.
    #[error("is no regular file")]
    NotAFile,
    /// More bytes than the limit.
    #[error("is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}

impl ReadError {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            ReadError::NotAFile | ReadError::TooLarge { .. } => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}

/// Opens a regular file for reading. What is no file is refused without waiting for it: a pipe's other end may never
/// come. The kind is asked of the open file, not of its path, so nobody can exchange it in between.
///
/// # Errors
/// When it cannot be opened, or is no regular file.
pub fn open_regular(path: &Path) -> Result<File, ReadError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits().cast_signed(),
    );
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(ReadError::NotAFile) }
}

/// Reads a regular file of at most `limit` bytes, also if it grows meanwhile.
///
/// # Errors
/// As [`open_regular`]; also when it is larger.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = open_regular(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Err(ReadError::TooLarge { limit });
    }
    read_within(file, length, limit)
}

/// Reads to the end, which may have moved since `length` was asked for.
fn read_within(reader: impl Read, length: u64, limit: u64) -> Result<Vec<u8>, ReadError> {
    // One more, so that the end is found without a larger buffer: a secret is not copied about.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(ReadError::TooLarge { limit }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::Command;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_not_beyond() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read_bounded(&path, 100).unwrap(), [7; 100]);
        assert!(matches!(read_bounded(&path, 99), Err(ReadError::TooLarge { limit: 99 })));
        std::fs::write(&path, []).unwrap();
        assert!(read_bounded(&path, 0).unwrap().is_empty());
        let missing = read_bounded(&dir.path().join("other"), 9).unwrap_err();
        assert!(missing.is_missing(), "{missing}");
    }

    /// A file to which somebody else appends before each of `appends` reads.
    struct Growing {
        file: File,
        other: File,
        appends: usize,
        taken: u64,
    }

    impl Growing {
        fn new(path: &Path, appends: usize) -> Self {
            let other = OpenOptions::new().append(true).open(path).unwrap();
            Self { file: open_regular(path).unwrap(), other, appends, taken: 0 }
        }
    }

    impl Read for Growing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.appends > 0 {
                self.appends -= 1;
                self.other.write_all(&[7; 50])?;
            }
            let read = self.file.read(buffer)?;
            self.taken += read as u64;
            Ok(read)
        }
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_taken_whole_or_refused_never_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, [7; 100]).unwrap();
        let mut once = Growing::new(&path, 1);
        assert_eq!(read_within(&mut once, 100, 150).unwrap(), [7; 150]);
        let mut at_each_read = Growing::new(&path, usize::MAX);
        let refused = read_within(&mut at_each_read, 150, 1_000);
        assert!(matches!(refused, Err(ReadError::TooLarge { limit: 1_000 })), "{refused:?}");
        assert_eq!(at_each_read.taken, 1_001, "no more is read than shows that the limit is passed");
    }

    #[test]
    fn folders_pipes_and_devices_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [dir.path(), &pipe, Path::new("/dev/zero"), Path::new("/dev/null")] {
            assert!(matches!(read_bounded(path, 9), Err(ReadError::NotAFile)), "{}", path.display());
        }
    }

    #[test]
    fn a_file_that_says_nothing_of_its_length_is_bounded_too() {
        let path = Path::new("/proc/self/status");
        assert_eq!(std::fs::metadata(path).unwrap().len(), 0);
        assert!(matches!(read_bounded(path, 10), Err(ReadError::TooLarge { limit: 10 })));
        assert!(!read_bounded(path, 1 << 20).unwrap().is_empty());
    }
}
