//! How often one user may call: a bucket that fills again.

use std::time::{Duration, Instant};

/// Calls that may come at once.
const BURST: u32 = 20;
/// Time for each call beyond that.
const REFILL: Duration = Duration::from_millis(200);
/// Users that are remembered; beyond that the one who called longest ago is forgotten.
const MAX_USERS: usize = 32;

/// Each user's bucket: when it is full again.
#[derive(Debug, Default)]
pub(super) struct Pace {
    full_at: Vec<(u32, Instant)>,
}

impl Pace {
    /// How long this call of a user must wait.
    pub(super) fn wait(&mut self, uid: u32, now: Instant) -> Duration {
        let at = self.full_at.iter().position(|(user, _)| *user == uid);
        let full = at.map_or(now, |at| self.full_at.swap_remove(at).1).max(now) + REFILL;
        if self.full_at.len() >= MAX_USERS {
            let oldest = (0..self.full_at.len()).min_by_key(|&at| self.full_at[at].1);
            oldest.map(|at| self.full_at.swap_remove(at));
        }
        self.full_at.push((uid, full));
        (full - now).saturating_sub(REFILL * BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_slowed_and_nobody_else_with_it() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!((0..BURST).all(|_| pace.wait(1, now).is_zero()));
        assert_eq!([pace.wait(1, now), pace.wait(1, now)], [REFILL, REFILL * 2]);
        assert!(pace.wait(2, now).is_zero());
        let later = now + REFILL * 100;
        assert!(pace.wait(1, later).is_zero(), "it fills again");
        assert!((10..100).all(|uid| pace.wait(uid, later).is_zero()));
        assert_eq!(pace.full_at.len(), MAX_USERS);
    }
}
