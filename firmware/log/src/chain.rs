//! The chain: which record may follow, and which head it makes. Knows no file and no clock.

use crate::error::LogError;
use crate::fault::Fault;
use crate::key::{EpochKey, MAX_EPOCHS};
use crate::line::{self, Line};
use arcdoor_api::{Content, Link, LogHash, Record};

/// A place between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the record before this place; none at the log's beginning.
    pub(crate) last: Option<u64>,
    /// The log's head at this place.
    pub(crate) head: LogHash,
    /// The epoch whose key seals the next record.
    pub(crate) epoch: u32,
}

impl Place {
    /// Where a log begins: epoch 1, so that the verification key never seals anything.
    pub(crate) const BEGINNING: Self = Self { last: None, head: LogHash::new([0; 32]), epoch: 1 };

    /// The number that comes next; none after the last one that there is.
    pub(crate) fn next(&self) -> Option<u64> {
        self.last.map_or(Some(0), |last| last.checked_add(1))
    }

    /// Goes over one line, without its newline. Without a key, its code is not looked at.
    ///
    /// # Errors
    /// What is wrong with it; the place is then where it was.
    pub(crate) fn follow(&mut self, key: Option<&EpochKey>, line: &[u8]) -> Result<Record, Fault> {
        let n = self.next().unwrap_or(u64::MAX);
        let line = Line::parse(line).ok_or(Fault::Unreadable { n })?;
        let found = line.record.n;
        // An older log's numbers are kept, gaps included.
        let leaps = line.record.legacy && found > n;
        if self.next().is_none() || (found != n && !leaps) {
            return Err(if found > n { Fault::Missing { n, found } } else { Fault::Repeated { n, found } });
        }
        if key.is_some_and(|key| !line.is_sealed_by(key, &self.head)) {
            return Err(Fault::Altered { n });
        }
        let epoch = match line.record.content {
            Content::Link(Link::Epoch { epoch }) if Some(epoch) != self.epoch.checked_add(1) => {
                return Err(Fault::Misplaced { n });
            }
            Content::Link(Link::Epoch { epoch }) => epoch,
            Content::Link(Link::Segment { epoch, before, .. })
                if epoch != self.epoch || before != self.head =>
            {
                return Err(Fault::Misplaced { n });
            }
            _ => self.epoch,
        };
        *self = Self { last: Some(found), head: line.head(&self.head), epoch };
        Ok(line.record)
    }
}

/// A place, and the key that seals what comes there.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) place: Place,
    pub(crate) key: EpochKey,
}

impl Chain {
    /// Goes over one line that this key sealed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn follow(&mut self, line: &[u8]) -> Result<Record, Fault> {
        let epoch = self.place.epoch;
        let record = self.place.follow(Some(&self.key), line)?;
        self.turn(epoch);
        Ok(record)
    }

    /// Seals a record, whose number must lie beyond the last, and returns its line with the newline.
    ///
    /// # Errors
    /// [`LogError::TooLong`], [`LogError::NotText`]; the chain is then where it was.
    pub(crate) fn seal(&mut self, record: &Record) -> Result<Vec<u8>, LogError> {
        let mut line = line::write(record, &self.key, &self.place.head)?;
        let before = self.place;
        self.place.last = Some(record.n);
        self.place.head = line::head_after(&before.head, &line);
        if let Content::Link(Link::Epoch { epoch }) = record.content {
            self.place.epoch = epoch;
        }
        self.turn(before.epoch);
        line.push(b'\n');
        Ok(line)
    }

    /// The number of the epoch after this one.
    ///
    /// # Errors
    /// [`LogError::Exhausted`] after the last.
    pub(crate) fn next_epoch(&self) -> Result<u32, LogError> {
        if self.place.epoch < MAX_EPOCHS { Ok(self.place.epoch + 1) } else { Err(LogError::Exhausted) }
    }

    fn turn(&mut self, before: u32) {
        if self.place.epoch != before {
            self.key = self.key.next();
        }
    }
}
