//! 16-bit floats become 32-bit floats of the same values. What is computed from them is no longer rounded to 16 bits:
//! the device computes in f32 throughout.

use std::collections::BTreeSet;

use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::f16;

use super::graph::{Constant, Graph, Values, keeps_floats};
use crate::error::InferError;
use crate::onnx::node::{int, tensor_type_mut};

/// Casts of constants between floats, which are computed here; returns how many.
pub(super) fn cast_constants(graph: &mut Graph) -> Result<usize, InferError> {
    graph.replace(|graph, node| Ok(if node.op_type == "Cast" { cast(graph, node) } else { None }))
}

fn cast(graph: &Graph, node: &NodeProto) -> Option<Constant> {
    let constant = graph.constant(node, 0)?;
    let dims = constant.dims.clone();
    let values = match (&constant.values, DataType::try_from(i32::try_from(int(node, "to", 0)).ok()?).ok()?) {
        (Values::F16(values), DataType::Float) => Values::F32(widened(values)),
        (Values::F32(values), DataType::Float16) => {
            Values::F16(values.iter().map(|&value| f16::from_f32(value)).collect())
        }
        (Values::F16(values), DataType::Float16) => Values::F16(values.clone()),
        (Values::F32(values), DataType::Float) => Values::F32(values.clone()),
        _ => return None,
    };
    Some(Constant { dims, values })
}

/// Widens constants, casts, input and outputs; returns how many constants.
pub(super) fn widen(graph: &mut Graph) -> usize {
    let mut count = 0;
    for constant in graph.constants.values_mut() {
        if let Values::F16(values) = &constant.values {
            constant.values = Values::F32(widened(values));
            count += 1;
        }
    }
    for tensor in graph.declared().filter_map(tensor_type_mut) {
        if tensor.elem_type == DataType::Float16 as i32 {
            tensor.elem_type = DataType::Float as i32;
        }
    }
    for node in graph.nodes.iter_mut().filter(|node| node.op_type == "Cast") {
        let to = node.attribute.iter_mut().find(|attribute| attribute.name == "to");
        if let Some(to) = to.filter(|to| to.i == DataType::Float16 as i64) {
            to.i = DataType::Float as i64;
        }
    }
    mark_idle_casts(graph);
    count
}

/// Casts of floats to floats become `Identity`.
fn mark_idle_casts(graph: &mut Graph) {
    let floats = graph.inputs.iter().filter(|name| graph.is_float_input(name)).cloned();
    let mut floats: BTreeSet<String> = floats.collect();
    for node in &mut graph.nodes {
        if !node.input.first().is_some_and(|input| floats.contains(input)) {
            continue;
        }
        if node.op_type == "Cast" && int(node, "to", 0) == DataType::Float as i64 {
            "Identity".clone_into(&mut node.op_type);
            node.attribute.clear();
        }
        if node.op_type == "Identity" || keeps_floats(&node.op_type) {
            floats.extend(node.output.first().cloned());
        }
    }
}

fn widened(values: &[f16]) -> Vec<f32> {
    values.iter().map(|value| value.to_f32()).collect()
}
