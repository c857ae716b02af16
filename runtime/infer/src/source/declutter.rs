//! A graph as tract reads, types and simplifies it: what both engines go on from.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::TypedModelPatch;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, PaddingSpec};
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Div, Sub, add, mul, neg, recip};
use tract_onnx::tract_core::optim::Optimizer;

use super::model::{self, load_error};
use super::skeleton::{self, Skeleton, Stored};
use super::work;
use crate::error::InferError;
use crate::guard::guarded;
use crate::spec::NetSpec;
use crate::watcher::{Done, Watcher};

/// The pass of tract's decluttering that the plan goes without. It moves axes to where tract's own kernels want
/// them, in two thirds of the time of all passes; a channel-blocked map has its axes where it wants them.
const MOVES_AXES: &str = "ChangeAxes";

/// A file as operators with types and shapes, within the limits: what tract goes on from by itself.
pub(crate) fn typed(onnx: &[u8], spec: &NetSpec<'_>) -> Result<TypedModel, InferError> {
    within_limits(model::parse(onnx, spec)?, spec)
}

/// A graph that tract has simplified, and its weights, which tract has not seen.
pub(crate) struct Simple<'a> {
    pub(crate) model: TypedModel,
    /// Of each input behind the first one.
    pub(crate) weights: Vec<Stored<'a>>,
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

/// Spells the padding of strided convolutions in the way, of two that mean the same, in which decluttering leaves
/// the stride where it is. Otherwise it makes a `Downsample` of the stride of each axis on which the kernel is 1 wide,
/// and these wander off through the graph, each axis by itself.
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

/// Spells `a - x` as `a + (-x)`, and `a / x` as `a * (1 / x)`, where `a` has one value for each channel: tract
/// 0.23.9 folds such an `a` into the weights of a convolution that makes `x` as if it stood on the other side
/// (`Conv::declutter_channel_arithmetic_succ`), and the network answers wrong without a word.
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

/// What to do to the second operand, and with both then.
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

    /// A newer tract may call its passes differently.
    #[test]
    fn one_pass_is_left_out() {
        assert_eq!(passes().passes.len() + 1, Optimizer::declutter().passes.len());
    }
}
