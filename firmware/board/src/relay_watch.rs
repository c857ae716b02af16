//! Whether the relay does what it is told.

use arcdoor_core::Millis;

/// How a relay that does not follow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stuck {
    /// It releases the lock and was told not to: the door is open to anybody.
    On,
    /// It does not release the lock and was told to: nobody gets in.
    Off,
}

/// What is known of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayState {
    /// No line reads its contact: what was asked is all that is known.
    Unwatched,
    /// The contact says what was asked.
    Follows,
    /// The contact does not say so yet; it has still time to travel.
    Travelling,
    /// The contact had its time and says the opposite.
    Stuck(Stuck),
}

/// Compares what was asked with what the contact says; a contact may take its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayWatch {
    travel_ms: u32,
    asked: bool,
    /// Since when the contact says the opposite.
    differs_since: Option<Millis>,
}

impl RelayWatch {
    /// A relay that was asked for `asked` at `now`, whose contact may take `travel_ms`.
    #[must_use]
    pub const fn new(travel_ms: u32, asked: bool, now: Millis) -> Self {
        Self { travel_ms, asked, differs_since: Some(now) }
    }

    /// The relay was asked for `active`.
    pub fn ask(&mut self, active: bool, now: Millis) {
        if active != self.asked {
            self.asked = active;
            self.differs_since = Some(now);
        }
    }

    /// The contact says `active`.
    pub fn observe(&mut self, active: bool, now: Millis) -> RelayState {
        if active == self.asked {
            self.differs_since = None;
            return RelayState::Follows;
        }
        let since = *self.differs_since.get_or_insert(now);
        if now.since(since) < u64::from(self.travel_ms) {
            return RelayState::Travelling;
        }
        RelayState::Stuck(if active { Stuck::On } else { Stuck::Off })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_on_its_way_is_no_fault_and_one_that_never_arrives_is() {
        let mut watch = RelayWatch::new(50, false, Millis(0));
        assert_eq!(watch.observe(false, Millis(0)), RelayState::Follows);
        watch.ask(true, Millis(1000));
        assert_eq!(watch.observe(false, Millis(1000)), RelayState::Travelling);
        assert_eq!(watch.observe(false, Millis(1049)), RelayState::Travelling);
        assert_eq!(watch.observe(false, Millis(1050)), RelayState::Stuck(Stuck::Off));
        assert_eq!(watch.observe(true, Millis(1060)), RelayState::Follows);
        watch.ask(false, Millis(2000));
        assert_eq!(watch.observe(true, Millis(2050)), RelayState::Stuck(Stuck::On));
    }

    #[test]
    fn a_relay_that_welds_later_is_seen_without_a_new_command() {
        let mut watch = RelayWatch::new(50, false, Millis(0));
        watch.observe(false, Millis(10));
        assert_eq!(watch.observe(true, Millis(5000)), RelayState::Travelling);
        assert_eq!(watch.observe(true, Millis(5050)), RelayState::Stuck(Stuck::On));
    }

    #[test]
    fn asking_for_the_same_again_gives_no_new_time() {
        let mut watch = RelayWatch::new(50, true, Millis(0));
        watch.ask(true, Millis(49));
        assert_eq!(watch.observe(false, Millis(50)), RelayState::Stuck(Stuck::Off));
    }
}
