//! A capsule: what led to one decision, sealed, so that another machine decides it again.
//!
//! Its first line says of what entry of a log it is, and by which arcdoor; the others are a trace, which begins with what
//! was remembered. No image, no template, no name.

use arcdoor_api::{Entry, Reason, Record, UtcTime, Verdict};
use arcdoor_core::SubjectId;
use arcdoor_log::{SealError, Sealed, Signer};
use arcdoor_pipeline::{Outcome, Replay, TraceEntry, TraceError, TraceLine};
use serde::{Deserialize, Serialize};

/// The version of capsules that this code writes, and the only one that it reads.
pub const CAPSULE_VERSION: u32 = 1;
/// How every capsule begins.
const BEGINNING: &[u8] = b"{\"arcdoor_capsule\":";

/// What a capsule is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// See [`CAPSULE_VERSION`].
    pub version: u32,
    /// The version of arcdoor that wrote it.
    pub arcdoor: String,
    /// The number of the log's entry.
    pub entry: u64,
    /// When it was, by the device's clock.
    pub at: UtcTime,
    /// What was decided.
    pub decision: Verdict,
    /// Why, where it was not granted.
    pub reason: Option<Reason>,
    /// The best candidate.
    pub subject: Option<SubjectId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstLine {
    arcdoor_capsule: Subject,
}

/// A capsule that is as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Capsule {
    /// What it is of.
    pub of: Subject,
    /// Who signed it; see [`Sealed::signer`].
    pub signer: Option<String>,
    lines: Vec<TraceLine>,
}

/// Why a capsule says nothing.
#[derive(Debug, thiserror::Error)]
pub enum CapsuleError {
    /// It is not what was written.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A line says nothing that can be decided again, or is decided otherwise.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The first line is of another version.
    #[error(
        "the capsule has another version, this arcdoor reads version {CAPSULE_VERSION}: replay it with its own"
    )]
    Version,
    /// Its last frame is decided as recorded, and is not the decision of the log.
    #[error("its last frame is not what the log says of entry {0}")]
    OtherDecision(u64),
}

impl Subject {
    /// Of a decision of the log; none of another entry.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let Some(Entry::Decision { decision, reason, subject, .. }) = record.entry() else { return None };
        Some(Self {
            version: CAPSULE_VERSION,
            arcdoor: env!("CARGO_PKG_VERSION").to_owned(),
            entry: record.n,
            at: record.at,
            decision: *decision,
            reason: *reason,
            subject: *subject,
        })
    }

    /// Whether a frame led to it: by its own decision, or by the end of the attempt before it.
    fn is_of(&self, outcome: &Outcome) -> bool {
        let before = outcome.before.map(|reason| (Verdict::Denied, Some(Reason::Deny(reason))));
        [Some(Verdict::of(outcome.decision)), before].contains(&Some((self.decision, self.reason)))
    }
}

/// Whether a file that begins so is a capsule.
#[must_use]
pub fn is_capsule(beginning: &[u8]) -> bool {
    beginning.starts_with(BEGINNING)
}

/// Writes a capsule of what is kept of a decision: lines of a trace.
#[must_use]
pub fn write(of: Subject, trace: &str, signer: Option<&Signer>) -> String {
    // Numbers and words: there is nothing in it that is no JSON.
    let first = serde_json::to_string(&FirstLine { arcdoor_capsule: of }).unwrap_or_default();
    Sealed::write(std::iter::once(first.as_str()).chain(trace.lines()), signer)
}

impl Capsule {
    /// Reads a capsule.
    ///
    /// # Errors
    /// What is wrong, and the line, from 1.
    pub fn read(text: &[u8]) -> Result<Self, (usize, CapsuleError)> {
        let Sealed { lines, signer } = Sealed::read(text).map_err(|error| (error.line(), error.into()))?;
        let mut lines = lines.iter();
        let first = lines.next().and_then(|line| serde_json::from_str::<FirstLine>(line).ok());
        let first = first.filter(|first| first.arcdoor_capsule.version == CAPSULE_VERSION);
        let Some(FirstLine { arcdoor_capsule: of }) = first else { return Err((1, CapsuleError::Version)) };
        let parse =
            |(at, line): (usize, &String)| TraceLine::from_json(line).map_err(|error| (at + 2, error.into()));
        Ok(Self { of, signer, lines: lines.enumerate().map(parse).collect::<Result<_, _>>()? })
    }

    /// Decides its frames again: each of them with what it led to, as recorded.
    ///
    /// # Errors
    /// What is wrong, and the line, from 1.
    pub fn replay(&self) -> Result<Vec<&TraceEntry>, (usize, CapsuleError)> {
        let (mut replay, mut frames) = (Replay::new(), Vec::new());
        for (at, line) in self.lines.iter().enumerate() {
            replay.line(line).map_err(|error| (at + 2, error.into()))?;
            if let TraceLine::Frame(entry) = line {
                frames.push(entry);
            }
        }
        match frames.last() {
            Some(last) if self.of.is_of(&last.outcome) => Ok(frames),
            _ => Err((self.lines.len() + 1, CapsuleError::OtherDecision(self.of.entry))),
        }
    }
}
