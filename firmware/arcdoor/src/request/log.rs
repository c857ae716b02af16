//! What was: the log, and grants that were wrong.

use super::enrol::deny;
use super::find::find;
use crate::device::{Device, Now, Outcome, Reply};
use crate::error::Error;
use crate::home::probes::Moment;
use arcdoor_api::{Entry, Record, Response, Verdict};
use arcdoor_core::SubjectName;

/// The newest entries. Needs the gallery, and with it the key, for names alone.
pub(super) fn show(
    device: &mut Device,
    count: usize,
    of: Option<&SubjectName>,
    names: bool,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let mut records = device.journal().log.read()?;
    let kept = device.journal().probes.moments()?;
    let opened = if names || of.is_some() { device.enrolled()? } else { None };
    let gallery = opened.as_ref().map(|opened| &opened.gallery);
    if let Some(name) = of {
        let subject = find(gallery.ok_or_else(|| Error::UnknownName(name.clone()))?, name)?.id;
        records.retain(|record| record.subject() == Some(subject));
    }
    let shown = records.len().saturating_sub(count);
    for record in records.drain(shown..) {
        let subject = record.subject().and_then(|subject| gallery?.subject(subject));
        let name = subject.map(|subject| subject.name.clone());
        let probe = granted(&record).is_some_and(|moment| kept.contains(&moment));
        reply.answer(&Response::LogEntry { record, name, probe })?;
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
    let records = device.journal().log.read()?;
    let record = records.iter().find(|record| record.n == entry).ok_or(Error::NoEntry(entry))?;
    let moment = granted(record).ok_or(Error::NoGrant(entry))?;
    device.journal().probes.sweep(now.utc.unix_s())?;
    let gone = || Error::NoProbe(entry);
    let sealed = device.journal().probes.find(moment)?.ok_or_else(gone)?;
    let gallery = &device.enrolled()?.ok_or_else(gone)?.gallery;
    gallery.subject(moment.subject).ok_or_else(gone)?;
    let probe = gallery.open_probe(moment.number, moment.subject, &sealed).ok_or_else(gone)?;
    let outcome = deny(device, moment.subject, &[probe], Some(entry), Vec::new(), now, reply)?;
    device.journal().probes.forget_entry(entry)?;
    Ok(outcome)
}

/// The moment of a grant.
fn granted(record: &Record) -> Option<Moment> {
    match record.entry() {
        Some(&Entry::Decision { decision: Verdict::Granted, subject: Some(subject), .. }) => {
            Some(Moment { number: record.n, unix_s: record.at.unix_s(), subject })
        }
        _ => None,
    }
}
