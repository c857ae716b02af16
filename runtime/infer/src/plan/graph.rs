//! A decoded ONNX graph as operators on channel-blocked maps, before anything is fused.

use std::collections::BTreeMap;

use arcdoor_kernels::{PoolKind, Taps};
use tract_onnx::pb::NodeProto;

use super::pattern::Makers;
use super::read;
use super::refusal::{Unsupported, Why};
use super::shape::{Shape, View};
use crate::onnx::Opened;

/// Most nodes of a graph: IResNet-100 has about 350.
const MAX_NODES: usize = 4096;
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

/// Weights by the name of their constant, so that they are held once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    pub(super) name: String,
    /// `[K, M]` instead of `[M, K]`.
    pub(super) by_input: bool,
    /// A factor for each output channel, from a norm behind.
    pub(super) scale: Option<Vec<f32>>,
    /// One for each output channel.
    pub(super) bias: Vec<f32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    Conv {
        taps: Taps,
        weights: Weights,
    },
    Depthwise {
        taps: Taps,
        weights: Weights,
    },
    Dense {
        weights: Weights,
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

/// An operator; it makes value `index + 1` of the graph.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// As ONNX calls it, and the name of what it makes.
    pub(super) operator: String,
    pub(super) name: String,
    pub(super) op: Op,
    pub(super) inputs: Vec<usize>,
    pub(super) shape: Shape,
}

/// Operators in an order in which each follows what it reads. Value 0 is the network's input.
pub(super) struct Graph {
    pub(super) input: Shape,
    pub(super) batch: usize,
    pub(super) nodes: Vec<Node>,
    pub(super) outputs: Vec<View>,
}

impl Graph {
    /// Reads what the outputs need; what they do not need may be anything.
    pub(super) fn read(
        opened: &Opened<'_>,
        input: [usize; 4],
        outputs: &[&str],
    ) -> Result<Self, Unsupported> {
        let whole = |why| Unsupported { operator: "graph".to_owned(), node: String::new(), why };
        let [only] = &*opened.inputs else { return Err(whole(Why::GraphInputs)) };
        if opened.inputs_dropped != 0 {
            return Err(whole(Why::GraphInputs));
        }
        if !(9..=21).contains(&opened.opset) {
            return Err(whole(Why::OperatorSet(opened.opset)));
        }
        if opened.nodes.len() > MAX_NODES || input[0] > MAX_BATCH {
            return Err(whole(Why::TooLarge));
        }
        let shape = Shape::of_image(&input).map_err(whole)?;
        let makers = Makers::new(opened).ok_or_else(|| whole(Why::Order))?;
        let mut graph = Self { input: shape, batch: input[0], nodes: Vec::new(), outputs: Vec::new() };
        let mut views = BTreeMap::from([(&**only, View::image(0, input[0], shape))]);
        for node in order(&makers, outputs).map_err(whole)? {
            let refused = |why| Unsupported {
                operator: node.op_type.clone(),
                node: node.output.first().cloned().unwrap_or_default(),
                why,
            };
            let view = read::node(&mut graph, &makers, &views, node).map_err(refused)?;
            let name = node.output.first().ok_or_else(|| whole(Why::Order))?;
            views.insert(name, view);
        }
        for &name in outputs {
            // An output that is the input itself is left to tract.
            let declared = opened.outputs.iter().any(|output| output == name);
            let view = views.get(name).filter(|view| declared && view.value > 0);
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

/// The names that `node` reads and that are no constants, past what a pattern stands for.
pub(super) fn reads<'a>(makers: &Makers<'a>, node: &'a NodeProto) -> Vec<&'a str> {
    if let Some(prelu) = makers.prelu(node) {
        return vec![prelu.x];
    }
    let names = node.input.iter().map(|name| &**name);
    names.filter(|name| !name.is_empty() && !makers.opened.constants.contains_key(*name)).collect()
}

/// Every node that the outputs need, each after what it reads. Of what a node reads, a sum comes first: a convolution
/// that is added to it then stands right before that addition, and makes it.
fn order<'a>(makers: &Makers<'a>, outputs: &[&str]) -> Result<Vec<&'a NodeProto>, Why> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let nodes = &makers.opened.nodes;
    let mut states = vec![State::New; nodes.len()];
    let mut ordered = Vec::with_capacity(nodes.len());
    let mut stack: Vec<usize> =
        outputs.iter().filter_map(|&name| makers.by_name.get(name).copied()).collect();
    while let Some(&index) = stack.last() {
        let node = nodes.get(index).ok_or(Why::Order)?;
        if states[index] != State::New {
            stack.pop();
            if states[index] == State::Open {
                states[index] = State::Done;
                ordered.push(node);
            }
            continue;
        }
        states[index] = State::Open;
        let above = stack.len();
        for name in reads(makers, node) {
            match makers.by_name.get(name) {
                Some(&maker) if states[maker] == State::Open => return Err(Why::Order),
                Some(&maker) if states[maker] == State::New => stack.push(maker),
                Some(_) => {}
                None if makers.opened.inputs.iter().any(|input| input == name) => {}
                None => return Err(Why::Order),
            }
        }
        // What lies on top is walked first.
        stack[above..].sort_by_key(|&maker| nodes[maker].op_type == "Add");
    }
    Ok(ordered)
}
