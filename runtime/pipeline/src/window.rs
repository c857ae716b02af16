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
    /// So many of them are over with the next frame.
    past: usize,
}

impl Default for Window {
    fn default() -> Self {
        let (base, state, frames) = (State::default(), State::default(), VecDeque::with_capacity(MAX_FRAMES));
        Self { rules: None, base, state, frames, past: 0 }
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
        self.drop_first(self.past);
        self.drop_first((self.frames.len() + 1).saturating_sub(MAX_FRAMES));
        if !self.state.follows(&entry.observation, entry.now, &rules.policy) {
            self.leave(rules, entry);
        }
        self.state = decide(&self.state, &entry.observation, entry.now, rules).0;
        self.frames.push_back(entry.clone());
    }

    /// The newest frames, at most `most` of them, as a trace of their own.
    #[must_use]
    pub fn lines(&self, most: usize) -> Vec<TraceLine> {
        let mut part = self.clone();
        part.drop_first(self.frames.len().saturating_sub(most));
        let Some(rules) = part.rules else { return Vec::new() };
        let head = [TraceLine::HEADER, TraceLine::Rules(rules), TraceLine::State(Box::new(part.base))];
        head.into_iter().chain(part.frames.into_iter().map(TraceLine::Frame)).collect()
    }

    /// Before the first frame of another face, or of nobody. Where the attempt at the face before fails with it, the
    /// frames of that face say why, and go with the next one; else they, and whom they named, go now.
    fn leave(&mut self, rules: &Rules, entry: &TraceEntry) {
        let mut left = self.state.clone();
        match left.leave(&entry.observation, entry.now, rules.policy.fields()) {
            Some(_) => self.past = self.frames.len() + 1,
            None => {
                self.state = left;
                self.begin();
            }
        }
    }

    /// Goes on without its frames: what is remembered of them stays.
    fn begin(&mut self) {
        self.base = self.state.clone();
        self.frames.clear();
        self.past = 0;
    }

    fn drop_first(&mut self, count: usize) {
        let Some(rules) = self.rules else { return };
        for entry in self.frames.drain(..count) {
            self.base = decide(&self.base, &entry.observation, entry.now, &rules).0;
        }
        self.past = self.past.saturating_sub(count);
    }
}
