//! `report.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::eval::report::at_far::ByFar;
use crate::eval::report::by_group::ByGroup;
use crate::eval::report::identification::Identification;
use crate::eval::report::rate::Rate;
use crate::eval::report::run::{LatencyMs, Run};
use crate::eval::report::table::Table;

/// Version of the form.
pub(crate) const FORMAT: u32 = 1;

/// What was evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Data {
    /// What a reader calls it, such as `LFW View 2`.
    pub(crate) name: String,
    /// Over every photo or feature that was read, by name; docs/protocols.md says how.
    pub(crate) sha256: String,
    /// Lists that name pairs, templates or groups: each one's sha256 by what it was read for.
    pub(crate) lists: BTreeMap<String, String>,
    /// Photos, frames or features.
    pub(crate) media: u64,
    /// None where the data does not say who is who.
    pub(crate) subjects: Option<u64>,
    /// Genuine and impostor comparisons of the protocol.
    pub(crate) genuine: u64,
    pub(crate) impostors: u64,
    /// Whether it was generated, and shows no accuracy of anything.
    pub(crate) is_generated: bool,
}

/// What made the templates. None in reports on features of others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Maker {
    pub(crate) pack: String,
    pub(crate) model_id: String,
    /// Of the pack's manifest, which holds the hash of every network.
    pub(crate) sha256: String,
    pub(crate) detector: String,
    pub(crate) dimension: usize,
}

/// The equal error rate, 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Eer {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) threshold: f64,
}

/// Something that was found in the data and neither stopped the run nor was dropped in silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    /// Such as `pairs that come twice; each counts`.
    pub(crate) what: String,
    pub(crate) count: u64,
    /// A few of them, each with its place.
    pub(crate) such_as: Vec<String>,
}

/// What an evaluation says. Shares lie in 0..=1 but for `accuracy_mean` and `accuracy_sd`, in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) format: u32,
    /// The name of the command: `lfw`, `cfp-fp`, `ijbc`, ...
    pub(crate) protocol: String,
    pub(crate) data: Data,
    pub(crate) made_by: Option<Maker>,
    /// Mean over folds, percent; without folds, the accuracy on the reported pairs where a protocol has one.
    pub(crate) accuracy_mean: Option<f64>,
    /// Standard deviation over folds, percent; none without folds.
    pub(crate) accuracy_sd: Option<f64>,
    /// Pairs decided right, with an interval.
    pub(crate) accuracy: Option<Rate>,
    /// The protocol's own comparisons.
    pub(crate) tar_at_far: ByFar,
    /// Everybody against everybody.
    pub(crate) all_pairs_tar_at_far: ByFar,
    pub(crate) eer: Option<Eer>,
    pub(crate) identification: Vec<Identification>,
    /// The groups of people at each threshold of [`Self::all_pairs_tar_at_far`], where a list says who is of which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) by_group: Vec<ByGroup>,
    /// Failures to acquire: media without a template. They stay in every denominator.
    pub(crate) fta: Rate,
    /// Failures to enrol: subjects or templates without any usable medium; none where nobody is enrolled.
    pub(crate) fte: Option<Rate>,
    pub(crate) tables: Vec<Table>,
    pub(crate) noted: Vec<Noted>,
    /// What the figures do not say.
    pub(crate) limits: Vec<String>,
    /// The sha256 of every other file of the report but its page, by name.
    pub(crate) files: BTreeMap<String, String>,
    /// Over all above: equal on every machine.
    pub(crate) digest: String,
    pub(crate) latency_ms: LatencyMs,
    /// The command that made it, an argument each.
    pub(crate) command: Vec<String>,
    pub(crate) run: Run,
}

impl Report {
    /// One that says no more yet than what was evaluated and how many media gave nothing.
    pub(crate) fn new(protocol: &str, data: Data, fta: Rate, run: Run) -> Self {
        Self {
            format: FORMAT,
            protocol: protocol.to_owned(),
            data,
            made_by: None,
            accuracy_mean: None,
            accuracy_sd: None,
            accuracy: None,
            tar_at_far: ByFar::new(),
            all_pairs_tar_at_far: ByFar::new(),
            eer: None,
            identification: Vec::new(),
            by_group: Vec::new(),
            fta,
            fte: None,
            tables: Vec::new(),
            noted: Vec::new(),
            limits: Vec::new(),
            files: BTreeMap::new(),
            digest: String::new(),
            latency_ms: LatencyMs::new(),
            command: std::env::args_os().map(|one| one.to_string_lossy().into_owned()).collect(),
            run,
        }
    }
}
