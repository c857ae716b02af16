//! Recorded decisions, to be decided again: what a door did can be shown, and rules compared.

use arcdoor_core::{Decision, Millis};
use serde::{Deserialize, Serialize};

use crate::decide::{Rules, State, decide};
use crate::observation::Observation;

/// One frame of a trace; a line of JSON each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceEntry {
    /// When it was seen.
    pub now: Millis,
    /// What was seen.
    pub observation: Observation,
    /// What was decided.
    pub decision: Decision,
}

/// A trace that decides otherwise than recorded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("entry {index}: recorded {recorded:?}, but decided {decided:?}")]
pub struct Mismatch {
    /// The first entry that differs, from 0.
    pub index: usize,
    /// What the trace says.
    pub recorded: Decision,
    /// What these rules say.
    pub decided: Decision,
}

/// Decides a whole trace again, from the first state on.
///
/// # Errors
/// At the first decision that is not the recorded one.
pub fn replay<'a>(
    entries: impl IntoIterator<Item = &'a TraceEntry>,
    rules: &Rules,
) -> Result<State, Mismatch> {
    let mut state = State::default();
    for (index, entry) in entries.into_iter().enumerate() {
        let decided;
        (state, decided) = decide(&state, &entry.observation, entry.now, rules);
        if decided != entry.decision {
            return Err(Mismatch { index, recorded: entry.decision, decided });
        }
    }
    Ok(state)
}
