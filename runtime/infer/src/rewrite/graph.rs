//! A graph that passes can rewrite: nodes in order, constants by name.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Side};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};
use tract_onnx::prelude::f16;

use super::int8::Int8;
use crate::error::InferError;
use crate::limits::MAX_CONSTANT_VALUES;
use crate::onnx::node::{DEQUANTIZE, tensor_type, tensor_type_mut};
use crate::onnx::{checks, forms};

/// The version of the operator set that is written where every operator of the rewritten graph means the same in it.
pub(super) const PLAIN_OPSET: i64 = 13;
/// The file format's version that came with that operator set.
const PLAIN_IR: i64 = 7;
/// Operators that mean the same from [`PLAIN_OPSET`] to 21, in the ways in which a rewritten graph uses them.
const PLAIN_OPERATORS: [&str; 25] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Conv",
    DEQUANTIZE,
    "Div",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "LeakyRelu",
    "MatMul",
    "Max",
    "MaxPool",
    "Mul",
    "Neg",
    "PRelu",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Softmax",
    "Sub",
    "Tanh",
    "Transpose",
];

/// Operators that passes remove or rewrite. ONNX gives each one output; a file with a second one is refused, since
/// nothing would compute that after a pass.
const OF_ONE_OUTPUT: [&str; 11] =
    ["Constant", "Conv", DEQUANTIZE, "Div", "Flatten", "Gemm", "Identity", "Mul", "PRelu", "Reshape", "Sub"];

/// The values of a constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    F32(Vec<f32>),
    F16(Vec<f16>),
    I8(Vec<i8>),
    U8(Vec<u8>),
    I64(Vec<i64>),
    /// A type that no pass looks into.
    Opaque(Box<TensorProto>),
}

/// A constant tensor.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant {
    pub(super) dims: Vec<usize>,
    pub(super) values: Values,
}

impl Constant {
    pub(super) fn new_f32(dims: &[usize], values: Vec<f32>) -> Self {
        Self { dims: dims.to_vec(), values: Values::F32(values) }
    }

    pub(super) fn f32(&self) -> Option<&[f32]> {
        if let Values::F32(values) = &self.values { Some(values) } else { None }
    }

    pub(super) fn i64(&self) -> Option<&[i64]> {
        if let Values::I64(values) = &self.values { Some(values) } else { None }
    }

    /// Reads a tensor and checks that it holds as many values as its dims say.
    pub(super) fn read(tensor: &TensorProto) -> Result<Self, InferError> {
        let broken = || InferError::Rewrite(format!("constant {:?} contradicts its own shape", tensor.name));
        let dims: Vec<usize> = tensor
            .dims
            .iter()
            .map(|&d| usize::try_from(d))
            .collect::<Result<_, _>>()
            .map_err(|_| broken())?;
        let count =
            dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= MAX_CONSTANT_VALUES);
        let count = count.ok_or_else(broken)?;
        forms::check_here(tensor)?;
        let raw = &tensor.raw_data;
        let values = match DataType::try_from(tensor.data_type) {
            Ok(DataType::Float) if raw.is_empty() => Values::F32(tensor.float_data.clone()),
            Ok(DataType::Float) => Values::F32(numbers(raw, f32::from_le_bytes)),
            Ok(DataType::Float16) if raw.is_empty() => {
                Values::F16(tensor.int32_data.iter().map(|&v| f16::from_bits(v as u16)).collect())
            }
            Ok(DataType::Float16) => Values::F16(numbers(raw, f16::from_le_bytes)),
            Ok(DataType::Int64) if raw.is_empty() => Values::I64(tensor.int64_data.clone()),
            Ok(DataType::Int64) => Values::I64(numbers(raw, i64::from_le_bytes)),
            Ok(DataType::Int8) if raw.is_empty() => {
                Values::I8(tensor.int32_data.iter().map(|&v| v as i8).collect())
            }
            Ok(DataType::Int8) => Values::I8(numbers(raw, i8::from_le_bytes)),
            Ok(DataType::Uint8) if raw.is_empty() => {
                Values::U8(tensor.int32_data.iter().map(|&v| v as u8).collect())
            }
            Ok(DataType::Uint8) => Values::U8(raw.clone()),
            _ => return Ok(Self { dims, values: Values::Opaque(Box::new(tensor.clone())) }),
        };
        let found = match &values {
            Values::F32(v) => v.len(),
            Values::F16(v) => v.len(),
            Values::I8(v) => v.len(),
            Values::U8(v) => v.len(),
            Values::I64(v) => v.len(),
            Values::Opaque(_) => count,
        };
        if found == count { Ok(Self { dims, values }) } else { Err(broken()) }
    }

    fn write(&self, name: &str) -> TensorProto {
        let (kind, raw_data) = match &self.values {
            Values::F32(v) => (DataType::Float, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::F16(v) => (DataType::Float16, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::I64(v) => (DataType::Int64, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::I8(v) => (DataType::Int8, v.iter().map(|&v| v as u8).collect()),
            Values::U8(v) => (DataType::Uint8, v.clone()),
            Values::Opaque(tensor) => return TensorProto { name: name.to_owned(), ..(**tensor).clone() },
        };
        let dims = self.dims.iter().map(|&d| d as i64).collect();
        TensorProto {
            name: name.to_owned(),
            dims,
            data_type: kind as i32,
            raw_data,
            ..TensorProto::default()
        }
    }
}

fn check_outputs(node: &NodeProto) -> Result<(), InferError> {
    let NodeProto { name, op_type, output, .. } = node;
    if OF_ONE_OUTPUT.contains(&&**op_type) && output.len() != 1 {
        let count = output.len();
        return Err(InferError::Rewrite(format!("{op_type} {name:?} has {count} outputs, not one")));
    }
    Ok(())
}

fn numbers<const N: usize, T>(raw: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    // Bytes that are no whole number of values give none, which the caller refuses as a wrong count.
    let (chunks, rest) = raw.as_chunks::<N>();
    if rest.is_empty() { chunks.iter().map(|&chunk| read(chunk)).collect() } else { Vec::new() }
}

/// A model, opened for rewriting.
pub(super) struct Graph {
    model: ModelProto,
    /// The operator set that its nodes are written in.
    pub(super) opset: i64,
    /// Each node after those that it reads from.
    pub(super) nodes: Vec<NodeProto>,
    pub(super) constants: BTreeMap<String, Constant>,
    /// The codes of those constants that are int8 in the file.
    pub(super) int8: BTreeMap<String, Int8>,
    /// Names of the true inputs.
    pub(super) inputs: Vec<String>,
    /// Names of the outputs.
    pub(super) outputs: Vec<String>,
    pub(super) inputs_dropped: usize,
    /// Values of the constants that passes made.
    made: usize,
}

impl Graph {
    pub(super) fn decode(onnx: &[u8]) -> Result<Self, InferError> {
        let mut model = checks::decode(onnx)?;
        let opset = forms::opset(&model);
        let graph =
            model.graph.as_mut().ok_or_else(|| InferError::NotOnnx("it holds no graph".to_owned()))?;
        graph.node.iter().try_for_each(check_outputs)?;
        let mut constants = BTreeMap::new();
        for tensor in std::mem::take(&mut graph.initializer) {
            constants.insert(tensor.name.clone(), Constant::read(&tensor)?);
        }
        let before = graph.input.len();
        let read: BTreeSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
        graph.input.retain(|input| read.contains(&input.name) && !constants.contains_key(&input.name));
        let inputs_dropped = before - graph.input.len();
        let inputs = graph.input.iter().map(|input| input.name.clone()).collect();
        let outputs = graph.output.iter().map(|output| output.name.clone()).collect();
        let nodes = std::mem::take(&mut graph.node);
        Ok(Self {
            model,
            opset,
            nodes,
            constants,
            int8: BTreeMap::new(),
            inputs,
            outputs,
            inputs_dropped,
            made: 0,
        })
    }

    /// Adds a constant that a pass has computed. Refuses more than [`MAX_CONSTANT_VALUES`] values of such constants,
    /// since each could be larger than the last.
    pub(super) fn make(&mut self, name: &str, constant: Constant) -> Result<(), InferError> {
        self.made = self.made.saturating_add(constant.dims.iter().product());
        if self.made > MAX_CONSTANT_VALUES {
            return Err(InferError::TooMuch { what: "values of constants", most: MAX_CONSTANT_VALUES });
        }
        self.constants.insert(name.to_owned(), constant);
        Ok(())
    }

    /// Computes nodes of constants, and drops those that `compute` gives a constant for; returns how many.
    pub(super) fn replace(
        &mut self,
        mut compute: impl FnMut(&Self, &NodeProto) -> Result<Option<Constant>, InferError>,
    ) -> Result<usize, InferError> {
        let nodes = std::mem::take(&mut self.nodes);
        let before = nodes.len();
        for node in nodes {
            match (compute(self, &node)?, node.output.first()) {
                (Some(constant), Some(output)) => self.make(output, constant)?,
                _ => self.nodes.push(node),
            }
        }
        Ok(before - self.nodes.len())
    }

    /// Whether nothing has this name yet.
    pub(super) fn is_free(&self, name: &str) -> bool {
        let is_taken = self.constants.contains_key(name)
            || self.inputs.iter().any(|input| input == name)
            || self.producer(name).is_some();
        !is_taken
    }

    /// The constant that input `index` of a node is fed with.
    pub(super) fn constant(&self, node: &NodeProto, index: usize) -> Option<&Constant> {
        self.constants.get(node.input.get(index)?)
    }

    pub(super) fn constant_f32(&self, node: &NodeProto, index: usize) -> Option<&[f32]> {
        self.constant(node, index)?.f32()
    }

    /// The node that makes `name`.
    pub(super) fn producer(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.output.iter().any(|output| output == name))
    }

    /// The only reader of `name`, where there is exactly one and `name` is no output of the graph.
    pub(super) fn only_reader(&self, name: &str) -> Option<usize> {
        if self.outputs.iter().any(|output| output == name) {
            return None;
        }
        let reads = |node: &NodeProto| node.input.iter().filter(|input| *input == name).count();
        let mut readers = self.nodes.iter().enumerate().filter(|(_, node)| reads(node) > 0);
        let (index, node) = readers.next()?;
        (readers.next().is_none() && reads(node) == 1).then_some(index)
    }

    /// Lets every reader of `old` read `new`.
    pub(super) fn rename_readers(&mut self, old: &str, new: &str) {
        let inputs = self.nodes.iter_mut().flat_map(|node| node.input.iter_mut());
        inputs.filter(|input| *input == old).for_each(|input| new.clone_into(input));
    }

    /// What the file declares of its inputs and outputs.
    pub(super) fn declared(&mut self) -> impl Iterator<Item = &mut ValueInfoProto> {
        self.model.graph.iter_mut().flat_map(|graph| graph.input.iter_mut().chain(&mut graph.output))
    }

    /// Whether an input is declared to hold 32-bit floats.
    pub(super) fn is_float_input(&self, name: &str) -> bool {
        let input = self.model.graph.iter().flat_map(|graph| &graph.input).find(|input| input.name == name);
        input.and_then(tensor_type).is_some_and(|tensor| tensor.elem_type == DataType::Float as i32)
    }

    /// Forgets constants that nothing reads.
    pub(super) fn prune(&mut self) {
        let read: BTreeSet<&String> = self.nodes.iter().flat_map(|node| &node.input).collect();
        let outputs = &self.outputs;
        self.constants.retain(|name, _| read.contains(name) || outputs.contains(name));
        self.int8.retain(|name, _| self.constants.contains_key(name));
    }

    pub(super) fn encode(mut self) -> Vec<u8> {
        let plain = self.opset >= PLAIN_OPSET && self.nodes.iter().all(is_plain);
        let mut graph = self.model.graph.take().unwrap_or_default();
        self.nodes.iter_mut().for_each(drop_default_zeros);
        graph.node = self.nodes;
        graph.initializer = self.constants.iter().map(|(name, constant)| constant.write(name)).collect();
        free_shapes(&mut graph);
        self.model.graph = Some(graph);
        if plain {
            self.model.ir_version = PLAIN_IR;
            self.model.opset_import =
                vec![OperatorSetIdProto { domain: String::new(), version: PLAIN_OPSET }];
        }
        self.model.encode_to_vec()
    }
}

/// Attributes that are 0 where a node has none.
const DEFAULT_ZERO: [&str; 7] =
    ["allowzero", "ceil_mode", "count_include_pad", "storage_order", "training_mode", "transA", "transB"];

/// Attributes that operator sets after [`PLAIN_OPSET`] have added. Where one says what it says by default anyway, a node
/// without it means the same in all.
const LATER: [(&str, &str); 5] = [
    ("AveragePool", "dilations"),
    ("Reshape", "allowzero"),
    ("Resize", "antialias"),
    ("Resize", "axes"),
    ("Resize", "keep_aspect_ratio_policy"),
];

/// The message types used here write no zeros, so an attribute of 0 would be written without a value. OpenCV refuses
/// such a node; without the attribute it takes the default, which is 0.
fn drop_default_zeros(node: &mut NodeProto) {
    node.attribute.retain(|a| a.i != 0 || !DEFAULT_ZERO.contains(&&*a.name));
}

pub(super) fn is_plain(node: &NodeProto) -> bool {
    let later = |a: &AttributeProto| {
        let is_default = a.i == 0 && DEFAULT_ZERO.contains(&&*a.name);
        !is_default && LATER.contains(&(&*node.op_type, &*a.name))
    };
    if node.attribute.iter().any(later) {
        return false;
    }
    if node.op_type == DEQUANTIZE && node.attribute.iter().any(|a| a.name != "axis") {
        return false;
    }
    // BatchNormalization in training mode has further outputs.
    node.op_type == "Resize" || (PLAIN_OPERATORS.contains(&&*node.op_type) && node.output.len() == 1)
}

/// Replaces declared heights, widths and output shapes by names, since the pack chooses the input size. The number of
/// axes stays: other programs that run ONNX files insist on it.
fn free_shapes(graph: &mut GraphProto) {
    graph.value_info.clear();
    for input in &mut graph.input {
        for (axis, name) in dims(input).iter_mut().skip(2).zip(["height", "width"]) {
            axis.value = Some(Side::DimParam(name.to_owned()));
        }
    }
    for output in &mut graph.output {
        let name = output.name.clone();
        for (index, axis) in dims(output).iter_mut().enumerate().skip(1) {
            axis.value = Some(Side::DimParam(format!("{name}_{index}")));
        }
    }
}

fn dims(info: &mut ValueInfoProto) -> &mut [Dimension] {
    tensor_type_mut(info).and_then(|tensor| tensor.shape.as_mut()).map_or(&mut [], |shape| &mut shape.dim)
}

/// Whether an operator's result is a float where its first input is one.
pub(super) fn keeps_floats(op: &str) -> bool {
    let is_plain = op != DEQUANTIZE && PLAIN_OPERATORS.contains(&op);
    is_plain || matches!(op, "ReduceL2" | "ReduceMean" | "Squeeze")
}

/// A node without attributes, named after its output.
pub(super) fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: op.to_owned(),
        ..NodeProto::default()
    }
}
