//! Whether a promised rate of wrong grants still stands, after attempts at a door and reports from it.

use serde::{Deserialize, Serialize};

/// How sure it must be that a promise is broken before that is said; and how sure a lower bound is: in at most 5 of
/// 100 doors that keep their promise it is ever said, however often they are looked at.
pub const ALPHA: f64 = 0.05;

/// Stakes are set on so many rates, each [`MULTIPLE`] times the previous one: from 1.4 times the promised rate, of
/// which one learns slowly, to 1,024 times, so that two reports soon after the start suffice.
const SHARES: usize = 20;
const MULTIPLE: f64 = core::f64::consts::SQRT_2;

/// Halvings of the interval from [`LEAST_RATE`] to 1, on a logarithmic scale: far finer than a rate is printed.
const HALVINGS: usize = 60;
/// The least rate that is tried when a lower bound is looked for.
const LEAST_RATE: f64 = 1e-12;

/// Why a number is no promise, or counts are none.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PromiseError {
    /// A rate out of range.
    #[error("a promised rate lies above 0 and below 1, such as 0.01; got {0}")]
    Rate(f64),
    /// More reports than attempts.
    #[error(
        "{reports} wrong grants cannot be reported of {attempts} attempts: count each grant's report once"
    )]
    Reports {
        /// Attempts.
        attempts: u64,
        /// Reports.
        reports: u64,
    },
}

/// What a door has counted since the promise was made: all that has to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Counts", into = "Counts")]
pub struct Tally {
    attempts: u64,
    reports: u64,
}

/// A tally as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    attempts: u64,
    reports: u64,
}

/// A rate of wrong grants that is promised: the FPIR that thresholds were chosen for. It is taken for each attempt,
/// whatever came before it.
///
/// What the counts leave out can hide a broken promise, and not make one seem broken:
/// - Attempts of people who are enrolled are counted with those of strangers, of whom alone the FPIR speaks.
/// - A report may come late or never. Where a share of the wrong grants is reported, it is noticed once that share of
///   the rate is above the promise; half of a threefold rate looks like one and a half.
///
/// Three times the promised rate `p` is noticed within `3 / p` attempts at half of all doors, within `7.5 / p` at nine
/// of ten: after some 9 and 22 reports. One and a half times takes `42 / p` and `82 / p`. A kept promise was doubted at
/// 2 of 100 simulated doors in a million attempts; at most 5 of 100 is certain.
///
/// What seems broken is broken for this door, which may be a single stranger who is like somebody and comes every day.
/// Reports must be true: a person who was granted rightly and is reported as wrong counts against the promise.
///
/// ```
/// use arcdoor_calib::{Promise, Standing, Tally};
///
/// # fn main() -> Result<(), arcdoor_calib::PromiseError> {
/// let promise = Promise::new(0.01)?;
/// assert_eq!(promise.standing(&Tally::new(5_000, 60)?), Standing::Stands);
/// assert!(matches!(promise.standing(&Tally::new(500, 17)?), Standing::Broken { at_least } if at_least > 0.01));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Promise(f64);

/// What a tally says about a promise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// Nothing speaks against it, or not enough.
    Stands,
    /// It is broken, at the level of [`ALPHA`].
    Broken {
        /// The least rate that the tally allows, above the promised one.
        at_least: f64,
    },
}

impl Tally {
    /// `attempts` that ended, granted or not, and wrong grants that were reported of them: one report at most for
    /// each grant.
    ///
    /// # Errors
    /// With more reports than attempts.
    pub const fn new(attempts: u64, reports: u64) -> Result<Self, PromiseError> {
        if reports > attempts {
            return Err(PromiseError::Reports { attempts, reports });
        }
        Ok(Self { attempts, reports })
    }

    /// How many attempts ended, granted or not.
    #[must_use]
    pub const fn attempts(&self) -> u64 {
        self.attempts
    }

    /// How many of them were grants that were reported as wrong.
    #[must_use]
    pub const fn reports(&self) -> u64 {
        self.reports
    }

    /// The least rate of wrong grants that the tally allows, 0..1: the largest promise that it breaks. Whenever it is
    /// asked, and however often, the true rate is below it in at most [`ALPHA`] of all doors.
    #[must_use]
    pub fn least_rate(&self) -> f64 {
        let is_broken = |ln_rate: f64| Promise(ln_rate.exp()).ln_evidence(self) >= -ALPHA.ln();
        let (mut low, mut high) = (LEAST_RATE.ln(), 0.0);
        if !is_broken(low) {
            return 0.0;
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if is_broken(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low.exp()
    }
}

impl Promise {
    /// A promised rate.
    ///
    /// # Errors
    /// When it does not lie above 0 and below 1.
    pub fn new(rate: f64) -> Result<Self, PromiseError> {
        if rate > 0.0 && rate < 1.0 { Ok(Self(rate)) } else { Err(PromiseError::Rate(rate)) }
    }

    /// The promised rate, above 0 and below 1.
    #[must_use]
    pub const fn rate(self) -> f64 {
        self.0
    }

    /// Whether the promise stands after what was counted, at any moment. Keep it when it was broken once: more
    /// attempts may hide that later, and make it no less true.
    #[must_use]
    pub fn standing(self, tally: &Tally) -> Standing {
        if self.ln_evidence(tally) < -ALPHA.ln() {
            return Standing::Stands;
        }
        Standing::Broken { at_least: tally.least_rate().max(self.0) }
    }

    /// How much a tally speaks against the promise: the natural logarithm of an e-value.
    ///
    /// A gambler stakes an equal share on each of some rates above the promised one, `p`. A share that stands on the
    /// rate `q` is multiplied at each attempt by `q / p` where the grant is reported as wrong, and by
    /// `(1 - q) / (1 - p)` where not. While no attempt is wrong with a probability above `p`, no share grows on
    /// average; so the sum ever reaches `1 / ALPHA` times the stake with a probability of at most [`ALPHA`] (Ville's
    /// inequality; Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49, 2021, on time-uniform confidence
    /// sequences; Waudby-Smith and Ramdas, JRSS B 86, 2024, on betting). It depends on the counts alone, falls with
    /// every attempt and rises with every report.
    #[must_use]
    pub fn ln_evidence(self, tally: &Tally) -> f64 {
        let (reports, others) = (tally.reports as f64, (tally.attempts - tally.reports) as f64);
        let (ln_promised, ln_other) = (self.0.ln(), (-self.0).ln_1p());
        let share = |step: usize| {
            let rate = (self.0 * MULTIPLE.powf((step + 1) as f64)).min(1.0);
            let won = reports * (rate.ln() - ln_promised);
            // At a rate of 1, the first attempt without a report takes all; 0 times that loss would be no number.
            if others > 0.0 { won + others * ((-rate).ln_1p() - ln_other) } else { won }
        };
        let shares: [f64; SHARES] = core::array::from_fn(share);
        let most = shares.into_iter().fold(f64::NEG_INFINITY, f64::max);
        if most == f64::NEG_INFINITY {
            return most;
        }
        let sum: f64 = shares.into_iter().map(|share| (share - most).exp()).sum();
        most + (sum / SHARES as f64).ln()
    }
}

impl TryFrom<Counts> for Tally {
    type Error = PromiseError;

    fn try_from(counts: Counts) -> Result<Self, PromiseError> {
        Self::new(counts.attempts, counts.reports)
    }
}

impl From<Tally> for Counts {
    fn from(tally: Tally) -> Self {
        Self { attempts: tally.attempts, reports: tally.reports }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use proptest::prelude::*;

    /// Runs of a simulation.
    const RUNS: u64 = 2_000;

    /// How many attempts at a door whose grants are reported as wrong at this rate it takes until the promise is
    /// known to be broken; `None`: more than `most`. Evidence rises with reports alone, so it is asked at each.
    fn noticed(promise: Promise, reported: f64, most: u64, seed: u64) -> Option<u64> {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (mut attempts, mut reports) = (0_u64, 0);
        loop {
            let uniform = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            // Attempts up to the next report: geometric.
            attempts += ((-uniform).ln_1p() / (-reported).ln_1p()) as u64 + 1;
            reports += 1;
            if attempts > most {
                return None;
            }
            // No more reports than promised are no evidence.
            let is_more = reports as f64 > promise.rate() * attempts as f64;
            if is_more && promise.standing(&Tally::new(attempts, reports).unwrap()) != Standing::Stands {
                return Some(attempts);
            }
        }
    }

    #[test]
    fn a_kept_promise_is_doubted_at_no_more_than_5_of_100_doors_ever() {
        for (rate, looks) in [(1e-2, 100_000), (1e-3, 1_000_000), (1e-4, 1_000_000), (1e-6, 1_000_000)] {
            let promise = Promise::new(rate).unwrap();
            let doubted = (0..RUNS).filter(|seed| noticed(promise, rate, looks, *seed).is_some()).count();
            println!("promised {rate}: doubted at {doubted} of {RUNS} doors in {looks} attempts");
            assert!(doubted as f64 <= ALPHA * RUNS as f64, "{rate}: {doubted}");
        }
    }

    /// The figures of docs/measurements.md.
    #[test]
    fn a_broken_promise_is_noticed_after_as_many_attempts_as_is_said() {
        let rows = [
            (1e-2, 1.5, [4_216, 8_158]),
            (1e-2, 3.0, [294, 735]),
            (1e-2, 10.0, [24, 73]),
            (1e-3, 3.0, [3_050, 7_480]),
            (1e-4, 3.0, [30_567, 74_820]),
        ];
        for (rate, times, said) in rows {
            let promise = Promise::new(rate).unwrap();
            let noticed = |seed| noticed(promise, rate * times, u64::MAX, seed).unwrap();
            let mut attempts: Vec<u64> = (0..RUNS).map(noticed).collect();
            attempts.sort_unstable();
            let found = [attempts[attempts.len() / 2], attempts[attempts.len() * 9 / 10]];
            println!(
                "promised {rate}, {times} times as many: noticed after {found:?} attempts (median, 90 %)"
            );
            // Another machine's logarithm may differ in its last bit.
            let is_near = |(found, said): (&u64, &u64)| found.abs_diff(*said) * 50 <= *said;
            assert!(found.iter().zip(&said).all(is_near), "{said:?} was said");
        }
    }

    proptest! {
        #[test]
        fn more_attempts_speak_for_a_promise_and_more_reports_against_it(
            attempts in 1_u64..1_000_000,
            share in 0.0_f64..=1.0,
            ln_rate in -14.0_f64..-0.01,
        ) {
            let (promise, reports) = (Promise::new(ln_rate.exp()).unwrap(), (share * attempts as f64) as u64);
            let evidence = |attempts, reports| promise.ln_evidence(&Tally::new(attempts, reports).unwrap());
            let here = evidence(attempts, reports);
            prop_assert!(!here.is_nan() && evidence(attempts + 1, reports) <= here);
            prop_assert!(evidence(attempts + 1, reports + 1) >= evidence(attempts + 1, reports));
            let larger = Promise::new((ln_rate / 2.0).exp()).unwrap();
            prop_assert!(larger.ln_evidence(&Tally::new(attempts, reports).unwrap()) <= here, "a laxer promise");
        }

        #[test]
        fn the_least_rate_is_the_largest_promise_that_is_broken(attempts in 1_u64..1_000_000, share in 0.0_f64..=1.0) {
            let tally = Tally::new(attempts, (share * attempts as f64) as u64).unwrap();
            let least = tally.least_rate();
            prop_assert!(least <= tally.reports() as f64 / attempts as f64);
            if least > 0.0 {
                let standing = |rate| Promise::new(rate).unwrap().standing(&tally);
                prop_assert_eq!(standing(least * 1.000_001), Standing::Stands);
                prop_assert!(standing(least * 0.999_999) != Standing::Stands);
            }
        }
    }

    #[test]
    fn what_is_no_promise_and_no_tally_is_refused_from_a_file_too() {
        use serde::de::value::{Error, MapDeserializer};
        let read = |reports: u64| {
            let fields = [("attempts", 1), ("reports", reports)].into_iter();
            Tally::deserialize(MapDeserializer::<_, Error>::new(fields))
        };
        assert_eq!(read(1).unwrap(), Tally::new(1, 1).unwrap());
        assert!(read(2).is_err());
        for rate in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(Promise::new(rate).is_err());
        }
        assert_eq!(Tally::new(1, 2), Err(PromiseError::Reports { attempts: 1, reports: 2 }));
        assert_eq!(Promise::new(0.01).unwrap().standing(&Tally::default()), Standing::Stands);
        assert_eq!(Tally::default().least_rate(), 0.0);
    }
}
