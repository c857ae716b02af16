//! An ONNX file as tract reads it, with its input shape fixed and its outputs selected.

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use crate::error::InferError;
use crate::onnx::{checks, coded, forms};
use crate::spec::NetSpec;

/// The graph with its input shape fixed and its outputs selected.
pub(crate) fn parse(onnx: &[u8], spec: &NetSpec<'_>) -> Result<InferenceModel, InferError> {
    spec.check()?;
    let mut proto = checks::decode(onnx)?;
    coded::fold(&mut proto)?;
    read(&proto, spec, 0)
}

/// As [`parse`], for a decoded file whose input is followed by `weights` further inputs: constants that
/// [`skeleton`](super::skeleton) has turned into inputs.
pub(crate) fn read(
    proto: &ModelProto,
    spec: &NetSpec<'_>,
    weights: usize,
) -> Result<InferenceModel, InferError> {
    checks::check(proto)?;
    proto.graph.iter().try_for_each(|graph| forms::check_batch(graph, spec.input[0]))?;
    // Shapes that the file declares for inner values hold for its own input shape, not for the one that is asked for.
    let reader = tract_onnx::onnx().with_ignore_value_info(true);
    let mut model = reader.model_for_proto_model(proto).map_err(load_error)?;
    let inputs = model.input_outlets().map_err(load_error)?.len();
    if inputs != 1 + weights {
        return Err(InferError::Inputs(inputs.saturating_sub(weights)));
    }
    let mut outlets = Vec::with_capacity(spec.outputs.len());
    for &name in spec.outputs {
        let known = model.output_outlets().map_err(load_error)?;
        let outlet = known.iter().find(|&&outlet| model.outlet_label(outlet) == Some(name));
        outlets.push(*outlet.ok_or_else(|| InferError::NoSuchOutput(name.to_owned()))?);
    }
    model.select_output_outlets(&outlets).map_err(load_error)?;
    model.set_input_fact(0, f32::fact(spec.input).into()).map_err(load_error)?;
    Ok(model)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn load_error(error: TractError) -> InferError {
    InferError::Load(format!("{error:#}"))
}
