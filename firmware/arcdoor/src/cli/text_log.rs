//! An entry of the log, for people.

use arcdoor_api::{By, Content, Entry, Link, Record};
use arcdoor_core::{SubjectId, SubjectName};
use std::io::{self, Write};

pub(super) fn print(
    out: &mut dyn Write,
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

fn entry_text(entry: &Entry, name: Option<&SubjectName>, probe: bool) -> String {
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
        Entry::Exporting { subjects, file } => {
            format!("is about to export {subjects} subject(s) to {}", file.display())
        }
        Entry::ExportFailed { file } => format!("nothing was exported to {}", file.display()),
        Entry::Exported { subjects, file } => format!("exported {subjects} subject(s) to {}", file.display()),
        Entry::Imported { subjects } => format!("imported {subjects} subject(s)"),
        Entry::KeyChanged { .. } => "the gallery is under a new key".to_owned(),
        Entry::Unknown => "something that another version of arcdoor logged".to_owned(),
        Entry::Decision { by, decision, reason, subject, score, threshold } => {
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
