//! From the state to the newest record.

use crate::error::{LogError, io_error};
use crate::folder::Folder;
use crate::log::{Log, MAX_UNSYNCED_BYTES};
use crate::reader::Records;
use crate::segment::{self, Heading};
use arcdoor_api::{Content, Link, LogHash, UtcTime};

/// A torn write is no longer than what waits for a sync, and what the log then says of itself.
const MOST_TORN_BYTES: u64 = MAX_UNSYNCED_BYTES as u64 + (8 << 10);
/// A damaged record's number beyond this one is not believed: somebody may want to use up all numbers.
const MOST_BELIEVED: u64 = 1 << 48;

impl<F: Folder> Log<F> {
    /// Follows the records that came after the state, to the last whole one.
    ///
    /// Which of them were confirmed is not known here, so what does not follow is taken for the rest of a write that a
    /// power cut tore, as long as it may be that. It is dropped, and a record says how many bytes it was.
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
        match self.settle(number, torn, now) {
            // A log whose numbers are used up is opened all the same; only appending to it fails.
            Err(LogError::Exhausted) if self.chain.place.next().is_none() => Ok(()),
            settled => settled,
        }
    }

    /// Goes on in segment `number`, where `torn` bytes are no records, or begins one.
    fn settle(&mut self, number: u64, torn: u64, now: UtcTime) -> Result<(), LogError> {
        let name = segment::name(number);
        let newest = self.segments.last().map_or(0, |segment| segment.number);
        let length = self.folder.len(&name).map_err(io_error("reading"))?.unwrap_or(0);
        let is_strange = self.written == 0 && Heading::read(&self.folder, number)?.is_some();
        if is_strange || newest > number || length < self.written || torn > MOST_TORN_BYTES {
            return self.go_beyond(newest.max(number), now);
        }
        if self.written == 0 {
            self.segments.retain(|segment| segment.number != number);
            self.begin_segment(number, now)?;
        } else {
            // A process that ended may have left records which were not synced, and which are believed from now on.
            self.is_new = true;
            self.folder.sync_file(&name).map_err(io_error("writing"))?;
        }
        match torn {
            0 => Ok(()),
            bytes => self.push(now, Content::Link(Link::Torn { bytes })),
        }
    }

    /// Begins a segment after all others, which are left as they are, for whoever verifies them. Their numbers are not
    /// given away again.
    fn go_beyond(&mut self, newest: u64, now: UtcTime) -> Result<(), LogError> {
        let after = self.chain.place.last;
        let there = Records::newest_first(&self.folder)?.find_map(Result::ok).map(|record| record.n);
        self.is_settled = false;
        self.chain.place.last = after.max(there.filter(|n| *n <= MOST_BELIEVED));
        self.begin_segment(newest.checked_add(1).ok_or(LogError::Exhausted)?, now)?;
        self.push(now, Content::Link(Link::Damaged { after }))
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

/// The headings of all segments, oldest first. A segment with a damaged heading takes over that of the segment before.
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
