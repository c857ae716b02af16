//! What an ONNX file may ask for, checked before tract sees it.
//!
//! tract trusts its files: it allocates whatever a shape asks for, and panics where a file contradicts itself. So a
//! file is refused here when it is too large in any direction, has a node that reads a value which no earlier node
//! makes (as in a cycle), keeps constants in other files, or uses an operator whose output may be much larger than its
//! inputs.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

use super::node::DEQUANTIZE;
use super::{forms, wire};
use crate::error::InferError;
use crate::limits::{MAX_CONSTANT_VALUES, MAX_NODES, MAX_ONNX_BYTES, MAX_WINDOW};

/// Most axes that a transposition may permute.
const MAX_RANK: usize = 8;

/// Operators that are run, one a line. Where an operator's output may be larger than its inputs, its size is checked once
/// shapes are known, before anything runs (`source::work`). `cargo xtask cross` builds tract without all others.
const OPERATORS: &str = include_str!("operators.txt");

/// The operators whose inputs may all be constants: their results are no larger than these.
const OF_CONSTANTS: [&str; 9] =
    ["Constant", "Cast", DEQUANTIZE, "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];

/// Decodes a file that stays within the limits; how much memory it takes is checked first.
pub(crate) fn decode(onnx: &[u8]) -> Result<ModelProto, InferError> {
    check_file(onnx)?;
    let model = decode_fields(onnx)?;
    check_model(&model)?;
    Ok(model)
}

/// Checks that a file has an accepted length and that its fields take bounded memory: then it may be decoded.
pub(crate) fn check_file(onnx: &[u8]) -> Result<(), InferError> {
    if onnx.is_empty() || onnx.len() > MAX_ONNX_BYTES {
        return Err(InferError::FileSize(onnx.len()));
    }
    wire::check(onnx)
}

/// Decodes a file that [`check_file`] has accepted, or a message within it.
pub(crate) fn decode_fields<M: Message + Default>(bytes: &[u8]) -> Result<M, InferError> {
    M::decode(bytes).map_err(|error| InferError::NotOnnx(error.to_string()))
}

/// Checks that a decoded file holds one graph, no functions, accepted numbers of nodes and constants, and nodes in an
/// order in which each follows those that it reads from.
pub(crate) fn check_model(model: &ModelProto) -> Result<(), InferError> {
    if !model.functions.is_empty() || !model.training_info.is_empty() {
        return Err(InferError::Subgraph);
    }
    let graph = model.graph.as_ref().ok_or_else(|| InferError::NotOnnx("it holds no graph".to_owned()))?;
    if graph.node.len() > MAX_NODES {
        return Err(InferError::TooMuch { what: "nodes", most: MAX_NODES });
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(InferError::Constant("a sparse one".to_owned()));
    }
    let mut values = 0;
    for tensor in graph.initializer.iter().chain(graph.node.iter().flat_map(tensors)) {
        add(&mut values, tensor_values(tensor)?)?;
    }
    forms::check(model)?;
    check_sequence(graph, &[])
}

/// Checks constants, operators, attributes and order: after that, tract can be trusted with the graph.
pub(crate) fn check(model: &ModelProto) -> Result<(), InferError> {
    let Some(graph) = &model.graph else { return Ok(()) };
    graph.initializer.iter().chain(graph.node.iter().flat_map(tensors)).try_for_each(check_tensor)?;
    graph.node.iter().try_for_each(check_node)?;
    forms::check_floats(graph)?;
    forms::check_resizes(model)?;
    check_order(graph)
}

fn tensors(node: &NodeProto) -> impl Iterator<Item = &TensorProto> {
    node.attribute.iter().flat_map(|attribute| attribute.t.iter().chain(&attribute.tensors))
}

fn add(total: &mut usize, values: usize) -> Result<(), InferError> {
    *total = total.saturating_add(values);
    if *total > MAX_CONSTANT_VALUES {
        return Err(InferError::TooMuch { what: "values of constants", most: MAX_CONSTANT_VALUES });
    }
    Ok(())
}

/// How many values the dims ask for. The product of all sides but zeros must be within bounds, too: tract may multiply
/// some of the sides.
pub(crate) fn tensor_values(tensor: &TensorProto) -> Result<usize, InferError> {
    let refused = || InferError::Constant(tensor.name.clone());
    let sides = tensor.dims.iter().map(|&side| usize::try_from(side).map_err(|_| refused()));
    let sides = sides.collect::<Result<Vec<_>, _>>()?;
    let most = sides.iter().try_fold(1_usize, |most, &side| most.checked_mul(side.max(1)));
    most.filter(|&most| most <= MAX_CONSTANT_VALUES).ok_or_else(refused)?;
    Ok(sides.iter().product())
}

/// Bytes of a value of a constant's type.
pub(crate) fn value_bytes(tensor: &TensorProto) -> Result<usize, InferError> {
    let kind = DataType::try_from(tensor.data_type);
    Ok(match kind {
        Ok(DataType::Double | DataType::Int64) => 8,
        Ok(DataType::Float | DataType::Int32) => 4,
        Ok(DataType::Int16 | DataType::Uint16 | DataType::Float16) => 2,
        Ok(DataType::Int8 | DataType::Uint8 | DataType::Bool) => 1,
        _ => {
            let number = tensor.data_type.to_string();
            let kind = kind.map_or(number, |kind| kind.as_str_name().to_lowercase());
            return Err(InferError::ConstantType { constant: tensor.name.clone(), kind });
        }
    })
}

/// Checks that a constant is of a known type and lies in this file, with as many values as its dims say.
fn check_tensor(tensor: &TensorProto) -> Result<(), InferError> {
    forms::check_here(tensor)?;
    let bytes = value_bytes(tensor)?;
    let raw = tensor.raw_data.len();
    let typed = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => tensor.float_data.len(),
        Ok(DataType::Double) => tensor.double_data.len(),
        Ok(DataType::Int64) => tensor.int64_data.len(),
        _ => tensor.int32_data.len(),
    };
    let values = tensor_values(tensor)?;
    let is_whole = if raw == 0 { typed == values } else { values.checked_mul(bytes) == Some(raw) };
    if is_whole { Ok(()) } else { Err(InferError::Constant(tensor.name.clone())) }
}

fn check_node(node: &NodeProto) -> Result<(), InferError> {
    let is_ours = node.domain.is_empty() || node.domain == "ai.onnx";
    if !is_ours || !OPERATORS.lines().any(|operator| operator == node.op_type) {
        return Err(InferError::Operator { node: node.name.clone(), operator: node.op_type.clone() });
    }
    if node.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty() || a.sparse_tensor.is_some()) {
        return Err(InferError::Subgraph);
    }
    let wrong = |attribute: &AttributeProto| InferError::Attribute {
        node: node.name.clone(),
        attribute: attribute.name.clone(),
    };
    let is_sound = |attribute: &AttributeProto| {
        is_bounded(attribute) && (node.op_type != "Transpose" || is_permutation(&attribute.ints))
    };
    match node.attribute.iter().find(|&attribute| !is_sound(attribute)) {
        Some(attribute) => Err(wrong(attribute)),
        None => Ok(()),
    }
}

fn is_bounded(attribute: &AttributeProto) -> bool {
    let least = match &*attribute.name {
        "kernel_shape" | "strides" | "dilations" | "group" | "blocksize" => 1,
        "pads" | "output_padding" | "output_shape" => 0,
        // i64::MAX and i64::MIN are how exporters write "to the end", as in Slice.
        _ => {
            let fits = |&v: &i64| i32::try_from(v).is_ok() || v == i64::MAX || v == i64::MIN;
            return fits(&attribute.i) && attribute.ints.iter().all(fits);
        }
    };
    let fits = |v: &i64| (least..=MAX_WINDOW).contains(v);
    attribute.ints.iter().all(fits)
        && (attribute.name != "group" && attribute.name != "blocksize" || fits(&attribute.i))
}

/// Whether each axis is named once. tract moves axes until each is in its place, and never ends where one cannot be.
fn is_permutation(axes: &[i64]) -> bool {
    axes.len() <= MAX_RANK && (0..).zip(axes).all(|(axis, _)| axes.contains(&axis))
}

/// Checks that each node comes after those that it reads from, as ONNX asks for, and that no value is made twice.
/// `constants` are the names of those that are not in the decoded graph.
pub(crate) fn check_sequence(graph: &GraphProto, constants: &[&str]) -> Result<(), InferError> {
    let inputs = graph.input.iter().map(|input| input.name.as_str());
    let held = graph.initializer.iter().map(|tensor| &*tensor.name);
    let mut known: BTreeSet<&str> = inputs.chain(held).chain(constants.iter().copied()).collect();
    for node in &graph.node {
        let is_known = node.input.iter().all(|input| input.is_empty() || known.contains(input.as_str()));
        let mut outputs = node.output.iter().filter(|output| !output.is_empty());
        if !is_known || !outputs.all(|output| known.insert(output)) {
            return Err(InferError::Order(node.name.clone()));
        }
    }
    Ok(())
}

/// Checks that each node comes after those that it reads from, that no value is made twice, and that every node but
/// the few of [`OF_CONSTANTS`] depends on the input: tract computes what does not while it prepares the graph.
fn check_order(graph: &GraphProto) -> Result<(), InferError> {
    // How many values each constant has; `None` for what depends on the input.
    let mut known: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for input in &graph.input {
        known.insert(&input.name, None);
    }
    let mut total = 0;
    for tensor in &graph.initializer {
        let values = tensor_values(tensor)?;
        add(&mut total, values)?;
        known.insert(&tensor.name, Some(values));
    }
    let mut made = BTreeSet::new();
    for node in &graph.node {
        let wrong = || InferError::Order(node.name.clone());
        let mut of_constants =
            Some(tensors(node).map(|tensor| tensor_values(tensor).unwrap_or(0)).sum::<usize>());
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            let values = *known.get(input.as_str()).ok_or_else(wrong)?;
            of_constants = of_constants.zip(values).map(|(most, values)| most.max(values));
        }
        if let Some(values) = of_constants {
            if !OF_CONSTANTS.contains(&&*node.op_type) {
                return Err(wrong());
            }
            add(&mut total, values)?;
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if !made.insert(output.as_str()) || known.insert(output, of_constants).is_some() {
                return Err(wrong());
            }
        }
    }
    match graph.output.iter().find(|output| !known.contains_key(&*output.name)) {
        Some(output) => Err(InferError::NoSuchOutput(output.name.clone())),
        None => Ok(()),
    }
}
