//! One step: a kernel, and where in the arena it reads and writes.

use std::borrow::Cow;
use std::iter;
use std::ops::Range;

use arcdoor_kernels::{
    Activation, Block, Chain, Coded, Conv, Depthwise, Elementwise, Epilogue, Inputs, Isa, Map, Part, Planar,
    Pool, PoolKind, Residual, ShapeError, Tile, Upsample2, Weight, Winograd,
};

use super::fuse::{Added, Fused, Kind};
use crate::codes::Codes;
use crate::graph::{Act, Shape, Values, Weights};
use crate::tuning::Choice;

/// Least length, in values, of a map that is not kept whole between two steps: shorter ones stay in a second cache
/// anyway. Lower under a fuzzer, whose small files should reach this code, too.
pub(super) const LEAST_CHAINED: usize = if cfg!(fuzzing) { 1 << 6 } else { 1 << 17 };
/// Fewest weights that stay int8: 128 KiB as numbers. Fewer under a fuzzer, as above.
const LEAST_CODED: usize = if cfg!(fuzzing) { 1 << 4 } else { 1 << 15 };

/// A kernel with its shapes.
#[derive(Debug, Clone)]
pub(super) enum Kernel {
    Block(Block),
    /// Several links that run some rows at a time. Each link's own kernel packs its weights.
    Chain(Box<Chain>, Tile),
    /// A dense convolution whose weights stay int8.
    Coded(Coded, Tile),
    Conv(Conv, Tile),
    Depthwise(Depthwise),
    Elementwise(Elementwise),
    Pool(Pool),
    Upsample(Upsample2),
    /// A 3x3 convolution in Winograd's form.
    Winograd(Winograd, Tile),
}

/// A step, ready to run.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) kernel: Kernel,
    pub(super) packed: Range<usize>,
    /// The weights that are fetched while this step runs: those of the steps after it, up to and with the next dense
    /// convolution's.
    pub(super) next: Range<usize>,
    pub(super) input: Range<usize>,
    pub(super) residual: Option<Range<usize>>,
    pub(super) output: Range<usize>,
}

/// Activation and residual of a fused step.
fn epilogue(fused: &Fused<'_>, added: Option<Map>) -> Result<Epilogue, ShapeError> {
    let activation = match &fused.act {
        Act::None => Activation::None,
        Act::Relu => Activation::Relu,
        Act::Prelu(_) => Activation::Prelu,
        &Act::Clip { min, max } => Activation::Clip { min, max },
        Act::Sigmoid => Activation::Sigmoid,
    };
    let residual = match (fused.added, added) {
        (None, None) => Residual::None,
        (Some(Added::BeforeAct(_)), Some(map)) => Residual::BeforeActivation(map),
        (Some(Added::AfterAct(_)), Some(map)) => Residual::AfterActivation(map),
        _ => return Err(ShapeError::ResidualMissing),
    };
    Ok(Epilogue { activation, residual })
}

impl Kernel {
    /// The kernel of a fused step between two maps; `input` is `None` for steps that read the planar image. Without a
    /// `choice`, tile and form are the defaults.
    pub(super) fn new(
        fused: &Fused<'_>,
        image: Shape,
        input: Option<Map>,
        added: Option<Map>,
        output: Map,
        isa: Isa,
        choice: Option<Choice>,
    ) -> Result<Self, ShapeError> {
        let epilogue = epilogue(fused, added)?;
        let tile_of = |conv: &Conv| choice.map_or_else(|| conv.tile(isa), |choice| choice.tile);
        let conv = |conv: Conv| match Coded::new(conv) {
            Ok(coded) if stays_coded(fused, &conv) => Self::Coded(coded, tile_of(&conv)),
            _ => Self::Conv(conv, tile_of(&conv)),
        };
        let Some(input) = input else {
            let Kind::Conv { taps, .. } = fused.kind else { return Ok(Self::Block(Block::new(output))) };
            let Shape { channels, height, width } = image;
            return Ok(conv(Conv::stem(Planar { channels, height, width }, output, taps, epilogue)?));
        };
        Ok(match fused.kind {
            Kind::Block => Self::Block(Block::new(output)),
            Kind::Conv { taps, .. } => {
                let direct = Conv::new(input, output, taps, epilogue)?;
                // Without a choice: Winograd's form for the shapes where it was measured to be faster.
                let square = match choice {
                    Some(choice) => choice.form.square(),
                    None => Winograd::suggest(&input, &output, taps),
                };
                match square {
                    Some(square) => {
                        let winograd = Winograd::new(square, input, output, taps, epilogue)?;
                        Self::Winograd(winograd, tile_of(&direct))
                    }
                    None => conv(direct),
                }
            }
            Kind::Dense { .. } => conv(Conv::dense(input, output, epilogue)?),
            Kind::Depthwise { taps, .. } => Self::Depthwise(Depthwise::new(input, output, taps, epilogue)?),
            Kind::Affine { .. } => Self::Elementwise(Elementwise::affine(input, output, epilogue)?),
            Kind::Copy => Self::Elementwise(Elementwise::new(input, output, epilogue)?),
            Kind::Pool { kind, taps } => Self::Pool(Pool::new(kind, input, output, taps, epilogue)?),
            Kind::GlobalAverage => Self::Pool(Pool::global(PoolKind::Average, input, output, epilogue)?),
            Kind::Upsample => Self::Upsample(Upsample2::new(input, output, epilogue)?),
        })
    }

    /// Values of scratch memory that a run needs.
    pub(super) fn scratch_len(&self) -> usize {
        match self {
            Self::Chain(op, _) => op.scratch_len(),
            Self::Coded(op, _) => op.scratch_len(),
            Self::Winograd(op, _) => op.scratch_len(),
            _ => 0,
        }
    }

    pub(super) fn packed_len(&self) -> usize {
        match self {
            Self::Block(_) => 0,
            Self::Chain(op, _) => op.packed_len(),
            Self::Coded(op, _) => op.packed_len(),
            Self::Conv(op, _) => op.packed_len(),
            Self::Depthwise(op) => op.packed_len(),
            Self::Elementwise(op) => op.packed_len(),
            Self::Pool(op) => op.packed_len(),
            Self::Upsample(op) => op.packed_len(),
            Self::Winograd(op, _) => op.packed_len(),
        }
    }

    /// Multiply-accumulates of convolutions as direct sums; nothing else is counted.
    pub(super) fn macs(&self) -> u64 {
        match self {
            Self::Chain(op, _) => op.macs(),
            Self::Coded(op, _) => op.macs(),
            Self::Conv(op, _) => op.macs(),
            Self::Depthwise(op) => op.macs(),
            Self::Winograd(op, _) => op.macs(),
            _ => 0,
        }
    }

    /// Writes what [`run`](Self::run) reads beside its maps: weights, bias and slopes.
    pub(super) fn pack(&self, fused: &Fused<'_>, packed: &mut [f32]) -> Result<(), ShapeError> {
        let slopes = if let Act::Prelu(slopes) = &fused.act { Some(&**slopes) } else { None };
        match (self, &fused.kind) {
            (
                Self::Coded(..) | Self::Conv(..) | Self::Winograd(..) | Self::Depthwise(_),
                Kind::Conv { weights, .. } | Kind::Depthwise { weights, .. } | Kind::Dense { weights },
            ) => {
                let mut bias = Cow::Borrowed(&*weights.bias);
                fused.beside.iter().for_each(|more| bias.to_mut().extend_from_slice(&more.bias));
                if let (Self::Coded(op, _), Some((codes, scales))) = (self, by_rows(weights)) {
                    return op.pack(codes, &scales, Some(&bias), slopes, packed);
                }
                if let Self::Conv(op, _) = self
                    && fused.beside.is_empty()
                    && let Some(done) = pack_rows(op, weights, &bias, slopes, packed)
                {
                    return done;
                }
                let as_it_is = fused.beside.is_empty() && weights.scale.is_none() && !weights.by_input;
                match weights.values {
                    Values::Seen(values) if as_it_is => self.pack_weights(values, &bias, slopes, packed),
                    Values::Stored(values) if as_it_is => self.pack_weights(values, &bias, slopes, packed),
                    _ => self.pack_weights(&gathered(weights, &fused.beside), &bias, slopes, packed),
                }
            }
            (Self::Elementwise(op), Kind::Affine { scale, shift }) => {
                op.pack(Some(scale), Some(shift), slopes, packed)
            }
            (Self::Elementwise(op), _) => op.pack(None, None, slopes, packed),
            (Self::Pool(op), _) => op.pack(slopes, packed),
            (Self::Upsample(op), _) => op.pack(slopes, packed),
            _ => Ok(()),
        }
    }

    fn pack_weights<W: Weight>(
        &self,
        weights: &[W],
        bias: &[f32],
        slopes: Option<&[f32]>,
        packed: &mut [f32],
    ) -> Result<(), ShapeError> {
        match self {
            Self::Conv(op, _) => op.pack(weights, Some(bias), slopes, packed),
            Self::Winograd(op, _) => op.pack(weights, Some(bias), slopes, packed),
            Self::Depthwise(op) => op.pack(weights, Some(bias), slopes, packed),
            _ => Ok(()),
        }
    }

    /// Computes one part of the output into its own piece of the buffer. `scratch` holds at least
    /// [`scratch_len`](Self::scratch_len) values.
    pub(super) fn run(
        &self,
        isa: Isa,
        inputs: Inputs<'_>,
        part: Part,
        scratch: &mut [f32],
        output: &mut [f32],
    ) -> Result<(), ShapeError> {
        match self {
            Self::Block(op) => op.run(inputs.input, output),
            Self::Chain(op, tile) => {
                let scratch = scratch.get_mut(..op.scratch_len()).unwrap_or_default();
                op.run_part(isa, *tile, inputs, part, scratch, output)
            }
            Self::Coded(op, tile) => {
                let scratch = scratch.get_mut(..op.scratch_len()).unwrap_or_default();
                op.run_part(isa, *tile, inputs, part, scratch, output)
            }
            Self::Conv(op, tile) => op.run_part(isa, *tile, inputs, part, output),
            Self::Depthwise(op) => op.run_part(isa, inputs, part, output),
            Self::Elementwise(op) => op.run_part(isa, inputs, part, output),
            Self::Pool(op) => op.run_part(isa, inputs, part, output),
            Self::Upsample(op) => op.run_part(isa, inputs, part, output),
            Self::Winograd(op, tile) => {
                let scratch = scratch.get_mut(..op.scratch_len()).unwrap_or_default();
                op.run_part(isa, *tile, inputs, part, scratch, output)
            }
        }
    }
}

/// The weights of a step and of the steps merged into it, as `[M][...]` with each output channel's factor multiplied
/// in.
fn gathered(first: &Weights<Values<'_>>, beside: &[Weights<Values<'_>>]) -> Vec<f32> {
    let mut all = Vec::new();
    for weights in iter::once(first).chain(beside) {
        match weights.values {
            Values::Seen(values) => arrange(weights, values, &mut all),
            Values::Stored(values) => arrange(weights, values, &mut all),
            Values::Coded(codes) => arrange(weights, codes.codes.as_chunks::<1>().0, &mut all),
        }
    }
    all
}

/// `weights` are codes where `how` says so: each is then multiplied by its scale first.
fn arrange<W: Weight>(how: &Weights<Values<'_>>, weights: &[W], all: &mut Vec<f32>) {
    let outputs = how.bias.len().max(1);
    let length = weights.len() / outputs;
    let value = |at: usize| {
        let weight = weights[at].value();
        if let Values::Coded(codes) = how.values { weight * codes.scale(at) } else { weight }
    };
    all.reserve(weights.len());
    for m in 0..outputs {
        let factor = factor_of(how.scale.as_deref().unwrap_or_default(), m);
        if how.by_input {
            all.extend((m..weights.len()).step_by(outputs).map(|at| value(at) * factor));
        } else {
            all.extend((m * length..(m + 1) * length).map(|at| value(at) * factor));
        }
    }
}

/// Packs weights that are products of what lies in the file and factors of their rows, so that their values are nowhere
/// but in the packed weights; `None` for others.
fn pack_rows(
    op: &Conv,
    weights: &Weights<Values<'_>>,
    bias: &[f32],
    slopes: Option<&[f32]>,
    packed: &mut [f32],
) -> Option<Result<(), ShapeError>> {
    if weights.by_input {
        return None;
    }
    let factors = weights.scale.as_deref();
    match weights.values {
        Values::Seen(values) => Some(pack_scaled(op, values, factors?, bias, slopes, packed)),
        Values::Stored(values) => Some(pack_scaled(op, values, factors?, bias, slopes, packed)),
        Values::Coded(_) => {
            let (codes, scales) = by_rows(weights)?;
            let value = |m: usize, code: [u8; 1]| {
                code.value() * factor_of(&scales, m) * factor_of(factors.unwrap_or_default(), m)
            };
            Some(op.pack_with(codes.as_chunks::<1>().0, value, Some(bias), slopes, packed))
        }
    }
}

/// Codes row by row, and a scale for each; `None` for other weights.
fn by_rows<'m>(weights: &Weights<Values<'m>>) -> Option<(&'m [u8], Vec<f32>)> {
    let Values::Coded(Codes { codes, scales, run }) = weights.values else { return None };
    let outputs = weights.bias.len();
    // A row has one scale: its own, or that of all.
    if weights.by_input || scales.len() != 1 && run.checked_mul(outputs) != Some(codes.len()) {
        return None;
    }
    let scales = scales.iter().cycle().take(outputs).map(|&scale| f32::from_le_bytes(scale));
    Some((codes, scales.collect()))
}

/// Whether weights stay int8 in memory: the file has them so, nothing else is multiplied into them, and they are many
/// enough to be read once an image and from beyond the nearest caches. No chain begins with such a step: maps that are
/// large enough for one have few weights before them.
fn stays_coded(fused: &Fused<'_>, conv: &Conv) -> bool {
    let (Kind::Conv { weights, .. } | Kind::Dense { weights }) = &fused.kind else { return false };
    let alone = fused.beside.is_empty() && weights.scale.is_none();
    alone
        && conv.output().len() < LEAST_CHAINED
        && conv.weights_len() >= LEAST_CODED
        && by_rows(weights).is_some()
}

/// Packs weights, each times the factor of its row.
fn pack_scaled<W: Weight>(
    op: &Conv,
    weights: &[W],
    factors: &[f32],
    bias: &[f32],
    slopes: Option<&[f32]>,
    packed: &mut [f32],
) -> Result<(), ShapeError> {
    let value = |m: usize, weight: W| weight.value() * factor_of(factors, m);
    op.pack_with(weights, value, Some(bias), slopes, packed)
}

/// The factor of a row; 1 where it has none.
fn factor_of(factors: &[f32], row: usize) -> f32 {
    factors.get(row).copied().unwrap_or(1.0)
}
