//! Wrong grants that were reported, against the promise of the threshold.
//!
//! Who was wrongly let in is few, and chosen: only wrong grants that somebody noticed are reported. No rate of
//! comparisons can be had from them. But over *all* attempts that the log covers, they bound the promise from
//! below: attempts of strangers are some of all attempts, and reports are some of the wrong grants, so that
//!
//! ```text
//! reports / attempts  <=  wrong grants / attempts of strangers  =  FPIR
//! ```
//!
//! in expectation. Where even the lower end of the Clopper-Pearson interval of the left side lies above the FPIR
//! that was promised, the promise is broken here. Where it does not, nothing follows, not even that all is well.
//!
//! What makes this a bound all the same:
//! - One stranger who comes often is one error, not many: reports whose probes match each other count once.
//! - An attempt under a stricter threshold cannot show an error below it. At each threshold, only attempts
//!   that were decided at that one or a laxer one count.
//! - Attempts at a smaller gallery of earlier show fewer errors than the present one would.
//!
//! What does not: a gallery that was larger earlier; a log that a flood of denials outran (`run` logs 60 a
//! minute), which makes attempts too few; and looking often: each look breaks a kept promise once in 40. All
//! three only make the threshold stricter.

use crate::binomial::clopper_pearson;
use crate::impostors::rounded_up;

/// A grant that somebody reported as wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReportedGrant {
    /// Who it was, by number: the same for grants whose probes match each other.
    pub stranger: u32,
    /// What the probe scored.
    pub score: f32,
    /// What it was compared with.
    pub threshold: f32,
}

/// Attempts at a site, and which of them were reported.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reports {
    /// Thresholds, and how many attempts were decided at each; reported ones among them.
    pub attempts: Vec<(f32, u64)>,
    /// Wrong grants that were reported.
    pub grants: Vec<ReportedGrant>,
}

/// How the promise stands at a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Different strangers who would be let in.
    pub strangers: usize,
    /// Attempts that could have shown it.
    pub attempts: u64,
    /// Lower end of the 95 % Clopper-Pearson interval of their rate, 0..=1: a bound of the FPIR.
    pub low: f64,
}

/// What reports ask of the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// The least threshold at which they do not contradict the promise.
    pub threshold: f32,
    /// As it stands at the present threshold.
    pub before: Standing,
    /// As it stands at that one.
    pub after: Standing,
}

/// Two thresholds of one table that went through text and back.
const SAME: f32 = 1e-6;

impl Reports {
    /// All attempts.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts.iter().map(|(_, attempts)| attempts).sum()
    }

    /// What the reports say of a threshold.
    #[must_use]
    pub fn at(&self, threshold: f32) -> Standing {
        let attempts = self.attempts.iter().filter(|(held, _)| *held <= threshold + SAME);
        let attempts: u64 = attempts.map(|(_, attempts)| attempts).sum();
        let remaining = self
            .grants
            .iter()
            .filter(|grant| grant.score >= threshold && grant.threshold <= threshold + SAME);
        let mut strangers: Vec<u32> = remaining.map(|grant| grant.stranger).collect();
        strangers.sort_unstable();
        strangers.dedup();
        let (hits, total) = (strangers.len(), usize::try_from(attempts).unwrap_or(usize::MAX));
        // More errors than attempts cannot be: what the log lost of them counts for neither.
        let low = clopper_pearson(hits.min(total), total, 0.95).0;
        Standing { strangers: hits, attempts, low }
    }

    /// The least threshold, at or above `present` and in steps of 0.00001, at which the reports do not contradict
    /// a rate of `promised`; none where they do not contradict it now.
    #[must_use]
    pub fn floor(&self, present: f32, promised: f64) -> Option<Floor> {
        let before = self.at(present);
        if before.low <= promised {
            return None;
        }
        // The rate falls only where a report falls out or attempts come in.
        let just_above = |score: f32| {
            let step = rounded_up(f64::from(score));
            if step > score { step } else { rounded_up(f64::from(score) + 1e-5) }
        };
        let scores = self.grants.iter().map(|grant| just_above(grant.score));
        let mut steps: Vec<f32> = scores.chain(self.attempts.iter().map(|(held, _)| *held)).collect();
        steps.retain(|step| *step > present);
        steps.sort_by(f32::total_cmp);
        let standing = |threshold: f32| (threshold, self.at(threshold));
        let found = steps.into_iter().map(standing).find(|(_, after)| after.low <= promised);
        // Above the highest score no report remains, and nothing is contradicted.
        found.map(|(threshold, after)| Floor { threshold: threshold.min(1.0), before, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grant(stranger: u32, score: f32) -> ReportedGrant {
        ReportedGrant { stranger, score, threshold: 0.42 }
    }

    #[test]
    fn few_reports_among_many_attempts_change_nothing() {
        let reports = Reports { attempts: vec![(0.42, 10_000)], grants: vec![grant(0, 0.6), grant(1, 0.5)] };
        assert_eq!(reports.floor(0.42, 1e-2), None);
        assert_eq!(Reports::default().floor(0.42, 1e-9), None);
    }

    #[test]
    fn a_broken_promise_raises_the_threshold_above_just_as_many_as_it_must() {
        let grants = vec![grant(0, 0.7), grant(1, 0.6), grant(2, 0.5)];
        let reports = Reports { attempts: vec![(0.42, 200)], grants };
        let floor = reports.floor(0.42, 2e-3).unwrap();
        // One of 200 has its lower end at 1.3e-4, two at 1.2e-3, three at 3.1e-3.
        assert_eq!((floor.before.strangers, floor.after.strangers, floor.after.attempts), (3, 2, 200));
        assert!(floor.before.low > 2e-3 && floor.threshold > 0.5 && floor.threshold < 0.50003, "{floor:?}");
        let strict = reports.floor(0.42, 1e-4).unwrap();
        assert!(strict.threshold > 0.7 && strict.after.low == 0.0);
    }

    #[test]
    fn one_stranger_who_comes_often_is_one_error() {
        let often = Reports { attempts: vec![(0.42, 100)], grants: vec![grant(7, 0.6); 20] };
        assert_eq!(often.at(0.42).strangers, 1);
        assert_eq!(often.floor(0.42, 1e-3), None);
        let many = Reports { grants: (0..20).map(|stranger| grant(stranger, 0.6)).collect(), ..often };
        assert!(many.floor(0.42, 1e-3).is_some());
    }

    #[test]
    fn attempts_under_a_stricter_threshold_do_not_water_the_rate_down() {
        let grants = vec![grant(0, 0.5), grant(1, 0.51)];
        let lax = Reports { attempts: vec![(0.42, 50)], grants: grants.clone() };
        let after = Reports { attempts: vec![(0.42, 50), (0.6, 1_000_000)], grants };
        assert_eq!(lax.floor(0.42, 1e-3), after.floor(0.42, 1e-3));
        assert_eq!(after.at(0.6).attempts, 1_000_050);
    }

    proptest! {
        #[test]
        fn a_floor_is_never_laxer_and_keeps_the_promise(
            attempts in prop::collection::vec((0.3_f32..0.8, 1_u64..5_000), 1..5),
            grants in prop::collection::vec((0_u32..6, 0.3_f32..1.0, 0.3_f32..0.8), 0..12),
            present in 0.3_f32..0.6, promised in 1e-5_f64..0.1,
        ) {
            let grants = grants.iter().map(|&(stranger, score, threshold)| {
                ReportedGrant { stranger, score, threshold: threshold.min(score) }
            });
            let reports = Reports { attempts, grants: grants.collect() };
            match reports.floor(present, promised) {
                None => prop_assert!(reports.at(present).low <= promised),
                Some(floor) => {
                    prop_assert!(floor.threshold > present && floor.threshold <= 1.0);
                    prop_assert!(floor.before.low > promised && floor.after.low <= promised);
                    prop_assert_eq!(floor.after, reports.at(floor.threshold));
                    // One step less would still contradict it.
                    let less = floor.threshold - 2e-5;
                    prop_assert!(less <= present || reports.at(less).low > promised);
                }
            }
        }
    }
}
