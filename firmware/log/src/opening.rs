//! From the state to the newest record.

use crate::error::{LogError, io_error};
use crate::folder::Folder;
use crate::log::Log;
use crate::segment::{self, Heading};
use arcdoor_api::{Content, Link, LogHash, UtcTime};

impl<F: Folder> Log<F> {
    /// Follows the records that came after the state, to the last whole one.
    ///
    /// Which of them were confirmed is not known here, so what does not follow is taken for the rest of a write that a
    /// power cut tore. It is dropped, and a record says how many bytes it was.
    pub(crate) fn catch_up(&mut self, now: UtcTime) -> Result<(), LogError> {
        self.segments = headings(&self.folder)?;
        let (mut number, mut offset) = (self.state.segment, self.state.offset);
        let torn = loop {
            let torn = self.follow(number, offset)?;
            let next = self.segments.iter().find(|segment| Some(segment.number) == number.checked_add(1));
            match next {
                Some(next) if torn == 0 => (number, offset) = (next.number, 0),
                _ => break torn,
            }
        };
        let newest = self.segments.last().map_or(0, |segment| segment.number);
        let said = self.settle(number, newest, now).and_then(|()| match torn {
            0 => Ok(()),
            bytes => self.push(now, Content::Link(Link::Torn { bytes })),
        });
        match said {
            // Such a log is read, not written.
            Err(LogError::Exhausted) if self.chain.place.next().is_none() => Ok(()),
            said => said,
        }
    }

    /// Goes on in segment `number`, or begins one where that has no record, or is not what the state says.
    fn settle(&mut self, number: u64, newest: u64, now: UtcTime) -> Result<(), LogError> {
        let name = segment::name(number);
        let length = self.folder.len(&name).map_err(io_error("reading"))?.unwrap_or(0);
        if newest > number || length < self.written {
            // Somebody removed records or changed them. That is left as it is, for whoever verifies it.
            return self.begin_segment(newest.max(number).checked_add(1).ok_or(LogError::Exhausted)?, now);
        }
        if self.written == 0 {
            self.segments.retain(|segment| segment.number != number);
            return self.begin_segment(number, now);
        }
        // A process that ended may have left records which were not synced, and which are believed from now on.
        self.is_new = true;
        self.folder.sync_file(&name).map_err(io_error("writing"))
    }

    /// Follows the lines of segment `number` from `offset`; returns how many bytes follow that are no records.
    fn follow(&mut self, number: u64, offset: u64) -> Result<u64, LogError> {
        let length = self.folder.len(&segment::name(number)).map_err(io_error("reading"))?.unwrap_or(0);
        let bytes = segment::load(&self.folder, number, offset)?;
        self.written = offset;
        for line in segment::lines(&bytes).0 {
            if self.written == 0 && Heading::parse(line).is_none_or(|heading| heading.number != number) {
                break;
            }
            let epoch = self.chain.place.epoch;
            let Ok(record) = self.chain.follow(line) else { break };
            self.written += line.len() as u64 + 1;
            self.epoch_records += 1;
            if self.chain.place.epoch != epoch {
                (self.epoch_began, self.epoch_records) = (record.at, 0);
            }
        }
        Ok(length.saturating_sub(self.written))
    }
}

/// Of every segment, oldest first. One whose heading was damaged has what is known from the one before.
fn headings<F: Folder>(folder: &F) -> Result<Vec<Heading>, LogError> {
    let mut headings = Vec::new();
    let mut before = Heading {
        number: 0,
        first: 0,
        began: UtcTime::default(),
        epoch: 0,
        log: LogHash::default(),
        before: LogHash::default(),
    };
    for number in segment::list(folder)? {
        before = Heading { number, ..Heading::read(folder, number)?.unwrap_or(before) };
        headings.push(before);
    }
    Ok(headings)
}
