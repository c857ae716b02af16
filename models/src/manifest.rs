//! `pack.toml`.

use arcdoor_core::limits::MAX_DIMENSION;
use arcdoor_core::{CalibrationRow, ModelId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Problem;
use crate::recognisability::RecognisabilityTable;
use crate::role::Role;

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "pack.toml";
/// Largest manifest, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 512 << 10;
/// Most outputs that a network may name.
const MAX_OUTPUTS: usize = 32;
/// Values of a template.
const DIMENSIONS: std::ops::RangeInclusive<usize> = 8..=MAX_DIMENSION;
/// Input sides, in pixels.
const SIDES: std::ops::RangeInclusive<u32> = 8..=2048;

/// Everything a pack says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The pack's name: 1 to 64 letters, digits, `-`, `_` or `.`, the first no `.`.
    pub name: String,
    /// Version of this format; 1.
    pub format: u32,
    /// Which of the packs of this name it is: a later one has a higher number, and a device does not go back
    /// by itself. 0 where nothing is said.
    #[serde(default)]
    pub version: u64,
    /// What the pack is, in a sentence.
    pub description: String,
    /// The network of [`Role::Detector`].
    pub detector: NetFile,
    /// The network of [`Role::Embedder`].
    pub embedder: NetFile,
    /// What the embedder's scores mean.
    pub calibration: CalibrationTable,
    /// How to tell embeddings that unlike faces share. Without it, no face is refused for its embedding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recognisability: Option<RecognisabilityTable>,
}

/// One network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetFile {
    /// Plain file name in the pack's folder.
    pub file: String,
    /// SHA-256 of the file's bytes, 64 hex digits in lower case.
    pub sha256: String,
    /// Outputs by name, 1 to 32, in the order in which they are read.
    pub outputs: Vec<String>,
    /// For an embedder: how many values a template has, 8 to 512.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// Multiply-accumulates of one run at the input size given here.
    pub macs: u64,
    /// How many weights it has.
    pub parameters: u64,
    /// SPDX expression.
    pub licence: String,
    /// Where it was taken from, and what was changed.
    pub source: String,
    /// What it was trained on, as far as its authors say.
    pub training_data: String,
    /// What it wants as input.
    pub preprocess: Preprocess,
    /// The same network as the pack's builder read and simplified it, prepared for the input sizes that devices
    /// use. A device that starts from it needs less time and memory; it is made from `file` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphFile>,
}

/// A network's graph file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphFile {
    /// Plain file name in the pack's folder.
    pub file: String,
    /// SHA-256 of the file's bytes, 64 hex digits in lower case.
    pub sha256: String,
}

/// From pixels to a network's input: `x' = (x - mean) * scale` for x in 0..=255, plane by plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Columns of the input, 8..=2048 pixels.
    pub width: u32,
    /// Rows of the input, 8..=2048 pixels.
    pub height: u32,
    /// Order of the axes.
    pub layout: Layout,
    /// Which planes there are, and in which order.
    pub channel_order: ChannelOrder,
    /// Subtracted from the pixels: one value for each plane, in the planes' order.
    pub mean: Vec<f32>,
    /// Multiplied afterwards: one value for each plane, in the planes' order; none is 0.
    pub scale: Vec<f32>,
    /// How a face is brought into the input of an embedder; a detector takes whole frames.
    #[serde(default, skip_serializing_if = "Alignment::is_default")]
    pub alignment: Alignment,
}

impl Preprocess {
    /// The shape of the input: batch, planes, rows, columns.
    #[must_use]
    pub const fn shape(&self) -> [usize; 4] {
        [1, self.channel_order.planes(), self.height as usize, self.width as usize]
    }
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
    /// Blue first, as OpenCV keeps images.
    Bgr,
    /// One plane, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), not rounded.
    Grey,
}

impl ChannelOrder {
    /// How many planes the input has.
    #[must_use]
    pub const fn planes(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Grey => 1,
        }
    }
}

/// How a face is brought into an embedder's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Alignment {
    /// The five landmarks go to InsightFace's `arcface_dst`, drawn for 112 x 112 pixels, by the similarity with the
    /// least sum of squared distances. Other input sizes scale that drawing.
    #[default]
    #[serde(rename = "arcface-112")]
    Arcface112,
}

impl Alignment {
    /// Its name in the manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arcface112 => "arcface-112",
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The pack's table from false match rate to threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationTable {
    /// The comparisons it was counted on, and how.
    pub data: String,
    /// How many genuine comparisons it was counted on.
    pub genuine: u64,
    /// How many impostor comparisons it was counted on.
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
    /// Reads the text of `pack.toml`.
    ///
    /// # Errors
    /// When it is no TOML, a field is missing, unknown or of another type, a section is for a network that this
    /// arcdoor does not run, or a network that each pack has is missing. Never an empty list.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let wrong = |cause: toml::de::Error| vec![Problem::Manifest(cause.to_string().trim().to_owned())];
        // By name, before the typed reader below calls them unknown or missing fields.
        let table: toml::Table = toml::from_str(text).map_err(wrong)?;
        let is_known = |name: &str| {
            matches!(name, "calibration" | "recognisability")
                || Role::ALL.iter().any(|role| role.is_run() && role.name() == name)
        };
        let sections = table.iter().filter(|(_, value)| value.is_table()).map(|(name, _)| name);
        let unknown = sections.filter(|name| !is_known(name)).map(|name| Problem::Role(name.clone()));
        let lacks = |role: &Role| role.is_required() && !table.contains_key(role.name());
        let missing = Role::ALL.into_iter().filter(lacks).map(Problem::NoNetwork);
        let problems: Vec<Problem> = unknown.chain(missing).collect();
        if problems.is_empty() { toml::from_str(text).map_err(wrong) } else { Err(problems) }
    }

    /// The network of a role; `None` where the pack has none.
    #[must_use]
    pub const fn net(&self, role: Role) -> Option<&NetFile> {
        match role {
            Role::Detector => Some(&self.detector),
            Role::Landmarks => None,
            Role::Embedder => Some(&self.embedder),
        }
    }

    /// The networks that it has, in the order of [`Role::ALL`].
    pub fn nets(&self) -> impl Iterator<Item = (Role, &NetFile)> {
        Role::ALL.into_iter().filter_map(|role| Some((role, self.net(role)?)))
    }

    /// The embedder's id. It covers all that makes two templates comparable: the network's bytes and its
    /// preprocessing. What later manifests can say beyond the first ones counts only where it differs from what
    /// the first ones meant, so that ids stay what they were.
    #[must_use]
    pub fn model_id(&self) -> ModelId {
        let (embedder, input) = (&self.embedder, &self.embedder.preprocess);
        let mut hasher = Sha256::new();
        hasher.update(embedder.sha256.as_bytes());
        hasher
            .update(format!("{}x{} {:?} {:?}", input.width, input.height, input.layout, input.channel_order));
        for number in input.mean.iter().chain(&input.scale) {
            hasher.update(number.to_le_bytes());
        }
        for output in &embedder.outputs {
            hasher.update(output.as_bytes());
        }
        if !input.alignment.is_default() {
            hasher.update([0]);
            hasher.update(input.alignment.name());
        }
        ModelId::new(first_16(&hasher.finalize()))
    }

    /// The text of `pack.toml`.
    ///
    /// # Errors
    /// When the values are out of range, or the text is longer than [`MAX_MANIFEST_BYTES`]; nothing is written that
    /// [`Pack::open`](crate::Pack::open) refuses.
    pub fn to_toml(&self) -> Result<String, Problem> {
        if let Some(problem) = self.problems().into_iter().next() {
            return Err(problem);
        }
        let text = toml::to_string(self).map_err(|cause| Problem::Manifest(cause.to_string()))?;
        if text.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(Problem::TooLarge { file: MANIFEST_FILE.to_owned(), limit: MAX_MANIFEST_BYTES });
        }
        Ok(text)
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
        for (role, net) in self.nets() {
            net.problems(role.name(), &mut found);
        }
        match self.embedder.dimension.filter(|dimension| DIMENSIONS.contains(dimension)) {
            Some(dimension) => {
                self.recognisability.iter().for_each(|table| table.problems(dimension, &mut found));
            }
            None => found.push(value("embedder.dimension", &format!("must be 8..={MAX_DIMENSION}"))),
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
        let planes = input.channel_order.planes();
        if input.mean.len() != planes || input.scale.len() != planes {
            let problem = format!("mean and scale must have a value for each plane: {planes}");
            found.push(value(&format!("{field}.preprocess"), &problem));
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

/// The part of a digest that ids are made of.
pub(crate) fn first_16(digest: &[u8]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

/// A name that cannot leave its folder on any system.
pub(crate) fn is_plain(name: &str) -> bool {
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(letters) && !name.starts_with('.')
}
