//! Depthwise convolution: each channel with its own kernel.

mod rows;

use crate::epilogue::{Epilogue, Inputs, head_len};
use crate::error::{ShapeError, check_len};
use crate::isa::Isa;
use crate::map::{Held, LANES, Map, Part, Piece, Slab};
use crate::taps::Taps;
use crate::weight::Weight;
use rows::Rows;

/// A depthwise convolution: `out[c] = activation(bias[c] + sum over y, x of in[c] * weight[c])`, with a
/// residual where the epilogue says so. Weights are `[C][1][rows][columns]`, as ONNX has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Depthwise {
    input: Map,
    output: Map,
    taps: Taps,
    epilogue: Epilogue,
}

impl Depthwise {
    /// A depthwise convolution; the input's border is not read.
    ///
    /// # Errors
    /// When kernel, stride, output or residual do not fit (see [`ShapeError`]).
    pub fn new(input: Map, output: Map, taps: Taps, epilogue: Epilogue) -> Result<Self, ShapeError> {
        taps.check(input.height(), input.width(), &output)?;
        Self::checked(input, output, taps, epilogue)
    }

    /// The kernel is the whole map, of any size; `output` is 1 x 1.
    ///
    /// # Errors
    /// When output or residual do not fit.
    pub fn global(input: Map, output: Map, epilogue: Epilogue) -> Result<Self, ShapeError> {
        output.check_pixel()?;
        Self::checked(input, output, Taps::whole(&input), epilogue)
    }

    fn checked(input: Map, output: Map, taps: Taps, epilogue: Epilogue) -> Result<Self, ShapeError> {
        output.check_channels(&input)?;
        epilogue.check(&output)?;
        Ok(Self { input, output, taps, epilogue })
    }

    /// Multiply-accumulates of one run over a whole image; what the epilogue computes is not counted.
    #[must_use]
    pub fn macs(&self) -> u64 {
        let pixels = self.output.height() * self.output.width();
        pixels as u64 * (self.output.channels() * self.taps.area()) as u64
    }

    /// How the output lies.
    #[must_use]
    pub const fn output(&self) -> Map {
        self.output
    }

    pub(crate) const fn input(&self) -> Map {
        self.input
    }

    pub(crate) const fn taps(&self) -> Taps {
        self.taps
    }

    pub(crate) const fn epilogue(&self) -> Epilogue {
        self.epilogue
    }

    /// The same operator between maps of the same shape that have another border, or of which strips are in memory.
    pub(crate) const fn between(self, input: Map, output: Map) -> Self {
        Self { input, output, ..self }
    }

    /// Values that [`pack`](Self::pack) writes.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        head_len(self.output.blocks()) + self.output.blocks() * self.block_weights()
    }

    const fn block_weights(&self) -> usize {
        self.taps.area() * LANES
    }

    /// Writes weights, bias (0 where there is none) and PReLU slopes as [`run`](Self::run) reads them:
    /// bias, slopes, then `[block][row][column][16]`.
    ///
    /// # Errors
    /// When a slice has not the operator's length, or slopes and activation disagree.
    pub fn pack<W: Weight>(
        &self,
        weights: &[W],
        bias: Option<&[f32]>,
        slopes: Option<&[f32]>,
        packed: &mut [f32],
    ) -> Result<(), ShapeError> {
        let taps = self.taps.area();
        check_len("weights", self.output.channels() * taps, weights.len())?;
        check_len("packed weights", self.packed_len(), packed.len())?;
        let body = self.epilogue.pack(&self.output, bias, slopes, packed)?;
        for (c, weights) in weights.chunks_exact(taps).enumerate() {
            for (tap, weight) in weights.iter().enumerate() {
                body[((c / LANES) * taps + tap) * LANES + c % LANES] = weight.value();
            }
        }
        Ok(())
    }

    /// Computes the whole output, border included.
    ///
    /// # Errors
    /// When a slice has not the operator's length.
    pub fn run(&self, isa: Isa, inputs: Inputs<'_>, output: &mut [f32]) -> Result<(), ShapeError> {
        self.run_part(isa, inputs, Part::WHOLE, output)
    }

    /// Computes one part; `output` is its own piece of the buffer, [`Part::range`] of [`Self::output`].
    ///
    /// # Errors
    /// When a slice has not the operator's length.
    pub fn run_part(
        &self,
        isa: Isa,
        inputs: Inputs<'_>,
        part: Part,
        output: &mut [f32],
    ) -> Result<(), ShapeError> {
        check_len("input", self.input.len(), inputs.input.len())?;
        let mut piece = part.piece(&self.output, output)?;
        let source = Held { values: inputs.input, from: 0 };
        part.slabs(&self.output).try_for_each(|slab| self.run_slab(isa, &inputs, source, &slab, &mut piece))
    }

    /// Computes a slab into `piece` from the rows of the input in `source`.
    pub(crate) fn run_slab(
        &self,
        isa: Isa,
        inputs: &Inputs<'_>,
        source: Held<'_>,
        slab: &Slab,
        piece: &mut Piece<'_>,
    ) -> Result<(), ShapeError> {
        check_len("packed weights", self.packed_len(), inputs.packed.len())?;
        self.epilogue.check_residual(inputs.residual)?;
        let rows = self.taps.rows_under(&slab.rows, self.input.height());
        let input = self.input.source(&Slab { blocks: slab.blocks.clone(), rows }, source)?;
        let output = self.output.begin(slab, piece)?;
        Rows { operator: self, inputs, input, slab, output }.dispatch(isa);
        Ok(())
    }
}
