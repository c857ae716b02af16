//! Tells systemd that the loop is ready, and that it lives.

use arcdoor_core::Millis;
use sd_notify::NotifyState;

/// Who hears of it; where nobody does, nothing is said.
pub struct Watchdog {
    /// Between two words, milliseconds: half of what systemd waits for.
    every_ms: Option<u64>,
    last: Option<Millis>,
    say: Box<dyn Fn(Word)>,
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The door is ready.
    Ready,
    /// It lives.
    Alive,
    /// It ends on purpose.
    Stopping,
}

impl Watchdog {
    /// systemd's, as its variables say.
    #[must_use]
    pub fn of_systemd() -> Self {
        let every = sd_notify::watchdog_enabled();
        let every_ms = every.map(|every| u64::try_from(every.as_millis() / 2).unwrap_or(u64::MAX).max(1));
        let say = |word| {
            let state = match word {
                Word::Ready => NotifyState::Ready,
                Word::Alive => NotifyState::Watchdog,
                Word::Stopping => NotifyState::Stopping,
            };
            // Where it cannot be heard, systemd ends the program, and says so.
            let _ = sd_notify::notify(&[state]);
        };
        Self { every_ms, last: None, say: Box::new(say) }
    }

    /// The loop goes round.
    pub fn beat(&mut self, now: Millis) {
        let is_due = match (self.last, self.every_ms) {
            (None, _) => {
                (self.say)(Word::Ready);
                true
            }
            (Some(last), Some(every)) => now.since(last) >= every,
            (Some(_), None) => false,
        };
        if is_due {
            self.last = Some(now);
            (self.say)(Word::Alive);
        }
    }

    /// The loop is over.
    pub fn stop(&self) {
        (self.say)(Word::Stopping);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn it_is_ready_once_and_alive_at_half_of_the_time() {
        let said = Rc::new(RefCell::new(Vec::new()));
        let heard = said.clone();
        let say = Box::new(move |word| heard.borrow_mut().push(word));
        let mut watchdog = Watchdog { every_ms: Some(500), last: None, say };
        [0, 100, 499, 500, 900, 1_000].into_iter().for_each(|at| watchdog.beat(Millis(at)));
        watchdog.stop();
        let expected = [Word::Ready, Word::Alive, Word::Alive, Word::Alive, Word::Stopping];
        assert_eq!(*said.borrow(), expected);
    }
}
