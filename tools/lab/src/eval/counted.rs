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
use crate::verify::Partial;
use crate::verify::block::Block;
use crate::verify::grid::{AFFINE, Counts, STEPS, Step, bin};
use crate::verify::task::Task;

/// What the intervals do not say.
pub(crate) const HELD: &str = "Intervals are over subjects with the threshold held, those of the FAR over comparisons: \
     few impostor subjects make the true ones wider.";
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

/// True accepts at each of `fars`.
pub(crate) fn by_far(task: &Task<'_>, counted: &Partial, fars: &[f64]) -> Result<ByFar> {
    by_far_of(counted, fars, |thresholds| BySubject::of(task, thresholds))
}

/// True accepts at each of `fars`, of genuine comparisons that `subjects` knows.
pub(crate) fn by_far_of(
    counted: &Partial,
    fars: &[f64],
    subjects: impl FnOnce(&[Step]) -> Result<BySubject>,
) -> Result<ByFar> {
    let impostors = impostors(counted);
    let thresholds: Vec<(Step, u64)> =
        fars.iter().map(|far| counted.impostors.threshold(most_accepted(*far, impostors))).collect();
    let subjects = subjects(&thresholds.iter().map(|(step, _)| *step).collect::<Vec<_>>())?;
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
    Ok(out)
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
