//! A factory reset by hand, while the board starts: the housing is open, and the exit button is held all the time. Neither
//! alone is enough: the button is for everybody, and the housing tells when it is opened.

use arcdoor_core::Millis;

use crate::driver::Edge;
use crate::role::Input;

/// By then both must be active. Inputs are debounced, and the kernel has just started.
const GRACE_MS: u64 = 1_500;

/// What somebody at the board asks for; a machine of edges and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetHold {
    began: Millis,
    hold_ms: u64,
    is_open: bool,
    is_pressed: bool,
    since: Option<Millis>,
}

impl ResetHold {
    /// Begins; both must be held for `hold_ms` milliseconds.
    #[must_use]
    pub const fn new(hold_ms: u64, now: Millis) -> Self {
        Self { began: now, hold_ms, is_open: false, is_pressed: false, since: None }
    }

    /// Takes what changed. `Some(true)`: it is asked for; `Some(false)`: it is not, and will not be; `None`: go on.
    pub fn step(&mut self, edges: &[Edge], now: Millis) -> Option<bool> {
        for edge in edges {
            match edge.input {
                Input::Tamper => self.is_open = edge.active,
                Input::Rex => self.is_pressed = edge.active,
                Input::Contact | Input::Fire | Input::Recovery => {}
            }
            // Whoever lets go for an instant has let go.
            if self.since.is_some() && !(self.is_open && self.is_pressed) {
                return Some(false);
            }
            if self.is_open && self.is_pressed && self.since.is_none() {
                self.since = Some(edge.at);
            }
        }
        match self.since {
            Some(since) => (now.0.saturating_sub(since.0) >= self.hold_ms).then_some(true),
            None => (now.0.saturating_sub(self.began.0) > GRACE_MS).then_some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(input: Input, active: bool, at: u64) -> Edge {
        Edge { input, active, at: Millis(at) }
    }

    fn hold() -> ResetHold {
        ResetHold::new(10_000, Millis(0))
    }

    const OPEN: Edge = Edge { input: Input::Tamper, active: true, at: Millis(10) };
    const PRESSED: Edge = Edge { input: Input::Rex, active: true, at: Millis(20) };

    #[test]
    fn both_held_all_the_time_ask_for_it() {
        let mut hold = hold();
        assert_eq!(hold.step(&[OPEN, PRESSED], Millis(50)), None);
        assert_eq!(hold.step(&[edge(Input::Contact, true, 60)], Millis(10_019)), None);
        assert_eq!(hold.step(&[], Millis(10_020)), Some(true));
    }

    #[test]
    fn the_button_alone_the_housing_alone_and_a_late_hand_do_not() {
        for edges in [&[PRESSED][..], &[OPEN], &[]] {
            let mut hold = hold();
            assert_eq!(hold.step(edges, Millis(1_500)), None);
            assert_eq!(hold.step(&[], Millis(1_501)), Some(false));
        }
    }

    #[test]
    fn letting_go_for_an_instant_ends_it() {
        for input in [Input::Tamper, Input::Rex] {
            let mut hold = hold();
            assert_eq!(hold.step(&[OPEN, PRESSED], Millis(50)), None);
            let blink = [edge(input, false, 5_000), edge(input, true, 5_060)];
            assert_eq!(hold.step(&blink, Millis(20_000)), Some(false));
        }
    }
}
