//! What a network costs: multiply-accumulates and parameters, counted on its graph.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::InferenceModelExt;

use super::model::{self, load_error};
use super::work;
use crate::error::InferError;
use crate::onnx::{checks, coded};
use crate::spec::NetSpec;

/// Size of a network, for one run at one input shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-accumulates of convolutions and matrix products in one run; activations are not counted.
    pub macs: u64,
    /// Values of all f32 constants of the file, and of its int8 weights.
    pub parameters: u64,
}

/// Counts multiply-accumulates and parameters.
///
/// # Errors
/// As [`Net::load`](crate::Net::load).
pub fn cost(onnx: &[u8], spec: &NetSpec<'_>) -> Result<Cost, InferError> {
    spec.check()?;
    let mut proto = checks::decode(onnx)?;
    coded::fold(&mut proto)?;
    let model = model::read(&proto, spec, 0)?.into_typed().map_err(load_error)?;
    let mut macs = 0_u64;
    for node in model.nodes() {
        macs = macs.saturating_add(work::macs(&model, node)?);
    }
    let constants = proto.graph.iter().flat_map(|graph| &graph.initializer);
    let floats = constants.filter(|tensor| tensor.data_type == DataType::Float as i32);
    let parameters = floats.map(|tensor| tensor.dims.iter().product::<i64>().unsigned_abs()).sum();
    Ok(Cost { macs, parameters })
}
