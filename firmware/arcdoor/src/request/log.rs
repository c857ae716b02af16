//! What was: the log, whether it can be trusted, and grants that were wrong.

use super::enrol::deny;
use super::find::find;
use super::secrets::Secrets;
use crate::device::{Device, Now, Outcome, Reply};
use crate::error::{Error, PACK};
use crate::home::file::read_text;
use crate::home::probes::Moment;
use arcdoor_api::{Entry, NoteStanding, Record, Response, Verdict};
use arcdoor_core::SubjectName;
use arcdoor_log::{MAX_NOTE_BYTES, Note, Noted, Records, Report, verify};
use std::path::Path;

/// The newest entries. Needs the gallery, and with it the key, for names alone.
pub(super) fn show(
    device: &mut Device,
    count: usize,
    of: Option<&SubjectName>,
    names: bool,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let log = device.journal().folder()?;
    let kept = device.journal().probes.moments()?;
    let promise = device.tally()?.promised()?;
    let opened = if names || of.is_some() { device.enrolled()? } else { None };
    let gallery = opened.as_ref().map(|opened| &opened.gallery);
    let wanted = match of {
        Some(name) => Some(find(gallery.ok_or_else(|| Error::UnknownName(name.clone()))?, name)?.id),
        None => None,
    };
    let mut newest = Vec::new();
    for record in Records::newest_first(&log)? {
        if newest.len() == count {
            break;
        }
        let record = record?;
        if wanted.is_none() || record.subject() == wanted {
            newest.push(record);
        }
    }
    for record in newest.into_iter().rev() {
        let here = record.gallery.is_none() || record.gallery == gallery.and_then(|gallery| gallery.id());
        let subject = record.subject().filter(|_| here).and_then(|subject| gallery?.subject(subject));
        let name = subject.map(|subject| subject.name.clone());
        let probe = granted(&record).is_some_and(|moment| kept.contains(&moment));
        reply.answer(&Response::LogEntry { record, name, probe })?;
    }
    if promise.at_least.is_some() {
        reply.answer(&Response::Promise { promise })?;
    }
    Ok(Outcome::Done)
}

/// A grant was wrong: its probe denies from now on.
pub(super) fn wrong(
    device: &mut Device,
    entry: u64,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let record = device.journal().record(entry)?;
    let moment = granted(&record).ok_or(Error::NoGrant(entry))?;
    device.journal().probes.sweep(now.utc.unix_s())?;
    let gone = || Error::NoProbe(entry);
    let sealed = device.journal().probes.find(moment)?.ok_or_else(gone)?;
    let gallery = &device.enrolled()?.ok_or_else(gone)?.gallery;
    // In another gallery, the same number is another person's.
    if record.gallery.is_some() && record.gallery != gallery.id() {
        return Err(gone());
    }
    gallery.subject(moment.subject).ok_or_else(gone)?;
    let probe = gallery.open_probe(moment.number, moment.subject, &sealed).ok_or_else(gone)?;
    let outcome = deny(device, moment.subject, &[probe], Some(entry), Vec::new(), now, reply)?;
    let kept = device.journal().probes.forget_entry(entry).and_then(|()| device.tally()?.keep());
    kept.map_err(|error| error.after("this person is denied"))?;
    Ok(outcome)
}

/// Whether the log is what was written. A loop of another process that is in the middle of writing a record makes it look
/// unfinished: whoever asks may ask again.
pub(super) fn check(
    device: &mut Device,
    secrets: &Secrets,
    note: Option<&Path>,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let note = note.map(read_note).transpose()?;
    let (log, key) = (device.journal().folder()?, secrets.log_key.as_ref());
    let report = verify(&log, key, note.as_ref())?;
    let whole = report.is_whole();
    reply.answer(&verified(&report, key.is_some()))?;
    Ok(if whole { Outcome::Done } else { Outcome::Failed(PACK) })
}

fn verified(report: &Report, keyed: bool) -> Response {
    Response::LogVerified {
        whole: report.is_whole(),
        fault: report.fault.map(|fault| fault.to_string()),
        fault_n: report.fault.map(arcdoor_log::Fault::n),
        records: report.records,
        sealed: report.sealed,
        first: report.first,
        head: report.head.map(|head| (head.n, head.hash)),
        unfinished: report.unfinished,
        note: match report.noted {
            Noted::NotGiven => NoteStanding::NotGiven,
            Noted::Held => NoteStanding::Held,
            Noted::Gone => NoteStanding::Gone,
            Noted::NotSigned => NoteStanding::NotSigned,
        },
        keyed,
    }
}

fn read_note(path: &Path) -> Result<Note, Error> {
    let missing = || Error::File { path: path.to_owned(), source: std::io::ErrorKind::NotFound.into() };
    let text = read_text(path, MAX_NOTE_BYTES as u64)?.ok_or_else(missing)?;
    text.parse().map_err(|source| Error::LogNote { path: path.to_owned(), source })
}

/// The head of the log, signed.
pub(super) fn note(device: &mut Device, now: Now, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let note = device.journal().signed_head(now.utc)?;
    reply.answer(&Response::LogNote { n: note.head().n, note: note.to_string() })?;
    Ok(Outcome::Done)
}

/// The moment of a grant.
fn granted(record: &Record) -> Option<Moment> {
    match record.entry() {
        Some(Entry::Decision { decision: Verdict::Granted, subject: Some(subject), .. }) => {
            Some(Moment { number: record.n, unix_s: record.at.unix_s(), subject: *subject })
        }
        _ => None,
    }
}
