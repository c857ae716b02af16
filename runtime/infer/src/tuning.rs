//! How dense convolutions are cut and in which form they are computed, by layer: data that a board may have of
//! its own.

use std::collections::BTreeMap;

use arcdoor_kernels::{Conv, Epilogue, Isa, Map, Planar, ShapeError, Square, Taps, Tile, Winograd};
use serde::{Deserialize, Serialize};

/// Most layers of one tuning.
pub const MAX_LAYERS: usize = 512;

/// The shape of a dense convolution, or of a fully connected layer: a kernel as large as its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Layer {
    /// Whether it reads the network's planar input: a first layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub planar: bool,
    /// Channels, rows and columns of the input.
    pub input: [usize; 3],
    /// Channels of the output.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Input pixels from the window of one output pixel to the next, 1 to 4.
    pub stride: usize,
    /// Zeros above, left of, below and right of the input.
    pub pads: [usize; 4],
}

/// How a layer's sums are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The sums of products as the convolution defines them: the same values with every tile, bit for bit.
    Direct,
    /// Winograd's F(2x2, 3x3), for 3x3 with stride 1: values differ from the direct ones in their last bits.
    Winograd2,
    /// Winograd's F(4x4, 3x3): fewer multiplications, larger differences.
    Winograd4,
}

impl Form {
    /// `direct`, `winograd2` or `winograd4`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Winograd2 => "winograd2",
            Self::Winograd4 => "winograd4",
        }
    }

    /// The squares of Winograd's form; `None` for direct sums.
    pub(crate) const fn square(self) -> Option<Square> {
        match self {
            Self::Direct => None,
            Self::Winograd2 => Some(Square::Two),
            Self::Winograd4 => Some(Square::Four),
        }
    }
}

impl From<Option<Square>> for Form {
    fn from(square: Option<Square>) -> Self {
        match square {
            None => Self::Direct,
            Some(Square::Two) => Self::Winograd2,
            Some(Square::Four) => Self::Winograd4,
        }
    }
}

/// What is chosen for a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// How its sums are made.
    pub form: Form,
    /// How its loops are cut.
    pub tile: Tile,
}

/// Choices of tile and form by layer. Layers that are not named have their default; an empty tuning leaves all at
/// theirs.
///
/// In files it is a list of layers, each with the fields of [`Layer`], its `form`, and the fields of its [`Tile`], of
/// which `planes` and `strip` are left out where there is no bound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Row>", into = "Vec<Row>")]
pub struct Tuning {
    layers: BTreeMap<Layer, Choice>,
}

/// A layer and what is chosen for it, as files have them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(flatten)]
    layer: Layer,
    form: Form,
    #[serde(flatten, with = "StoredTile")]
    tile: Tile,
}

/// [`Tile`] as files have it; the kernels know nothing of files.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Tile")]
struct StoredTile {
    pixels: usize,
    blocks: usize,
    #[serde(default = "unbounded", skip_serializing_if = "is_unbounded")]
    planes: usize,
    #[serde(default = "unbounded", skip_serializing_if = "is_unbounded")]
    strip: usize,
}

const fn unbounded() -> usize {
    usize::MAX
}

/// Whether the number is too large for TOML, whose integers are signed: then it means no bound and is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_unbounded(value: &usize) -> bool {
    i64::try_from(*value).is_err()
}

impl TryFrom<Vec<Row>> for Tuning {
    type Error = TuningError;

    fn try_from(rows: Vec<Row>) -> Result<Self, TuningError> {
        let choices = rows.into_iter().map(|Row { layer, form, tile }| (layer, Choice { form, tile }));
        Self::new(&choices.collect::<Vec<_>>())
    }
}

impl From<Tuning> for Vec<Row> {
    fn from(tuning: Tuning) -> Self {
        tuning.layers.into_iter().map(|(layer, Choice { form, tile })| Row { layer, form, tile }).collect()
    }
}

/// A tuning that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TuningError {
    /// More than [`MAX_LAYERS`] layers; how many.
    #[error("{0} layers are more than the {MAX_LAYERS} that a tuning may have")]
    TooMany(usize),
    /// A layer that is named twice: channels, rows and columns of its input.
    #[error("the layer from {0:?} is named twice")]
    Twice([usize; 3]),
    /// A tile with a number out of its range.
    #[error("a tile has 1 to 14 pixels, 1, 2 or 4 blocks, and at least one plane and one pixel a strip")]
    Tile,
    /// One of Winograd's forms for a layer that cannot have it.
    #[error("Winograd's form is for 3x3 kernels with stride 1 on maps alone")]
    Form,
}

impl Layer {
    /// Whether it may be computed in Winograd's forms: 3x3 with stride 1, not on a planar image.
    #[must_use]
    pub fn has_winograd(&self) -> bool {
        !self.planar && self.kernel == [3, 3] && self.stride == 1 && !self.is_dense()
    }

    fn is_dense(&self) -> bool {
        let [_, height, width] = self.input;
        !self.planar && self.pads == [0; 4] && self.kernel == [height, width]
    }

    fn taps(&self) -> Taps {
        Taps { kernel: self.kernel, stride: self.stride, pads: self.pads }
    }

    /// Maps for input and output, the input's with a border as wide as the layer may read.
    fn maps(&self) -> Result<[Map; 2], ShapeError> {
        let [channels, height, width] = self.input;
        if self.is_dense() {
            return Ok([Map::new(channels, height, width, 0)?, Map::new(self.outputs, 1, 1, 0)?]);
        }
        let [rows, columns] = self.taps().output_size(height, width)?;
        // At most a kernel's side is read beyond the input.
        let border = self.pads.into_iter().max().unwrap_or(0).max(self.kernel[0]).max(self.kernel[1]);
        Ok([Map::new(channels, height, width, border)?, Map::new(self.outputs, rows, columns, 0)?])
    }

    /// The layer as a direct sum, without an activation.
    pub(crate) fn conv(&self) -> Result<Conv, ShapeError> {
        let [input, output] = self.maps()?;
        let [channels, height, width] = self.input;
        if self.planar {
            Conv::stem(Planar { channels, height, width }, output, self.taps(), Epilogue::NONE)
        } else if self.is_dense() {
            Conv::dense(input, output, Epilogue::NONE)
        } else {
            Conv::new(input, output, self.taps(), Epilogue::NONE)
        }
    }

    /// The layer in Winograd's form.
    pub(crate) fn winograd(&self, square: Square) -> Result<Winograd, ShapeError> {
        let [input, output] = self.maps()?;
        Winograd::new(square, input, output, self.taps(), Epilogue::NONE)
    }

    /// Values that an input holds.
    pub(crate) fn input_len(&self) -> Result<usize, ShapeError> {
        let [channels, height, width] = self.input;
        if self.planar { Ok(Planar { channels, height, width }.len()) } else { Ok(self.maps()?[0].len()) }
    }

    /// The choice that the layer has without a tuning.
    ///
    /// # Errors
    /// When the kernels refuse the layer's shape.
    pub fn default_choice(&self, isa: Isa) -> Result<Choice, ShapeError> {
        let tile = self.conv()?.tile(isa);
        let [input, output] = self.maps()?;
        let square = if self.has_winograd() { Winograd::suggest(&input, &output, self.taps()) } else { None };
        Ok(Choice { form: square.into(), tile })
    }
}

impl Choice {
    fn check(&self, layer: &Layer) -> Result<(), TuningError> {
        let Tile { pixels, blocks, planes, strip } = self.tile;
        if !(1..=14).contains(&pixels) || ![1, 2, 4].contains(&blocks) || planes == 0 || strip == 0 {
            return Err(TuningError::Tile);
        }
        if self.form == Form::Direct || layer.has_winograd() { Ok(()) } else { Err(TuningError::Form) }
    }
}

impl Tuning {
    /// Checks choices by layer, such as those of a file.
    ///
    /// # Errors
    /// When there are more than [`MAX_LAYERS`], a layer is named twice, or a choice is not possible for its layer.
    pub fn new(choices: &[(Layer, Choice)]) -> Result<Self, TuningError> {
        if choices.len() > MAX_LAYERS {
            return Err(TuningError::TooMany(choices.len()));
        }
        let mut tuning = Self::default();
        for (layer, choice) in choices {
            choice.check(layer)?;
            if tuning.layers.insert(*layer, *choice).is_some() {
                return Err(TuningError::Twice(layer.input));
            }
        }
        Ok(tuning)
    }

    /// The choice for a layer; `None` where it has its default.
    #[must_use]
    pub fn choice(&self, layer: &Layer) -> Option<Choice> {
        self.layers.get(layer).copied()
    }

    /// How many layers have a choice of their own, 0 to [`MAX_LAYERS`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether every layer has its default.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Whether every layer keeps the form of its default, so that networks give the same values, bit for bit.
    #[must_use]
    pub fn keeps_values(&self, isa: Isa) -> bool {
        let same = |(layer, choice): (&Layer, &Choice)| {
            layer.default_choice(isa).is_ok_and(|default| default.form == choice.form)
        };
        self.layers.iter().all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: Layer =
        Layer { planar: false, input: [32, 14, 14], outputs: 48, kernel: [3, 3], stride: 1, pads: [1; 4] };
    const TILE: Tile = Tile { pixels: 4, blocks: 1, planes: 1, strip: usize::MAX };
    const DIRECT: Choice = Choice { form: Form::Direct, tile: TILE };

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |layer: Layer, choice: Choice| Tuning::new(&[(layer, choice)]).unwrap_err();
        for tile in [
            Tile { pixels: 0, ..TILE },
            Tile { pixels: 15, ..TILE },
            Tile { blocks: 3, ..TILE },
            Tile { planes: 0, ..TILE },
            Tile { strip: 0, ..TILE },
        ] {
            assert_eq!(refused(LAYER, Choice { tile, ..DIRECT }), TuningError::Tile);
        }
        let form = Form::Winograd4;
        for layer in [
            Layer { stride: 2, ..LAYER },
            Layer { kernel: [1, 1], ..LAYER },
            Layer { planar: true, ..LAYER },
            Layer { input: [32, 3, 3], pads: [0; 4], ..LAYER },
        ] {
            assert_eq!(refused(layer, Choice { form, ..DIRECT }), TuningError::Form);
        }
        assert_eq!(Tuning::new(&[(LAYER, DIRECT), (LAYER, DIRECT)]), Err(TuningError::Twice([32, 14, 14])));
        let many: Vec<_> = (0..=MAX_LAYERS).map(|i| (Layer { outputs: i + 1, ..LAYER }, DIRECT)).collect();
        assert_eq!(Tuning::new(&many), Err(TuningError::TooMany(MAX_LAYERS + 1)));
    }

    #[test]
    fn a_tuning_says_whether_it_changes_values() {
        let isa = Isa::portable();
        let default = LAYER.default_choice(isa).unwrap();
        assert_eq!(default.form, Form::Winograd2);
        let tuned = |form| Tuning::new(&[(LAYER, Choice { form, ..DIRECT })]).unwrap();
        assert!(tuned(default.form).keeps_values(isa));
        assert!(!tuned(Form::Direct).keeps_values(isa));
        assert!(Tuning::default().keeps_values(isa) && Tuning::default().is_empty());
    }
}
