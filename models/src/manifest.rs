//! `pack.toml`.

use arcdoor_core::CalibrationRow;
use arcdoor_core::limits::MAX_DIMENSION;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// Most outputs that a network may name.
const MAX_OUTPUTS: usize = 32;
/// Input sides, in pixels.
const SIDES: std::ops::RangeInclusive<u32> = 8..=2048;

/// Everything a pack says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The pack's name.
    pub name: String,
    /// Version of this format; 1.
    pub format: u32,
    /// Which of the packs of this name it is: a later one has a higher number, and a device does not go back
    /// by itself. 0 where nothing is said.
    #[serde(default)]
    pub version: u64,
    /// What the pack is, in a sentence.
    pub description: String,
    /// Finds faces.
    pub detector: NetFile,
    /// Finds landmarks, where the detector does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landmarks: Option<NetFile>,
    /// Makes templates.
    pub embedder: NetFile,
    /// What the embedder's scores mean.
    pub calibration: CalibrationTable,
}

/// One network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetFile {
    /// Plain file name in the pack's folder.
    pub file: String,
    /// Of the file's bytes, 64 hex digits.
    pub sha256: String,
    /// Outputs by name, in the order in which they are read.
    pub outputs: Vec<String>,
    /// Values of a template, for an embedder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// Multiply-accumulates of one run at the input size given here.
    pub macs: u64,
    /// Weights.
    pub parameters: u64,
    /// SPDX expression.
    pub licence: String,
    /// Where it was taken from, and what was changed.
    pub source: String,
    /// What it was trained on, as far as its authors say.
    pub training_data: String,
    /// What it wants as input.
    pub preprocess: Preprocess,
    /// What was left of the network when the pack's builder had read and simplified it, for the inputs that devices
    /// use: with it a device starts in less time and memory. Made of `file` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphFile>,
}

/// A network's graph file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphFile {
    /// Plain file name in the pack's folder.
    pub file: String,
    /// Of the file's bytes, 64 hex digits.
    pub sha256: String,
}

/// From pixels to a network's input: `x' = (x - mean) * scale` for x in 0..=255, per plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Order of the axes.
    pub layout: Layout,
    /// Which colour is the first plane.
    pub channel_order: ChannelOrder,
    /// Per plane, in the planes' order.
    pub mean: [f32; 3],
    /// Per plane, in the planes' order.
    pub scale: [f32; 3],
}

/// Order of an input's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Batch, channel, row, column.
    Nchw,
}

/// Order of an input's planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first, as OpenCV keeps pictures.
    Bgr,
}

/// The pack's table from false match rate to threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationTable {
    /// The comparisons it was counted on, and how.
    pub data: String,
    /// Genuine comparisons.
    pub genuine: u64,
    /// Impostor comparisons.
    pub impostor: u64,
    /// How scores became rows and intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The day it was made, YYYY-MM-DD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Impostor comparisons that look like mislabels and are not counted.
    #[serde(default)]
    pub suspects_left_out: u64,
    /// What the rows whose basis is `tail_fit` rest on; such rows need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail_fit: Option<String>,
    /// Highest rate first.
    pub rows: Vec<CalibrationRow>,
}

impl Manifest {
    /// The networks with their names in the manifest.
    pub fn nets(&self) -> impl Iterator<Item = (&'static str, &NetFile)> {
        let landmarks = self.landmarks.iter().map(|net| ("landmarks", net));
        [("detector", &self.detector)].into_iter().chain(landmarks).chain([("embedder", &self.embedder)])
    }

    /// The text of `pack.toml`.
    ///
    /// # Errors
    /// When the values are out of range; nothing is written that [`Pack::open`](crate::Pack::open) refuses.
    pub fn to_toml(&self) -> Result<String, Problem> {
        if let Some(problem) = self.problems().into_iter().next() {
            return Err(problem);
        }
        toml::to_string(self).map_err(|cause| Problem::Manifest(cause.to_string()))
    }

    /// Everything that is out of range.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if self.format != 1 {
            found.push(value("format", "this arcdoor reads format 1"));
        }
        // TOML's integers end there.
        if i64::try_from(self.version).is_err() {
            found.push(value("version", "must be 0..=9223372036854775807"));
        }
        if !is_plain(&self.name) {
            found.push(value("name", "must be a plain name of at most 64 letters, digits, '-', '_' or '.'"));
        }
        for (field, net) in self.nets() {
            net.problems(field, &mut found);
        }
        if !self.embedder.dimension.is_some_and(|dimension| (8..=MAX_DIMENSION).contains(&dimension)) {
            found.push(value("embedder.dimension", &format!("must be 8..={MAX_DIMENSION}")));
        }
        let table = &self.calibration;
        if table.tail_fit.is_none() && table.rows.iter().any(|row| !row.basis.is_counted()) {
            found.push(value("calibration.tail_fit", "must say what the rows with basis tail_fit rest on"));
        }
        found
    }
}

impl NetFile {
    fn problems(&self, field: &'static str, found: &mut Vec<Problem>) {
        let graph = self.graph.iter().map(|graph| (&graph.file, &graph.sha256, "graph.sha256"));
        for (file, sha256, name) in [(&self.file, &self.sha256, "sha256")].into_iter().chain(graph) {
            if !is_plain(file) {
                found.push(Problem::FileName { field, file: file.clone() });
            }
            if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            {
                found.push(value(&format!("{field}.{name}"), "must be 64 lower-case hex digits"));
            }
        }
        if self.outputs.is_empty() || self.outputs.len() > MAX_OUTPUTS {
            found.push(value(&format!("{field}.outputs"), &format!("must name 1..={MAX_OUTPUTS} outputs")));
        }
        let input = &self.preprocess;
        if !SIDES.contains(&input.width) || !SIDES.contains(&input.height) {
            found.push(value(&format!("{field}.preprocess"), "width and height must be 8..=2048"));
        }
        let numbers = input.mean.iter().chain(&input.scale);
        if !numbers.into_iter().all(|number| number.is_finite()) || input.scale.contains(&0.0) {
            found.push(value(&format!("{field}.preprocess"), "mean and scale must be finite, scale not 0"));
        }
    }
}

fn value(field: &str, problem: &str) -> Problem {
    Problem::Value { field: field.to_owned(), problem: problem.to_owned() }
}

/// A name that cannot leave its folder on any system.
pub(crate) fn is_plain(name: &str) -> bool {
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(letters) && !name.starts_with('.')
}
