//! How many denials get a record of their own. A camera that sees a face which is not enrolled, or something that looks
//! like one, denies as often as it takes frames; that must not fill the log, nor wear the card. A pure machine.

use arcdoor_api::{Entry, Link, UtcTime};

/// So many denials in a row each get a record, after a quiet time.
pub const BURST: u64 = 60;
/// After each so many seconds, one more denial may get a record, up to [`BURST`].
pub const REFILL_S: u64 = 300;
/// So many seconds after the first denial that was only counted, the count gets a record.
pub const SUMMARY_S: u64 = 900;
/// The most records of denials in a day, counts included.
pub const MOST_A_DAY: u64 = BURST + 86_400 / REFILL_S + 86_400 / SUMMARY_S;

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It gets a record.
    Recorded,
    /// It is a denial beyond the budget, and was counted.
    Counted,
}

/// The budget of records (a leaky bucket), and a count of the denials that found it used up.
#[derive(Debug, Clone, Default)]
pub struct Denials {
    spent: u64,
    refilled: UtcTime,
    counted: Option<Counted>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    count: u64,
    from: UtcTime,
    to: UtcTime,
}

impl Denials {
    /// Decides about an entry that happened at `at`. A clock that goes back refills nothing.
    pub fn step(&mut self, entry: &Entry, at: UtcTime) -> Admission {
        if !entry.is_denial() {
            return Admission::Recorded;
        }
        self.refill(at);
        if self.spent < BURST {
            self.spent += 1;
            return Admission::Recorded;
        }
        let counted = self.counted.get_or_insert(Counted { count: 0, from: at, to: at });
        counted.count = counted.count.saturating_add(1);
        counted.to = at;
        Admission::Counted
    }

    /// The count, when it is time for its record.
    #[must_use]
    pub fn due(&self, at: UtcTime) -> Option<Link> {
        self.counted.filter(|counted| seconds(counted.from, at) >= SUMMARY_S).map(Counted::link)
    }

    /// The count, whether or not it is time for its record.
    #[must_use]
    pub fn counted(&self) -> Option<Link> {
        self.counted.map(Counted::link)
    }

    /// Forgets the count, which has its record now.
    pub fn clear(&mut self) {
        self.counted = None;
    }

    fn refill(&mut self, at: UtcTime) {
        if at < self.refilled {
            self.refilled = at;
        }
        let more = seconds(self.refilled, at) / REFILL_S;
        if more >= self.spent {
            (self.spent, self.refilled) = (0, at);
        } else if let Some(refilled) = UtcTime::from_unix_s(self.refilled.unix_s() + more * REFILL_S) {
            (self.spent, self.refilled) = (self.spent - more, refilled);
        }
    }
}

impl Counted {
    const fn link(self) -> Link {
        let Self { count, from, to } = self;
        Link::Denials { count, from, to }
    }
}

/// Whole seconds from `from` to `to`; 0 where the clock went back.
pub(crate) const fn seconds(from: UtcTime, to: UtcTime) -> u64 {
    to.unix_s().saturating_sub(from.unix_s())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_api::{By, Reason, Verdict};
    use arcdoor_core::DenyReason;
    use proptest::prelude::*;

    fn decision(decision: Verdict) -> Entry {
        let reason = (decision != Verdict::Granted).then_some(Reason::Deny(DenyReason::NoMatch));
        Entry::Decision {
            by: By::Run,
            decision,
            reason,
            subject: None,
            score: None,
            threshold: 0.4,
            why: None,
        }
    }

    fn told_by_a_door() -> Entry {
        let entry: Entry = serde_json::from_str(r#"{"event":"door","reason":"unknown_face"}"#).unwrap();
        assert!(matches!(entry, Entry::Door { .. }));
        entry
    }

    fn at(seconds: u64) -> UtcTime {
        UtcTime::from_unix_s(1_795_843_884 + seconds).unwrap()
    }

    #[test]
    fn a_grant_or_an_act_of_the_operator_is_never_only_counted() {
        let mut denials = Denials::default();
        for n in 0..10 * BURST {
            denials.step(&decision(Verdict::Denied), at(n));
            assert_eq!(denials.step(&decision(Verdict::Granted), at(n)), Admission::Recorded);
            assert_eq!(denials.step(&Entry::Imported { subjects: 1 }, at(n)), Admission::Recorded);
        }
    }

    #[test]
    fn a_day_of_denials_makes_no_more_records_than_it_says_and_loses_none_from_the_count() {
        let (mut denials, mut recorded, mut counted, mut summaries) = (Denials::default(), 0, 0, 0);
        for second in 0..86_400 {
            if let Some(Link::Denials { count, .. }) = denials.due(at(second)) {
                (counted, summaries) = (counted + count, summaries + 1);
                denials.clear();
            }
            // A door tells of a denial, too.
            for entry in [decision(Verdict::Denied), told_by_a_door()].iter().cycle().take(10) {
                recorded += u64::from(denials.step(entry, at(second)) == Admission::Recorded);
            }
        }
        let Some(Link::Denials { count, .. }) = denials.counted() else { panic!("the flood goes on") };
        assert_eq!(recorded + counted + count, 864_000);
        assert!(recorded + summaries <= MOST_A_DAY, "{recorded} + {summaries}");
    }

    proptest! {
        #[test]
        fn no_clock_makes_it_panic_or_lose_a_denial(times in proptest::collection::vec(any::<u64>(), 0..400)) {
            let (mut denials, mut recorded) = (Denials::default(), 0);
            for ns in &times {
                let admission = denials.step(&decision(Verdict::Denied), UtcTime::from_unix_ns(*ns));
                recorded += u64::from(admission == Admission::Recorded);
            }
            let counted = match denials.counted() {
                Some(Link::Denials { count, .. }) => count,
                _ => 0,
            };
            prop_assert_eq!(recorded + counted, times.len() as u64);
        }
    }
}
