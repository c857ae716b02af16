//! The log before this one: JSON lines that nothing sealed. Taken over once, and marked.

use crate::error::{LogError, io_error};
use crate::folder::Folder;
use crate::line::{MAX_LINE_BYTES, SUFFIX_BYTES};
use crate::log::Log;
use crate::reader::Records;
use arcdoor_api::{Content, Link, Record, UtcTime};
use std::io::{BufRead, Read as _};

/// An old number beyond this one is not kept, for somebody may have written it to use up all numbers.
const MOST_KEPT: u64 = 1 << 48;

/// What became of an older log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Records that were taken over.
    pub records: u64,
    /// Lines that were no records.
    pub unreadable: u64,
}

impl<F: Folder> Log<F> {
    /// Takes over an older log, its oldest file first, durably; the files may be removed then. Numbers are kept where
    /// they ascend; others get the next one. Where this was interrupted, it goes on after the last record that was
    /// taken over, if the files are the same; where it was done, it does nothing.
    ///
    /// # Errors
    /// When a disk fails.
    pub fn take_over<R: BufRead>(
        &mut self,
        files: impl IntoIterator<Item = R>,
        now: UtcTime,
    ) -> Result<TakenOver, LogError> {
        self.sync()?;
        let (done, before) = self.taken_over()?;
        if let Some(done) = done {
            return Ok(done);
        }
        let mut taken = TakenOver::default();
        for mut file in files {
            while let Some(line) = line(&mut file)? {
                match serde_json::from_slice::<Record>(&line) {
                    Ok(record) if matches!(record.content, Content::Entry(_)) => {
                        taken.records += 1;
                        if taken.records > before {
                            self.take(record, line.len(), now)?;
                        }
                    }
                    _ => taken.unreadable += 1,
                }
            }
        }
        let TakenOver { records, unreadable } = taken;
        self.push(now, Content::Link(Link::TakenOver { records, unreadable }))?;
        self.sync()?;
        Ok(taken)
    }

    fn take(&mut self, mut record: Record, length: usize, now: UtcTime) -> Result<(), LogError> {
        // What is written anew may be a little longer than what was read.
        self.make_room(2 * length + SUFFIX_BYTES, now)?;
        let next = self.next()?;
        if record.n < next || record.n > MOST_KEPT {
            record.n = next;
        }
        record.legacy = true;
        self.seal(&record)
    }

    /// What an earlier call took over, where one was done; else how many records an interrupted one took over.
    fn taken_over(&self) -> Result<(Option<TakenOver>, u64), LogError> {
        let mut before = 0;
        for record in Records::newest_first(&self.folder)? {
            match record? {
                Record { content: Content::Link(Link::TakenOver { records, unreadable }), .. } => {
                    return Ok((Some(TakenOver { records, unreadable }), before));
                }
                record => before += u64::from(record.legacy),
            }
        }
        Ok((None, before))
    }
}

/// The next line without its newline; of one that is too long to be a record, the beginning.
fn line(file: &mut impl BufRead) -> Result<Option<Vec<u8>>, LogError> {
    let failed = io_error("reading what was before");
    let mut line = Vec::new();
    // Written anew, it must fit.
    let most = MAX_LINE_BYTES / 2 - 2 * SUFFIX_BYTES;
    if file.by_ref().take(most as u64).read_until(b'\n', &mut line).map_err(&failed)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() == most {
        file.skip_until(b'\n').map_err(&failed)?;
    }
    Ok(Some(line))
}
