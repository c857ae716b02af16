//! A share of errors or successes, with its interval and what it was counted on.

use arcdoor_calib::Share;
use serde::{Deserialize, Serialize};

/// What an interval was drawn over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Over {
    /// Resampled subjects: trials of one subject depend on each other.
    Subjects,
    /// Trials, as if each were independent: Clopper-Pearson.
    Trials,
}

/// A share (0..=1) with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rate {
    /// None where there was no trial.
    pub(crate) value: Option<f64>,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) hits: u64,
    pub(crate) total: u64,
    pub(crate) over: Over,
}

impl Rate {
    /// `hits` of `total` independent trials.
    pub(crate) fn of(hits: u64, total: u64) -> Self {
        let share = Share::of(hits as usize, total as usize);
        Self::from_share(share, (hits, total), Over::Trials)
    }

    /// A share whose interval is known already.
    pub(crate) fn from_share(share: Share, (hits, total): (u64, u64), over: Over) -> Self {
        let value = (total > 0).then_some(share.value);
        Self { value, low: share.low, high: share.high, hits, total, over }
    }

    /// In percent, such as `1.25 % [1.10, 1.42]`; `-` where there was no trial.
    pub(crate) fn percent(&self) -> String {
        match self.value {
            Some(value) => Share { value, low: self.low, high: self.high }.percent(),
            None => "-".to_owned(),
        }
    }
}
