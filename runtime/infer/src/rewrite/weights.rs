//! Which weights are int8 in the file. Passes see them as f32; where they are written, they are int8 behind a
//! `DequantizeLinear`.

use std::collections::{BTreeMap, BTreeSet};

use tract_onnx::pb::NodeProto;
use tract_onnx::pb::attribute_proto::AttributeType;

use super::graph::{Constant, Graph, PLAIN_OPSET, Values, node};
use super::int8::Int8;
use crate::error::InferError;
use crate::onnx::coded;
use crate::onnx::node::{DEQUANTIZE, int};

/// Bytes that a node, and names and shapes of two constants, take beside their values.
const OVERHEAD: usize = 256;

/// What a `DequantizeLinear` without blocks and zero points makes of constants.
pub(super) fn read(
    node: &NodeProto,
    data: &Constant,
    scale: &Constant,
    zero: Option<&Constant>,
) -> Option<Int8> {
    let (Values::I8(codes), Values::F32(scales)) = (&data.values, &scale.values) else { return None };
    let is_zero =
        |zero: &Constant| matches!(&zero.values, Values::I8(zeros) if zeros.iter().all(|&z| z == 0));
    let dims: Vec<i64> = data.dims.iter().map(|&side| side as i64).collect();
    coded::values_of_a_scale(node, &dims, scales.len())?;
    let axis = if scales.len() == 1 { 0 } else { coded::scale_axis(node, dims.len())? };
    zero.is_none_or(is_zero).then(|| Int8 { codes: codes.clone(), scales: scales.clone(), axis })
}

/// The axis of a node's weights along which its output channels lie.
fn channel_axis(graph: &Graph, node: &NodeProto) -> Option<usize> {
    let rank = graph.constant(node, 1)?.dims.len();
    match (&*node.op_type, rank) {
        ("Conv", 4) => Some(0),
        ("Gemm", 2) => Some(usize::from(int(node, "transB", 0) == 0)),
        ("MatMul", 2) => Some(1),
        _ => None,
    }
}

/// Keeps the codes of weights alone.
pub(super) fn keep_int8(graph: &mut Graph) {
    let weights = graph.nodes.iter().filter(|node| channel_axis(graph, node).is_some());
    let weights: BTreeSet<String> = weights.filter_map(|node| node.input.get(1).cloned()).collect();
    graph.int8.retain(|name, _| weights.contains(name));
}

/// What codes and scales of these weights are called; `None` where something else has such a name.
fn names(graph: &Graph, weights: &str) -> Option<[String; 2]> {
    let names = [format!("{weights}.int8"), format!("{weights}.scale")];
    names.iter().all(|name| graph.is_free(name)).then_some(names)
}

/// Gives weights without codes the nearest ones, where that makes the file smaller; returns how many.
pub(super) fn quantise(graph: &mut Graph) -> Result<usize, InferError> {
    if graph.opset < PLAIN_OPSET {
        return Err(InferError::Int8Opset(graph.opset));
    }
    let mut made = BTreeMap::new();
    for node in &graph.nodes {
        let (Some(axis), Some(name)) = (channel_axis(graph, node), node.input.get(1)) else { continue };
        // Several nodes may read the same weights.
        let is_done = made.contains_key(name) || graph.int8.contains_key(name);
        let Some(constant) = graph.constants.get(name).filter(|_| !is_done) else { continue };
        let Some(values) = constant.f32() else { continue };
        if !values.iter().all(|value| value.is_finite()) {
            return Err(InferError::Rewrite(format!(
                "weights {name:?} are not finite, so int8 cannot hold them"
            )));
        }
        let scales = constant.dims.get(axis).copied().unwrap_or(0);
        if 3 * values.len() > 4 * scales + OVERHEAD
            && names(graph, name).is_some()
            && let Some(int8) = Int8::nearest(values, &constant.dims, axis)
        {
            made.insert(name.clone(), int8);
        }
    }
    let count = made.len();
    for (name, int8) in made {
        let dims = graph.constants.get(&name).map(|constant| constant.dims.clone()).unwrap_or_default();
        graph.constants.insert(name.clone(), Constant::new_f32(&dims, int8.values(&dims)));
        graph.int8.insert(name, int8);
    }
    Ok(count)
}

/// Puts codes, scales and `DequantizeLinear` in the place of the f32 constants that have codes; returns how many. The
/// others stay f32: where a name is taken, or the file's operator set has no scale for each channel.
pub(super) fn write_int8(graph: &mut Graph) -> usize {
    let mut nodes = Vec::new();
    for (name, Int8 { codes, scales, axis }) in std::mem::take(&mut graph.int8) {
        let by_axis = scales.len() > 1;
        if by_axis && graph.opset < PLAIN_OPSET {
            continue;
        }
        let Some([codes_name, scales_name]) = names(graph, &name) else { continue };
        let Some(Constant { dims, .. }) = graph.constants.remove(&name) else { continue };
        let mut linear = node(DEQUANTIZE, &[&codes_name, &scales_name], &name);
        let shape = if by_axis { vec![scales.len()] } else { Vec::new() };
        if by_axis {
            // Counted from the end: the message types used here write no 0.
            let mut attribute =
                tract_onnx::pb::AttributeProto { name: "axis".to_owned(), ..Default::default() };
            attribute.r#type = AttributeType::Int as i32;
            attribute.i = axis as i64 - dims.len() as i64;
            linear.attribute.push(attribute);
        }
        nodes.push(linear);
        graph.constants.insert(codes_name, Constant { dims, values: Values::I8(codes) });
        graph.constants.insert(scales_name, Constant::new_f32(&shape, scales));
    }
    let count = nodes.len();
    nodes.append(&mut graph.nodes);
    graph.nodes = nodes;
    count
}
