//! A recorded trace, decided again.

use crate::device::{Outcome, Reply};
use crate::error::Error;
use crate::home::capsule::{Capsule, is_capsule};
use arcdoor_api::{Response, Verdict};
use arcdoor_core::Decision;
use arcdoor_core::file::{ReadError, open_regular};
use arcdoor_log::MAX_SEALED_BYTES;
use arcdoor_pipeline::{Replay, TraceError, TraceLine};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Longest line of a trace, in bytes: a frame's is some hundreds.
const MAX_LINE: u64 = 16 << 10;

/// Says the decisions of a trace again, and ends at the first that would be another one.
pub(super) fn replay(path: &Path, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let bad = |line, source| Error::Trace { path: path.to_owned(), line, source };
    let file = open_regular(path).map_err(|error| match error {
        ReadError::Io(source) => failed(source),
        other => {
            Error::BadFile { path: path.to_owned(), problem: format!("{other}; `run --trace` writes one") }
        }
    })?;
    let mut lines = BufReader::new(file);
    if is_capsule(lines.fill_buf().map_err(failed)?) {
        return replay_capsule(path, lines, reply);
    }
    let (mut replay, mut frames, mut text) = (Replay::new(), 0, String::new());
    let mut has_begun = false;
    for number in 1_u64.. {
        text.clear();
        if lines.by_ref().take(MAX_LINE).read_line(&mut text).map_err(failed)? == 0 {
            break;
        }
        if !text.ends_with('\n') && (text.len() as u64) < MAX_LINE {
            // The loop was killed while it wrote this line.
            break;
        }
        let line = TraceLine::from_json(text.trim_end()).map_err(|source| bad(number, source))?;
        let decided = replay.line(&line).map_err(|source| bad(number, source))?;
        has_begun = true;
        if let (Some(outcome), TraceLine::Frame(entry)) = (decided, &line) {
            reply.answer(&frame(frames, entry.now.0, outcome.decision))?;
            frames += 1;
        }
    }
    if !has_begun {
        return Err(bad(1, TraceError::NoHeader));
    }
    reply.answer(&Response::ReplayEnded { frames })?;
    Ok(Outcome::Done)
}

/// Says the decisions of a capsule again; nothing of one that was changed.
fn replay_capsule(path: &Path, file: impl Read, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let bad = |(line, source)| Error::Capsule { path: path.to_owned(), line, source };
    let mut text = Vec::new();
    let read = file.take(MAX_SEALED_BYTES as u64 + 1).read_to_end(&mut text);
    read.map_err(|source| Error::File { path: path.to_owned(), source })?;
    let capsule = Capsule::read(&text).map_err(bad)?;
    let frames = capsule.replay().map_err(bad)?;
    let Capsule { of, signer, .. } = &capsule;
    let (arcdoor, signer) = (of.arcdoor.clone(), signer.clone());
    reply.answer(&Response::Capsule { entry: of.entry, at: of.at, arcdoor, signer })?;
    for (number, entry) in (0..).zip(&frames) {
        reply.answer(&frame(number, entry.now.0, entry.outcome.decision))?;
    }
    reply.answer(&Response::ReplayEnded { frames: frames.len() as u64 })?;
    Ok(Outcome::Done)
}

fn frame(frame: u64, at_ms: u64, decision: Decision) -> Response {
    let subject = match decision {
        Decision::Granted { subject, .. } => Some(subject),
        Decision::Denied { .. } | Decision::Retry { .. } => None,
    };
    let (decision, reason) = Verdict::of(decision);
    Response::Replayed { frame, at_ms, decision, reason, subject }
}
