//! The memory and the work that running a typed graph takes, bounded before anything runs.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::AxisOp;
use tract_onnx::tract_core::ops::cnn::{Conv, MaxPool, SumPool};
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx::tract_core::ops::{Cost, TypedOp};

use super::model::load_error;
use crate::error::InferError;
use crate::limits::{MAX_CONSTANT_VALUES, MAX_ELEMENTS, MAX_WORK};

/// Checks that no result in the graph has more than [`MAX_ELEMENTS`] values, and that a run takes at most [`MAX_WORK`]
/// for each image.
pub(crate) fn check_shapes(model: &TypedModel, batch: usize) -> Result<(), InferError> {
    let mut work = 0_u64;
    for node in model.nodes() {
        // Weights may be larger than maps may be; operators on axes keep the number of values.
        let may_be_weights = node.op_is::<TypedSource>() || node.op_is::<AxisOp>();
        for output in node.outputs.iter().filter(|_| !may_be_weights) {
            let shape = output.fact.shape.as_concrete();
            let values = shape.and_then(|sides| sides.iter().try_fold(1_usize, |n, &s| n.checked_mul(s)));
            let is_constant = output.fact.konst.is_some();
            if !values.is_some_and(|values| values <= MAX_ELEMENTS || is_constant) {
                return Err(InferError::TooMuch { what: "values of one result", most: MAX_ELEMENTS });
            }
        }
        check_unrolled(model, node)?;
        work = work.saturating_add(steps(model, node)?);
    }
    let work = work / batch.max(1) as u64;
    if work > MAX_WORK { Err(InferError::TooMuchWork(work)) } else { Ok(()) }
}

/// Multiply-accumulates of a node plus the values of its results; each value of a pool counts as often as its window
/// has pixels.
fn steps(model: &TypedModel, node: &TypedNode) -> Result<u64, InferError> {
    let facts = node.outputs.iter().filter_map(|output| output.fact.shape.as_concrete());
    let values: usize = facts.map(|sides| sides.iter().product::<usize>()).sum();
    let pool = node.op_as::<MaxPool>().map(|op| &op.pool_spec);
    let pool = pool.or_else(|| node.op_as::<SumPool>().map(|op| &op.pool_spec));
    let window = pool.map_or(1, |spec| spec.kernel_shape.iter().product::<usize>());
    Ok((values as u64).saturating_mul(window as u64).saturating_add(macs(model, node)?))
}

/// Checks the memory of a convolution in tract, which may copy its input into a matrix with one column, as long as the
/// kernel has weights, for each output pixel.
fn check_unrolled(model: &TypedModel, node: &TypedNode) -> Result<(), InferError> {
    let Some(conv) = node.op_as::<Conv>() else { return Ok(()) };
    let facts = model.node_input_facts(node.id).map_err(load_error)?;
    let volume = |fact: &TypedFact| fact.shape.as_concrete().map(|sides| sides.iter().product::<usize>());
    let channels = conv.pool_spec.output_channels.max(1);
    let weights = facts.get(1).and_then(|fact| volume(fact)).unwrap_or(0);
    let output = node.outputs.first().and_then(|output| volume(&output.fact)).unwrap_or(0);
    let unrolled = (weights / channels).saturating_mul(output / channels).saturating_mul(conv.group);
    if unrolled > MAX_CONSTANT_VALUES {
        return Err(InferError::TooMuch { what: "values of one unrolled input", most: MAX_CONSTANT_VALUES });
    }
    Ok(())
}

/// Multiply-accumulates of one node.
pub(crate) fn macs(model: &TypedModel, node: &TypedNode) -> Result<u64, InferError> {
    let op: &dyn TypedOp = node.op.as_ref();
    if !matches!(&*op.name(), "Conv" | "EinSum" | "MatMul") {
        return Ok(0);
    }
    let facts = model.node_input_facts(node.id).map_err(load_error)?;
    let mut macs = 0_u64;
    for (kind, count) in op.cost(&facts).map_err(load_error)? {
        if matches!(kind, Cost::FMA(_)) {
            let count = count.to_i64().map_err(|error| InferError::Load(error.to_string()))?;
            macs = macs.saturating_add(u64::try_from(count).unwrap_or(0));
        }
    }
    Ok(macs)
}
