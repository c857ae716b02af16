//! A graph opened for reading: what the plan is compiled from.

use std::collections::BTreeMap;

use tract_onnx::pb::NodeProto;

use super::constants;
use super::graph::{Graph, Values};
use crate::error::InferError;

/// A constant that the plan may read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers {
    F32(Vec<f32>),
    I64(Vec<i64>),
    /// Of another type.
    Other,
}

/// A constant; `dims` and the numbers agree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) dims: Vec<usize>,
    pub(crate) numbers: Numbers,
}

/// A decoded graph.
pub(crate) struct Opened {
    pub(crate) nodes: Vec<NodeProto>,
    pub(crate) constants: BTreeMap<String, Tensor>,
    /// The inputs that some node reads.
    pub(crate) inputs: Vec<String>,
    /// Declared inputs that no node reads, or that are constants.
    pub(crate) inputs_dropped: usize,
    pub(crate) outputs: Vec<String>,
    /// Version of the standard operators; 0 where the file names none, or any other domain beside it.
    pub(crate) opset: i64,
}

/// Decodes a file.
///
/// # Errors
/// When the bytes are no ONNX file or a constant contradicts its own shape.
pub(crate) fn open(onnx: &[u8]) -> Result<Opened, InferError> {
    let mut graph = Graph::decode(onnx)?;
    constants::absorb(&mut graph)?;
    let opset = match graph.operator_sets() {
        [only] if only.domain.is_empty() || only.domain == "ai.onnx" => only.version,
        _ => 0,
    };
    let constants = std::mem::take(&mut graph.constants).into_iter().map(|(name, constant)| {
        let numbers = match constant.values {
            Values::F32(values) => Numbers::F32(values),
            Values::I64(values) => Numbers::I64(values),
            _ => Numbers::Other,
        };
        (name, Tensor { dims: constant.dims, numbers })
    });
    Ok(Opened {
        constants: constants.collect(),
        nodes: std::mem::take(&mut graph.nodes),
        inputs: std::mem::take(&mut graph.inputs),
        inputs_dropped: graph.inputs_dropped,
        outputs: std::mem::take(&mut graph.outputs),
        opset,
    })
}
