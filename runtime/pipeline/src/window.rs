//! The frames that led to the present decision, kept while the loop runs.

use std::collections::VecDeque;

use arcdoor_core::Millis;

use crate::decide::{Rules, decide};
use crate::denials::LockoutState;
use crate::state::State;
use crate::trace::{TraceEntry, TraceLine};

/// The most frames that are kept; of those before, what decisions remember of them.
pub const MAX_FRAMES: usize = 32;

/// The newest frames of one face, and all that was remembered before the first of them: enough to decide the last one
/// again. Of other faces, which may only have passed by, no frame stays; but where the end of one face's attempt is
/// found with the next face's first frame, that one stands with it.
#[derive(Debug, Clone)]
pub struct Window {
    rules: Option<Rules>,
    /// Before the first of `frames`.
    base: State,
    /// After the last of them.
    state: State,
    frames: VecDeque<TraceEntry>,
    /// The first frame of the present face.
    present: usize,
}

impl Default for Window {
    fn default() -> Self {
        let (base, state, frames) = (State::default(), State::default(), VecDeque::with_capacity(MAX_FRAMES));
        Self { rules: None, base, state, frames, present: 0 }
    }
}

impl Window {
    /// Forgets all frames, and goes on under this lockout; see [`State::resumed`].
    pub fn resume(&mut self, lockout: &LockoutState, now: Millis) {
        self.state = State::resumed(lockout, now);
        self.begin();
    }

    /// Takes the next frame, as it was decided about by these rules. Allocates nothing.
    pub fn push(&mut self, rules: &Rules, entry: &TraceEntry) {
        if self.rules != Some(*rules) {
            self.begin();
            self.rules = Some(*rules);
        }
        self.drop_first(self.present);
        self.drop_first((self.frames.len() + 1).saturating_sub(MAX_FRAMES));
        self.present = match self.state.follows(&entry.observation, entry.now, &rules.policy) {
            true => 0,
            false => self.frames.len(),
        };
        self.state = decide(&self.state, &entry.observation, entry.now, rules).0;
        self.frames.push_back(entry.clone());
    }

    /// The newest frames, at most `most` of them, as a trace of their own.
    #[must_use]
    pub fn lines(&self, most: usize) -> Vec<TraceLine> {
        let mut part = self.clone();
        part.drop_first(self.frames.len().saturating_sub(most));
        let Some(rules) = part.rules else { return Vec::new() };
        let head = [TraceLine::HEADER, TraceLine::Rules(rules), TraceLine::State(part.base)];
        head.into_iter().chain(part.frames.into_iter().map(TraceLine::Frame)).collect()
    }

    /// Goes on without its frames: what is remembered of them stays.
    fn begin(&mut self) {
        self.base = self.state.clone();
        self.frames.clear();
        self.present = 0;
    }

    fn drop_first(&mut self, count: usize) {
        let Some(rules) = self.rules else { return };
        for entry in self.frames.drain(..count) {
            self.base = decide(&self.base, &entry.observation, entry.now, &rules).0;
        }
        self.present = self.present.saturating_sub(count);
    }
}
