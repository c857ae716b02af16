//! What the loop tells the door, and takes from it.

use super::link::{Link, Part};
use super::{Ending, HUNG_MS};
use arcdoor_api::{Entry, Sight, UtcTime, Verdict};
use arcdoor_core::Millis;
use arcdoor_door::{Credential, Event, Factor};
use arcdoor_panel::{KeyOrder, UiState};
use std::sync::Arc;

/// Whom the loop tells what it saw. A trait, so that a loop may have no door.
pub trait Porter {
    /// The loop lives.
    fn beat(&self, _: Millis) {}

    /// The loop answers a request from now on, or no more.
    fn busy(&self, _: bool) {}

    /// A frame was seen so.
    fn saw(&self, _: &Sight) {}

    /// An attempt ended so; once for each.
    fn ended(&self, _: &Sight) {}

    /// Whether frames come.
    fn camera(&self, _: bool) {}

    /// The next thing of the door for the log.
    fn entry(&self) -> Option<(Entry, UtcTime)> {
        None
    }

    /// How many such things found no place, since this was asked last.
    fn unlogged(&self) -> u64 {
        0
    }
}

/// No door.
#[derive(Debug)]
pub struct Nobody;

impl Porter for Nobody {}

/// A door's.
pub struct DoorPorter {
    link: Arc<Link>,
    end: Ending,
    /// Whether each PIN is typed on keys in another order.
    shuffles: bool,
}

impl DoorPorter {
    /// Of the door with this link.
    #[must_use]
    pub const fn new(link: Arc<Link>, end: Ending, shuffles: bool) -> Self {
        Self { link, end, shuffles }
    }

    /// The order of the keys for the next PIN. A system without random numbers draws none: they stay as they are usually.
    fn order(&self) -> KeyOrder {
        let mut random = [0_u8; 40];
        if !self.shuffles || getrandom::fill(&mut random).is_err() {
            return KeyOrder::USUAL;
        }
        let mut digits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        for (last, bytes) in random.as_chunks::<4>().0.iter().enumerate().skip(1) {
            // Of four bytes, the remainder is even to one in 400 million.
            digits.swap(last, u32::from_le_bytes(*bytes) as usize % (last + 1));
        }
        KeyOrder::new(digits).unwrap_or(KeyOrder::USUAL)
    }
}

impl Porter for DoorPorter {
    fn beat(&self, now: Millis) {
        self.link.beat(Part::Loop, now);
        if self.link.silence_ms(Part::Door, now) >= HUNG_MS {
            (self.end)("the door's part gave no sign of life for 10 s");
        }
    }

    fn busy(&self, is_busy: bool) {
        self.link.set_busy(is_busy);
    }

    fn saw(&self, sight: &Sight) {
        self.link.see(|seen| seen.saw(sight));
    }

    fn ended(&self, sight: &Sight) {
        let credential = match (sight.decision, sight.subject) {
            (Verdict::Granted, Some(subject)) => {
                self.link.present(subject, self.link.pulse(Part::Loop));
                // Whoever types already goes on where they began.
                if !matches!(self.link.screen(), Some(UiState::Pin { .. })) {
                    self.link.see(|seen| seen.order = self.order());
                }
                Credential::Face(subject)
            }
            (Verdict::Denied, _) => Credential::Unknown(Factor::Face),
            (Verdict::Granted, None) | (Verdict::Retry, _) => return,
        };
        // A door that cannot take it has 64 others to deal with, and this one is denied.
        self.link.tell(Event::Present(credential));
    }

    fn camera(&self, has_camera: bool) {
        self.link.set_camera(has_camera);
    }

    fn entry(&self) -> Option<(Entry, UtcTime)> {
        self.link.entry()
    }

    fn unlogged(&self) -> u64 {
        self.link.take_lost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_in_another_order_each_time_where_that_is_asked_for_and_no_digit_is_missing() {
        let end: Ending = Arc::new(|_: &str| ());
        let porter = |shuffles| DoorPorter::new(Arc::new(Link::default()), end.clone(), shuffles);
        assert_eq!(porter(false).order(), KeyOrder::USUAL);
        let shuffled = porter(true);
        // That all ten are the usual one: once in 10^65.
        assert!((0..10).any(|_| shuffled.order() != KeyOrder::USUAL));
    }
}
