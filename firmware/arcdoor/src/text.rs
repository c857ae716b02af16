//! Responses for people.

use crate::log::{By, Entry, Record};
use crate::message::{Advice, Health, Response, Sight, View};
use arcdoor_core::{Stage, SubjectId, SubjectName};
use std::io::{self, Write};
use std::path::Path;

/// Widest column of photo names or candidates, in characters.
const WIDEST: usize = 28;

/// Prints responses; remembers whether the table's head was printed.
#[derive(Debug)]
pub struct Printer {
    photo_width: usize,
    has_head: bool,
}

impl Printer {
    /// For photos whose names have at most `longest` characters.
    #[must_use]
    pub fn new(longest: usize) -> Self {
        Self { photo_width: longest.clamp(5, WIDEST), has_head: false }
    }

    /// Prints one response; failures go to stderr.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn print(&mut self, out: &mut impl Write, response: &Response) -> io::Result<()> {
        match response {
            Response::Identified { photo, sight, annotated } => {
                self.sight(out, "photo", &name_of(photo), sight)?;
                annotated.as_ref().map_or(Ok(()), |path| writeln!(out, "  -> {}", path.display()))
            }
            Response::Verified { photo, sight } => self.sight(out, "photo", &name_of(photo), sight),
            Response::Frame { frame, sight, error, .. } => {
                self.sight(out, "frame", &frame.to_string(), sight)?;
                error.as_ref().map_or(Ok(()), |error| writeln!(out, "  {error}"))
            }
            Response::Failed { error, .. } => writeln!(io::stderr(), "arcdoor: {error}"),
            Response::Enrolled { name, subject, templates, views, consistency, advice } => {
                views.iter().try_for_each(|view| print_view(out, view))?;
                if let Some(score) = consistency {
                    writeln!(out, "  each view scores at least {score:.3} against another")?;
                }
                advice.iter().try_for_each(|advice| writeln!(out, "  advice: {}", advice_text(advice)))?;
                match subject {
                    Some(id) => {
                        writeln!(out, "{name} is enrolled as subject {id} with {templates} template(s)")
                    }
                    None => writeln!(out, "{name} is not enrolled: no picture was good enough"),
                }
            }
            Response::NotThisPerson { name, score, impostors, views, advice, .. } => {
                views.iter().try_for_each(|view| print_view(out, view))?;
                let score = score.map_or_else(String::new, |score| format!(", who scored {score:.3},"));
                writeln!(out, "this person{score} is denied being {name} from now on ({impostors} in all)")?;
                advice.iter().try_for_each(|advice| writeln!(out, "  advice: {}", advice_text(advice)))
            }
            Response::ImpostorsForgotten { name, impostors, .. } => {
                writeln!(out, "nobody is denied being {name} any more: {impostors} template(s) removed")
            }
            Response::LogEntry { record, name, probe } => print_record(out, record, name.as_ref(), *probe),
            Response::Subject { name, subject, templates, impostors, enrolled_unix_s, generation } => {
                let when = date(*enrolled_unix_s);
                write!(out, "{subject:>6}  {:<WIDEST$}  {templates:>2} template(s)  {when}", name.as_str())?;
                if *impostors > 0 {
                    write!(out, "  {impostors} denied")?;
                }
                if *generation > 1 {
                    write!(out, "  issue {generation}")?;
                }
                writeln!(out)
            }
            Response::ReIssued { name, generation, .. } => {
                writeln!(out, "{name}'s templates are stored anew, issue {generation}; nothing else changes")
            }
            Response::Revoked { name, subject, templates, remains, .. } => {
                writeln!(
                    out,
                    "{name} (subject {subject}) is revoked: {templates} template(s) removed; what remains:"
                )?;
                remains.iter().try_for_each(|text| writeln!(out, "  {text}"))
            }
            Response::Exported { file, subjects } => {
                writeln!(out, "{subjects} subject(s) exported to {}", file.display())
            }
            Response::Imported { subjects, skipped } => {
                let known = |name| writeln!(out, "  {name}: left out, there is a subject of this name here");
                skipped.iter().try_for_each(known)?;
                writeln!(out, "{subjects} subject(s) imported")
            }
            Response::KeyChanged { text, .. } => writeln!(out, "the gallery is under a new key: {text}"),
            Response::SiteExported { file, people, comparisons, attempts, reported, strangers } => writeln!(
                out,
                "{comparisons} comparison(s) of {people} people, and {attempts} attempt(s), of which {reported} grant(s) of \
                 {strangers} stranger(s) were reported as wrong, written to {}; next: arcdoor-lab calibrate --site {} \
                 --out DIR",
                file.display(),
                file.display(),
            ),
            Response::SiteInstalled { made, text } => {
                writeln!(
                    out,
                    "the site's calibration of {made} is in force; a running door takes it when it is \
                     started again\n  {text}"
                )
            }
            Response::SiteRemoved => writeln!(out, "the pack's own thresholds are in force"),
            Response::PackProblem { problem, .. } => writeln!(out, "  {problem}"),
            Response::PackWhole { name, dir, version, model_id, dimension, networks } => {
                writeln!(out, "pack {name}, version {version}, in {} is whole", dir.display())?;
                writeln!(out, "  embedder {model_id}, {dimension} values a template")?;
                networks.iter().try_for_each(|[file, licence]| writeln!(out, "  {file}: {licence}"))
            }
            Response::Network { .. } => crate::explain::print(out, response),
            Response::TunedLayer { .. } => {
                let first = !std::mem::replace(&mut self.has_head, true);
                crate::tune::print(out, response, first)
            }
            Response::TunedNetwork { .. } | Response::Tuning { .. } => {
                crate::tune::print(out, response, false)
            }
            Response::Check { check, health, text } => {
                let health = match health {
                    Health::Ok => "ok",
                    Health::Warn => "warn",
                    Health::Fail => "fail",
                };
                writeln!(out, "{health:<4}  {check:<9}  {}", text.replace('\n', "\n                 "))
            }
        }
    }

    fn sight(&mut self, out: &mut impl Write, first: &str, photo: &str, sight: &Sight) -> io::Result<()> {
        let width = self.photo_width;
        if !self.has_head {
            self.has_head = true;
            writeln!(
                out,
                "{first:<width$}  faces  {:<16}  score  thresh.  {:<8}  {:<32}  {:<6} {:>36}",
                "candidate",
                "decision",
                "reason",
                "engine",
                format!("ms: {}", Stage::ALL.map(Stage::heading).join(" "))
            )?;
        }
        let candidate = sight.candidate.as_ref().map_or("-", |name| name.as_str());
        let score = sight.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.3}"));
        let reason = sight.reason.map_or("", |reason| reason.text());
        write!(
            out,
            "{:<width$}  {:>5}  {:<16}  {score:>5}  {:>7.3}  {:<8}  {reason:<32}  {:<6}    ",
            shortened(photo, width),
            sight.faces,
            shortened(candidate, 16),
            sight.threshold,
            sight.decision.text(),
            sight.engine.map_or("-", |engine| engine.text()),
        )?;
        for stage in Stage::ALL {
            let width = stage.heading().len();
            write!(out, " {:>width$.1}", f64::from(sight.stages.us(stage)) / 1000.0)?;
        }
        writeln!(out, "{}", if sight.threshold_basis.is_counted() { "" } else { "  threshold: tail fit" })
    }
}

fn print_view(out: &mut impl Write, view: &View) -> io::Result<()> {
    match view.reason {
        None => {
            write!(out, "  {}: taken", name_of(&view.photo))?;
            if let Some(quality) = view.quality {
                let (part, value) = quality.weakest();
                write!(out, ", quality {value} ({part})")?;
            }
            writeln!(out)
        }
        Some(reason) => writeln!(out, "  {}: not taken: {reason}", name_of(&view.photo)),
    }
}

/// For the operator: what is weak, and what would be better.
#[must_use]
pub fn advice_text(advice: &Advice) -> String {
    match advice {
        Advice::OneView => {
            "one view only: `enrol NAME --add` with two to four more (other light, glasses on and off)"
                .to_owned()
        }
        Advice::Inconsistent { score, threshold } => format!(
            "the views are hardly alike ({score:.3}; the door asks for {threshold:.3}): this person may be \
             denied; repeat with --replace and pictures like those at the door"
        ),
        Advice::CloseTo { name, subject, score, threshold } => format!(
            "close to {name} (subject {subject}): {score:.3}, the door asks for {threshold:.3}; the two may be \
             taken for each other: card or PIN, or more views of both"
        ),
        Advice::LowQuality { part, value } => format!(
            "the best picture is a poor one ({part} {value} of 100): repeat with --replace and a better one"
        ),
        Advice::DeniesOwn { views, of } => format!(
            "{views} of this subject's own {of} views are as near to the denied person: the subject may be \
             denied, too; re-enrol with --add, or take it back with `revoke NAME --not`"
        ),
    }
}

fn print_record(
    out: &mut impl Write,
    record: &Record,
    name: Option<&SubjectName>,
    probe: bool,
) -> io::Result<()> {
    let who =
        |subject: &SubjectId| name.map_or_else(|| format!("subject {subject}"), |name| name.to_string());
    let text = match &record.entry {
        Entry::Enrolled { subject, templates } => {
            format!("enrolled {}, {templates} template(s)", who(subject))
        }
        Entry::ReEnrolled { subject, templates } => {
            format!("re-enrolled {}, {templates} template(s)", who(subject))
        }
        Entry::ReIssued { subject, generation } => {
            format!("templates of {} issued anew, issue {generation}", who(subject))
        }
        Entry::NotThisPerson { subject, wrong, .. } => {
            let entry = wrong.map_or_else(String::new, |entry| format!(" (entry {entry} was wrong)"));
            format!("somebody is not {}{entry}", who(subject))
        }
        Entry::ImpostorsForgotten { subject, impostors } => {
            format!("{impostors} impostor template(s) of {} removed", who(subject))
        }
        Entry::Revoked { subject } => format!("revoked {}", who(subject)),
        Entry::Exported { subjects, file } => format!("exported {subjects} subject(s) to {}", file.display()),
        Entry::Imported { subjects } => format!("imported {subjects} subject(s)"),
        Entry::KeyChanged { .. } => "the gallery is under a new key".to_owned(),
        Entry::SiteInstalled { made } => format!("site calibration of {made} installed"),
        Entry::SiteRemoved => "site calibration removed".to_owned(),
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
    };
    writeln!(out, "{:>6}  {}  {text}", record.n, record.at.strftime("%F %T"))
}

/// A file's own name, without what a terminal would obey.
#[must_use]
pub fn name_of(photo: &str) -> String {
    let name = Path::new(photo).file_name().map_or_else(|| photo.into(), |name| name.to_string_lossy());
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The last `width` characters matter more than the first: camera files differ at their end.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    std::iter::once('~').chain(text.chars().skip(count + 1 - width)).collect()
}

fn date(unix_s: u64) -> String {
    i64::try_from(unix_s)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "unknown".to_owned(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_harmless() {
        assert_eq!(shortened("abcdef", 4), "~def");
        assert_eq!(shortened("abcd", 4), "abcd");
        assert_eq!(name_of("a/b\u{1b}[2J.png"), "b?[2J.png");
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(u64::MAX), "unknown");
    }
}
