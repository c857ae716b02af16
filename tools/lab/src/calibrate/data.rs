//! What a calibration counts.

use arcdoor_calib::Comparison;

use super::score_file::Scores;

/// Everything that is counted.
pub(crate) struct Data {
    /// Gives the thresholds; suspects left out.
    pub(crate) chosen: Scores,
    /// Scores of the suspects that were left out.
    pub(crate) suspects: Vec<Comparison>,
    /// Other people, to report on; with the suspects among them, which are left out too.
    pub(crate) reported: Option<(Scores, usize)>,
    /// What the scores are of.
    pub(crate) text: String,
}
