//! The clock. Everything below it gets the time as an argument.

use crate::device::Now;
use arcdoor_api::UtcTime;
use arcdoor_core::Millis;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock {
    /// The time now.
    fn now(&self) -> Now;

    /// Lets so many milliseconds go by.
    fn rest(&self, ms: u64);
}

/// The system's clocks, counted from a start.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that counts milliseconds from now on.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let at = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        Now { at: Millis(at), utc: UtcTime::from_unix_ns(u64::try_from(utc).unwrap_or(u64::MAX)) }
    }

    fn rest(&self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }
}
