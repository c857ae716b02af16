//! Which node makes a value of tract's graph, and which values are weights that are not in it.

use std::collections::BTreeMap;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::AxisOp;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::math::Mul;

use super::declutter::Simple;
use crate::graph::Values;

/// Weights, and a factor for each output channel (their first axis) where tract has folded a normalisation into them.
pub(crate) type Scaled<'m> = (Values<'m>, Option<Vec<f32>>);

/// tract's graph, with the weights that are inputs of it.
#[derive(Debug)]
pub(crate) struct Makers<'m> {
    pub(crate) model: &'m TypedModel,
    /// The values that are such weights, or are computed from one of them and constants.
    unseen: BTreeMap<OutletId, Scaled<'m>>,
}

impl<'m> Makers<'m> {
    /// `None` where tract has dropped an input of the graph.
    pub(crate) fn new(simple: &'m Simple<'m>) -> Option<Self> {
        let Simple { model, weights } = simple;
        let inputs = model.inputs.iter().copied().skip(1);
        let stored = weights.iter().map(|&values| (values, None));
        let mut makers = Self { model, unseen: inputs.zip(stored).collect() };
        if model.inputs.len() != weights.len() + 1 || makers.unseen.len() != weights.len() {
            return None;
        }
        // After decluttering, each node follows those that it reads from.
        for node in model.nodes() {
            if let Some(weights) = makers.made_of_weights(node) {
                makers.unseen.insert(node.id.into(), weights);
            }
        }
        Some(makers)
    }

    fn made_of_weights(&self, node: &'m TypedNode) -> Option<Scaled<'m>> {
        match (node.op_as(), node.op_as(), &*node.inputs) {
            // Operators that change the shape and leave the order of the values.
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

    pub(crate) fn constant(&self, outlet: OutletId) -> Option<&'m Tensor> {
        self.model.outlet_fact(outlet).ok()?.konst.as_deref()
    }

    pub(crate) fn weights(&self, outlet: OutletId) -> Option<Scaled<'m>> {
        match self.constant(outlet) {
            Some(tensor) => Some((Values::Seen(floats(tensor)?), None)),
            None => self.unseen.get(&outlet).cloned(),
        }
    }

    /// Whether the value is the same for every input.
    pub(crate) fn is_constant(&self, outlet: OutletId) -> bool {
        self.constant(outlet).is_some() || self.unseen.contains_key(&outlet)
    }

    /// A name of the node's result for people: the file's, where decluttering has kept it.
    pub(crate) fn label(&self, node: &TypedNode) -> String {
        self.model.outlet_label(node.id.into()).unwrap_or(&node.name).to_owned()
    }

    pub(crate) fn maker(&self, outlet: OutletId) -> Option<&'m TypedNode> {
        self.model.nodes().get(outlet.node)
    }

    /// The constant of one value that `node` reads, and the other value.
    pub(crate) fn scalar(&self, node: &TypedNode) -> Option<(OutletId, f32)> {
        let &[a, b] = &*node.inputs else { return None };
        self.one(b).map(|value| (a, value)).or_else(|| self.one(a).map(|value| (b, value)))
    }

    fn one(&self, outlet: OutletId) -> Option<f32> {
        match floats(self.constant(outlet)?)? {
            &[value] => Some(value),
            _ => None,
        }
    }

    pub(crate) fn is_zero(&self, outlet: OutletId) -> bool {
        self.one(outlet) == Some(0.0)
    }
}

/// A constant's values, where they are f32.
pub(crate) fn floats(tensor: &Tensor) -> Option<&[f32]> {
    tensor.try_as_plain_ram().and_then(|view| view.as_slice()).ok()
}
