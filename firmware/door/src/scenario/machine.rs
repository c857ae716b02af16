//! What a scenario is played on.

use crate::{Actions, Event, Indicators, Kept, Now, Policy, Position, State, View};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A door that can be played on: [`State`], or one that a test broke.
pub trait Machine: Clone {
    /// As [`State::start`].
    fn start(kept: Kept, now: Now) -> Self;
    /// As [`State::step`].
    fn step(&mut self, policy: &Policy, event: Event, now: Now) -> Actions;
    /// As [`State::position`].
    fn position(&self) -> Position;
    /// As [`State::view`].
    fn view(&self) -> View;
    /// As [`State::indicators`].
    fn indicators(&self) -> Indicators;
    /// As [`State::kept`].
    fn kept(&self) -> &Kept;
    /// A number that is the same for two doors in equal situations.
    fn fingerprint(&self) -> u64;
}

impl Machine for State {
    fn start(kept: Kept, now: Now) -> Self {
        Self::start(kept, now)
    }
    fn step(&mut self, policy: &Policy, event: Event, now: Now) -> Actions {
        self.step(policy, event, now)
    }
    fn position(&self) -> Position {
        self.position()
    }
    fn view(&self) -> View {
        self.view()
    }
    fn indicators(&self) -> Indicators {
        self.indicators()
    }
    fn kept(&self) -> &Kept {
        self.kept()
    }
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.situation().hash(&mut hasher);
        hasher.finish()
    }
}
