//! Why an entry of the log was decided so, in words; and what led to it, for another machine.

use crate::device::{Device, Outcome, Reply};
use crate::error::Error;
use crate::home::capsule::{self, Capsule, Subject};
use crate::home::file::make;
use arcdoor_api::{Entry, Gated, Intended, Looks, Reached, Reason, Record, Response, Verdict, Why};
use arcdoor_core::{DenyReason, QualityPart, RetryReason, SubjectId};
use arcdoor_log::Signer;
use std::io::{self, Write as _};
use std::path::Path;

/// Says why entry `n` was decided so; with `to`, writes what led to it into a new file.
pub(super) fn why(
    device: &mut Device,
    n: u64,
    to: Option<&Path>,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let record = device.journal().record(n)?;
    let signed = to.map(|to| write_capsule(device, &record, to)).transpose()?;
    let (words, capsule) = (words(&record), to.map(|to| to.to_owned().into()));
    reply.answer(&Response::LogWhy { record, words, capsule, signed: signed == Some(true) })?;
    Ok(Outcome::Done)
}

/// Writes what led to a decision; whether the log's key signed it.
fn write_capsule(device: &mut Device, record: &Record, to: &Path) -> Result<bool, Error> {
    let gone = || Error::NoObservations(record.n);
    let of = Subject::of(record).ok_or_else(gone)?;
    let journal = device.journal();
    let trace = journal.observations.find(record.n, record.at)?.ok_or_else(gone)?;
    let signer = Signer::find(&journal.folder()?)?;
    let text = capsule::write(of, &trace, signer.as_ref());
    // What a power cut tore apart is not handed on as if it were whole.
    Capsule::read(text.as_bytes()).and_then(|capsule| capsule.replay().map(drop)).map_err(|_| gone())?;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists(to.to_owned()),
        _ => Error::File { path: to.to_owned(), source },
    };
    let mut file = make(to).map_err(failed)?;
    if let Err(source) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // Half a capsule is none, and would be in the way of the next try.
        let _ = std::fs::remove_file(to);
        return Err(failed(source));
    }
    Ok(signer.is_some())
}

/// A decision in words, stage by stage.
fn words(record: &Record) -> Vec<String> {
    let Some(Entry::Decision { decision, reason, subject, score, threshold, why, .. }) = record.entry()
    else {
        return vec!["this is no decision: nobody was let in or denied by it".to_owned()];
    };
    let mut words = Vec::new();
    match why {
        Some(why) => {
            words.push(seen(why));
            words.extend(why.quality.iter().flat_map(|quality| {
                let part = |part| quality.part(part).map(|gated| quality_text(part, gated));
                QualityPart::ALL.into_iter().filter_map(part)
            }));
            words.push(compared(*subject, *score, *threshold, why));
            words.extend(contested(*score, why));
            words.extend(policy(why));
            words.push(format!("pack: embedder {}, calibration {}", why.model_id, why.calibration_id));
        }
        None => words.push(
            "an earlier version of arcdoor wrote this entry: of what it saw, the log holds the verdict, the score and \
             the threshold alone"
                .to_owned(),
        ),
    }
    let (cause, advice) = match (decision, reason) {
        (Verdict::Granted, _) | (_, None) => GRANT,
        (_, Some(Reason::Deny(reason))) => of_denial(*reason),
        (_, Some(Reason::Retry(reason))) => of_retry(*reason),
    };
    words.push(format!("decided by: {cause}"));
    words.push(format!("what to do: {advice}"));
    words
}

fn seen(why: &Why) -> String {
    let what = match (why.reached, why.quality) {
        (Reached::Nobody, _) => "no face that may be decided about; nothing was compared",
        (Reached::Unclear, _) => "a face, too unclear to be compared with anybody",
        (Reached::Compared, _) => "a face; it was compared, and more was needed before a decision",
        (Reached::Decided, Some(_)) => "a face; it was decided about",
        (Reached::Decided, None) => "a face that had been looked at, and was gone when this was decided",
    };
    format!("seen: {what}")
}

fn quality_text(part: QualityPart, Gated(value, least): Gated) -> String {
    let verdict = if value < least { "falls short" } else { "good enough" };
    format!("  {part}: {value} of 100, at least {least} is asked for: {verdict}")
}

fn compared(subject: Option<SubjectId>, score: Option<f32>, threshold: f32, why: &Why) -> String {
    let meaning = format!(
        "{threshold:.4} is reached by {:.1e} of comparisons of two different people{}, so by about {:.2} % of strangers at {} \
         template(s)",
        why.fmr,
        if why.basis.is_counted() { "" } else { " (extrapolated, not counted)" },
        100.0 * (1.0 - (1.0 - why.fmr).powf(f64::from(why.templates))),
        why.templates,
    );
    let whom = subject.map_or_else(|| "nobody".to_owned(), |subject| format!("subject {subject}"));
    match score {
        Some(score) => {
            let (than, gap) =
                if score >= threshold { ("above", score - threshold) } else { ("below", threshold - score) };
            format!("score: {score:.4} against {whom}, {gap:.4} {than} the threshold; {meaning}")
        }
        None => format!("score: none; the threshold: {meaning}"),
    }
}

fn contested(score: Option<f32>, why: &Why) -> Vec<String> {
    let rival = why.rival.zip(score).map(|(rival, score)| {
        let lead = score - rival.score.0;
        format!(
            "rival: subject {} is {lead:.4} behind; one that matches too must be {} behind",
            rival.subject, why.margin
        )
    });
    let impostor = why
        .impostor
        .map(|score| format!("somebody reported as another: {score:.4}; the score must be above"));
    rival.into_iter().chain(impostor).collect()
}

fn policy(why: &Why) -> Vec<String> {
    let Looks { agreeing, agree, of, made, intent } = why.looks;
    let mut words = vec![format!(
        "looks: {agreeing} agree of {agree} that must, among the last {of}; {made} in this attempt"
    )];
    words.extend(match intent {
        Intended::NotAsked => None,
        Intended::Shown => Some("intent: shown for long enough".to_owned()),
        Intended::TooShort => {
            Some("intent: near and looking at the camera, but not for long enough".to_owned())
        }
        Intended::NotShown => Some("intent: not near enough, or not looking at the camera".to_owned()),
    });
    words.extend(
        (why.locked_ms > 0).then(|| format!("lockout: {:.0} s were left", why.locked_ms as f64 / 1000.0)),
    );
    words
}

const GRANT: (&str, &str) = (
    "enough looks named the same enrolled person above the threshold",
    "nothing; if it was somebody else, report it with `arcdoor log wrong`",
);

/// The one thing that decided, and what can be done about it.
const fn of_denial(reason: DenyReason) -> (&'static str, &'static str) {
    match reason {
        DenyReason::NoMatch => (
            "the score stayed below the threshold",
            "if the person is enrolled: add views as they look now, in this light (`arcdoor enrol NAME --add`); if not, \
             enrol them",
        ),
        DenyReason::NobodyEnrolled => {
            ("there was nobody to compare with", "enrol people, and see that the right --home is in use")
        }
        DenyReason::Ambiguous => (
            "two enrolled people match, and neither leads by the margin",
            "see whether one person is enrolled twice (`arcdoor list`), or re-enrol both with more views",
        ),
        DenyReason::NotThisPerson => (
            "the face is as near to somebody who was reported as another as to the person",
            "if the report was wrong: `arcdoor revoke NAME --not`; or add views of the person",
        ),
        DenyReason::TooFewAgree => (
            "too few looks named the same person before the attempt ended",
            "stay before the camera a little longer; if it happens often, add views or lower policy.agree",
        ),
        DenyReason::LockedOut => (
            "repeated denials before had locked recognition for everybody",
            "wait until the lockout is over; the denials before it in the log say what began it",
        ),
    }
}

/// As [`of_denial`], of what was no denial.
const fn of_retry(reason: RetryReason) -> (&'static str, &'static str) {
    match reason {
        RetryReason::NoFace => {
            ("no face was found", "face the camera; see where it points, and whether its lens is clean")
        }
        RetryReason::SeveralFaces => (
            "several faces, and none clearly in front",
            "come one at a time; or choose the nearest face with `faces` in settings.toml",
        ),
        RetryReason::FaceCutOff => {
            ("the face reached over the frame's edge", "step back, or move into the middle")
        }
        RetryReason::TooFar => {
            ("too few pixels between the eyes", "come closer; or give the camera a larger frame")
        }
        RetryReason::TurnToCamera => {
            ("the face was turned or tilted away", "look at the camera; mount it at the height of faces")
        }
        RetryReason::TooDark => ("too little light fell on the face", "light the face, not the wall behind"),
        RetryReason::TooBright => {
            ("too much light fell on the face", "shade the lamp or the sun, or lower the exposure")
        }
        RetryReason::LightFromBehind => (
            "the face was dark before a bright surround",
            "turn around, light the face, or turn the camera from the window",
        ),
        RetryReason::HoldStill => {
            ("the face was blurred", "hold still; more light shortens the exposure; clean the lens")
        }
        RetryReason::HoldUpright => (
            "the head lay on its side, or was not found where it is",
            "hold the head upright; see `rotate` of the camera",
        ),
        RetryReason::Covered => ("mouth, eyes or outline were covered", "take off mask, glasses or hood"),
        RetryReason::NotClear => (
            "what was seen of the face is what many faces share, and nothing tells why",
            "look at the camera in even light; clean the lens",
        ),
        RetryReason::SomebodyElse => (
            "the view matched none of those before it",
            "one enrolment takes one person: leave other people's photos out",
        ),
        RetryReason::ShowIntent => (
            "nobody showed that they want to be let in",
            "come closer and look at the camera for a moment; see `policy.intent` in settings.toml",
        ),
        RetryReason::SameView => {
            ("the view was nearly that of one before it", "turn the head a little between views")
        }
        RetryReason::SamePhoto => {
            ("the photo was the same as one before it, or a copy", "give another photo")
        }
        RetryReason::Looking => ("more looks had to agree", "keep looking at the camera"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_api::{By, Content, GatedQuality, Method, UtcTime};
    use arcdoor_core::{Basis, CalibrationId, Candidate, GalleryId, ModelId, Score};
    use arcdoor_log::{Log, MAX_DECISION_BYTES, MemoryFolder, Records};

    const DENIALS: [DenyReason; 6] = [
        DenyReason::NoMatch,
        DenyReason::NobodyEnrolled,
        DenyReason::Ambiguous,
        DenyReason::NotThisPerson,
        DenyReason::TooFewAgree,
        DenyReason::LockedOut,
    ];
    const RETRIES: [RetryReason; 17] = [
        RetryReason::NoFace,
        RetryReason::SeveralFaces,
        RetryReason::FaceCutOff,
        RetryReason::TooFar,
        RetryReason::TurnToCamera,
        RetryReason::TooDark,
        RetryReason::TooBright,
        RetryReason::LightFromBehind,
        RetryReason::HoldStill,
        RetryReason::HoldUpright,
        RetryReason::Covered,
        RetryReason::NotClear,
        RetryReason::SomebodyElse,
        RetryReason::ShowIntent,
        RetryReason::SameView,
        RetryReason::SamePhoto,
        RetryReason::Looking,
    ];

    /// As long as a decision's grounds can be.
    fn longest() -> Why {
        let gated = Gated(100, 100);
        Why {
            method: Method::Face,
            reached: Reached::Compared,
            quality: Some(GatedQuality {
                sharpness: gated,
                pose: Gated(3, 25),
                illumination: gated,
                size: gated,
                occlusion: gated,
                recognisability: Some(gated),
            }),
            fmr: 1.234_567_890_123_456_7e-5,
            basis: Basis::TailFit,
            templates: 100_000,
            rival: Some(Candidate { subject: SubjectId(u32::MAX - 1), score: Score(-0.123_456_79) }),
            margin: 0.123_456_79,
            impostor: Some(-0.123_456_79),
            looks: Looks { agreeing: 16, agree: 16, of: 16, made: 255, intent: Intended::NotAsked },
            locked_ms: u64::MAX,
            model_id: ModelId::new([0xff; 16]),
            calibration_id: CalibrationId::new([0xff; 16]),
        }
    }

    fn entry(reason: Reason, why: Option<Why>) -> Entry {
        let decision = if matches!(reason, Reason::Deny(_)) { Verdict::Denied } else { Verdict::Retry };
        Entry::Decision {
            by: By::Identify,
            decision,
            reason: Some(reason),
            subject: Some(SubjectId(u32::MAX)),
            score: Some(-0.123_456_79),
            threshold: 0.412_345_6,
            why: why.map(Box::new),
        }
    }

    fn record(entry: Entry) -> Record {
        let at = UtcTime::from_unix_ns(1_795_843_884_123_456_789);
        Record { n: 7, at, gallery: None, legacy: false, content: Content::Entry(entry) }
    }

    #[test]
    fn every_reason_has_its_own_words_and_none_is_an_error() {
        let all = DENIALS.map(Reason::Deny).into_iter().chain(RETRIES.map(Reason::Retry));
        let mut told = Vec::new();
        for reason in all {
            for why in [None, Some(longest())] {
                let words = words(&record(entry(reason, why)));
                let text = words.join("\n");
                assert!(!text.to_lowercase().contains("error"), "{text}");
                if why.is_some() {
                    assert!(text.contains("pose: 3 of 100, at least 25 is asked for: falls short"), "{text}");
                    told.push(words[words.len() - 2..].to_vec());
                }
            }
        }
        for part in [0, 1] {
            let mut words: Vec<&String> = told.iter().map(|words| &words[part]).collect();
            words.sort();
            words.dedup();
            assert_eq!(words.len(), DENIALS.len() + RETRIES.len());
        }
    }

    #[test]
    fn an_entry_that_is_no_decision_says_so() {
        assert!(words(&record(Entry::Imported { subjects: 3 }))[0].contains("no decision"));
    }

    /// The budget of a flood of denials rests on it.
    #[test]
    fn the_longest_decision_goes_into_its_line_and_is_read_as_it_was_written() {
        let longest_reason = entry(Reason::Retry(RetryReason::LightFromBehind), Some(longest()));
        let folder = MemoryFolder::new();
        let at = UtcTime::from_unix_ns(1_795_843_884_123_456_789);
        let (mut log, _) = Log::create(folder.clone(), at).unwrap();
        let written = log.append(&longest_reason, at, Some(GalleryId::new([0xff; 16]))).unwrap().unwrap();
        log.sync().unwrap();
        assert_eq!(Records::newest_first(&folder).unwrap().next().unwrap().unwrap(), written);
        // Its number may grow to 20 digits.
        let line = folder
            .files()
            .into_values()
            .flat_map(|file| file.split(|byte| *byte == b'\n').map(<[u8]>::len).max())
            .max();
        assert!(line.unwrap() as u64 + 20 <= MAX_DECISION_BYTES, "{line:?}");
    }

    #[test]
    fn a_decision_of_an_earlier_version_is_read_and_says_that_it_holds_less() {
        let line = "{\"n\":7,\"at\":\"2026-11-28T05:31:24.25Z\",\"event\":\"decision\",\"by\":\"run\",\"decision\":\"denied\",\
                    \"reason\":\"no_match\",\"subject\":3,\"score\":0.25,\"threshold\":0.375}";
        let words = words(&serde_json::from_str(line).unwrap());
        assert!(
            words[0].contains("earlier version") && words[1].contains("below the threshold"),
            "{words:?}"
        );
    }
}
