//! The button inside the housing: whoever holds it while the program starts holds the board, and may be its installer.

use arcdoor_core::Millis;

/// How long it is held from the start on, milliseconds: longer than somebody leans on it.
pub const HOLD_MS: u64 = 5_000;
/// How long whoever calls then is taken for the installer, seconds: enough to log in and say who is from then on.
pub const FREE_S: u64 = 600;

/// The button's story since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Recovery {
    /// Nothing is known of it yet.
    #[default]
    Fresh,
    /// It is held since the first look.
    Held {
        /// When that was.
        since: Millis,
    },
    /// It was not held, was let go, or has had its effect: a press means nothing until the next start.
    Past,
}

impl Recovery {
    /// It is held from now on, or no more.
    pub(super) const fn press(&mut self, active: bool, at: Millis) {
        *self = match (*self, active) {
            (Self::Fresh, true) => Self::Held { since: at },
            (held @ Self::Held { .. }, true) => held,
            _ => Self::Past,
        };
    }

    /// Whether it was held long enough; once.
    pub(super) const fn is_due(&mut self, now: Millis) -> bool {
        match *self {
            Self::Held { since } if now.since(since) >= HOLD_MS => {
                *self = Self::Past;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_held_from_the_start_on_counts_once() {
        let mut button = Recovery::default();
        button.press(true, Millis(50));
        assert!(!button.is_due(Millis(5_000)));
        assert!(button.is_due(Millis(5_050)) && !button.is_due(Millis(20_000)));
    }

    #[test]
    fn one_that_is_pressed_later_or_let_go_counts_for_nothing() {
        for presses in [&[(false, 0), (true, 100)][..], &[(true, 0), (false, 4_900), (true, 4_910)]] {
            let mut button = Recovery::default();
            presses.iter().for_each(|(active, at)| button.press(*active, Millis(*at)));
            assert!(!button.is_due(Millis(60_000)), "{presses:?}");
        }
        assert!(!Recovery::default().is_due(Millis(60_000)), "a board without one");
    }
}
