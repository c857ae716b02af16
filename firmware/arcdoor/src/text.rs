//! Responses for people.

use crate::message::{Health, Response, Sight, Stages, View};
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
            Response::Enrolled { name, subject, templates, views } => {
                views.iter().try_for_each(|view| print_view(out, view))?;
                match subject {
                    Some(id) => {
                        writeln!(out, "{name} is enrolled as subject {id} with {templates} template(s)")
                    }
                    None => writeln!(out, "{name} is not enrolled: no picture was good enough"),
                }
            }
            Response::Subject { name, subject, templates, enrolled_unix_s } => {
                let when = date(*enrolled_unix_s);
                writeln!(out, "{subject:>6}  {:<WIDEST$}  {templates:>2} template(s)  {when}", name.as_str())
            }
            Response::Revoked { name, subject, templates, remains, .. } => {
                writeln!(out, "{name} (subject {subject}) is revoked: {templates} template(s) removed")?;
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
            Response::PackProblem { problem, .. } => writeln!(out, "  {problem}"),
            Response::PackWhole { name, dir, model_id, dimension, networks } => {
                writeln!(out, "pack {name} in {} is whole", dir.display())?;
                writeln!(out, "  embedder {model_id}, {dimension} values a template")?;
                networks.iter().try_for_each(|[file, licence]| writeln!(out, "  {file}: {licence}"))
            }
            Response::Network { .. } => crate::explain::print(out, response),
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
                "candidate", "decision", "reason", "engine", "ms: detect landm qual align embed match"
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
        let Stages { detect_us, landmarks_us, quality_us, align_us, embed_us, match_us } = sight.stages;
        for (us, width) in
            [(detect_us, 6), (landmarks_us, 5), (quality_us, 4), (align_us, 5), (embed_us, 5), (match_us, 5)]
        {
            write!(out, " {:>width$.1}", f64::from(us) / 1000.0)?;
        }
        writeln!(out)
    }
}

fn print_view(out: &mut impl Write, view: &View) -> io::Result<()> {
    match view.reason {
        None => writeln!(out, "  {}: taken", name_of(&view.photo)),
        Some(reason) => writeln!(out, "  {}: not taken: {reason}", name_of(&view.photo)),
    }
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
