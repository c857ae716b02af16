//! An embedder's card: what a trainer says of the network it exports, so that a recipe's other networks and
//! that embedder become a pack.

use arcdoor_core::{Basis, CalibrationRow, Fmr, FmrError};
use serde::Deserialize;

use crate::manifest::CalibrationTable;
use crate::recipe::{Recipe, RecipeError, RecipeNet};
use crate::recognisability::RecognisabilityTable;

/// `MODEL.toml`, beside `MODEL.onnx`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedderCard {
    /// The pack's name.
    pub name: String,
    /// What the pack is, in a sentence.
    pub description: String,
    /// The embedder; its source file lies beside the card.
    pub embedder: RecipeNet,
    /// What its scores mean, where that was measured.
    #[serde(default)]
    pub calibration: Option<CalibrationTable>,
    /// How to tell embeddings that unlike faces share, where that was measured; a recipe's own is of its own embedder.
    #[serde(default)]
    pub recognisability: Option<RecognisabilityTable>,
}

impl EmbedderCard {
    /// Reads a card.
    ///
    /// # Errors
    /// When a field is missing, unknown or of another type.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        toml::from_str(text).map_err(|cause| RecipeError::new(&cause))
    }

    /// `recipe` with this embedder in place of its own, and with this card's name. A card without a
    /// calibration gets one that grants nobody: an embedder's scores mean nothing until they were measured.
    ///
    /// # Errors
    /// Never: the rate in the code is a valid one, and only its type asks for this.
    pub fn into_recipe(self, recipe: Recipe) -> Result<Recipe, FmrError> {
        let calibration = match self.calibration {
            Some(calibration) => calibration,
            None => nobody()?,
        };
        let Self { name, description, embedder, recognisability, .. } = self;
        Ok(Recipe { name, description, embedder, calibration, recognisability, ..recipe })
    }
}

/// A table whose every threshold is the highest score there is.
fn nobody() -> Result<CalibrationTable, FmrError> {
    let row = CalibrationRow {
        fmr: Fmr::new(f64::MIN_POSITIVE)?,
        threshold: 1.0,
        fmr_low: 0.0,
        fmr_high: 1.0,
        tmr: 0.0,
        basis: Basis::Counted,
    };
    Ok(CalibrationTable {
        data: "not calibrated: the threshold is 1, so that nobody is granted".to_owned(),
        genuine: 0,
        impostor: 0,
        protocol: None,
        date: None,
        suspects_left_out: 0,
        tail_fit: None,
        rows: vec![row],
    })
}
