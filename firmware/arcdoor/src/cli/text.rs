//! Answers for people.

use super::column::{name_of, shortened};
use super::lines::Lines;
use super::{text_doctor, text_door, text_log, text_network, text_tuning};
use arcdoor_api::{
    Advice, Feed, FoundFace, OperatingPoint, ReEnrolment, Reason, Remain, Request, Response, Sight, Target,
    UtcTime, View,
};
use arcdoor_core::{RetryReason, Stage};
use std::io;

/// Widest column of photo names or candidates, in characters.
const WIDEST: usize = 28;

/// Prints answers as text; remembers whether the table's head was printed.
#[derive(Debug)]
pub(super) struct Text {
    photo_width: usize,
    has_head: bool,
}

impl Text {
    /// A printer of text for photos whose names have at most `longest` characters.
    pub(super) fn new(longest: usize) -> Self {
        Self { photo_width: longest.clamp(5, WIDEST), has_head: false }
    }

    /// Prints one answer; failures go to stderr.
    pub(super) fn print(&mut self, out: &mut Lines<'_>, response: &Response) -> io::Result<()> {
        match response {
            Response::Identified { photo, sight, turned, annotated } => {
                self.sight(out, "photo", &name_of(photo), sight)?;
                turned.map_or(Ok(()), |degrees| writeln!(out, "  {}", turned_text(degrees)))?;
                annotated.as_ref().map_or(Ok(()), |path| writeln!(out, "  -> {}", path.display()))
            }
            Response::Verified { photo, sight, turned } => {
                self.sight(out, "photo", &name_of(photo), sight)?;
                turned.map_or(Ok(()), |degrees| writeln!(out, "  {}", turned_text(degrees)))
            }
            Response::Frame { frame, sight, error, .. } => {
                self.sight(out, "frame", &frame.to_string(), sight)?;
                error.as_ref().map_or(Ok(()), |error| writeln!(out, "  {error}"))
            }
            Response::Failed { error, .. } => Lines(&mut io::stderr()).paragraph("arcdoor: ", error),
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
                    None => writeln!(out, "{name} is not enrolled: no image was good enough"),
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
            Response::LogEntry { record, name, probe } => text_log::print(out, record, name.as_ref(), *probe),
            Response::LogWhy { .. } => text_log::why(out, response),
            Response::LogVerified { .. } => text_log::verified(out, response),
            Response::LogNote { note, .. } => note.lines().try_for_each(|line| writeln!(out, "{line}")),
            Response::Promise { promise } => writeln!(out, "{}", text_log::broken_promise(promise)),
            Response::Subject { name, subject, templates, impostors, enrolled_unix_s } => {
                let when = date(*enrolled_unix_s);
                let denied = if *impostors > 0 { format!("  {impostors} denied") } else { String::new() };
                let name = name.as_str();
                writeln!(out, "{subject:>6}  {name:<WIDEST$}  {templates:>2} template(s)  {when}{denied}")
            }
            Response::Revoked { name, subject, templates, remains, .. } => {
                writeln!(
                    out,
                    "{name} (subject {subject}) is revoked: {templates} template(s) removed; what remains:"
                )?;
                remains.iter().try_for_each(|remain| writeln!(out, "  {}", remain_text(remain, *subject)))
            }
            Response::Exported { file, subjects } => {
                writeln!(out, "{subjects} subject(s) exported to {}", file.display())
            }
            Response::Imported { subjects, skipped } => {
                let known = |name| writeln!(out, "  {name}: left out, there is a subject of this name here");
                skipped.iter().try_for_each(known)?;
                writeln!(out, "{subjects} subject(s) imported")
            }
            Response::KeyChanged { source } => {
                writeln!(out, "the gallery is under a new key: {}", text_doctor::protection(*source))
            }
            Response::PackProblem { problem, .. } => writeln!(out, "  {problem}"),
            Response::PackWhole { name, dir, version, model_id, dimension, networks } => {
                let place =
                    dir.as_ref().map_or("compiled in,".to_owned(), |dir| format!("in {}", dir.display()));
                writeln!(out, "pack {name}, version {version}, {place} is whole")?;
                writeln!(out, "  embedder {model_id}, {dimension} values a template")?;
                networks.iter().try_for_each(|[file, licence]| writeln!(out, "  {file}: {licence}"))
            }
            Response::OtherEmbedder { re_enrolment } => re_enrolment_text(out, re_enrolment),
            Response::PackBefore { name } => {
                writeln!(out, "the pack before is still there: `arcdoor pack use {name}` goes back to it")
            }
            Response::Network { .. } => text_network::print(out, response),
            Response::TunedLayer { .. } => {
                let first = !std::mem::replace(&mut self.has_head, true);
                text_tuning::print(out, response, first)
            }
            Response::TunedNetwork { .. } | Response::Tuning { .. } => {
                text_tuning::print(out, response, false)
            }
            Response::TraceEnded { file, bytes, error } => {
                let why = error.as_deref().unwrap_or("it has its full size");
                writeln!(out, "the trace {} ends with {bytes} bytes: {why}", file.display())
            }
            Response::CameraLost { error, retry_ms, .. } => {
                let next = match retry_ms {
                    Some(ms) => format!("trying again in {:.0} s", *ms as f64 / 1000.0),
                    None => "the loop ends".to_owned(),
                };
                writeln!(out, "no camera: {error}; {next}")
            }
            Response::CameraReturned { away_ms, .. } => {
                writeln!(out, "the camera gives frames again, after {:.1} s", *away_ms as f64 / 1000.0)
            }
            Response::Capsule { entry, at, arcdoor, signer } => {
                writeln!(
                    out,
                    "entry {entry} of a log, {at}, by arcdoor {arcdoor}; nothing in this file was changed"
                )?;
                match signer {
                    Some(signer) => writeln!(out, "signed by {signer}"),
                    None => writeln!(out, "nobody signed it: whoever gave it to you could have made it up"),
                }
            }
            Response::Replayed { frame, at_ms, decision, reason, subject } => {
                let subject = subject.map_or_else(String::new, |subject| format!(" subject {subject}"));
                let reason = reason.map_or_else(String::new, |reason| format!(": {}", reason.text()));
                writeln!(out, "{frame:>6}  {at_ms:>9} ms  {}{subject}{reason}", decision.text())
            }
            Response::ReplayEnded { frames } => {
                writeln!(out, "{frames} frame(s) are decided as they were recorded")
            }
            Response::Pin { name, is_set: true } => writeln!(out, "{name} has a PIN"),
            Response::Pin { name, is_set: false } => writeln!(out, "{name} has no PIN any more"),
            Response::DoorEvent { entry, .. } => {
                writeln!(out, "{}", text_log::entry_text(entry, None, false))
            }
            Response::Door { state } => text_door::print(out, state),
            Response::Check { check, health, finding } => text_doctor::print(out, *check, *health, finding),
        }
    }

    fn sight(&mut self, out: &mut Lines<'_>, first: &str, photo: &str, sight: &Sight) -> io::Result<()> {
        let width = self.photo_width;
        if !self.has_head {
            self.has_head = true;
            if let Some(point) = &sight.operating_point {
                writeln!(out, "{}", point_text(point, sight.threshold))?;
            }
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
        let mut line = format!(
            "{:<width$}  {:>5}  {:<16}  {score:>5}  {:>7.3}  {:<8}  {reason:<32}  {:<6}    ",
            shortened(photo, width),
            sight.faces,
            shortened(candidate, 16),
            sight.threshold,
            sight.decision.text(),
            sight.engine.map_or("-", |engine| engine.text()),
        );
        for stage in Stage::ALL {
            let width = stage.heading().len();
            line.push_str(&format!(" {:>width$.1}", f64::from(sight.stages.us(stage)) / 1000.0));
        }
        let basis = if sight.threshold_basis.is_counted() { "" } else { "  threshold: tail fit" };
        writeln!(out, "{line}{basis}")?;
        if sight.reason == Some(Reason::Retry(RetryReason::SeveralFaces))
            && let Some(rivals) = rivals(&sight.each_face)
        {
            writeln!(out, "  {rivals}")?;
        }
        Ok(())
    }
}

/// The two widest faces, left one first.
fn rivals(faces: &[FoundFace]) -> Option<String> {
    let mut confirmed: Vec<&FoundFace> = faces.iter().filter(|face| face.is_confirmed).collect();
    confirmed.sort_by(|a, b| b.rect.w.total_cmp(&a.rect.w));
    let [first, second, others @ ..] = confirmed.as_slice() else { return None };
    let middle = |face: &FoundFace| face.rect.x + face.rect.w / 2.0;
    let (left, right) = if middle(first) <= middle(second) { (first, second) } else { (second, first) };
    let more = if others.is_empty() { String::new() } else { format!(", and {} more", others.len()) };
    Some(format!("left: a face {:.0} px wide; right: a face {:.0} px wide{more}", left.rect.w, right.rect.w))
}

/// What the threshold means.
fn point_text(point: &OperatingPoint, threshold: f32) -> String {
    let [low, high] = point.fmr_interval;
    let rate = format!(
        "threshold {threshold:.3}: FMR {:.1e} a comparison (95 % {low:.1e} to {high:.1e})",
        point.fmr
    );
    let templates = point.templates;
    let missed = if point.is_met { "" } else { ", NOT MET: the pack's calibration ends there" };
    match (point.target, point.fpir) {
        (Target::Fpir(target), fpir) => {
            let fpir = fpir.map_or_else(String::new, |fpir| format!(", FPIR {fpir:.1e} expected"));
            format!("{rate}; {templates} template(s){fpir}, target_fpir {target}{missed}")
        }
        (Target::Fmr(target), _) => {
            format!("{rate}; {templates} template(s) of one subject, target_fmr {target:e}{missed}")
        }
    }
}

fn print_view(out: &mut Lines<'_>, view: &View) -> io::Result<()> {
    match view.reason {
        None => {
            let weakest = view.quality.map(|quality| quality.weakest());
            let quality =
                weakest.map_or_else(String::new, |(part, value)| format!(", quality {value} ({part})"));
            let turned =
                view.turned.map_or_else(String::new, |degrees| format!(", {}", turned_text(degrees)));
            writeln!(out, "  {}: taken{quality}{turned}", name_of(&view.photo))
        }
        Some(reason) => writeln!(out, "  {}: not taken: {reason}", name_of(&view.photo)),
    }
}

fn turned_text(degrees: u16) -> String {
    format!("photo turned by {degrees} degrees")
}

fn remain_text(remain: &Remain, subject: arcdoor_core::SubjectId) -> String {
    match remain {
        Remain::LogEntries => format!("the log keeps what subject {subject} did, without the name"),
        Remain::FreePages => "the gallery's free pages keep sealed templates until --erase".to_owned(),
        Remain::FlashBlocks => {
            "flash memory may keep overwritten blocks for a while, sealed under a key that is gone".to_owned()
        }
        Remain::SameCredential => "the credential is as before: give arcdoor a new one, too".to_owned(),
        Remain::SamePassphrase => {
            "the passphrase is as before, and opens such blocks: `arcdoor key change --to passphrase`"
                .to_owned()
        }
        Remain::NotOverwritten { why } => {
            format!("an old file was removed, and could not be overwritten: {why}")
        }
        Remain::Export { at, file, is_there } => {
            let (year, month, day) = at.date();
            let now = if *is_there { "still there: delete it" } else { "not there any more, or moved" };
            format!("exported on {year:04}-{month:02}-{day:02} to {} ({now})", file.display())
        }
        Remain::NoExport => "the log knows of no exported file that holds the subject".to_owned(),
    }
}

/// For the operator: what is weak, and what would be better.
fn advice_text(advice: &Advice) -> String {
    match advice {
        Advice::OneView => {
            "one view only: `enrol NAME --add` with two to four more (other light, glasses on and off)"
                .to_owned()
        }
        Advice::FewViews { views, of } => format!(
            "only {views} different view(s) of {of}: `enrol NAME --add --camera`, turning the head a little, with and \
             without glasses if any are worn"
        ),
        Advice::NotTurned { side } => {
            format!("no view is turned a little {side}: one more with --add")
        }
        Advice::Inconsistent { score, threshold } => format!(
            "the views are hardly alike ({score:.3}; the door asks for {threshold:.3}): this person may be \
             denied; repeat with --replace and photos like the frames at the door"
        ),
        Advice::CloseTo { name, subject, score, threshold } => format!(
            "close to {name} (subject {subject}): {score:.3}, the door asks for {threshold:.3}; the two may be \
             taken for each other: card or PIN, or more views of both"
        ),
        Advice::LowQuality { part, value } => format!(
            "the best image is a poor one ({part} {value} of 100): repeat with --replace and a better one"
        ),
        Advice::DeniesOwn { views, of } => format!(
            "{views} of this subject's own {of} views are as near to the denied person: the subject may be \
             denied, too; re-enrol with --add, or take it back with `revoke NAME --not`"
        ),
    }
}

/// Characters of the longest photo name of a request.
pub(super) fn longest_photo(request: &Request) -> usize {
    match request {
        Request::Identify { from: Feed::Photos(files), .. }
        | Request::Verify { from: Feed::Photos(files), .. } => {
            files.iter().map(|file| name_of(&file.to_string_lossy()).chars().count()).max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Who would have to be enrolled again.
fn re_enrolment_text(out: &mut Lines<'_>, of: &ReEnrolment) -> io::Result<()> {
    let ReEnrolment { embedder, enrolled_with, people, names, unread, .. } = of;
    if let Some(why) = unread {
        writeln!(out, "who is enrolled cannot be told, for the gallery is sealed ({why});")?;
        return writeln!(
            out,
            "a pack of another embedder ({embedder}) than theirs knows none of them, and all would have to be enrolled again"
        );
    }
    let with = enrolled_with.as_deref().unwrap_or("another one");
    writeln!(out, "enrolled with embedder {with}, to be enrolled again under a pack with {embedder}:")?;
    names.iter().try_for_each(|name| writeln!(out, "  {name}"))?;
    match people.unwrap_or(0).saturating_sub(names.len()) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more: `arcdoor list` has them all"),
    }
}

fn date(unix_s: u64) -> String {
    UtcTime::from_unix_s(unix_s).map_or_else(|| "unknown".to_owned(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{Rect, SubjectName};

    #[test]
    fn two_faces_side_by_side_are_both_named_and_nobody_guesses_which_is_meant() {
        let face = |x, w, is_confirmed| FoundFace {
            rect: Rect::new(x, 0.0, w, w),
            detector_score: 0.9,
            is_confirmed,
            quality: None,
        };
        let two = [face(300.0, 100.0, true), face(10.0, 90.0, true), face(600.0, 200.0, false)];
        let text = rivals(&two).unwrap();
        assert_eq!(text, "left: a face 90 px wide; right: a face 100 px wide");
        let three = [&two[..], &[face(500.0, 50.0, true)]].concat();
        assert!(rivals(&three).unwrap().ends_with(", and 1 more"));
        assert_eq!(rivals(&two[..1]), None);
    }

    #[test]
    fn whom_an_answer_does_not_name_it_counts() {
        let text = |people, unread: Option<&str>| {
            let of = ReEnrolment {
                embedder: "b".to_owned(),
                enrolled_with: Some("a".to_owned()),
                people,
                names: vec![SubjectName::new("Ada").unwrap()],
                unread: unread.map(str::to_owned),
                back: None,
            };
            let mut bytes = Vec::new();
            re_enrolment_text(&mut Lines(&mut bytes), &of).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert!(text(Some(1), None).ends_with(":\n  Ada\n"));
        assert!(text(Some(4), None).ends_with("\n  Ada\n  and 3 more: `arcdoor list` has them all\n"));
        assert!(text(None, Some("no key")).starts_with("who is enrolled cannot be told"));
    }

    #[test]
    fn a_threshold_that_misses_its_target_does_not_look_like_one_that_meets_it() {
        let point = OperatingPoint {
            fmr: 1e-5,
            fmr_interval: [5e-6, 2e-5],
            templates: 12,
            fpir: Some(1.2e-4),
            target: Target::Fpir(0.01),
            is_met: true,
        };
        let text = point_text(&point, 0.4231);
        assert_eq!(
            text,
            "threshold 0.423: FMR 1.0e-5 a comparison (95 % 5.0e-6 to 2.0e-5); 12 template(s), FPIR 1.2e-4 expected, \
             target_fpir 0.01"
        );
        assert!(point_text(&OperatingPoint { is_met: false, ..point }, 0.4).contains("NOT MET"));
        let claim = OperatingPoint { fpir: None, target: Target::Fmr(1e-5), ..point };
        assert!(point_text(&claim, 0.4).ends_with("12 template(s) of one subject, target_fmr 1e-5"));
    }

    #[test]
    fn a_date_that_cannot_be_is_unknown() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(u64::MAX), "unknown");
    }
}
