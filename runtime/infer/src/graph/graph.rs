//! A graph as operators on channel-blocked maps, before anything is fused.

use arcdoor_kernels::{PoolKind, Taps};
use serde::{Deserialize, Serialize};

use super::refusal::Why;
use super::shape::{Shape, View};
use crate::codes::Codes;
use crate::limits::MAX_WORK;

/// Most images in one run; a door has few faces at a time.
const MAX_BATCH: usize = 16;

/// An activation: what is done to each value by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Act {
    None,
    Relu,
    /// A slope for each channel.
    Prelu(Vec<f32>),
    Clip {
        min: f32,
        max: f32,
    },
    Sigmoid,
}

/// Values of weights, the last axis fastest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Values<'m> {
    /// Numbers that tract has read from the file or computed.
    #[cfg_attr(not(feature = "tract"), expect(dead_code, reason = "without tract, all come from files"))]
    Seen(&'m [f32]),
    /// Bytes of the file, which tract has not read: little-endian f32.
    Stored(&'m [[u8; 4]]),
    /// Bytes of the file, which tract has not read: int8 with scales.
    Coded(Codes<'m>),
}

impl Values<'_> {
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Seen(values) => values.len(),
            Self::Stored(stored) => stored.len(),
            Self::Coded(coded) => coded.codes.len(),
        }
    }
}

/// Weights of a convolution or of a fully connected layer. `V` is where their values are: [`Values`] in a graph, a
/// place in a file in a stored one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Weights<V> {
    /// `[M, K]`: for each of M output channels, the weights of its K summands.
    pub(crate) values: V,
    /// Whether they are `[K, M]` instead.
    pub(crate) by_input: bool,
    /// A factor for each output channel, from a normalisation that follows the layer.
    pub(crate) scale: Option<Vec<f32>>,
    /// Added to the sums, one for each output channel.
    pub(crate) bias: Vec<f32>,
}

/// An operator of the plan; `V` as in [`Weights`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Op<V> {
    Conv {
        #[serde(with = "StoredTaps")]
        taps: Taps,
        weights: Weights<V>,
    },
    Depthwise {
        #[serde(with = "StoredTaps")]
        taps: Taps,
        weights: Weights<V>,
    },
    Dense {
        weights: Weights<V>,
    },
    /// x * scale + shift, by channel.
    Affine {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    Act(Act),
    Add,
    Pool {
        #[serde(with = "StoredPoolKind")]
        kind: PoolKind,
        #[serde(with = "StoredTaps")]
        taps: Taps,
    },
    GlobalAverage,
    /// Each pixel becomes 2 x 2.
    Upsample,
}

/// The kernels know nothing of files.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Taps")]
struct StoredTaps {
    kernel: [usize; 2],
    stride: usize,
    pads: [usize; 4],
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PoolKind")]
enum StoredPoolKind {
    Max,
    Average,
    AverageWithPads,
}

impl<V> Op<V> {
    /// The operator's name in ONNX.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Conv { .. } | Self::Depthwise { .. } => "Conv",
            Self::Dense { .. } => "Gemm",
            Self::Affine { .. } => "BatchNormalization",
            Self::Act(Act::None) => "Identity",
            Self::Act(Act::Relu) => "Relu",
            Self::Act(Act::Prelu(_)) => "PRelu",
            Self::Act(Act::Clip { .. }) => "Clip",
            Self::Act(Act::Sigmoid) => "Sigmoid",
            Self::Add => "Add",
            Self::Pool { kind: PoolKind::Max, .. } => "MaxPool",
            Self::Pool { .. } => "AveragePool",
            Self::GlobalAverage => "GlobalAveragePool",
            Self::Upsample => "Resize",
        }
    }

    /// Its weights, where it has any.
    #[cfg(feature = "tract")]
    pub(crate) const fn weights(&self) -> Option<&Weights<V>> {
        match self {
            Self::Conv { weights, .. } | Self::Depthwise { weights, .. } | Self::Dense { weights } => {
                Some(weights)
            }
            _ => None,
        }
    }

    /// The same operator with `name` applied to where its weights are.
    pub(crate) fn try_map<W, E>(self, name: impl Fn(V) -> Result<W, E>) -> Result<Op<W>, E> {
        let named = |weights: Weights<V>| {
            let Weights { values, by_input, scale, bias } = weights;
            Ok(Weights { values: name(values)?, by_input, scale, bias })
        };
        Ok(match self {
            Self::Conv { taps, weights } => Op::Conv { taps, weights: named(weights)? },
            Self::Depthwise { taps, weights } => Op::Depthwise { taps, weights: named(weights)? },
            Self::Dense { weights } => Op::Dense { weights: named(weights)? },
            Self::Affine { scale, shift } => Op::Affine { scale, shift },
            Self::Act(act) => Op::Act(act),
            Self::Add => Op::Add,
            Self::Pool { kind, taps } => Op::Pool { kind, taps },
            Self::GlobalAverage => Op::GlobalAverage,
            Self::Upsample => Op::Upsample,
        })
    }

    /// How many values it reads.
    const fn arity(&self) -> usize {
        if matches!(self, Self::Add) { 2 } else { 1 }
    }
}

impl Op<Values<'_>> {
    /// The shape of its result for inputs of the shape `of`, and how many input values each value of the result is
    /// computed from. Bounds and constants are checked here, for graphs from tract and from graph files alike.
    fn makes(&self, of: Shape) -> Result<(Shape, usize), Why> {
        let by_channel =
            |values: &[f32]| values.len() == of.channels && values.iter().all(|value| value.is_finite());
        match self {
            Self::Conv { taps, weights } if !weights.by_input => {
                let shape = of.under(taps, weights.bias.len())?;
                Ok((shape, weights.check(of.channels * taps.kernel[0] * taps.kernel[1])?))
            }
            Self::Depthwise { taps, weights } if !weights.by_input && weights.bias.len() == of.channels => {
                Ok((of.under(taps, of.channels)?, weights.check(taps.kernel[0] * taps.kernel[1])?))
            }
            Self::Conv { .. } | Self::Depthwise { .. } => Err(Why::Constant("weights")),
            Self::Dense { weights } => {
                Ok((Shape::of_image(&[1, weights.bias.len(), 1, 1])?, weights.check(of.len())?))
            }
            // These must be finite: where they are folded into weights, an infinity would give other values than in
            // tract.
            Self::Affine { scale, shift } if by_channel(scale) && by_channel(shift) => Ok((of, 1)),
            Self::Affine { .. } => Err(Why::Constant("operand")),
            // Slopes must be finite: the kernels may multiply a 0 by a slope, and 0 times infinity is NaN.
            Self::Act(Act::Prelu(slopes)) if !by_channel(slopes) => Err(Why::Constant("slopes")),
            Self::Act(Act::Clip { min, max }) if min <= max => Ok((of, 1)),
            // Bounds in the wrong order, or a NaN for one.
            Self::Act(Act::Clip { .. }) => Err(Why::Constant("bounds")),
            Self::Act(_) | Self::Add => Ok((of, 1)),
            Self::Pool { taps, .. } => Ok((of.under(taps, of.channels)?, taps.kernel[0] * taps.kernel[1])),
            Self::GlobalAverage => Ok((Shape { height: 1, width: 1, ..of }, of.height * of.width)),
            Self::Upsample => Ok((of.doubled()?, 1)),
        }
    }
}

impl Weights<Values<'_>> {
    /// Checks that each output channel has `row` weights, and that there is a finite factor for each output channel,
    /// or none at all. Returns `row`.
    fn check(&self, row: usize) -> Result<usize, Why> {
        let outputs = self.bias.len();
        let scaled = self.scale.as_ref().is_none_or(|factors| {
            !self.by_input && factors.len() == outputs && factors.iter().all(|factor| factor.is_finite())
        });
        if scaled && outputs.checked_mul(row) == Some(self.values.len()) {
            Ok(row)
        } else {
            Err(Why::Constant("weights"))
        }
    }
}

/// An operator in its place. The result of the graph's node i is value i + 1 of the graph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node<'m> {
    /// The name of its result.
    pub(crate) name: String,
    pub(crate) op: Op<Values<'m>>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) shape: Shape,
}

/// Operators in an order in which each follows those whose results it reads. Value 0 is the network's input.
pub(crate) struct Graph<'m> {
    pub(crate) input: Shape,
    pub(crate) batch: usize,
    pub(crate) nodes: Vec<Node<'m>>,
    pub(crate) outputs: Vec<View>,
    /// Multiply-accumulates plus values of results, for one image, of all nodes so far.
    work: u64,
}

impl<'m> Graph<'m> {
    /// Most operators: IResNet-50 has 168.
    pub(crate) const MAX_OPERATORS: usize = 4_096;

    /// A graph without operators, for this input shape: batch, channels, height, width.
    pub(crate) fn new(input: [usize; 4]) -> Result<Self, Why> {
        let (shape, batch) = (Shape::of_image(&input)?, input[0]);
        if !(1..=MAX_BATCH).contains(&batch) {
            return Err(Why::TooLarge);
        }
        Ok(Self { input: shape, batch, nodes: Vec::new(), outputs: Vec::new(), work: 0 })
    }

    /// Adds an operator and returns the number of its result.
    pub(crate) fn push(
        &mut self,
        name: String,
        op: Op<Values<'m>>,
        inputs: Vec<usize>,
    ) -> Result<usize, Why> {
        if inputs.len() != op.arity() || inputs.iter().any(|&input| input > self.nodes.len()) {
            return Err(Why::Order);
        }
        let of = self.shape(inputs[0]);
        if inputs.iter().any(|&input| self.shape(input) != of) {
            return Err(Why::Inputs);
        }
        let (shape, each) = op.makes(of)?;
        self.work = self.work.saturating_add((shape.len() as u64).saturating_mul(1 + each as u64));
        if self.work > MAX_WORK || self.nodes.len() >= Self::MAX_OPERATORS {
            return Err(Why::TooLarge);
        }
        self.nodes.push(Node { name, op, inputs, shape });
        Ok(self.nodes.len())
    }

    /// Whether every value is read by a node or shown by an output, and every output shows a value of a fitting shape.
    pub(crate) fn is_whole(&self) -> bool {
        let mut used = vec![false; self.nodes.len() + 1];
        for view in &self.outputs {
            if !(1..used.len()).contains(&view.value) || !view.fits(self.batch, self.shape(view.value)) {
                return false;
            }
            used[view.value] = true;
        }
        self.nodes.iter().flat_map(|node| &node.inputs).for_each(|&input| used[input] = true);
        used.iter().all(|&used| used)
    }

    /// Shape of a value.
    pub(crate) fn shape(&self, value: usize) -> Shape {
        match value.checked_sub(1).and_then(|index| self.nodes.get(index)) {
            Some(node) => node.shape,
            None => self.input,
        }
    }
}
