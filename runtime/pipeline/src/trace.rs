//! A record of what was observed and decided, as lines of JSON.

use arcdoor_core::{Decision, Millis, Score, SubjectId};
use serde::{Deserialize, Serialize};

use crate::decide::Rules;
use crate::denials::LockoutState;
use crate::observation::Observation;
use crate::outcome::Outcome;
use crate::state::State;

/// The version of the lines that this code writes, and the only one that it replays.
pub const TRACE_VERSION: u32 = 3;

/// One line of a trace. Numbers survive being written and read bit for bit, so that a replay decides the same.
///
/// ```text
/// {"arcdoor_trace":{"version":3}}
/// {"rules":{"thresholds":{...},"policy":{...}}}
/// {"resumed":{"now":1200,"lockout":{"locked_ms":0,"denials_ms":[],"looks":0}}}
/// {"frame":{"now":1200,"observation":{"face":{...}},"outcome":{"decision":{"retry":{"reason":"looking"}}}}}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceLine {
    /// The first line. Where another one follows later, a new trace begins there.
    #[serde(rename = "arcdoor_trace")]
    Header {
        /// See [`TRACE_VERSION`].
        version: u32,
    },
    /// What the frames after it are held against: before the first frame, and wherever it changes.
    Rules(Rules),
    /// Recognition was loaded anew: all that was remembered of earlier frames was forgotten, but for this.
    Resumed {
        /// When, on the clock of the program that recorded it.
        now: Millis,
        /// What was not forgotten.
        lockout: LockoutState,
    },
    /// All that was remembered of the frames before those that follow: where a part of a trace begins.
    State(Box<State>),
    /// One frame.
    Frame(TraceEntry),
}

/// What was observed in one frame, and decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceEntry {
    /// When it was observed, on the clock of the program that recorded it.
    pub now: Millis,
    /// What was observed.
    pub observation: Observation,
    /// What was decided.
    pub outcome: Outcome,
}

/// Why a trace cannot be written, read or replayed.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A line is no JSON, or not of a trace.
    #[error("this is no line of a trace: {0}")]
    Damaged(#[from] serde_json::Error),
    /// JSON has no NaN and no infinity. No score is one: templates are finite and of length 1, and their
    /// product is held within -1 to 1.
    #[error("a number of this line is not finite: the detector's network or its input is broken")]
    NotFinite,
    /// The first line is not a trace's.
    #[error("this is no trace: the first line must be {{\"arcdoor_trace\":{{\"version\":{TRACE_VERSION}}}}}")]
    NoHeader,
    /// Another version wrote it.
    #[error("the trace has version {0}, this arcdoor reads version {TRACE_VERSION}: replay it with its own")]
    Version(u32),
    /// A frame without rules.
    #[error("a frame stands before any rules: the beginning of the trace is missing")]
    NoRules,
    /// A frame is decided otherwise than recorded.
    #[error("recorded {recorded:?}, but decided {decided:?}")]
    Mismatch {
        /// What the trace says.
        recorded: Outcome,
        /// What its rules say.
        decided: Outcome,
    },
}

impl TraceLine {
    /// The first line of every trace.
    pub const HEADER: Self = Self::Header { version: TRACE_VERSION };

    /// One line of JSON, without its end.
    ///
    /// # Errors
    /// When a number is not finite.
    pub fn to_json(&self) -> Result<String, TraceError> {
        self.check()?;
        Ok(serde_json::to_string(self)?)
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// When the text is not a line of a trace.
    pub fn from_json(text: &str) -> Result<Self, TraceError> {
        let line: Self = serde_json::from_str(text)?;
        line.check()?;
        Ok(line)
    }

    /// Whether it says anything of this subject.
    #[must_use]
    pub fn names(&self, subject: SubjectId) -> bool {
        match self {
            Self::Header { .. } | Self::Rules(_) | Self::Resumed { .. } => false,
            Self::State(state) => state.names(subject),
            Self::Frame(TraceEntry { observation, outcome, .. }) => {
                let is_granted =
                    matches!(outcome.decision, Decision::Granted { subject: id, .. } if id == subject);
                is_granted || observation.names(subject)
            }
        }
    }

    fn check(&self) -> Result<(), TraceError> {
        let is_finite = match self {
            Self::Header { .. } | Self::Resumed { .. } => true,
            Self::State(state) => state.is_finite(),
            Self::Rules(Rules { thresholds, .. }) => {
                let all = [thresholds.verify, thresholds.identify, thresholds.duplicate];
                all.iter().all(|threshold| threshold.value.0.is_finite())
            }
            Self::Frame(TraceEntry { observation, outcome, .. }) => {
                observation.is_finite()
                    && !matches!(outcome.decision, Decision::Granted { score: Score(score), .. } if !score.is_finite())
            }
        };
        if is_finite { Ok(()) } else { Err(TraceError::NotFinite) }
    }
}
