//! Resampling people: trials of one person depend on each other, so whole people are drawn with replacement.

use crate::random::Random;

/// How often people are drawn anew for an interval over people.
pub(crate) const ROUNDS: usize = 500;

/// How often each of `people` comes when as many are drawn with replacement.
pub(crate) fn draws(people: usize, seed: u64) -> Vec<u16> {
    let (mut draws, mut random) = (vec![0_u16; people], Random(seed));
    for _ in 0..people {
        let drawn = &mut draws[random.below(people)];
        *drawn = drawn.saturating_add(1);
    }
    draws
}

/// How often a comparison counts: as often as its person was drawn, or the product of how often its two people were
/// (Owen's pigeonhole bootstrap, Annals of Applied Statistics 1, 2007, which errs on the wide side).
pub(crate) fn times(draws: &[u16], [a, b]: [u32; 2]) -> u64 {
    let of = |person: u32| u64::from(draws[person as usize]);
    if a == b { of(a) } else { of(a) * of(b) }
}

/// The 2.5th and the 97.5th percentile; `None` of no rates.
pub(crate) fn percentiles(mut rates: Vec<f64>) -> Option<(f64, f64)> {
    rates.sort_by(f64::total_cmp);
    let (first, last) = (rates.len() / 40, rates.len().checked_sub(1 + rates.len() / 40)?);
    Some((rates[first], rates[last]))
}
