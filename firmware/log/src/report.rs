//! Whether a log is what was written: the whole of it, against what is known.

use crate::chain::{Chain, Place};
use crate::error::LogError;
use crate::fault::Fault;
use crate::folder::Folder;
use crate::head::Head;
use crate::key::{EpochKey, VerificationKey};
use crate::note::Note;
use crate::segment::{self, Heading};
use crate::state::{Found, State};
use arcdoor_api::{Content, Link, LogHash, Record};

/// What a note said of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// No note was given.
    NotGiven,
    /// The log still holds the record that the note names, unchanged.
    Held,
    /// The record that the note names was removed for its age or size, or lies beyond the first fault.
    Gone,
    /// The note is not signed by this log, as the verification key says: it proves nothing.
    NotSigned,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Records up to the first fault.
    pub records: u64,
    /// The number of the first record that is there.
    pub first: Option<u64>,
    /// The head after the last that is good.
    pub head: Option<Head>,
    /// Of the records, those whose code was checked with their epoch's key. The others only stand in their order: who
    /// has the card could have written them.
    pub sealed: u64,
    /// Epochs that end among these records.
    pub epochs: u64,
    /// Bytes at the end that an unfinished write left; 0 after the log was opened. A record that was cut off by hand
    /// looks the same.
    pub unfinished: u64,
    /// What became of the note.
    pub noted: Noted,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
}

impl Report {
    /// Whether nothing is wrong, as far as it was checked.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.fault.is_none() && self.unfinished == 0 && !matches!(self.noted, Noted::NotSigned)
    }
}

/// Checks a whole log, one segment in memory at a time; writes nothing, and needs no lock.
///
/// With the verification `key`, each record's code is checked with its own epoch's key, derived from that one: whoever
/// took the board cannot have changed what was sealed in epochs before. Without it, the order of the records, their
/// numbers and the heads at the segments' beginnings are checked, and the codes of the present epoch alone: that finds
/// damage, but not the changes of somebody who has the card and knows this format.
///
/// A `note` that somebody kept is the only thing that tells a log whose end was cut off, within the present epoch, from
/// one that never was longer. It needs no key: what is wrong before its record is found by the chain alone.
///
/// After a power cut, open the log for writing before: what a torn write left looks like altered records until then.
///
/// # Errors
/// [`LogError::Missing`]; when the disk fails. What is wrong with the log is no error but in the report.
pub fn verify<F: Folder>(
    folder: &F,
    key: Option<&VerificationKey>,
    note: Option<&Note>,
) -> Result<Report, LogError> {
    let segments = segment::list(folder)?;
    let state = State::find(folder)?;
    if segments.is_empty() && matches!(state, Found::None) {
        return Err(LogError::Missing);
    }
    let note = note.map(|note| (note, is_signed(note, key)));
    let mut walk = Walk::new(key, state, note.filter(|(_, is_signed)| *is_signed).map(|(note, _)| note));
    let fault = walk.all(folder, &segments)?;
    let mut report = walk.report;
    report.fault = fault.err();
    if note.is_some_and(|(_, is_signed)| !is_signed) {
        report.noted = Noted::NotSigned;
    }
    Ok(report)
}

/// Without a key, the note is believed: it comes from outside.
fn is_signed(note: &Note, key: Option<&VerificationKey>) -> bool {
    key.is_none_or(|key| note.is_signed_by(&key.signer().verifying_key()))
}

/// What is known while the records are gone through, from the oldest on.
struct Walk<'a> {
    key: Option<&'a VerificationKey>,
    state: Found,
    note: Option<&'a Note>,
    place: Place,
    /// Of the place's epoch, where it is known.
    epoch_key: Option<EpochKey>,
    start: Option<Heading>,
    /// Whether the log says that it removed what was before its start.
    is_start_told: bool,
    /// Whether the chain came to the state's place.
    is_state_met: bool,
    report: Report,
}

type Step = Result<(), Fault>;

impl<'a> Walk<'a> {
    fn new(key: Option<&'a VerificationKey>, state: Found, note: Option<&'a Note>) -> Self {
        Self {
            key,
            state,
            place: Place::BEGINNING,
            epoch_key: None,
            start: None,
            is_start_told: false,
            is_state_met: false,
            report: Report {
                records: 0,
                first: None,
                head: None,
                sealed: 0,
                epochs: 0,
                unfinished: 0,
                noted: note.map_or(Noted::NotGiven, |_| Noted::Gone),
                fault: None,
            },
            note,
        }
    }

    /// The outer error is the disk's, the inner one the log's.
    fn all<F: Folder>(&mut self, folder: &F, segments: &[u64]) -> Result<Step, LogError> {
        for (index, number) in segments.iter().enumerate() {
            let bytes = match segment::load(folder, *number, 0) {
                // The log never writes so large a segment, so it is not read into memory.
                Err(LogError::SegmentTooLarge(_)) => return Ok(Err(Fault::Unreadable { n: self.n() })),
                bytes => bytes?,
            };
            if let Err(fault) = self.segment(*number, &bytes, index + 1 == segments.len()) {
                return Ok(Err(fault));
            }
        }
        Ok(self.end())
    }

    /// The number that comes next.
    fn n(&self) -> u64 {
        self.place.next().unwrap_or(u64::MAX)
    }

    fn segment(&mut self, number: u64, bytes: &[u8], is_last: bool) -> Step {
        let (lines, rest) = segment::lines(bytes);
        for (index, line) in lines.enumerate() {
            if index == 0 && self.start.is_none() {
                self.begin(number, line)?;
            }
            let record = self.line(line)?;
            let is_heading = matches!(record.content, Content::Link(Link::Segment { .. }));
            let is_of_log =
                |found: u64, log: LogHash| found == number && Some(log) == self.start.map(|start| start.log);
            match record.content {
                Content::Link(Link::Segment { number, log, .. }) if !is_of_log(number, log) => {
                    return Err(Fault::Misplaced { n: record.n });
                }
                _ if is_heading != (index == 0) => return Err(Fault::Misplaced { n: record.n }),
                _ => {}
            }
        }
        if !rest.is_empty() && !is_last {
            return Err(Fault::Unreadable { n: self.n() });
        }
        self.report.unfinished = rest.len() as u64;
        Ok(())
    }

    /// The first segment that is there says where the chain is taken up; its own code vouches for it.
    fn begin(&mut self, number: u64, line: &[u8]) -> Step {
        let heading = Heading::parse(line).ok_or(Fault::Unreadable { n: self.n() })?;
        let n = heading.first;
        let place = Place { last: n.checked_sub(1), head: heading.before, epoch: heading.epoch };
        if heading.number != number || (number == 1) != (place == Place::BEGINNING) {
            return Err(Fault::Misplaced { n: if number == 1 { 0 } else { n } });
        }
        self.place = place;
        self.report.first = Some(n);
        self.start = Some(heading);
        self.is_start_told = n == 0;
        if let Some(key) = self.key {
            self.epoch_key = Some(key.epoch(heading.epoch).ok_or(Fault::Misplaced { n })?);
            if key.log() != heading.log {
                return Err(Fault::OtherLog { n });
            }
        }
        if self.note.is_some_and(|note| !note.is_of(&heading.log)) {
            return Err(Fault::OtherLog { n });
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<Record, Fault> {
        self.take_state_key()?;
        let epoch = self.place.epoch;
        let record = self.place.follow(self.epoch_key.as_ref(), line)?;
        self.report.sealed += u64::from(self.epoch_key.is_some());
        if self.place.epoch != epoch {
            self.epoch_key = self.epoch_key.as_ref().map(EpochKey::next);
            self.report.epochs += 1;
        }
        self.report.records += 1;
        self.report.head = Some(Head { n: record.n, hash: self.place.head });
        if let (Content::Link(Link::Removed { last, head, .. }), Some(start)) = (&record.content, self.start)
        {
            self.is_start_told |= last.checked_add(1) == Some(start.first) && *head == start.before;
        }
        self.hold_against_note(&record)?;
        Ok(record)
    }

    fn hold_against_note(&mut self, record: &Record) -> Step {
        let Some(note) = self.note.filter(|note| note.head().n == record.n) else { return Ok(()) };
        if note.head().hash != self.place.head {
            return Err(Fault::NotAsNoted { n: record.n });
        }
        self.report.noted = Noted::Held;
        Ok(())
    }

    /// Where the chain comes to the state's place, it must be as the state says.
    fn take_state_key(&mut self) -> Step {
        let Found::State(state) = &self.state else { return Ok(()) };
        let Chain { place, key } = &state.chain;
        if place.last != self.place.last || place.last.is_none() && self.report.records > 0 {
            return Ok(());
        }
        let n = place.last.unwrap_or(0);
        let is_same = self.epoch_key.as_ref().is_none_or(|own| own.bytes() == key.bytes());
        if *place != self.place || !is_same {
            return Err(Fault::State { n });
        }
        self.epoch_key.get_or_insert_with(|| key.clone());
        self.is_state_met = true;
        Ok(())
    }

    /// Checks what only shows after the last record.
    fn end(&mut self) -> Step {
        let last = self.place.last.unwrap_or(0);
        if let Some(start) = self.start.filter(|_| !self.is_start_told) {
            return Err(Fault::BeginningRemoved { n: start.first });
        }
        self.take_state_key()?;
        let Found::State(state) = &self.state else { return Err(Fault::State { n: last }) };
        let place = state.chain.place;
        if place.last > self.place.last {
            return Err(Fault::Cut { n: self.n(), known: place.last.unwrap_or(0) });
        }
        // The state may lie an epoch behind the log's end, where the power went or the disk was full in between.
        if !self.is_state_met || self.start.is_some_and(|start| start.log != state.log) {
            return Err(Fault::State { n: last });
        }
        match self.note.map(|note| note.head().n) {
            Some(known) if Some(known) > self.place.last => Err(Fault::Cut { n: self.n(), known }),
            _ => Ok(()),
        }
    }
}
