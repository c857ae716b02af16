//! What a calibration counts.

use arcdoor_calib::Comparison;

use super::score_file::Scores;

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
}
