//! What a report says, from exact counts of scores.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use arcdoor_calib::{Share, Verification, most_accepted};
use arcdoor_core::file::open_regular;
use arcdoor_kernels::{Isa, scores};
use sha2::{Digest, Sha256};

use crate::eval::report::at_far::{AtFar, ByFar, key};
use crate::eval::report::curves::{Curve, Histogram, Point};
pub(crate) use crate::eval::report::pair_figures::FARS;
use crate::eval::report::rate::{Over, Rate};
use crate::eval::report::report::Eer;
use crate::verify::Partial;
use crate::verify::block::Block;
use crate::verify::grid::{AFFINE, Counts, STEPS, Step, bin};
use crate::verify::task::Task;

/// What the intervals do not say.
pub(crate) const HELD: &str = "Intervals are over subjects with the threshold held, those of the FAR over comparisons: \
     few impostor subjects make the true ones wider. That of the equal error is that of the refused genuine comparisons \
     at its threshold.";
/// Bins of a histogram that is drawn.
const DRAWN: usize = 200;

/// Hits and totals of a subject's own comparisons, for each threshold.
pub(crate) struct BySubject {
    hits: Vec<Vec<u64>>,
    totals: Vec<u64>,
}

impl BySubject {
    /// Computes the genuine comparisons of `task` again, to know whose they are.
    pub(crate) fn of(task: &Task<'_>, thresholds: &[Step]) -> Result<Self> {
        let groups = task.groups();
        let mut out =
            Self { hits: vec![vec![0; groups.len()]; thresholds.len()], totals: vec![0; groups.len()] };
        let [mut all, mut one] = [Block::default(), Block::default()];
        let mut found = Vec::new();
        for (subject, group) in groups.iter().enumerate() {
            all.read(&task.right, group.clone(), task.dimension())?;
            for (at, left) in group.clone().enumerate() {
                // Its mates are those after it.
                let mates = task.mates(left).len();
                found.resize(mates, 0.0);
                one.copy_row(&all, at);
                let after = &all.values[(group.len() - mates) * all.dimension..];
                scores(Isa::detect(), all.dimension, &one.values, after, AFFINE, &mut found);
                for score in &found {
                    let score = Step::of_bin(bin(*score));
                    out.totals[subject] += 1;
                    for (hits, threshold) in out.hits.iter_mut().zip(thresholds) {
                        hits[subject] += u64::from(score >= *threshold);
                    }
                }
            }
        }
        Ok(out)
    }

    /// Of genuine comparisons with their subjects.
    pub(crate) fn of_scores(subjects: usize, scores: &[(usize, Step)], thresholds: &[Step]) -> Self {
        let mut out = Self { hits: vec![vec![0; subjects]; thresholds.len()], totals: vec![0; subjects] };
        for (subject, score) in scores {
            out.totals[*subject] += 1;
            for (hits, threshold) in out.hits.iter_mut().zip(thresholds) {
                hits[*subject] += u64::from(score >= threshold);
            }
        }
        out
    }

    /// The share at a threshold, by its place, with an interval over subjects.
    fn rate(&self, at: usize) -> Rate {
        let hits = &self.hits[at];
        let trials = hits.iter().zip(&self.totals).enumerate().flat_map(|(subject, (hits, total))| {
            let of = |is_hit, count: u64| std::iter::repeat_n((subject, is_hit), count as usize);
            of(true, *hits).chain(of(false, total - hits))
        });
        let share = Share::by_person(self.totals.len(), trials);
        Rate::from_share(share, (hits.iter().sum(), self.totals.iter().sum()), Over::Subjects)
    }
}

/// Impostors of all units: those below a floor among them.
pub(crate) fn impostors(counted: &Partial) -> u64 {
    counted.impostors.total() + counted.below
}

/// True accepts at each of `fars`, and the equal error.
pub(crate) fn by_far(task: &Task<'_>, counted: &Partial, fars: &[f64]) -> Result<(ByFar, Option<Eer>)> {
    by_far_of(counted, fars, |thresholds| BySubject::of(task, thresholds))
}

/// True accepts at each of `fars`, and the equal error, of genuine comparisons that `subjects` knows.
pub(crate) fn by_far_of(
    counted: &Partial,
    fars: &[f64],
    subjects: impl FnOnce(&[Step]) -> Result<BySubject>,
) -> Result<(ByFar, Option<Eer>)> {
    let impostors = impostors(counted);
    let equal = equal_error(counted);
    let thresholds: Vec<(Step, u64)> =
        fars.iter().map(|far| counted.impostors.threshold(most_accepted(*far, impostors))).collect();
    let steps = thresholds.iter().map(|(step, _)| *step).chain(equal.map(|(_, step)| step));
    let subjects = subjects(&steps.collect::<Vec<_>>())?;
    let eer = equal.map(|(value, threshold)| {
        let tar = subjects.rate(fars.len());
        Eer {
            value,
            low: value.min(1.0 - tar.high),
            high: value.max(1.0 - tar.low),
            threshold: threshold.value(),
        }
    });
    let mut out = ByFar::new();
    for (at, (far, (threshold, accepted))) in fars.iter().zip(thresholds).enumerate() {
        let needed = Verification::needed(*far);
        // At the floor, what lies below it might be accepted, too.
        let unknown = counted.floor.filter(|floor| threshold <= *floor);
        let value = match unknown {
            _ if impostors < needed => AtFar::not_supported(impostors, needed),
            Some(floor) => {
                let reason = format!(
                    "not counted: below the floor of the int8 pass ({:.6}), which a sample chose; give a higher --int8-from, or leave \
                     it out",
                    floor.value()
                );
                AtFar::NotSupported { value: (), reason, impostors }
            }
            None => {
                let far = Rate::of(accepted, impostors);
                AtFar::Counted { rate: subjects.rate(at), threshold: threshold.value(), far }
            }
        };
        out.insert(key(*far), value);
    }
    Ok((out, eer))
}

/// Where as many impostors are accepted as genuine comparisons are refused, in shares, on the straight line between two
/// points of the curve; and the score at the second of them. None where that lies below a floor, or a kind is missing.
fn equal_error(counted: &Partial) -> Option<(f64, Step)> {
    let (impostors, genuine) = (impostors(counted) as f64, counted.genuine.total() as f64);
    let (mut accepted, mut last) = ([0_u64; 2], [0.0; 2]);
    for (step, counts) in counted.impostors.falling(&counted.genuine) {
        if counted.floor.is_some_and(|floor| step <= floor) {
            return None;
        }
        accepted[0] += counts[0];
        accepted[1] += counts[1];
        let here = [accepted[0] as f64 / impostors, accepted[1] as f64 / genuine];
        if here[0] >= 1.0 - here[1] {
            let (before, rise) = (1.0 - last[1] - last[0], (here[0] - last[0]) + (here[1] - last[1]));
            return Some((last[0] + (here[0] - last[0]) * before / rise, step));
        }
        last = here;
    }
    None
}

/// The curve from one accepted impostor on, ten points to a decade; nothing below a floor.
pub(crate) fn curve(name: &str, counted: &Partial) -> Curve {
    let (impostors, genuine) = (impostors(counted), counted.genuine.total());
    let mut points: Vec<Point> = Vec::new();
    if impostors > 0 && genuine > 0 {
        // Not the system's: its last bit differs from machine to machine, and the digest is to be the same.
        let decades = libm::log10(impostors as f64);
        let steps = (10.0 * decades).floor() as i32;
        for step in (0..=steps).rev() {
            let far = libm::exp10(-f64::from(step) / 10.0);
            let (threshold, accepted) = counted.impostors.threshold(most_accepted(far, impostors));
            if accepted == 0 || counted.floor.is_some_and(|floor| threshold <= floor) {
                continue;
            }
            let point = Point {
                far: accepted as f64 / impostors as f64,
                tar: counted.genuine.from(threshold) as f64 / genuine as f64,
                threshold: threshold.value(),
            };
            if points.last() != Some(&point) {
                points.push(point);
            }
        }
    }
    Curve { name: name.to_owned(), points }
}

/// Scores in broad bins; none where bytes sifted the pairs: below the floor they are one number.
pub(crate) fn histogram(name: &str, counted: &Partial) -> Option<Histogram> {
    if counted.floor.is_some() {
        return None;
    }
    let broad = |counts: &Counts| {
        let mut out = vec![0; DRAWN];
        let (first, filled) = counts.filled();
        for (at, count) in filled.iter().enumerate() {
            let step = Step::of_bin(first + at).0.clamp(-STEPS, STEPS - 1) + STEPS;
            out[step as usize * DRAWN / (2 * STEPS as usize)] += count;
        }
        out
    };
    Some(Histogram {
        name: name.to_owned(),
        low: -1.0,
        high: 1.0,
        genuine: broad(&counted.genuine),
        impostors: broad(&counted.impostors),
    })
}

/// A sha256 that is made piece by piece.
#[derive(Default)]
pub(crate) struct Hash(Sha256);

impl Hash {
    /// Takes values as they lie in a file.
    pub(crate) fn floats(&mut self, values: &[f32]) {
        values.iter().for_each(|value| self.0.update(value.to_le_bytes()));
    }

    /// In hexadecimal.
    pub(crate) fn text(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The sha256 of a file of any size.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let place = || format!("cannot read {}", path.display());
    let mut file = open_regular(path).with_context(place)?;
    let (mut hash, mut bytes) = (Hash::default(), vec![0; 1 << 20]);
    loop {
        let count = file.read(&mut bytes).with_context(place)?;
        if count == 0 {
            return Ok(hash.text());
        }
        hash.0.update(&bytes[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Settings, run};
    use arcdoor_calib::Comparison;
    use proptest::prelude::*;

    /// What a run of nothing counts, and then these.
    fn counted(genuine: &[i32], impostors: &[i32]) -> Partial {
        let rows = crate::verify::rows::Held { dimension: 1, values: vec![1.0, 1.0] };
        let labels = arcdoor_calib::LabelList::of([Some("a"), Some("a")]).unwrap();
        let task = Task::within(&rows, &labels).unwrap();
        let mut partial = run(&task, &Settings::new(1, String::new())).unwrap();
        (partial.genuine, partial.impostors) = (Counts::default(), Counts::default());
        genuine.iter().for_each(|score| partial.genuine.count(Step(*score)));
        impostors.iter().for_each(|score| partial.impostors.count(Step(*score)));
        partial
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn the_equal_error_of_counts_is_that_of_scores(
            genuine in proptest::collection::vec(-20_i32..40, 1..60),
            impostors in proptest::collection::vec(-40_i32..20, 1..60),
        ) {
            let score = |step: &i32| Step(*step).value() as f32;
            let own: Vec<(u32, f32)> = genuine.iter().map(|step| (0, score(step))).collect();
            let others = impostors.iter().map(|step| Comparison { score: score(step), people: [0, 1] }).collect();
            let expected = Verification::new(&own, others, 2).equal_error().unwrap();
            let mut partial = counted(&genuine, &impostors);
            let (rate, step) = equal_error(&partial).unwrap();
            prop_assert!((rate - expected.rate).abs() < 1e-12);
            prop_assert_eq!(step.value() as f32, expected.threshold);
            partial.floor = Some(step);
            prop_assert_eq!(equal_error(&partial), None, "at the floor nobody knows what is accepted");
        }
    }
}
