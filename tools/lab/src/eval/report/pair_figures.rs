//! The figures of scored pairs, each with its interval.

use arcdoor_calib::{Comparison, Fold, Folds, LOWEST_SCORE, Share, Verification};

use crate::eval::report::at_far::{AtFar, ByFar, key};
use crate::eval::report::curves::{Curve, Histogram, Point};
use crate::eval::report::pairs_file::ScoredPair;
use crate::eval::report::rate::{Over, Rate};
use crate::eval::report::report::Eer;

/// The false accept rates that every report speaks of.
pub(crate) const FARS: [f64; 8] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8];
/// Points of a curve within each decade of the false accept rate.
const STEPS: i32 = 20;
/// Bins of a histogram over all cosines.
const BINS: usize = 100;

/// What pairs that decide each other come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PairFigures {
    /// None without folds.
    pub(crate) folds: Vec<Fold>,
    /// Percent, as in the report.
    pub(crate) accuracy_mean: Option<f64>,
    pub(crate) accuracy_sd: Option<f64>,
    pub(crate) accuracy: Option<Rate>,
    pub(crate) tar_at_far: ByFar,
    pub(crate) eer: Option<Eer>,
}

/// Chooses each fold's threshold on the others, and writes it into the fold's pairs.
pub(crate) fn decide(pairs: &mut [ScoredPair]) -> Vec<Fold> {
    let folded: Option<Vec<_>> = pairs.iter().map(|pair| Some((pair.score, pair.same, pair.fold?))).collect();
    let folds = folded.map(|folded| Folds::of(&folded).0).unwrap_or_default();
    for pair in pairs {
        let fold = pair.fold.and_then(|fold| folds.get(fold as usize));
        pair.threshold = fold.map(|fold| fold.threshold).or(pair.threshold);
    }
    folds
}

/// Everything that `pairs` say; with folds, each pair's threshold is chosen first.
pub(crate) fn figures(pairs: &mut [ScoredPair]) -> PairFigures {
    let folds = Folds(decide(pairs));
    let (verification, over) = (verification(pairs), over(pairs));
    let right: Option<Vec<_>> = pairs.iter().map(|pair| Some((pair.people, pair.is_right()?))).collect();
    let accuracy = right.filter(|right| !right.is_empty()).map(|right| {
        let hits = right.iter().filter(|(_, is_right)| *is_right).count();
        let share = match over {
            Over::Subjects => Share::by_pair(people(pairs), &right),
            Over::Trials => Share::of(hits, right.len()),
        };
        Rate::from_share(share, (hits as u64, right.len() as u64), over)
    });
    let has_folds = !folds.0.is_empty();
    let single = accuracy.and_then(|rate| rate.value).map(|value| 100.0 * value);
    let (tar_at_far, eer) = operating(&verification, over);
    PairFigures {
        accuracy_mean: if has_folds { Some(100.0 * folds.mean()) } else { single },
        accuracy_sd: has_folds.then(|| 100.0 * folds.deviation()),
        accuracy,
        tar_at_far,
        eer,
        folds: folds.0,
    }
}

/// True accepts at every one of [`FARS`], and the equal error; nothing without a genuine comparison.
pub(crate) fn operating(all: &Verification, over: Over) -> (ByFar, Option<Eer>) {
    if all.genuine() == 0 {
        return (ByFar::new(), None);
    }
    let supported: Vec<f64> = FARS.into_iter().filter(|far| all.at(*far).is_some()).collect();
    let intervals = all.intervals(&supported);
    let (genuine, impostors) = (all.genuine() as u64, all.impostors() as u64);
    let rate = |hits: usize, total: u64, (low, high)| {
        let value = hits as f64 / total.max(1) as f64;
        // The percentiles of a skew distribution may leave its own middle out.
        let share = Share { value, low: f64::min(low, value), high: f64::max(high, value) };
        let share = share.doubted(hits, total as usize);
        Rate::from_share(share, (hits as u64, total), over)
    };
    let at = |far: f64| {
        let needed = Verification::needed(far);
        let Some(at) = all.at(far) else { return AtFar::not_supported(impostors, needed) };
        let index = supported.iter().position(|supported| *supported == far).unwrap_or_default();
        AtFar::Counted {
            rate: rate(at.genuine, genuine, intervals.tar[index]),
            threshold: f64::from(at.threshold),
            far: rate(at.impostors, impostors, intervals.far[index]),
        }
    };
    let eer = all.equal_error().map(|equal| {
        let (low, high) = intervals.equal_error.unwrap_or((0.0, 1.0));
        // Without an error of one kind, no round has one either.
        let unseen = Share::of(0, all.genuine().min(all.impostors())).high;
        let high = if equal.rate > 0.0 { high.max(equal.rate) } else { high.max(unseen) };
        let low = low.min(equal.rate);
        Eer { value: equal.rate, low, high, threshold: f64::from(equal.threshold) }
    });
    (FARS.into_iter().map(|far| (key(far), at(far))).collect(), eer)
}

/// A curve down to the least rate that the impostors support.
pub(crate) fn curve(name: &str, all: &Verification) -> Curve {
    let fars = (0..=8 * STEPS).rev().map(|step| libm::exp10(-f64::from(step) / f64::from(STEPS)));
    let fars: Vec<f64> = fars.filter(|far| Verification::needed(*far) <= all.impostors() as u64).collect();
    let mut points: Vec<Point> = Vec::new();
    for point in all.curve(&fars) {
        // Where many scores are equal, several rates are one point.
        let point = Point { far: point.far, tar: point.tar, threshold: f64::from(point.threshold) };
        if point.threshold.is_finite() && points.last() != Some(&point) {
            points.push(point);
        }
    }
    Curve { name: name.to_owned(), points }
}

/// Scores by bin, those alone that could be had.
pub(crate) fn histogram(name: &str, scores: impl IntoIterator<Item = (f32, bool)>) -> Histogram {
    let (low, high) = (f64::from(LOWEST_SCORE), 1.0);
    let mut counts = [vec![0; BINS], vec![0; BINS]];
    for (score, same) in scores.into_iter().filter(|(score, _)| *score >= LOWEST_SCORE) {
        let bin = ((f64::from(score) - low) / (high - low) * BINS as f64) as usize;
        counts[usize::from(!same)][bin.min(BINS - 1)] += 1;
    }
    let [genuine, impostors] = counts;
    Histogram { name: name.to_owned(), low, high, genuine, impostors }
}

/// The pairs as comparisons of their people.
pub(crate) fn verification(pairs: &[ScoredPair]) -> Verification {
    let genuine: Vec<_> =
        pairs.iter().filter(|pair| pair.same).map(|pair| (pair.people[0], pair.score)).collect();
    let impostors = pairs.iter().filter(|pair| !pair.same);
    let impostors = impostors.map(|pair| Comparison { score: pair.score, people: pair.people });
    Verification::new(&genuine, impostors.collect(), people(pairs))
}

/// Whether pairs hang together by their people.
pub(crate) fn over(pairs: &[ScoredPair]) -> Over {
    let is_alone = |(index, pair): (usize, &ScoredPair)| pair.people == [index as u32; 2];
    if pairs.iter().enumerate().all(is_alone) { Over::Trials } else { Over::Subjects }
}

/// How many people the pairs number.
pub(crate) fn people(pairs: &[ScoredPair]) -> usize {
    pairs.iter().flat_map(|pair| pair.people).max().map_or(0, |most| most as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_calib::Random;

    fn drawn(folds: u32) -> Vec<ScoredPair> {
        let mut random = Random(7);
        let pair = |index: u32| {
            let same = index.is_multiple_of(2);
            let score = 0.3 * random.signed() + if same { 0.45 } else { 0.1 };
            let people = if same { [index % 97; 2] } else { [index % 97, (index + 1) % 97] };
            let fold = (folds > 0).then(|| index * folds / 2_000);
            ScoredPair { names: [String::new(), String::new()], same, fold, score, people, threshold: None }
        };
        (0..2_000).map(pair).collect()
    }

    #[test]
    fn a_rate_below_what_the_impostors_support_is_no_number_and_the_rest_has_intervals() {
        let found = figures(&mut drawn(10));
        let value = |far: f64| found.tar_at_far[&key(far)].rate().and_then(|rate| rate.value);
        assert!(value(1e-3).is_some() && value(1e-4).is_none() && found.tar_at_far.len() == 8);
        for rate in found.tar_at_far.values().filter_map(AtFar::rate) {
            assert!(
                rate.low <= rate.value.unwrap()
                    && rate.value.unwrap() <= rate.high
                    && rate.over == Over::Subjects
            );
        }
        assert!(
            found.accuracy_mean.unwrap() > 80.0
                && found.accuracy_sd.unwrap() > 0.0
                && found.folds.len() == 10
        );
        let without = figures(&mut drawn(0));
        assert_eq!((without.accuracy_mean, without.accuracy_sd), (None, None));
        assert_eq!(without.tar_at_far, found.tar_at_far);
    }

    #[test]
    fn a_histogram_holds_every_score_that_could_be_had() {
        let found = histogram("pairs", [(-1.0, true), (1.0, true), (0.0, false), (-2.0, false)]);
        assert_eq!((found.genuine[0], found.genuine[99], found.impostors[50]), (1, 1, 1));
        assert_eq!(found.impostors.iter().sum::<u64>(), 1);
    }
}
