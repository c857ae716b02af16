//! What one false accept rate costs, where the impostors are enough to know it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::eval::report::rate::Rate;

/// True accepts (or, in identification, misses) at a false accept rate; by that rate, written as `1e-4`.
pub(crate) type ByFar = BTreeMap<String, AtFar>;

/// The key of a rate in [`ByFar`].
pub(crate) fn key(far: f64) -> String {
    format!("{far:e}")
}

/// A rate at a threshold that a false accept rate chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum AtFar {
    /// The impostors suffice.
    Counted {
        /// True accepts among genuine comparisons; in FNIR at FPIR, misses among mated probes.
        #[serde(flatten)]
        rate: Rate,
        /// A comparison is accepted where its score is at or above it.
        threshold: f64,
        /// Impostors that are accepted there, and all of them: how far the threshold itself is to be trusted.
        far: Rate,
    },
    /// The impostors are too few: there is no number.
    NotSupported {
        /// Always null.
        value: (),
        /// Why, and how many impostors it would take.
        reason: String,
        impostors: u64,
    },
}

impl AtFar {
    /// No number: `impostors` of the `needed` are there.
    pub(crate) fn not_supported(impostors: u64, needed: u64) -> Self {
        let reason = format!("{impostors} impostors; {needed} are needed");
        Self::NotSupported { value: (), reason, impostors }
    }

    /// The rate, where there is one.
    pub(crate) const fn rate(&self) -> Option<&Rate> {
        match self {
            Self::Counted { rate, .. } => Some(rate),
            Self::NotSupported { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_the_impostors_do_not_support_is_null_with_its_reason_and_both_come_back() {
        let counted = AtFar::Counted { rate: Rate::of(9, 10), threshold: 0.5, far: Rate::of(10, 10_000) };
        let refused = AtFar::not_supported(100, 1_000_000);
        let text = serde_json::to_string(&refused).unwrap();
        assert!(text.contains("\"value\":null") && text.contains("1000000 are needed"), "{text}");
        let all = ByFar::from([(key(1e-3), counted), (key(1e-8), refused)]);
        let text = serde_json::to_string(&all).unwrap();
        assert!(text.starts_with("{\"1e-3\":{\"value\":0.9,"), "{text}");
        assert_eq!(serde_json::from_str::<ByFar>(&text).unwrap(), all);
    }
}
