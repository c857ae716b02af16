//! An entry of the log, for people.

use super::lines::Lines;
use arcdoor_api::{By, Content, Entry, Link, NoteStanding, Promised, Record, Response};
use arcdoor_core::{SubjectId, SubjectName};
use arcdoor_door::Alarm;
use std::io;

pub(super) fn print(
    out: &mut Lines<'_>,
    record: &Record,
    name: Option<&SubjectName>,
    probe: bool,
) -> io::Result<()> {
    let text = match &record.content {
        Content::Entry(entry) => entry_text(entry, name, probe),
        Content::Link(link) => link_text(link),
    };
    let ((year, month, day), (hour, minute, second)) = (record.at.date(), record.at.time_of_day());
    let at = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    writeln!(out, "{:>6}  {at}  {text}", record.n)
}

/// Why an entry was decided so.
pub(super) fn why(out: &mut Lines<'_>, response: &Response) -> io::Result<()> {
    let Response::LogWhy { record, words, capsule, signed } = response else { return Ok(()) };
    print(out, record, None, false)?;
    words.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    match (capsule, signed) {
        (Some(file), true) => writeln!(out, "  written to {file}, signed by the log's key"),
        (Some(file), false) => writeln!(out, "  written to {file}; the log has no key to sign it with"),
        (None, _) => Ok(()),
    }
}

/// Whether the log is whole: what was checked, and with what.
pub(super) fn verified(out: &mut Lines<'_>, response: &Response) -> io::Result<()> {
    let Response::LogVerified { whole, fault, records, sealed, first, head, unfinished, note, keyed, .. } =
        response
    else {
        return Ok(());
    };
    let from = first.map_or_else(String::new, |first| format!(", from {first} on"));
    writeln!(out, "{records} record(s){from}, {sealed} of them checked with their epoch's key")?;
    if let Some((n, hash)) = head {
        writeln!(out, "  head: record {n}, {hash}")?;
    }
    if !keyed {
        writeln!(
            out,
            "  no verification key was given (--key-file): of earlier epochs only the records' order was checked, and \
             whoever held the card could have written them anew"
        )?;
    }
    let note = match note {
        NoteStanding::NotGiven => {
            "no note was given (--note): that the end was cut off, within the present epoch, would not show"
        }
        NoteStanding::Held => "the log still holds what the note knows",
        NoteStanding::Gone => {
            "what the note knows is not there: removed for its age or size, or after the fault"
        }
        NoteStanding::NotSigned => "the note was not signed by this log: it proves nothing",
    };
    writeln!(out, "  {note}")?;
    if *unfinished > 0 {
        writeln!(
            out,
            "  {unfinished} byte(s) at the end are no whole record: a power cut, or somebody, left them"
        )?;
    }
    match fault {
        Some(fault) => writeln!(out, "the log cannot be trusted from there on: {fault}"),
        None if *whole => writeln!(out, "nothing is wrong with the log, as far as it was checked"),
        None => writeln!(out, "nothing else is wrong with the log, as far as it was checked"),
    }
}

/// What speaks against the promised rate of wrong grants.
pub(super) fn broken_promise(promise: &Promised) -> String {
    let Promised { target_fpir, attempts, reports, at_least } = *promise;
    format!(
        "{reports} wrong grants were reported of {attempts} attempts: at least {:.2} % are wrong, and {:.2} % were \
         promised (wrong to say so at 5 of 100 doors); lower target_fpir in settings.toml, let people show a card or \
         enter a PIN first, and re-enrol who is mistaken",
        100.0 * at_least.unwrap_or(0.0),
        100.0 * target_fpir,
    )
}

pub(super) fn entry_text(entry: &Entry, name: Option<&SubjectName>, probe: bool) -> String {
    let who =
        |subject: &SubjectId| name.map_or_else(|| format!("subject {subject}"), |name| name.to_string());
    match entry {
        Entry::Enrolled { subject, templates } => {
            format!("enrolled {}, {templates} template(s)", who(subject))
        }
        Entry::ReEnrolled { subject, templates } => {
            format!("re-enrolled {}, {templates} template(s)", who(subject))
        }
        Entry::NotThisPerson { subject, wrong, .. } => {
            let entry = wrong.map_or_else(String::new, |entry| format!(" (entry {entry} was wrong)"));
            format!("somebody is not {}{entry}", who(subject))
        }
        Entry::ImpostorsForgotten { subject, impostors } => {
            format!("{impostors} impostor template(s) of {} removed", who(subject))
        }
        Entry::Revoked { subject } => format!("revoked {}", who(subject)),
        Entry::Began { act, subject } => {
            let whom = subject.as_ref().map_or_else(String::new, |subject| format!(" {}", who(subject)));
            format!("begins: {}{whom}", act.text())
        }
        Entry::Failed { began } => format!("what entry {began} began was not done"),
        Entry::Exporting { subjects, file, .. } => {
            format!("begins: exporting {subjects} subject(s) to {}", file.display())
        }
        Entry::ExportFailed { file } => format!("nothing was exported to {}", file.display()),
        Entry::Exported { subjects, file } => format!("exported {subjects} subject(s) to {}", file.display()),
        Entry::Imported { subjects } => format!("imported {subjects} subject(s)"),
        Entry::KeyChanged { .. } => "the gallery is under a new key".to_owned(),
        Entry::CameraLost { fault } => format!("the camera gives no frames: {}", fault.text()),
        Entry::CameraReturned { away_ms } => {
            format!("the camera gives frames again, after {:.1} s", *away_ms as f64 / 1000.0)
        }
        Entry::Door { reason, subject, method, alarm } => {
            let whom = subject.as_ref().map_or_else(String::new, |subject| format!(", {}", who(subject)));
            let by = method.map_or_else(String::new, |method| format!(" by {}", method.text()));
            let alarm = alarm.map_or_else(String::new, |alarm| format!(" ({})", alarm_text(alarm)));
            format!("door: {reason}{whom}{by}{alarm}")
        }
        Entry::PinSet { subject } => format!("{} got a PIN", who(subject)),
        Entry::PinRemoved { subject } => format!("{} has no PIN any more", who(subject)),
        Entry::DoorTold { act, uid } => format!("door: {} (user {uid})", act.text()),
        Entry::ClockSet { by_s } => {
            let way = if *by_s < 0 { "back" } else { "forward" };
            format!("the clock was set {way} by {} s", by_s.unsigned_abs())
        }
        Entry::InstallerFreed { seconds } => {
            format!(
                "door: the button inside was held: whoever calls is the installer for {} minutes",
                seconds / 60
            )
        }
        Entry::DoorFault { fault, why } => {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            format!("door: {}{why}", fault.text())
        }
        Entry::Duress { subject } => format!("door: {} came in UNDER DURESS", who(subject)),
        Entry::Unknown => "something that another version of arcdoor logged".to_owned(),
        Entry::Decision { by, decision, reason, subject, score, threshold, .. } => {
            let by = match by {
                By::Identify => "identify",
                By::Verify => "verify",
                By::Run => "run",
            };
            let best = subject.as_ref().map_or_else(|| "nobody".to_owned(), who);
            let score = score.map_or_else(|| "-".to_owned(), |score| format!("{score:.3}"));
            let reason = reason.map_or_else(String::new, |reason| format!(": {}", reason.text()));
            let kept = if probe { "  (log wrong possible)" } else { "" };
            let decision = decision.text();
            format!("{by}: {decision}{reason}; {best} {score}, threshold {threshold:.3}{kept}")
        }
    }
}

/// An alarm, in words.
pub(super) const fn alarm_text(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::Forced => "forced open",
        Alarm::HeldOpen => "held open",
        Alarm::Tamper => "a housing is open",
    }
}

/// What the log says of itself.
fn link_text(link: &Link) -> String {
    match link {
        Link::Segment { number, epoch, .. } => {
            format!("segment {number} of the log begins, in epoch {epoch}")
        }
        Link::Epoch { epoch } => format!("epoch {epoch} of the log begins"),
        Link::Torn { bytes } => {
            format!("a power cut left {bytes} byte(s) that were no whole record; dropped")
        }
        Link::Damaged { after: Some(after) } => {
            format!("the records after {after} are damaged or missing, and not by a power cut")
        }
        Link::Damaged { after: None } => "all earlier records are damaged or missing".to_owned(),
        Link::Removed { first, last, .. } => {
            format!("records {first} to {last} were removed for their age or size")
        }
        Link::Denials { count, from, to } => format!("{count} more denial(s), from {from} to {to}"),
        Link::TakenOver { records, unreadable } => {
            format!(
                "{records} record(s) taken over from an older log; {unreadable} line(s) could not be read"
            )
        }
    }
}
