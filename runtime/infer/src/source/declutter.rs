//! A graph as tract reads, types and simplifies it: what the plan is compiled from, and what tract itself goes on
//! from.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::TypedModelPatch;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, PaddingSpec};
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Div, Sub, add, mul, neg, recip};
use tract_onnx::tract_core::optim::Optimizer;

use super::model::{self, load_error};
use super::skeleton::{self, Skeleton};
use super::work;
use crate::error::InferError;
use crate::graph::Values;
use crate::guard::guarded;
use crate::spec::NetSpec;
use crate::watcher::{Done, Watcher};

/// The pass of tract's decluttering that is left out for the plan. It reorders axes for tract's own kernels and takes
/// two thirds of the time of all passes; our maps have an order of their own.
const MOVES_AXES: &str = "ChangeAxes";

/// A file as operators with types and shapes, within the limits, for tract as the runner.
pub(crate) fn typed(onnx: &[u8], spec: &NetSpec<'_>) -> Result<TypedModel, InferError> {
    within_limits(model::parse(onnx, spec)?, spec)
}

/// A graph that tract has simplified, and its weights, which are not in tract's graph.
pub(crate) struct Simple<'a> {
    pub(crate) model: TypedModel,
    /// The weights of each input but the first, in their order.
    pub(crate) weights: Vec<Values<'a>>,
}

/// A file after tract's own decluttering, but for the pass that moves axes: what the plan is compiled from.
pub(crate) fn simple<'a>(
    onnx: &'a [u8],
    spec: &NetSpec<'_>,
    watcher: &Watcher,
) -> Result<Simple<'a>, InferError> {
    guarded(|| {
        let Skeleton { proto, weights } = skeleton::open(onnx)?;
        let mut model = within_limits(model::read(&proto, spec, weights.len())?, spec)?;
        watcher.tell(Done::Typed);
        keep_strides(&mut model);
        passes().optimize(&mut model).map_err(load_error)?;
        watcher.tell(Done::Decluttered);
        Ok(Simple { model, weights })
    })
}

fn within_limits(model: InferenceModel, spec: &NetSpec<'_>) -> Result<TypedModel, InferError> {
    let mut model = model.into_typed().map_err(load_error)?;
    work::check_shapes(&model, spec.input[0])?;
    respell(&mut model).map_err(load_error)?;
    Ok(model)
}

fn passes() -> Optimizer {
    let mut all = Optimizer::declutter();
    all.passes.retain(|pass| format!("{pass:?}") != MOVES_AXES);
    all
}

/// Writes the padding of convolutions in a form of the same meaning that keeps tract from taking strides out of them.
/// Otherwise tract replaces the stride along each axis on which the kernel is 1 wide by a `Downsample` operator, and
/// moves these to other places of the graph, which the plan could not read.
fn keep_strides(model: &mut TypedModel) {
    for node in model.nodes_mut() {
        let Some(conv) = node.op_as_mut::<Conv>() else { continue };
        let spec = &mut conv.pool_spec;
        let (before, after) = match &spec.padding {
            PaddingSpec::Explicit(before, after) => (before.clone(), after.clone()),
            PaddingSpec::Valid => (tvec![0; spec.rank()], tvec![0; spec.rank()]),
            _ => continue,
        };
        spec.padding = PaddingSpec::ExplicitOnnxPool(before, after, false);
    }
}

/// Rewrites `a - x` as `a + (-x)`, and `a / x` as `a * (1 / x)`, where `a` is a constant with one value for each
/// channel. tract 0.23.9 (`Conv::declutter_channel_arithmetic_succ`) folds such an `a` into the convolution that makes
/// `x` as if the node were `x - a` or `x / a`, and the network then gives wrong results without an error.
fn respell(model: &mut TypedModel) -> TractResult<()> {
    for id in 0..model.nodes().len() {
        let node = model.node(id);
        let Some((turn, join)) = other_spelling(model, node)? else { continue };
        let mut patch = TypedModelPatch::default();
        let taps = patch.taps(model, &node.inputs)?;
        let turned = patch.wire_node(format!("{}.turned", node.name), turn, &[taps[1]])?;
        let joined = patch.wire_node(&node.name, join, &[taps[0], turned[0]])?;
        patch.shunt_outside(model, id.into(), joined[0])?;
        patch.apply(model)?;
    }
    Ok(())
}

/// For such an `a - x` or `a / x`: the operator for `x` alone, and the one that then joins both. `None` for other
/// nodes.
fn other_spelling(model: &TypedModel, node: &TypedNode) -> TractResult<Option<(ElementWiseOp, TypedBinOp)>> {
    let Some(TypedBinOp(op, _)) = node.op_as() else { return Ok(None) };
    let facts = model.node_input_facts(node.id)?;
    let [a, x] = &*facts else { return Ok(None) };
    let by_channel = a.shape.len() > 1
        && a.shape.iter().enumerate().all(|(axis, side)| axis == 1 || side.is_one())
        && a.shape.get(1) == x.shape.get(1);
    Ok(match () {
        () if !by_channel || x.konst.is_some() => None,
        () if op.is::<Sub>() => Some((neg(), add())),
        () if op.is::<Div>() => Some((recip(), mul())),
        () => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails where a newer tract has renamed the pass.
    #[test]
    fn one_pass_is_left_out() {
        assert_eq!(passes().passes.len() + 1, Optimizer::declutter().passes.len());
    }
}
