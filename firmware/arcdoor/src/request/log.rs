//! Requests about what was: the log, and grants that were wrong.

use crate::error::Error;
use crate::home::log::{Entry, Record};
use crate::home::probes::Moment;
use crate::message::{Response, Verdict};
use crate::request::{Answer, Outcome, Service, unix_seconds};
use arcdoor_core::{SubjectId, SubjectName};
use arcdoor_gallery::Gallery;

impl Service {
    /// Needs the gallery, and with it the key, for names alone.
    pub(crate) fn show_log(
        &self,
        count: usize,
        of: Option<&SubjectName>,
        names: bool,
        answer: Answer<'_>,
    ) -> Result<Outcome, Error> {
        let opened = if names || of.is_some() { self.enrolled()? } else { None };
        let gallery = opened.as_ref().map(|opened| &opened.gallery);
        let wanted = match of {
            Some(name) => {
                let subject = gallery.and_then(|gallery| gallery.find(name));
                Some(subject.ok_or_else(|| Error::UnknownName(name.clone()))?.id)
            }
            None => None,
        };
        let mut records = self.journal.log.read()?;
        records.retain(|record| wanted.is_none() || subject_of(&record.entry) == wanted);
        let kept = self.journal.probes.moments()?;
        let shown = records.len().saturating_sub(count);
        for record in records.drain(shown..) {
            let name = name(gallery, subject_of(&record.entry));
            let probe = granted(&record).is_some_and(|moment| kept.contains(&moment));
            answer(&Response::LogEntry { record, name, probe })?;
        }
        Ok(Outcome::Done)
    }

    pub(crate) fn log_wrong(&self, entry: u64, answer: Answer<'_>) -> Result<Outcome, Error> {
        let records = self.journal.log.read()?;
        let record = records.iter().find(|record| record.n == entry).ok_or(Error::NoEntry(entry))?;
        let moment = granted(record).ok_or(Error::NoGrant(entry))?;
        self.journal.probes.sweep(unix_seconds())?;
        let gone = || Error::NoProbe(entry);
        let sealed = self.journal.probes.find(moment)?.ok_or_else(gone)?;
        let mut gallery = self.enrolled()?.ok_or_else(gone)?.gallery;
        gallery.subject(moment.subject).ok_or_else(gone)?;
        let probe = gallery.open_probe(moment.number, moment.subject, &sealed).ok_or_else(gone)?;
        let outcome = self.deny(&mut gallery, moment.subject, &[probe], Some(entry), Vec::new(), answer)?;
        self.journal.probes.forget_entry(entry)?;
        Ok(outcome)
    }
}

/// The moment of a grant.
fn granted(record: &Record) -> Option<Moment> {
    match record.entry {
        Entry::Decision { decision: Verdict::Granted, subject: Some(subject), .. } => {
            Some(Moment { number: record.n, unix_s: record.unix_s(), subject })
        }
        _ => None,
    }
}

const fn subject_of(entry: &Entry) -> Option<SubjectId> {
    match entry {
        Entry::Enrolled { subject, .. }
        | Entry::ReEnrolled { subject, .. }
        | Entry::ReIssued { subject, .. }
        | Entry::NotThisPerson { subject, .. }
        | Entry::ImpostorsForgotten { subject, .. }
        | Entry::Revoked { subject } => Some(*subject),
        Entry::Decision { subject, .. } => *subject,
        Entry::Exported { .. }
        | Entry::Imported { .. }
        | Entry::KeyChanged { .. }
        | Entry::SiteInstalled { .. }
        | Entry::SiteRemoved => None,
    }
}

fn name(gallery: Option<&Gallery>, subject: Option<SubjectId>) -> Option<SubjectName> {
    gallery?.subject(subject?).map(|subject| subject.name.clone())
}
