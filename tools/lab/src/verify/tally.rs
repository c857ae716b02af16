//! What one thread has counted since it last handed it over.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::verify::grid::{BINS, Step, bin};

/// A comparison that is kept by name: rows as their source numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hit {
    pub(crate) score: Step,
    pub(crate) left: u32,
    pub(crate) right: u32,
}

/// The highest comparisons, highest first; of equal ones, those with lower rows. The same ones are kept in whatever
/// order they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Highest {
    most: usize,
    hits: Vec<Hit>,
    /// The bin from which on one may belong here.
    bound: usize,
}

impl Highest {
    pub(crate) const fn new(most: usize) -> Self {
        Self { most, hits: Vec::new(), bound: if most == 0 { BINS } else { 0 } }
    }

    pub(crate) fn hits(&self) -> &[Hit] {
        &self.hits
    }

    pub(crate) fn insert(&mut self, hit: Hit) {
        let key = |hit: &Hit| (std::cmp::Reverse(hit.score), hit.left, hit.right);
        let place = self.hits.partition_point(|other| key(other) < key(&hit));
        if place < self.most {
            self.hits.insert(place, hit);
            self.hits.truncate(self.most);
        }
        if let Some(last) = self.hits.last().filter(|_| self.hits.len() == self.most) {
            self.bound = last.score.bin();
        }
    }
}

/// Counts of one thread.
pub(crate) struct Tally {
    pub(crate) impostors: Vec<u32>,
    pub(crate) genuine: Vec<u32>,
    /// Impostors whose score is only known to lie below the floor.
    pub(crate) below: u64,
    /// The highest impostors of all, or of each left row.
    pub(crate) highest: Vec<Highest>,
    /// Whether `highest` has an entry for each left row.
    by_left: bool,
}

/// Where a left row's scores lie: its place among the left rows, and its source's number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    pub(crate) at: usize,
    pub(crate) source: u32,
}

impl Tally {
    /// Keeps the `most` highest impostors, of each of `lefts` left rows where there are any.
    pub(crate) fn new(most: usize, by_left: Option<usize>) -> Self {
        let highest = Self::lists(most, by_left);
        let (impostors, genuine) = (vec![0; BINS], vec![0; BINS]);
        Self { impostors, genuine, below: 0, highest, by_left: by_left.is_some() }
    }

    /// Empty lists of the highest.
    pub(crate) fn lists(most: usize, by_left: Option<usize>) -> Vec<Highest> {
        vec![Highest::new(most); by_left.unwrap_or(1)]
    }

    /// Counts impostors; `source` tells the right row of each as its source numbers it.
    pub(crate) fn impostors(&mut self, left: Left, scores: &[f32], source: impl Fn(usize) -> u32) {
        let highest = &mut self.highest[if self.by_left { left.at } else { 0 }];
        let mut bound = highest.bound;
        for (at, score) in scores.iter().enumerate() {
            let bin = bin(*score);
            // `HAND_OVER` keeps it far from its end; a check here would cost as much as the count.
            self.impostors[bin] = self.impostors[bin].wrapping_add(1);
            if bin >= bound {
                highest.insert(Hit { score: Step::of_bin(bin), left: left.source, right: source(at) });
                bound = highest.bound;
            }
        }
    }

    /// Counts the impostors at or above `floor`; says how many there are.
    pub(crate) fn impostors_from(
        &mut self,
        floor: usize,
        left: Left,
        scores: &[f32],
        source: impl Fn(usize) -> u32,
    ) -> u64 {
        let mut counted = 0;
        for (at, score) in scores.iter().enumerate() {
            if bin(*score) >= floor {
                counted += 1;
                self.impostors(left, std::slice::from_ref(score), |_| source(at));
            }
        }
        counted
    }

    pub(crate) fn genuine(&mut self, scores: &[f32]) {
        scores.iter().for_each(|score| self.genuine[bin(*score)] += 1);
    }
}

/// `range` less `start`, cut to `0..length`.
pub(crate) fn shifted(range: &Range<usize>, start: usize, length: usize) -> Range<usize> {
    let cut = |at: usize| at.saturating_sub(start).min(length);
    cut(range.start)..cut(range.end).max(cut(range.start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_highest_do_not_depend_on_the_order(
            scores in proptest::collection::vec((-3_i32..3, 0_u32..5, 0_u32..5), 0..40), most in 0_usize..9,
        ) {
            let hits = scores.iter().map(|(score, left, right)| Hit { score: Step(*score), left: *left, right: *right });
            let (mut forth, mut back) = (Highest::new(most), Highest::new(most));
            hits.clone().for_each(|hit| forth.insert(hit));
            hits.rev().for_each(|hit| back.insert(hit));
            prop_assert_eq!(forth.hits(), back.hits());
            prop_assert_eq!(forth.hits().len(), scores.len().min(most));
        }
    }

    #[test]
    fn ranges_are_cut_to_a_tile() {
        assert_eq!(shifted(&(5..9), 4, 3), 1..3);
        assert_eq!(shifted(&(0..2), 4, 3), 0..0);
        assert_eq!(shifted(&(9..12), 4, 3), 3..3);
    }
}
