//! Who is compared with whom, and the units that the work is cut into.

use std::ops::Range;

use anyhow::{Result, ensure};
use arcdoor_calib::LabelList;

use crate::limits::MAX_ROWS_OF_SUBJECT;
use crate::trouble::Trouble;
use crate::verify::rows::Rows;

/// Left rows of a unit: with [`RIGHTS`] right ones some 16 MiB of 512 values, and a fifth of a second's work.
pub(crate) const LEFTS: usize = 4096;
/// Right rows of a unit.
pub(crate) const RIGHTS: usize = 4000;

/// Rows in an order of their own.
pub(crate) struct Side<'a> {
    rows: &'a dyn Rows,
    order: Vec<u32>,
}

impl Side<'_> {
    pub(crate) fn count(&self) -> usize {
        self.order.len()
    }

    /// The row's number where it comes from.
    pub(crate) fn source(&self, at: usize) -> u32 {
        self.order[at]
    }

    /// Whether rows of zeros are no fault.
    pub(crate) fn may_miss(&self) -> bool {
        self.rows.may_miss()
    }

    /// Rows of `range`; neighbours at once.
    pub(crate) fn read(&self, range: Range<usize>, out: &mut [f32]) -> Result<()> {
        let dimension = self.rows.dimension();
        let mut out = out;
        for run in self.order[range].chunk_by(|a, b| a + 1 == *b) {
            let (now, later) = out.split_at_mut(run.len() * dimension);
            let first = run[0] as usize;
            self.rows.read(first..first + run.len(), now)?;
            out = later;
        }
        Ok(())
    }
}

/// Comparisons of left rows with right rows.
pub(crate) struct Task<'a> {
    pub(crate) left: Side<'a>,
    pub(crate) right: Side<'a>,
    /// Left row i is compared with right rows from here on.
    first: Vec<u32>,
    /// Which of them show the same subject.
    mates: Vec<Range<u32>>,
    /// Right rows of each subject.
    groups: Vec<Range<u32>>,
}

/// Left and right rows of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) left: Range<usize>,
    pub(crate) right: Range<usize>,
}

impl<'a> Task<'a> {
    /// Everybody against everybody: each pair of which one at least is of a known subject, once. Distractors are not
    /// compared with one another: nobody knows whether two are of one person.
    pub(crate) fn within(rows: &'a dyn Rows, labels: &LabelList) -> Result<Self> {
        labels.check(rows.count())?;
        let (order, groups) = ordered(labels.labels());
        // A subject's rows are held at once.
        let most = groups.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        if most > MAX_ROWS_OF_SUBJECT {
            let text = format!(
                "{most} rows of one subject; at most {MAX_ROWS_OF_SUBJECT} are compared: if they are distractors, label them -"
            );
            return Err(Trouble::BadInput(text).into());
        }
        let known = groups.last().map_or(0, |group| group.end);
        let mates: Vec<Range<u32>> =
            groups.iter().flat_map(|group| group.clone().map(|row| row + 1..group.end)).collect();
        Ok(Self {
            left: Side { rows, order: order[..known as usize].to_vec() },
            right: Side { rows, order },
            first: (1..=known).collect(),
            mates,
            groups,
        })
    }

    /// Every left row against every right one; which are of one subject says `mates`, by the labels of both.
    pub(crate) fn across(
        left: (&'a dyn Rows, &[Option<u32>]),
        right: (&'a dyn Rows, &[Option<u32>]),
    ) -> Result<Self> {
        ensure!(
            left.0.dimension() == right.0.dimension(),
            "{} values to a feature and {}: they come from different models",
            left.0.dimension(),
            right.0.dimension()
        );
        let (order, groups) = ordered(right.1);
        let group = |label: &Option<u32>| {
            let found = groups.iter().find(|group| right.1[order[group.start as usize] as usize] == *label);
            label.and(found.cloned()).unwrap_or(0..0)
        };
        let count = left.0.count() as u32;
        Ok(Self {
            mates: left.1.iter().map(group).collect(),
            left: Side { rows: left.0, order: (0..count).collect() },
            right: Side { rows: right.0, order },
            first: vec![0; count as usize],
            groups,
        })
    }

    pub(crate) fn dimension(&self) -> usize {
        self.left.rows.dimension()
    }

    pub(crate) fn first(&self, left: usize) -> usize {
        self.first[left] as usize
    }

    pub(crate) fn mates(&self, left: usize) -> Range<usize> {
        self.mates[left].start as usize..self.mates[left].end as usize
    }

    /// Right rows of each subject; left ones too, where a table is compared with itself.
    pub(crate) fn groups(&self) -> Vec<Range<usize>> {
        self.groups.iter().map(|group| group.start as usize..group.end as usize).collect()
    }

    /// Genuine comparisons.
    pub(crate) fn genuine(&self) -> u64 {
        self.mates.iter().map(|mates| mates.len() as u64).sum()
    }

    /// All comparisons.
    pub(crate) fn pairs(&self) -> u64 {
        self.first.iter().map(|first| (self.right.count() - *first as usize) as u64).sum()
    }

    /// The work, in an order that is always the same.
    pub(crate) fn units(&self) -> Vec<Unit> {
        let cut = |count: usize, step: usize| {
            (0..count).step_by(step).map(move |start| start..count.min(start + step))
        };
        let lefts = cut(self.left.count(), LEFTS);
        lefts
            .flat_map(|left| {
                cut(self.right.count(), RIGHTS).map(move |right| Unit { left: left.clone(), right })
            })
            .filter(|unit| unit.right.end > self.first(unit.left.start))
            .collect()
    }
}

/// Rows by subject, distractors last; and where each subject's rows lie in that order.
fn ordered(labels: &[Option<u32>]) -> (Vec<u32>, Vec<Range<u32>>) {
    let mut order: Vec<u32> = (0..labels.len() as u32).collect();
    order.sort_by_key(|row| (labels[*row as usize].unwrap_or(u32::MAX), *row));
    let mut groups = Vec::new();
    let mut start = 0;
    for run in order.chunk_by(|a, b| labels[*a as usize] == labels[*b as usize]) {
        let end = start + run.len() as u32;
        if labels[run[0] as usize].is_some() {
            groups.push(start..end);
        }
        start = end;
    }
    (order, groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::rows::Held;

    #[test]
    fn every_pair_with_a_known_subject_comes_once_and_distractors_do_not_meet() {
        let rows = Held { dimension: 1, values: vec![1.0; 6] };
        let labels = LabelList::of([Some("a"), None, Some("b"), Some("a"), None, Some("a")]).unwrap();
        let task = Task::within(&rows, &labels).unwrap();
        let mut met = Vec::new();
        for left in 0..task.left.count() {
            for right in task.first(left)..task.right.count() {
                let mut pair = [task.left.source(left), task.right.source(right)];
                pair.sort_unstable();
                met.push((pair, task.mates(left).contains(&right)));
            }
        }
        met.sort_unstable();
        let labels = labels.labels();
        let mut expected = Vec::new();
        for a in 0..6 {
            for b in a + 1..6 {
                if labels[a].is_some() || labels[b].is_some() {
                    expected.push(([a as u32, b as u32], labels[a] == labels[b]));
                }
            }
        }
        assert_eq!(met, expected);
        assert_eq!((task.pairs(), task.genuine()), (14, 3));
        let rows = Held { dimension: 1, values: vec![1.0; MAX_ROWS_OF_SUBJECT + 1] };
        let labels = LabelList::of(vec![Some("distractors"); rows.count()]).unwrap();
        assert!(Task::within(&rows, &labels).is_err());
    }

    #[test]
    fn units_cover_what_lies_above_the_diagonal() {
        let count = 3 * LEFTS + 5;
        let rows = Held { dimension: 1, values: vec![1.0; count] };
        let labels = LabelList::of((0..count).map(|row| Some(if row < 7 { "a" } else { "b" }))).unwrap();
        let task = Task::within(&rows, &labels).unwrap();
        let covered: u64 = task
            .units()
            .iter()
            .flat_map(|unit| unit.left.clone().map(|left| (left, unit.right.clone())))
            .map(|(left, right)| right.end.saturating_sub(right.start.max(task.first(left))) as u64)
            .sum();
        assert_eq!(covered, task.pairs());
        let all = count.div_ceil(LEFTS) * count.div_ceil(RIGHTS);
        assert!(task.units().len() < all);
    }

    #[test]
    fn mates_across_two_tables_are_found_by_label() {
        let (left, right) =
            (Held { dimension: 1, values: vec![1.0; 3] }, Held { dimension: 1, values: vec![1.0; 4] });
        let labels = ([Some(7), None, Some(9)], [None, Some(9), Some(7), Some(9)]);
        let task = Task::across((&left, &labels.0), (&right, &labels.1)).unwrap();
        let mates = |left: usize| -> Vec<u32> { task.mates(left).map(|at| task.right.source(at)).collect() };
        assert_eq!([mates(0), mates(1), mates(2)], [vec![2], vec![], vec![1, 3]]);
        let other = Held { dimension: 2, values: vec![1.0; 8] };
        assert!(Task::across((&left, &labels.0), (&other, &labels.1)).is_err());
    }
}
