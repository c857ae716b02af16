//! What a calibration counts.

use arcdoor_calib::{Comparison, Impostors};

use super::score_file::Scores;
use crate::eval::by_group::{Groups, between};

/// The comparisons that a calibration counts.
pub(crate) struct Data {
    /// Those that the thresholds are chosen on, without suspected mislabels.
    pub(crate) chosen: Scores,
    /// The suspected mislabels that were left out of them.
    pub(crate) suspects: Vec<Comparison>,
    /// Those of other people, which the report tells the thresholds' rates on; and how many suspects were left out of
    /// them.
    pub(crate) reported: Option<(Scores, usize)>,
    /// What the scores are of, for the report and the table.
    pub(crate) text: String,
    /// The same people, or others, by group: a threshold holds within each.
    pub(crate) grouped: Option<Grouped>,
}

/// Impostors whose groups are known.
pub(crate) struct Grouped {
    pub(crate) groups: Groups,
    /// The group of each person whom the comparisons number.
    pub(crate) of: Vec<Option<usize>>,
    pub(crate) impostors: Vec<Comparison>,
    pub(crate) genuine: Vec<Comparison>,
    /// What it was read from.
    pub(crate) text: String,
}

impl Grouped {
    /// The groups that have any of its people here.
    pub(crate) fn known(&self) -> impl Iterator<Item = (usize, &String)> {
        self.groups.names.iter().enumerate().filter(|(group, _)| self.of.contains(&Some(*group)))
    }

    /// The impostors within each group that has any of its people here, by the group's name.
    pub(crate) fn within(&self) -> Vec<(&str, Impostors)> {
        self.known()
            .map(|(group, name)| {
                let (pairs, people) = between(self.impostors.iter().copied(), &self.of, [group; 2]);
                (name.as_str(), Impostors::new(pairs, people))
            })
            .collect()
    }
}
