//! Networks that are written in a way in which they are not run: each refused by name, with what to do.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Side;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::node::{attribute, int, tensor_type};
use crate::error::{Elsewhere, InferError};
use crate::limits::LEAST_OPSET;

/// The operator set in which `Resize` came, in a form that the next one replaced.
const FIRST_RESIZE: i64 = 10;

/// The operator set that the file is written in; 0 where it names none.
pub(crate) fn opset(model: &ModelProto) -> i64 {
    let ours = model.opset_import.iter().find(|set| set.domain.is_empty() || set.domain == "ai.onnx");
    ours.map_or(0, |set| set.version)
}

/// Refuses what can neither be run nor rewritten: old operator sets, and normalisations that learn or have a factor
/// for each value.
pub(crate) fn check(model: &ModelProto) -> Result<(), InferError> {
    let opset = opset(model);
    if opset < LEAST_OPSET {
        return Err(InferError::Opset(opset));
    }
    model.graph.iter().flat_map(|graph| &graph.node).try_for_each(check_normalisation)
}

fn check_normalisation(node: &NodeProto) -> Result<(), InferError> {
    if node.op_type != "BatchNormalization" {
        return Ok(());
    }
    if int(node, "spatial", 1) == 0 {
        let remedy = "export it again in operator set 9 or later, where a factor belongs to a channel";
        return Err(refused(node, "with spatial = 0, a factor for each value", remedy));
    }
    // Up to operator set 13, further outputs say so; from 14 on, the attribute.
    let learns = int(node, "training_mode", 0) != 0;
    if learns || node.output.iter().skip(1).any(|output| !output.is_empty()) {
        return Err(refused(node, "in training mode", "export the network after `model.eval()`"));
    }
    Ok(())
}

/// Refuses a `Reshape` to as many images as the file was exported for, where that is more than one and another number
/// is asked for: the network would take parts of one image for several.
pub(crate) fn check_batch(graph: &GraphProto, asked: usize) -> Result<(), InferError> {
    // Older files declare constants as inputs, too, in any order.
    let image = graph.input.iter().find(|input| initializer(graph, &input.name).is_none());
    let declared = image.and_then(declared_batch);
    let Some(batch) = declared.filter(|&batch| batch > 1 && usize::try_from(batch) != Ok(asked)) else {
        return Ok(());
    };
    let first = |name: &String| {
        let listed = || attribute(maker(graph, name)?, "value_ints")?.ints.first().copied();
        constant(graph, name).map_or_else(listed, first_int)
    };
    let reshapes =
        |node: &&NodeProto| node.op_type == "Reshape" && node.input.get(1).and_then(first) == Some(batch);
    match graph.node.iter().find(reshapes) {
        Some(node) => Err(InferError::Batch { batch, node: node.name.clone() }),
        None => Ok(()),
    }
}

/// Refuses what only rewriting takes: 16-bit floats that are computed with.
pub(crate) fn check_floats(graph: &GraphProto) -> Result<(), InferError> {
    let remedy = "build its pack with `arcdoor-lab pack build`, which computes the same in 32-bit floats";
    let is_half = |kind: i64| kind == DataType::Float16 as i64;
    let narrows = |node: &&NodeProto| node.op_type == "Cast" && is_half(int(node, "to", 0));
    if let Some(node) = graph.node.iter().find(narrows) {
        return Err(refused(node, "to 16-bit floats", remedy));
    }
    let is_half_input =
        |info: &&ValueInfoProto| tensor_type(info).is_some_and(|t| is_half(t.elem_type.into()));
    let is_constant = |info: &&ValueInfoProto| initializer(graph, &info.name).is_some();
    match graph.input.iter().filter(|info| !is_constant(info)).find(is_half_input) {
        Some(info) => Err(InferError::Form {
            node: info.name.clone(),
            operator: "network's input".to_owned(),
            form: "of 16-bit floats",
            remedy,
        }),
        None => Ok(()),
    }
}

/// Refuses the first form of a `Resize` where tract takes another pixel for the nearest one: it rounds, and operator set
/// 10 takes the one before the place. By the factors 1 and 2, both are the same.
pub(crate) fn check_resizes(model: &ModelProto) -> Result<(), InferError> {
    let Some(graph) = model.graph.as_ref().filter(|_| opset(model) == FIRST_RESIZE) else { return Ok(()) };
    let is_alike = |node: &NodeProto| {
        let nearest = attribute(node, "mode").is_none_or(|mode| mode.s == b"nearest");
        let scales = node.input.get(1).and_then(|name| constant(graph, name));
        !nearest || scales.is_some_and(|scales| floats(scales).iter().all(|scale| [1.0, 2.0].contains(scale)))
    };
    match graph.node.iter().find(|&node| node.op_type == "Resize" && !is_alike(node)) {
        Some(node) => Err(refused(
            node,
            "of operator set 10 by other factors than 2",
            "build its pack with `arcdoor-lab pack build`, or convert it first (Python: \
             `onnx.version_converter.convert_version(model, 13)`)",
        )),
        None => Ok(()),
    }
}

/// Refuses a constant that lies in another file.
pub(crate) fn check_here(tensor: &TensorProto) -> Result<(), InferError> {
    if tensor.external_data.is_empty() && tensor.data_location.unwrap_or_default() == 0 {
        return Ok(());
    }
    let location = tensor.external_data.iter().find(|entry| entry.key == "location");
    Err(InferError::Elsewhere {
        constant: tensor.name.clone(),
        file: location.map(|entry| entry.value.clone()).unwrap_or_default(),
        why: Elsewhere::NotRead,
    })
}

fn refused(node: &NodeProto, form: &'static str, remedy: &'static str) -> InferError {
    let (node, operator) = (node.name.clone(), node.op_type.clone());
    InferError::Form { node, operator, form, remedy }
}

fn initializer<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    graph.initializer.iter().find(|tensor| tensor.name == name)
}

/// The `Constant` node that makes a value.
fn maker<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|node| node.op_type == "Constant" && node.output == [name])
}

/// A constant that is a tensor, wherever it is written.
fn constant<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    initializer(graph, name).or_else(|| attribute(maker(graph, name)?, "value")?.t.as_ref())
}

fn first_int(tensor: &TensorProto) -> Option<i64> {
    if tensor.data_type != DataType::Int64 as i32 {
        return None;
    }
    let raw = || tensor.raw_data.first_chunk().map(|&bytes| i64::from_le_bytes(bytes));
    tensor.int64_data.first().copied().or_else(raw)
}

/// The values of an f32 constant; NaN for one of another type.
fn floats(tensor: &TensorProto) -> Vec<f32> {
    if tensor.data_type != DataType::Float as i32 {
        return vec![f32::NAN];
    }
    let raw = tensor.raw_data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
    tensor.float_data.iter().copied().chain(raw).collect()
}

fn declared_batch(info: &ValueInfoProto) -> Option<i64> {
    match tensor_type(info)?.shape.as_ref()?.dim.first()?.value.as_ref()? {
        Side::DimValue(batch) => Some(*batch),
        Side::DimParam(_) => None,
    }
}
