//! How long records are kept. Whole segments go, the oldest first.

use crate::denials::{MOST_A_DAY, seconds};
use arcdoor_api::UtcTime;

/// At most so many segments go for their age at once, and the next ones when a segment has been filled or a day has
/// passed: a clock that jumped ahead by years makes everything old, and is put right sooner than that.
pub const MOST_OLD_AT_ONCE: usize = 2;
/// At most so many segments go at once for the log's size.
const MOST_AT_ONCE: usize = 8;

/// The longest line of a decision, bytes, its newline included; most are half as long.
pub const MAX_DECISION_BYTES: u64 = 1 << 10;

/// How long records are kept, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// So many days; a record may stay for eight more, since whole segments go, and once a day.
    pub days: u16,
    /// So many bytes in all, the newest segment included; that one stays in any case.
    pub bytes: u64,
}

/// A segment, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) began: UtcTime,
    pub(crate) bytes: u64,
}

impl Retention {
    /// 90 days and 64 MiB.
    pub const DEFAULT: Self = Self { days: 90, bytes: 64 << 20 };

    /// How many of these, oldest first, are to go.
    pub(crate) fn surplus(&self, segments: &[Kept], at: UtcTime) -> usize {
        let most_s = u64::from(self.days) * 86_400;
        // A segment's youngest record is no younger than the next segment.
        let old = segments.windows(2).take_while(|pair| seconds(pair[1].began, at) >= most_s).count();
        let mut total = 0_u64;
        let fits = |segment: &&Kept| {
            total = total.saturating_add(segment.bytes);
            total <= self.bytes
        };
        let kept = segments.iter().rev().take_while(fits).count().max(1);
        old.min(MOST_OLD_AT_ONCE).max(segments.len().saturating_sub(kept).min(MOST_AT_ONCE))
    }
}

/// Denials alone, at the most that there can be, fill less than two thirds of what is kept: a flood pushes out nobody's
/// grant.
const _: () = assert!(
    MOST_A_DAY * MAX_DECISION_BYTES * (Retention::DEFAULT.days as u64 + 8) < Retention::DEFAULT.bytes / 3 * 2
);

impl Default for Retention {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(day: u64) -> UtcTime {
        UtcTime::from_unix_s(day * 86_400).unwrap()
    }

    #[test]
    fn a_segment_is_as_old_as_its_youngest_record() {
        let segments = [0, 7, 14].map(|began| Kept { began: day(began), bytes: 10 });
        let retention = Retention { days: 30, bytes: 100 };
        let gone = [36, 37, 43, 44, 1_000].map(|at| retention.surplus(&segments, day(at)));
        assert_eq!(gone, [0, 1, 1, 2, 2]);
        assert_eq!(Retention { bytes: 20, ..retention }.surplus(&segments, day(14)), 1);
        assert_eq!(Retention { bytes: 0, ..retention }.surplus(&segments, day(0)), 2);
    }

    proptest! {
        #[test]
        fn the_newest_segment_always_stays(
            segments in proptest::collection::vec((any::<u64>(), any::<u64>()), 1..40), days: u16, bytes: u64, at: u64,
        ) {
            let kept = |&(began, bytes): &(u64, u64)| Kept { began: UtcTime::from_unix_ns(began), bytes };
            let segments: Vec<Kept> = segments.iter().map(kept).collect();
            let surplus = Retention { days, bytes }.surplus(&segments, UtcTime::from_unix_ns(at));
            prop_assert!(surplus < segments.len() && surplus <= MOST_AT_ONCE);
        }
    }
}
