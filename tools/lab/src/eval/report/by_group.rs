//! Error rates of groups of people, side by side.

use serde::{Deserialize, Serialize};

use crate::eval::report::rate::Rate;
use crate::eval::report::table::Table;

/// The groups' rates at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ByGroup {
    /// The false accept rate over everybody that chose the threshold, such as `1e-3`.
    pub(crate) far: String,
    pub(crate) threshold: f64,
    pub(crate) groups: Vec<GroupRates>,
    /// The highest false match rate over the lowest; none where a group that is compared has no false match.
    pub(crate) fmr_max_over_min: Option<f64>,
    /// The same of false non-match rates.
    pub(crate) fnmr_max_over_min: Option<f64>,
}

/// A group's people among themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupRates {
    pub(crate) name: String,
    pub(crate) people: u64,
    /// Impostors of the group who are accepted.
    pub(crate) fmr: Rate,
    /// Genuine comparisons of the group that are refused.
    pub(crate) fnmr: Rate,
}

/// The highest rate over the lowest; none of one rate alone, and where the lowest is nothing.
pub(crate) fn max_over_min(rates: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = rates.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match (&sorted[..], sorted.first()) {
        ([_, .., highest], Some(lowest)) if *lowest > 0.0 => Some(highest / lowest),
        _ => None,
    }
}

impl ByGroup {
    /// With both ratios.
    pub(crate) fn new(far: String, threshold: f64, groups: Vec<GroupRates>) -> Self {
        let ratio =
            |of: fn(&GroupRates) -> &Rate| max_over_min(groups.iter().filter_map(|group| of(group).value));
        let (fmr_max_over_min, fnmr_max_over_min) = (ratio(|group| &group.fmr), ratio(|group| &group.fnmr));
        Self { far, threshold, groups, fmr_max_over_min, fnmr_max_over_min }
    }

    /// As people read it.
    pub(crate) fn table(&self) -> Table {
        let counted = |rate: &Rate| match rate.value {
            Some(value) => {
                format!("{value:.2e} [{:.1e}, {:.1e}], {} of {}", rate.low, rate.high, rate.hits, rate.total)
            }
            None => "nobody to compare".to_owned(),
        };
        let row = |group: &GroupRates| {
            vec![group.name.clone(), group.people.to_string(), counted(&group.fmr), counted(&group.fnmr)]
        };
        let ratio = |ratio: Option<f64>| ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.1}"));
        let ratios =
            ["highest over lowest", "", &ratio(self.fmr_max_over_min), &ratio(self.fnmr_max_over_min)];
        let mut rows: Vec<Vec<String>> = self.groups.iter().map(row).collect();
        rows.push(ratios.map(str::to_owned).to_vec());
        Table {
            title: format!("By group, at the threshold of FAR {}", self.far),
            note: format!(
                "Each group's people among themselves, at {:.4}, which everybody together chose; 95 % intervals over \
                 people, of false matches the wider of that and Clopper-Pearson. No ratio where a group has no error.",
                self.threshold
            ),
            head: ["group", "people", "FMR", "FNMR"].map(str::to_owned).to_vec(),
            rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_without_an_error_makes_no_ratio_and_one_group_is_beside_nothing() {
        assert_eq!(max_over_min([2e-3, 1e-3, 4e-3]), Some(4.0));
        assert_eq!(max_over_min([2e-3, 0.0]), None);
        assert_eq!((max_over_min([2e-3]), max_over_min([])), (None, None));
    }
}
