//! Operators that run in one pass over memory become one step.

use arcdoor_kernels::{PoolKind, Taps};

use crate::graph::Shape;
use crate::graph::Values;
use crate::graph::{Act, Graph, Node, Op, Weights};

/// What a step computes, before its activation and its residual.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'m> {
    /// Copies the network's planar input into a blocked map.
    Block,
    Conv {
        taps: Taps,
        weights: Weights<Values<'m>>,
    },
    Depthwise {
        taps: Taps,
        weights: Weights<Values<'m>>,
    },
    Dense {
        weights: Weights<Values<'m>>,
    },
    Affine {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    /// Leaves each value as it is: for steps that are an activation or an addition alone.
    Copy,
    Pool {
        kind: PoolKind,
        taps: Taps,
    },
    GlobalAverage,
    Upsample,
}

impl Kind<'_> {
    /// Input pixels from one output pixel's window to the next; 1 for kinds without windows.
    pub(super) const fn stride(&self) -> usize {
        match self {
            Self::Conv { taps, .. } | Self::Depthwise { taps, .. } | Self::Pool { taps, .. } => taps.stride,
            _ => 1,
        }
    }
}

/// The number of a second value that is added, before or after the activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    BeforeAct(usize),
    AfterAct(usize),
}

impl Added {
    pub(super) const fn value(self) -> usize {
        match self {
            Self::BeforeAct(value) | Self::AfterAct(value) => value,
        }
    }
}

/// Operators that run in one pass over memory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fused<'m> {
    /// ONNX's names of the operators, joined by `+`.
    pub(super) operators: String,
    /// The name of the result.
    pub(super) name: String,
    pub(super) kind: Kind<'m>,
    /// Weights of the steps that were merged into this one; their channels follow its own.
    pub(super) beside: Vec<Weights<Values<'m>>>,
    pub(super) input: usize,
    pub(super) added: Option<Added>,
    pub(super) act: Act,
    pub(super) output: usize,
    pub(super) shape: Shape,
}

/// Most channels of an input that a convolution reads as a planar image; with more, blocked maps are faster.
const MAX_PLANES: usize = 4;

/// Whether a node is a convolution that reads the network's planar input directly.
pub(super) fn is_stem(graph: &Graph<'_>, kind: &Kind<'_>, input: usize) -> bool {
    matches!(kind, Kind::Conv { .. }) && input == 0 && graph.input.channels <= MAX_PLANES
}

/// The steps of a graph, each after those whose results it reads.
pub(super) fn fuse<'m>(graph: &Graph<'m>) -> Vec<Fused<'m>> {
    let mut readers = vec![0_usize; graph.nodes.len() + 1];
    let read = graph.nodes.iter().flat_map(|node| node.inputs.iter().copied());
    read.chain(graph.outputs.iter().map(|view| view.value)).for_each(|value| readers[value] += 1);
    let mut fuser = Fuser { readers, made: vec![None; graph.nodes.len() + 1], steps: Vec::new() };
    fuser.block(graph);
    for (index, node) in graph.nodes.iter().enumerate() {
        fuser.node(node, index + 1);
    }
    fuser.steps
}

struct Fuser<'m> {
    readers: Vec<usize>,
    /// For each value, the index of the step that computes it; `None` for the input, where no step copies it into a map,
    /// and for values that are not reached yet.
    made: Vec<Option<usize>>,
    steps: Vec<Fused<'m>>,
}

impl<'m> Fuser<'m> {
    /// Adds a step that copies the input into a map, where any node needs one.
    fn block(&mut self, graph: &Graph<'m>) {
        let reads_map = |node: &Node<'_>| {
            let stem = match (&node.op, &*node.inputs) {
                (Op::Conv { taps, weights }, &[input]) => {
                    is_stem(graph, &Kind::Conv { taps: *taps, weights: weights.clone() }, input)
                }
                _ => false,
            };
            node.inputs.contains(&0) && !stem
        };
        if graph.nodes.iter().any(reads_map) {
            self.made[0] = Some(0);
            self.steps.push(Fused {
                operators: "input".to_owned(),
                name: "input".to_owned(),
                kind: Kind::Block,
                beside: Vec::new(),
                input: 0,
                added: None,
                act: Act::None,
                output: 0,
                shape: graph.input,
            });
        }
    }

    fn node(&mut self, node: &Node<'m>, value: usize) {
        let input = node.inputs.first().copied().unwrap_or(0);
        let fused = match &node.op {
            Op::Act(act) => self.act(input, act),
            Op::Affine { scale, shift } => self.affine(input, scale, shift),
            Op::Add => self.add(node.inputs.get(1).copied().unwrap_or(0), input),
            _ => None,
        };
        let index = if let Some(index) = fused {
            let step = &mut self.steps[index];
            // A normalisation that was folded into weights is not named: nothing of it is left to run.
            if !matches!(node.op, Op::Affine { .. }) {
                step.operators.push('+');
                step.operators.push_str(node.op.name());
            }
            step.name.clone_from(&node.name);
            step.output = value;
            index
        } else {
            let (kind, added, act) = match &node.op {
                Op::Conv { taps, weights } => {
                    (Kind::Conv { taps: *taps, weights: weights.clone() }, None, Act::None)
                }
                Op::Depthwise { taps, weights } => {
                    (Kind::Depthwise { taps: *taps, weights: weights.clone() }, None, Act::None)
                }
                Op::Dense { weights } => (Kind::Dense { weights: weights.clone() }, None, Act::None),
                Op::Affine { scale, shift } => {
                    (Kind::Affine { scale: scale.clone(), shift: shift.clone() }, None, Act::None)
                }
                Op::Act(act) => (Kind::Copy, None, act.clone()),
                Op::Add => (Kind::Copy, node.inputs.get(1).copied().map(Added::BeforeAct), Act::None),
                Op::Pool { kind, taps } => (Kind::Pool { kind: *kind, taps: *taps }, None, Act::None),
                Op::GlobalAverage => (Kind::GlobalAverage, None, Act::None),
                Op::Upsample => (Kind::Upsample, None, Act::None),
            };
            let (operators, name) = (node.op.name().to_owned(), node.name.clone());
            let shape = node.shape;
            let beside = Vec::new();
            self.steps.push(Fused { operators, name, kind, beside, input, added, act, output: value, shape });
            self.steps.len() - 1
        };
        self.made[value] = Some(index);
    }

    /// The step that makes `value`, where nothing else reads that value.
    fn only_for_us(&self, value: usize) -> Option<usize> {
        self.made[value].filter(|_| self.readers[value] == 1)
    }

    fn act(&mut self, input: usize, act: &Act) -> Option<usize> {
        let index = self.only_for_us(input)?;
        let step = &mut self.steps[index];
        if step.kind == Kind::Block || step.act != Act::None || matches!(step.added, Some(Added::AfterAct(_)))
        {
            return None;
        }
        step.act = act.clone();
        Some(index)
    }

    /// Folds an affine operator into the weights, or into the affine operator, that make its input. Returns the index
    /// of that step, or `None` where it cannot.
    fn affine(&mut self, input: usize, scale: &[f32], shift: &[f32]) -> Option<usize> {
        let index = self.only_for_us(input)?;
        let step = &mut self.steps[index];
        if step.act != Act::None || step.added.is_some() {
            return None;
        }
        let moved = |bias: &mut [f32]| {
            for ((b, s), t) in bias.iter_mut().zip(scale).zip(shift) {
                *b = (f64::from(*b) * f64::from(*s) + f64::from(*t)) as f32;
            }
        };
        let scaled = |old: &mut [f32]| old.iter_mut().zip(scale).for_each(|(old, s)| *old *= s);
        match &mut step.kind {
            Kind::Conv { weights, .. } | Kind::Depthwise { weights, .. } | Kind::Dense { weights } => {
                moved(&mut weights.bias);
                match &mut weights.scale {
                    Some(old) => scaled(old),
                    // A bias alone comes as a normalisation whose factors are all 1.
                    None if scale.iter().all(|&factor| factor == 1.0) => {}
                    None => weights.scale = Some(scale.to_vec()),
                }
            }
            Kind::Affine { scale: old, shift: bias } => {
                moved(bias);
                scaled(old);
            }
            _ => return None,
        }
        Some(index)
    }

    /// Lets the later of the two steps that make the operands do the addition, if it can add and if the other operand
    /// is computed before it. Returns the index of that step.
    fn add(&mut self, a: usize, b: usize) -> Option<usize> {
        let candidate = |x: usize, other: usize| {
            let index = self.only_for_us(x)?;
            let step = &self.steps[index];
            let adds = step.kind != Kind::Block;
            let before = self.made[other].is_some_and(|made| made < index);
            (adds && step.added.is_none() && before).then_some((index, other))
        };
        let (index, other) = candidate(a, b).max(candidate(b, a))?;
        let step = &mut self.steps[index];
        step.added =
            Some(if step.act == Act::None { Added::BeforeAct(other) } else { Added::AfterAct(other) });
        Some(index)
    }
}
