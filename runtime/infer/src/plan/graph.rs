//! A graph of tract's as operators on channel-blocked maps, before anything is fused.

use std::collections::BTreeMap;

use arcdoor_kernels::{PoolKind, Taps};
use tract_onnx::prelude::*;

use super::makers::{Makers, Values};
use super::read;
use super::refusal::{Unsupported, Why};
use super::shape::{Shape, View};
use crate::declutter::Simple;

/// Most nodes that the outputs may need: IResNet-50 has 168, without constants and what lies within patterns.
const MAX_NODES: usize = 4_096;
/// Largest batch: bigger ones are no business of a door.
const MAX_BATCH: usize = 16;

/// What is done to every value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
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

/// Weights of a convolution or of a fully connected layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights<'m> {
    /// `[M, K]`, M outputs.
    pub(super) values: Values<'m>,
    /// Whether they are `[K, M]` instead.
    pub(super) by_input: bool,
    /// A factor for each output channel, from a norm behind.
    pub(super) scale: Option<Vec<f32>>,
    /// One for each output channel.
    pub(super) bias: Vec<f32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op<'m> {
    Conv {
        taps: Taps,
        weights: Weights<'m>,
    },
    Depthwise {
        taps: Taps,
        weights: Weights<'m>,
    },
    Dense {
        weights: Weights<'m>,
    },
    /// x * scale + shift, by channel.
    Affine {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    Act(Act),
    Add,
    Pool {
        kind: PoolKind,
        taps: Taps,
    },
    GlobalAverage,
    /// Each pixel becomes 2 x 2.
    Upsample,
}

impl Op<'_> {
    /// As ONNX calls it.
    pub(super) const fn name(&self) -> &'static str {
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
}

/// An operator; it makes value `index + 1` of the graph.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node<'m> {
    /// Of what it makes.
    pub(super) name: String,
    pub(super) op: Op<'m>,
    pub(super) inputs: Vec<usize>,
    pub(super) shape: Shape,
}

/// Operators in an order in which each follows what it reads. Value 0 is the network's input.
pub(super) struct Graph<'m> {
    pub(super) input: Shape,
    pub(super) batch: usize,
    pub(super) nodes: Vec<Node<'m>>,
    pub(super) outputs: Vec<View>,
}

impl<'m> Graph<'m> {
    /// Reads what the outputs need; what they do not need may be anything.
    pub(super) fn read(simple: &'m Simple<'m>, input: [usize; 4]) -> Result<Self, Unsupported> {
        let whole = |why| Unsupported { operator: "graph".to_owned(), node: String::new(), why };
        let makers = Makers::new(simple).ok_or_else(|| whole(Why::Order))?;
        let model = makers.model;
        let image = *model.inputs.first().ok_or_else(|| whole(Why::Order))?;
        if input[0] > MAX_BATCH {
            return Err(whole(Why::TooLarge));
        }
        let shape = Shape::of_image(&input).map_err(whole)?;
        let mut graph = Self { input: shape, batch: input[0], nodes: Vec::new(), outputs: Vec::new() };
        let mut views = BTreeMap::from([(image, View::image(0, input[0], shape))]);
        for node in order(&makers, image.node).map_err(whole)? {
            let refused = |why| Unsupported { operator: makers.name(node), node: makers.label(node), why };
            let view = read::node(&mut graph, &makers, &views, node).map_err(refused)?;
            views.insert(node.id.into(), view);
        }
        for outlet in &model.outputs {
            // An output that is the input itself, or a constant, is left to tract.
            let view = views.get(outlet).filter(|view| view.value > 0);
            graph.outputs.push(view.ok_or_else(|| whole(Why::Order))?.clone());
        }
        Ok(graph)
    }

    /// Shape of a value.
    pub(super) fn shape(&self, value: usize) -> Shape {
        match value.checked_sub(1).and_then(|index| self.nodes.get(index)) {
            Some(node) => node.shape,
            None => self.input,
        }
    }
}

/// Every node that the outputs need, each after what it reads. Of what a node reads, a sum comes first: a convolution
/// that is added to it then stands right before that addition, and makes it.
fn order<'m>(makers: &Makers<'m>, input: usize) -> Result<Vec<&'m TypedNode>, Why> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let nodes = makers.model.nodes();
    let mut states = vec![State::New; nodes.len()];
    let mut ordered = Vec::with_capacity(nodes.len());
    let outputs = makers.model.outputs.iter();
    let mut stack: Vec<usize> =
        outputs.filter(|&&outlet| makers.constant(outlet).is_none()).map(|outlet| outlet.node).collect();
    while let Some(&index) = stack.last() {
        let node = nodes.get(index).ok_or(Why::Order)?;
        if states[index] != State::New || index == input {
            stack.pop();
            if states[index] == State::Open {
                states[index] = State::Done;
                ordered.push(node);
            }
            continue;
        }
        if ordered.len() + stack.len() > MAX_NODES {
            return Err(Why::TooLarge);
        }
        states[index] = State::Open;
        let above = stack.len();
        for OutletId { node, .. } in makers.reads(node) {
            match states.get(node) {
                Some(State::New) => stack.push(node),
                Some(State::Done) => {}
                _ => return Err(Why::Order),
            }
        }
        // What lies on top is walked first.
        stack[above..].sort_by_key(|&maker| makers.is_sum(&nodes[maker]));
    }
    Ok(ordered)
}
