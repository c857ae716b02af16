//! What a pack is built from: `models/recipes/NAME.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::manifest::{CalibrationTable, GraphFile, Manifest, NetFile, Preprocess};
use crate::recognisability::RecognisabilityTable;

/// The format that [`Recipe::manifest`] writes.
const FORMAT: u32 = 1;

/// The text is no recipe.
#[derive(Debug, thiserror::Error)]
#[error("not a recipe: {0}")]
pub struct RecipeError(String);

impl RecipeError {
    pub(crate) fn new(cause: &toml::de::Error) -> Self {
        Self(cause.to_string().trim().to_owned())
    }
}

/// A manifest before its networks are rewritten.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The pack's name.
    pub name: String,
    /// Which of the packs of this name it makes; raised with every change that goes to devices.
    #[serde(default)]
    pub version: u64,
    /// What the pack is, in a sentence.
    pub description: String,
    /// The network of [`Role::Detector`](crate::Role::Detector).
    pub detector: RecipeNet,
    /// The network of [`Role::Embedder`](crate::Role::Embedder).
    pub embedder: RecipeNet,
    /// What the embedder's scores mean.
    pub calibration: CalibrationTable,
    /// How to tell embeddings that unlike faces share.
    #[serde(default)]
    pub recognisability: Option<RecognisabilityTable>,
}

/// One network of a [`Recipe`]; the fields that [`NetFile`] has too mean the same.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeNet {
    /// Plain name of the file to rewrite.
    pub source_file: String,
    /// SHA-256 of that file, 64 hex digits.
    pub source_sha256: String,
    /// Files beside it in which its constants lie ("external data"), with their sha256 as 64 hex digits.
    #[serde(default)]
    pub source_data: BTreeMap<String, String>,
    /// Whether the pack's file has the weights of convolutions and products as int8, with a scale for each output
    /// channel: a quarter of the size, and other templates than those of the source.
    #[serde(default)]
    pub int8_weights: bool,
    /// Name that the rewritten file has in the pack.
    pub file: String,
    /// Outputs by name.
    pub outputs: Vec<String>,
    /// For an embedder: how many values a template has.
    #[serde(default)]
    pub dimension: Option<usize>,
    /// SPDX expression.
    pub licence: String,
    /// Where it was taken from, and what is changed.
    pub source: String,
    /// What it was trained on, as far as its authors say.
    pub training_data: String,
    /// What the file to rewrite takes as input, before any normalisation of its own.
    pub preprocess: Preprocess,
}

/// What only the rewritten network tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// SHA-256 of the rewritten bytes, 64 hex digits.
    pub sha256: String,
    /// Multiply-accumulates of one run at the input size of `preprocess`.
    pub macs: u64,
    /// How many weights it has.
    pub parameters: u64,
    /// What the rewritten network takes as input.
    pub preprocess: Preprocess,
    /// Its graph file, where the plan runs the network.
    pub graph: Option<GraphFile>,
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// When a field is missing, unknown or of another type.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        toml::from_str(text).map_err(|cause| RecipeError::new(&cause))
    }

    /// The manifest, once each network is built.
    #[must_use]
    pub fn manifest(&self, detector: Built, embedder: Built) -> Manifest {
        Manifest {
            name: self.name.clone(),
            format: FORMAT,
            version: self.version,
            description: self.description.clone(),
            detector: self.detector.built(detector),
            embedder: self.embedder.built(embedder),
            calibration: self.calibration.clone(),
            recognisability: self.recognisability.clone(),
        }
    }
}

impl RecipeNet {
    fn built(&self, built: Built) -> NetFile {
        NetFile {
            file: self.file.clone(),
            sha256: built.sha256,
            outputs: self.outputs.clone(),
            dimension: self.dimension,
            macs: built.macs,
            parameters: built.parameters,
            licence: self.licence.clone(),
            source: self.source.clone(),
            training_data: self.training_data.clone(),
            preprocess: built.preprocess,
            graph: built.graph,
        }
    }
}
