//! Weights as int8 with one scale, or one for each index along an axis, behind `DequantizeLinear`: which nodes are
//! such, and their values as f32, to the bit what ONNX defines: each value times its scale.
//!
//! Where such a constant is only ever read as weights, its bytes stay in the file until they are packed
//! (`source::skeleton`); all others become f32 here before tract sees them.

use std::collections::{BTreeMap, BTreeSet};

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::checks;
use super::node::{DEQUANTIZE, axis, int};
use crate::codes::Codes;
use crate::error::InferError;
use crate::limits::MAX_CONSTANT_VALUES;

/// For an int8 constant of the shape `dims` and `scales` scales: how many values in a row, the last axis fastest, have
/// one scale. `None` where they do not fit, or blocks along an axis have scales of their own.
pub(crate) fn values_of_a_scale(node: &NodeProto, dims: &[i64], scales: usize) -> Option<usize> {
    let sides: Vec<usize> = dims.iter().map(|&side| usize::try_from(side).ok()).collect::<Option<_>>()?;
    if int(node, "block_size", 0) != 0 || int(node, "output_dtype", 0) != 0 {
        return None;
    }
    let after = |axis: usize| sides.get(axis..)?.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
    if scales == 1 {
        return after(0);
    }
    let axis = scale_axis(node, sides.len())?;
    if sides.get(axis) == Some(&scales) { after(axis + 1) } else { None }
}

/// The axis of a constant of `rank` axes along which such a node has its scales, where it has several.
pub(crate) fn scale_axis(node: &NodeProto, rank: usize) -> Option<usize> {
    axis(node, 1, rank)
}

/// Replaces every such node whose constants all are in `model` by an f32 constant.
pub(crate) fn fold(model: &mut ModelProto) -> Result<(), InferError> {
    let Some(graph) = &mut model.graph else { return Ok(()) };
    let is_here = |node: &NodeProto| node.op_type == DEQUANTIZE && node.output.len() == 1;
    if !graph.node.iter().any(is_here) {
        return Ok(());
    }
    let constants: BTreeMap<&str, &TensorProto> =
        graph.initializer.iter().map(|tensor| (&*tensor.name, tensor)).collect();
    let mut made = Vec::new();
    let mut values = 0_usize;
    let mut kept = Vec::new();
    for node in &graph.node {
        let dequantised = if is_here(node) { dequantised(node, &constants)? } else { None };
        if let Some(tensor) = &dequantised {
            values = values.saturating_add(tensor.float_data.len());
            if values > MAX_CONSTANT_VALUES {
                return Err(InferError::TooMuch { what: "values of constants", most: MAX_CONSTANT_VALUES });
            }
        }
        kept.push(dequantised.is_none());
        made.extend(dequantised);
    }
    let folded = graph.node.iter().zip(&kept).filter(|&(_, &kept)| !kept);
    let before: BTreeSet<String> = folded.flat_map(|(node, _)| node.input.iter().cloned()).collect();
    let mut kept = kept.into_iter();
    graph.node.retain(|_| kept.next().unwrap_or(true));
    graph.initializer.extend(made);
    drop_unread(graph, &before);
    Ok(())
}

/// Codes, scales and zero points that nothing reads any more. Older files declare constants as inputs, too.
fn drop_unread(graph: &mut GraphProto, before: &BTreeSet<String>) {
    let read: BTreeSet<String> = graph.node.iter().flat_map(|node| node.input.iter().cloned()).collect();
    let shown: BTreeSet<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    let is_left = |name: &String| before.contains(name) && !read.contains(name) && !shown.contains(name);
    graph.initializer.retain(|tensor| !is_left(&tensor.name));
    graph.input.retain(|input| !is_left(&input.name));
}

fn dequantised(
    node: &NodeProto,
    constants: &BTreeMap<&str, &TensorProto>,
) -> Result<Option<TensorProto>, InferError> {
    let constant = |at: usize| node.input.get(at).and_then(|name| constants.get(&**name)).copied();
    let (Some(data), Some(scale)) = (constant(0), constant(1)) else { return Ok(None) };
    let zero_is_zero = match node.input.get(2).filter(|name| !name.is_empty()) {
        Some(_) => constant(2).is_some_and(is_zero),
        None => true,
    };
    if data.data_type != DataType::Int8 as i32 || scale.data_type != DataType::Float as i32 || !zero_is_zero {
        return Ok(None);
    }
    let scales: Vec<[u8; 4]> = match &*scale.raw_data {
        [] => scale.float_data.iter().map(|value| value.to_le_bytes()).collect(),
        raw => raw.as_chunks().0.to_vec(),
    };
    let narrow: Vec<u8> = data.int32_data.iter().map(|&value| value as u8).collect();
    let codes = if data.raw_data.is_empty() { &*narrow } else { &*data.raw_data };
    if codes.len() != checks::tensor_values(data)? || scales.len() != checks::tensor_values(scale)? {
        return Err(InferError::Constant(data.name.clone()));
    }
    let Some(run) = values_of_a_scale(node, &data.dims, scales.len()) else { return Ok(None) };
    Ok(Some(TensorProto {
        name: node.output.first().cloned().unwrap_or_default(),
        dims: data.dims.clone(),
        data_type: DataType::Float as i32,
        float_data: Codes { codes, scales: &scales, run }.values().collect(),
        ..TensorProto::default()
    }))
}

/// Whether a zero point is 0 throughout.
fn is_zero(zero: &TensorProto) -> bool {
    zero.data_type == DataType::Int8 as i32
        && zero.raw_data.iter().all(|&byte| byte == 0)
        && zero.int32_data.iter().all(|&value| value == 0)
}
