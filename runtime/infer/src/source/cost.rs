//! What a network costs, counted on its graph.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::{Cost as TractCost, TypedOp};

use crate::error::InferError;
use crate::net::{NetSpec, load_error, parse};
use crate::rewrite;

/// Size of a network, for one run at one input shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-accumulates of convolutions and matrix products; activations are not counted.
    pub macs: u64,
    /// Floating-point parameters.
    pub parameters: u64,
}

/// Counts multiply-accumulates and parameters.
///
/// # Errors
/// As [`Net::load`](crate::Net::load).
pub fn cost(bytes: &[u8], spec: &NetSpec<'_>) -> Result<Cost, InferError> {
    let model = parse(bytes, spec)?.into_typed().map_err(load_error)?;
    let mut sum = 0_u64;
    for node in model.nodes() {
        sum = sum.saturating_add(macs(&model, node)?);
    }
    Ok(Cost { macs: sum, parameters: rewrite::parameters(bytes)? })
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
        if matches!(kind, TractCost::FMA(_)) {
            let count = count.to_i64().map_err(|error| InferError::Load(error.to_string()))?;
            macs = macs.saturating_add(u64::try_from(count).unwrap_or(0));
        }
    }
    Ok(macs)
}
