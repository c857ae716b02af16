//! 1:N figures at one size of gallery.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::eval::report::at_far::ByFar;
use crate::eval::report::rate::Rate;

/// What searches of one gallery found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identification {
    /// Which search, where a protocol has several.
    pub(crate) name: String,
    /// Entries of the gallery, distractors among them.
    pub(crate) gallery: u64,
    /// Searches of whom somebody is enrolled.
    pub(crate) mated: u64,
    /// Searches of whom nobody is.
    pub(crate) non_mated: u64,
    /// Mated searches whose mate is among the first so many, by that number.
    pub(crate) rank: BTreeMap<u32, Rate>,
    /// Mated searches without their mate at or above the threshold, by the false positive identification rate that
    /// chose it.
    pub(crate) fnir_at_fpir: ByFar,
}
