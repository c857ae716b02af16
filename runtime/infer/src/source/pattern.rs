//! One operator of ours for several of tract's that together compute it.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::logic::{CompGT, CompGTE, CompLT, CompLTE, Iff};
use tract_onnx::tract_core::ops::math::{Add, Max, Min, Mul, Neg, Sub};
use tract_onnx::tract_core::ops::nn::{Reduce, Reducer};

use super::makers::{Makers, floats};

/// One operator of ours for several of tract's, the last of which stands for all.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pattern<'m> {
    Prelu {
        x: OutletId,
        slopes: &'m Tensor,
    },
    Clip {
        x: OutletId,
        min: f32,
        max: f32,
    },
    /// The mean of each channel over all rows and columns.
    Mean {
        x: OutletId,
    },
}

impl Pattern<'_> {
    /// The value that it reads.
    pub(crate) const fn x(self) -> OutletId {
        match self {
            Self::Prelu { x, .. } | Self::Clip { x, .. } | Self::Mean { x } => x,
        }
    }

    /// The operator's name in ONNX.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Prelu { .. } => "PRelu",
            Self::Clip { .. } => "Clip",
            Self::Mean { .. } => "GlobalAveragePool",
        }
    }
}

impl<'m> Makers<'m> {
    /// The pattern whose result `node` computes.
    pub(crate) fn pattern(&self, node: &'m TypedNode) -> Option<Pattern<'m>> {
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

    /// The values that `node` reads and that depend on the input. For the last node of a pattern: the value that the
    /// whole pattern reads.
    pub(crate) fn reads(&self, node: &'m TypedNode) -> Vec<OutletId> {
        match self.pattern(node) {
            Some(pattern) => vec![pattern.x()],
            None => node.inputs.iter().copied().filter(|&outlet| !self.is_constant(outlet)).collect(),
        }
    }

    /// The operator's name for people.
    pub(crate) fn name(&self, node: &'m TypedNode) -> String {
        self.pattern(node).map_or_else(|| node.op.name().into_owned(), |pattern| pattern.name().to_owned())
    }

    /// Whether a node adds two values.
    pub(crate) fn is_sum(&self, node: &'m TypedNode) -> bool {
        node.op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<Add>()) && self.reads(node).len() == 2
    }

    fn binary<Op: BinMiniOp>(&self, outlet: OutletId) -> Option<&'m TypedNode> {
        let node = self.maker(outlet)?;
        node.op_as::<TypedBinOp>().filter(|op| op.0.is::<Op>()).map(|_| node)
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

    /// For a `node` that bounds its input by a constant, where that input is bounded on the other side by an `Inner`:
    /// the value that is clipped, the inner bound, and the bound of `node`.
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
pub(crate) fn is_sum(op: &Reduce) -> bool {
    op.reducer == Reducer::Sum && *op.axes == [2, 3]
}
