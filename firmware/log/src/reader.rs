//! Reading: needs no key, no lock, and writes nothing.

use crate::error::LogError;
use crate::folder::Folder;
use crate::line::Line;
use crate::segment::{self, Heading};
use arcdoor_api::Record;
use std::ops::RangeInclusive;
use std::vec::IntoIter;

/// Records, one segment of them in memory at a time. Whether they are what was written is not looked at:
/// [`crate::verify`] does that.
///
/// A line that is no record is an error, and the next one goes on after it. What an unfinished write left at the end is
/// passed over.
#[derive(Debug)]
pub struct Records<'a, F> {
    folder: &'a F,
    segments: IntoIter<u64>,
    range: RangeInclusive<u64>,
    is_newest_first: bool,
    present: IntoIter<Result<Record, LogError>>,
}

impl<'a, F: Folder> Records<'a, F> {
    /// All records, the newest first.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn newest_first(folder: &'a F) -> Result<Self, LogError> {
        let mut segments = segment::list(folder)?;
        segments.reverse();
        Ok(Self::new(folder, segments, 0..=u64::MAX, true))
    }

    /// The records of these numbers, the oldest first.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn range(folder: &'a F, range: RangeInclusive<u64>) -> Result<Self, LogError> {
        let segments = segment::list(folder)?;
        // The last segment that begins before the range, and those after it.
        let mut from = 0;
        for (index, number) in segments.iter().enumerate() {
            match Heading::read(folder, *number)? {
                Some(heading) if heading.first > *range.start() => break,
                Some(_) => from = index,
                None => {}
            }
        }
        Ok(Self::new(folder, segments[from.min(segments.len())..].to_vec(), range, false))
    }

    fn new(folder: &'a F, segments: Vec<u64>, range: RangeInclusive<u64>, is_newest_first: bool) -> Self {
        let (segments, present) = (segments.into_iter(), Vec::new().into_iter());
        Self { folder, segments, range, is_newest_first, present }
    }

    fn load(&self, number: u64) -> Vec<Result<Record, LogError>> {
        let bytes = match segment::load(self.folder, number, 0) {
            Ok(bytes) => bytes,
            Err(error) => return vec![Err(error)],
        };
        let parse = |(index, line): (usize, &[u8])| match Line::parse(line) {
            Some(line) if self.range.contains(&line.record.n) => Some(Ok(line.record)),
            Some(_) => None,
            None => Some(Err(LogError::Damaged { segment: number, line: index + 1 })),
        };
        let mut records: Vec<_> = segment::lines(&bytes).0.enumerate().filter_map(parse).collect();
        if self.is_newest_first {
            records.reverse();
        }
        records
    }
}

impl<F: Folder> Iterator for Records<'_, F> {
    type Item = Result<Record, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.present.next() {
                let is_beyond = matches!(&record, Ok(record) if record.n == *self.range.end());
                if is_beyond && !self.is_newest_first {
                    // The last record of the range: no further segment is read.
                    self.segments = Vec::new().into_iter();
                }
                return Some(record);
            }
            let number = self.segments.next()?;
            self.present = self.load(number).into_iter();
        }
    }
}
