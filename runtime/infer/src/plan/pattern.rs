//! What several of tract's operators say together.

use std::collections::BTreeMap;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::AxisOp;
use tract_onnx::tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::logic::{CompGT, CompGTE, CompLT, CompLTE, Iff};
use tract_onnx::tract_core::ops::math::{Add, Max, Min, Mul, Neg, Sub};
use tract_onnx::tract_core::ops::nn::{Reduce, Reducer};

use crate::declutter::Simple;
use crate::skeleton::Stored;

/// One operator of ours for several of tract's, the last of which stands for all.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pattern<'m> {
    Prelu {
        x: OutletId,
        slopes: &'m Tensor,
    },
    Clip {
        x: OutletId,
        min: f32,
        max: f32,
    },
    /// Of each channel, over all rows and columns.
    Mean {
        x: OutletId,
    },
}

impl Pattern<'_> {
    /// What it reads.
    const fn x(self) -> OutletId {
        match self {
            Self::Prelu { x, .. } | Self::Clip { x, .. } | Self::Mean { x } => x,
        }
    }

    /// As ONNX calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::Prelu { .. } => "PRelu",
            Self::Clip { .. } => "Clip",
            Self::Mean { .. } => "GlobalAveragePool",
        }
    }
}

/// A constant's or an unseen weight's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Values<'m> {
    Seen(&'m [f32]),
    Stored(Stored<'m>),
}

impl Values<'_> {
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Seen(values) => values.len(),
            Self::Stored(stored) => stored.len(),
        }
    }
}

/// Weights, and a factor for each step of their first axis where a norm was folded into them.
pub(super) type Scaled<'m> = (Values<'m>, Option<Vec<f32>>);

/// Who makes what, in a graph of tract's.
#[derive(Debug)]
pub(super) struct Makers<'m> {
    pub(super) model: &'m TypedModel,
    /// What is made of unseen weights alone.
    unseen: BTreeMap<OutletId, Scaled<'m>>,
}

impl<'m> Makers<'m> {
    /// `None` where tract has lost an input.
    pub(super) fn new(simple: &'m Simple<'m>) -> Option<Self> {
        let Simple { model, weights } = simple;
        let inputs = model.inputs.iter().copied().skip(1);
        let stored = weights.iter().map(|&stored| (Values::Stored(stored), None));
        let mut makers = Self { model, unseen: inputs.zip(stored).collect() };
        if model.inputs.len() != weights.len() + 1 || makers.unseen.len() != weights.len() {
            return None;
        }
        // Decluttering leaves each node behind what it reads.
        for node in model.nodes() {
            if let Some(weights) = makers.made_of_weights(node) {
                makers.unseen.insert(node.id.into(), weights);
            }
        }
        Some(makers)
    }

    fn made_of_weights(&self, node: &'m TypedNode) -> Option<Scaled<'m>> {
        match (node.op_as(), node.op_as(), &*node.inputs) {
            // Values lie as they lay.
            (Some(AxisOp::Add(_) | AxisOp::Rm(_) | AxisOp::Reshape(..)), None, &[from]) => {
                self.unseen.get(&from).cloned()
            }
            (None, Some(TypedBinOp(op, _)), &[a, b]) if op.is::<Mul>() => {
                let (from, factor) = if self.constant(b).is_some() { (a, b) } else { (b, a) };
                let (values, before) = self.unseen.get(&from)?;
                let factor = self.constant(factor)?;
                let (first, others) = factor.shape().split_first()?;
                let shape = self.model.outlet_fact(from).ok()?.shape.as_concrete()?;
                if shape.first() != Some(first) || others.iter().any(|&side| side != 1) {
                    return None;
                }
                let mut factors = floats(factor)?.to_vec();
                factors
                    .iter_mut()
                    .zip(before.iter().flatten())
                    .for_each(|(factor, before)| *factor *= before);
                Some((*values, Some(factors)))
            }
            _ => None,
        }
    }

    pub(super) fn constant(&self, outlet: OutletId) -> Option<&'m Tensor> {
        self.model.outlet_fact(outlet).ok()?.konst.as_deref()
    }

    pub(super) fn weights(&self, outlet: OutletId) -> Option<Scaled<'m>> {
        match self.constant(outlet) {
            Some(tensor) => Some((Values::Seen(floats(tensor)?), None)),
            None => self.unseen.get(&outlet).cloned(),
        }
    }

    /// The values that `node` reads and that are made from the input, past what a pattern stands for.
    pub(super) fn reads(&self, node: &'m TypedNode) -> Vec<OutletId> {
        match self.pattern(node) {
            Some(pattern) => vec![pattern.x()],
            None => node.inputs.iter().copied().filter(|&outlet| !self.is_constant(outlet)).collect(),
        }
    }

    /// Whether the value is the same for every input.
    fn is_constant(&self, outlet: OutletId) -> bool {
        self.constant(outlet).is_some() || self.unseen.contains_key(&outlet)
    }

    /// What a person may know the result as: the file's name for it, where decluttering left one.
    pub(super) fn label(&self, node: &TypedNode) -> String {
        self.model.outlet_label(node.id.into()).unwrap_or(&node.name).to_owned()
    }

    /// What a person may know the operator as.
    pub(super) fn name(&self, node: &'m TypedNode) -> String {
        self.pattern(node).map_or_else(|| node.op.name().into_owned(), |pattern| pattern.name().to_owned())
    }

    /// Whether a node adds two values.
    pub(super) fn is_sum(&self, node: &'m TypedNode) -> bool {
        node.op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<Add>()) && self.reads(node).len() == 2
    }

    /// The pattern that ends in `node`.
    pub(super) fn pattern(&self, node: &'m TypedNode) -> Option<Pattern<'m>> {
        if node.op_is::<Iff>() {
            return self.prelu_chosen(node);
        }
        let op = &node.op_as::<TypedBinOp>()?.0;
        let &[a, b] = &*node.inputs else { return None };
        if op.is::<Max>() {
            let prelu = self.prelu_max(a, b).or_else(|| self.prelu_max(b, a));
            prelu.or_else(|| self.clip::<Min>(node).map(|(x, max, min)| Pattern::Clip { x, min, max }))
        } else if op.is::<Min>() {
            self.clip::<Max>(node).map(|(x, min, max)| Pattern::Clip { x, min, max })
        } else if op.is::<Sub>() {
            self.prelu_sub(a, b)
        } else if op.is::<Mul>() {
            self.mean(node)
        } else {
            None
        }
    }

    fn binary<Op: BinMiniOp>(&self, outlet: OutletId) -> Option<&'m TypedNode> {
        let node = self.maker(outlet)?;
        node.op_as::<TypedBinOp>().filter(|op| op.0.is::<Op>()).map(|_| node)
    }

    fn maker(&self, outlet: OutletId) -> Option<&'m TypedNode> {
        self.model.nodes().get(outlet.node)
    }

    /// The constant of one value that `node` reads, and the other value.
    pub(super) fn scalar(&self, node: &TypedNode) -> Option<(OutletId, f32)> {
        let &[a, b] = &*node.inputs else { return None };
        self.one(b).map(|value| (a, value)).or_else(|| self.one(a).map(|value| (b, value)))
    }

    fn one(&self, outlet: OutletId) -> Option<f32> {
        match floats(self.constant(outlet)?)? {
            &[value] => Some(value),
            _ => None,
        }
    }

    fn is_zero(&self, outlet: OutletId) -> bool {
        self.one(outlet) == Some(0.0)
    }

    /// `(x, a)` where the value is x times the constant a.
    fn scaled(&self, outlet: OutletId) -> Option<(OutletId, &'m Tensor)> {
        let &[a, b] = &*self.binary::<Mul>(outlet)?.inputs else { return None };
        match (self.constant(a), self.constant(b)) {
            (None, Some(slopes)) => Some((a, slopes)),
            (Some(slopes), None) => Some((b, slopes)),
            _ => None,
        }
    }

    /// max(x, a x), which is a PReLU for no slope above 1.
    fn prelu_max(&self, x: OutletId, scaled: OutletId) -> Option<Pattern<'m>> {
        let (y, slopes) = self.scaled(scaled)?;
        let gentle = floats(slopes)?.iter().all(|&slope| slope <= 1.0);
        (x == y && gentle).then_some(Pattern::Prelu { x, slopes })
    }

    /// max(x, 0) - a max(-x, 0).
    fn prelu_sub(&self, above: OutletId, scaled: OutletId) -> Option<Pattern<'m>> {
        let x = self.relu(above)?;
        let (below, slopes) = self.scaled(scaled)?;
        let negated = self.maker(self.relu(below)?)?;
        let is_negative = negated.op_as::<ElementWiseOp>()?.0.is::<Neg>();
        (is_negative && *negated.inputs == [x]).then_some(Pattern::Prelu { x, slopes })
    }

    fn relu(&self, outlet: OutletId) -> Option<OutletId> {
        let (x, zero) = self.scalar(self.binary::<Max>(outlet)?)?;
        (zero == 0.0).then_some(x)
    }

    /// x or a x, whichever a comparison of x with 0 chooses.
    fn prelu_chosen(&self, node: &'m TypedNode) -> Option<Pattern<'m>> {
        let &[condition, yes, no] = &*node.inputs else { return None };
        let condition = self.maker(condition)?;
        let op = &condition.op_as::<TypedBinOp>()?.0;
        let &[a, b] = &*condition.inputs else { return None };
        let (greater, less) =
            (op.is::<CompGT>() || op.is::<CompGTE>(), op.is::<CompLT>() || op.is::<CompLTE>());
        let (x, if_positive) = match (self.is_zero(a), self.is_zero(b)) {
            (false, true) => (a, greater),
            (true, false) => (b, less),
            _ => return None,
        };
        let (scaled, kept) = if if_positive { (no, yes) } else { (yes, no) };
        let (y, slopes) = self.scaled(scaled)?;
        ((greater || less) && x == y && x == kept).then_some(Pattern::Prelu { x, slopes })
    }

    /// `node` bounds on one side, and what it reads is bounded on the other by an `Inner`: the value within, its
    /// bound, and the bound of `node`.
    fn clip<Inner: BinMiniOp>(&self, node: &TypedNode) -> Option<(OutletId, f32, f32)> {
        let (inner, outer_bound) = self.scalar(node)?;
        let (x, inner_bound) = self.scalar(self.binary::<Inner>(inner)?)?;
        Some((x, inner_bound, outer_bound))
    }

    /// The sum over rows and columns, times one over how many there are.
    fn mean(&self, node: &TypedNode) -> Option<Pattern<'m>> {
        let (sum, factor) = self.scalar(node)?;
        let sum = self.maker(sum)?;
        let op = sum.op_as::<Reduce>()?;
        let &[x] = &*sum.inputs else { return None };
        let shape = self.model.outlet_fact(x).ok()?.shape.as_concrete()?;
        let &[_, _, height, width] = shape else { return None };
        let is_mean = (f64::from(factor) * (height * width) as f64 - 1.0).abs() < 1e-6;
        (is_sum(op) && is_mean).then_some(Pattern::Mean { x })
    }
}

/// Whether it sums over rows and columns.
pub(super) fn is_sum(op: &Reduce) -> bool {
    op.reducer == Reducer::Sum && *op.axes == [2, 3]
}

/// A constant's values, where they are f32.
pub(super) fn floats(tensor: &Tensor) -> Option<&[f32]> {
    tensor.try_as_plain_ram().and_then(|view| view.as_slice()).ok()
}
