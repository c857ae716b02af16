//! One edge for a level that holds, none for one that bounces.

use arcdoor_core::Millis;

/// A level that counts only once it has held. Levels are sampled; between two samples a level is taken to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debounce {
    hold_ms: u32,
    /// What counts now; nothing before the first level has held.
    stable: Option<bool>,
    /// A level that differs from it, and since when.
    pending: Option<(bool, Millis)>,
}

impl Debounce {
    /// A level must hold for `hold_ms`; with 0, each sample counts.
    #[must_use]
    pub const fn new(hold_ms: u32) -> Self {
        Self { hold_ms, stable: None, pending: None }
    }

    /// What counts now; `None` before the first level has held.
    #[must_use]
    pub const fn level(&self) -> Option<bool> {
        self.stable
    }

    /// Takes the level at `now`; gives it where, from now on, it counts as new.
    pub fn sample(&mut self, level: bool, now: Millis) -> Option<bool> {
        if self.stable == Some(level) {
            self.pending = None;
            return None;
        }
        let since = match self.pending {
            Some((pending, since)) if pending == level => since,
            _ => now,
        };
        if now.since(since) < u64::from(self.hold_ms) {
            self.pending = Some((level, since));
            return None;
        }
        self.pending = None;
        self.stable = Some(level);
        self.stable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds (gap in ms, level) pairs; gives what counted as new, and when.
    fn run(debounce: &mut Debounce, samples: &[(u64, bool)]) -> Vec<(Millis, bool)> {
        let mut now = Millis(0);
        let mut edges = Vec::new();
        for (gap, level) in samples {
            now = now.plus(*gap);
            edges.extend(debounce.sample(*level, now).map(|level| (now, level)));
        }
        edges
    }

    #[test]
    fn a_bouncing_press_is_one_edge() {
        let samples =
            [(0, false), (20, false), (1, true), (1, false), (1, true), (2, false), (1, true), (20, true)];
        let edges = run(&mut Debounce::new(20), &samples);
        assert_eq!(edges, [(Millis(20), false), (Millis(46), true)]);
    }

    #[test]
    fn a_glitch_is_no_edge() {
        let samples = [(0, false), (20, false), (5, true), (19, true), (1, false), (100, false)];
        assert_eq!(run(&mut Debounce::new(20), &samples), [(Millis(20), false)]);
    }

    #[test]
    fn a_clock_that_goes_back_delays_and_does_not_invent() {
        let mut debounce = Debounce::new(20);
        assert_eq!(debounce.sample(true, Millis(100)), None);
        assert_eq!(debounce.sample(true, Millis(50)), None);
        assert_eq!(debounce.sample(true, Millis(120)), Some(true));
    }

    proptest! {
        /// Whatever bounces: an edge says a new level, which every sample of the hold before it had.
        #[test]
        fn no_edge_without_a_level_that_held(
            hold in 0_u32..40,
            samples in proptest::collection::vec((0_u64..30, any::<bool>()), 0..200),
        ) {
            let (mut debounce, mut told, mut seen, mut now) = (Debounce::new(hold), None, Vec::new(), Millis(0));
            for (gap, level) in samples {
                now = now.plus(gap);
                seen.push((now, level));
                let Some(new) = debounce.sample(level, now) else { continue };
                prop_assert_ne!(told.replace(new), Some(new), "edges alternate");
                let held_since = seen.iter().rev().take_while(|(_, level)| *level == new).last();
                prop_assert!(held_since.is_some_and(|(since, _)| now.since(*since) >= u64::from(hold)));
            }
        }

        /// However wild it was before, a level that stays is told.
        #[test]
        fn the_last_level_is_never_lost(
            hold in 0_u32..40,
            samples in proptest::collection::vec((0_u64..30, any::<bool>()), 1..200),
        ) {
            let mut debounce = Debounce::new(hold);
            let last = samples[samples.len() - 1].1;
            let end: u64 = samples.iter().map(|(gap, _)| gap).sum();
            run(&mut debounce, &samples);
            debounce.sample(last, Millis(end));
            debounce.sample(last, Millis(end + u64::from(hold)));
            prop_assert_eq!(debounce.level(), Some(last));
        }
    }
}
