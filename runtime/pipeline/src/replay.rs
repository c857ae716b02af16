//! A trace decided again: what a door did can be shown, and rules compared.

use crate::decide::{Rules, decide};
use crate::outcome::Outcome;
use crate::state::State;
use crate::trace::{TRACE_VERSION, TraceError, TraceLine};

/// Decides the frames of a trace again, line by line, and holds each decision against the recorded one.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    has_begun: bool,
    rules: Option<Rules>,
    state: State,
}

impl Replay {
    /// A replay that has seen no line yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next line; of a frame, what it led to.
    ///
    /// # Errors
    /// When the line does not belong here, or the frame is decided otherwise than recorded. After such a
    /// mismatch, the next line goes on from what was decided here.
    pub fn line(&mut self, line: &TraceLine) -> Result<Option<Outcome>, TraceError> {
        match line {
            TraceLine::Header { version: TRACE_VERSION } => *self = Self { has_begun: true, ..Self::new() },
            TraceLine::Header { version } => return Err(TraceError::Version(*version)),
            _ if !self.has_begun => return Err(TraceError::NoHeader),
            TraceLine::Rules(rules) => self.rules = Some(*rules),
            TraceLine::Resumed { now, lockout } => self.state = State::resumed(lockout, *now),
            TraceLine::State(state) => self.state = State::clone(state),
            TraceLine::Frame(entry) => {
                let rules = self.rules.ok_or(TraceError::NoRules)?;
                let (state, decided) = decide(&self.state, &entry.observation, entry.now, &rules);
                self.state = state;
                if decided != entry.outcome {
                    return Err(TraceError::Mismatch { recorded: entry.outcome, decided });
                }
                return Ok(Some(decided));
            }
        }
        Ok(None)
    }
}
