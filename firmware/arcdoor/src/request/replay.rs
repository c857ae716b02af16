//! A recorded trace, decided again.

use crate::device::{Outcome, Reply};
use crate::error::Error;
use arcdoor_api::{Response, Verdict};
use arcdoor_core::Decision;
use arcdoor_core::file::{ReadError, open_regular};
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

fn frame(frame: u64, at_ms: u64, decision: Decision) -> Response {
    let subject = match decision {
        Decision::Granted { subject, .. } => Some(subject),
        Decision::Denied { .. } | Decision::Retry { .. } => None,
    };
    let (decision, reason) = Verdict::of(decision);
    Response::Replayed { frame, at_ms, decision, reason, subject }
}
