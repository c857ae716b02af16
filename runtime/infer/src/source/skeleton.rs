//! A file without its weights: tract is told their shapes alone, and they stay in the file until they are packed.
//! tract would copy them several times while it reads and simplifies the graph.

use std::collections::{BTreeMap, BTreeSet};

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Side};
use tract_onnx::pb::type_proto::{Tensor, Value};
use tract_onnx::pb::{GraphProto, ModelProto, TensorShapeProto, TypeProto, ValueInfoProto};

use crate::codes::Codes;
use crate::error::InferError;
use crate::graph::Values;
use crate::limits::MAX_CONSTANT_VALUES;
use crate::onnx::fields::{Wire, fields, varints, write};
use crate::onnx::node::DEQUANTIZE;
use crate::onnx::{checks, coded};

/// Numbers of ONNX's fields: `graph` of a model, `initializer` of a graph; a tensor's `dims`, `data_type`, `name` and
/// `raw_data`.
const GRAPH: u8 = 7;
const INITIALIZER: u64 = 5;
const DIMS: u64 = 1;
const DATA_TYPE: u64 = 2;
const NAME: u64 = 8;
const RAW_DATA: u64 = 9;

/// A graph whose weights have become inputs, which follow those that it had.
pub(crate) struct Skeleton<'a> {
    pub(crate) proto: ModelProto,
    /// The weights of these inputs, in their order.
    pub(crate) weights: Vec<Values<'a>>,
}

/// Decodes a file, but for those constants that are only ever read as weights of convolutions and products.
///
/// # Errors
/// As [`checks::decode`], and where two constants have one name.
pub(crate) fn open(onnx: &[u8]) -> Result<Skeleton<'_>, InferError> {
    checks::check_file(onnx)?;
    let broken = || InferError::NotOnnx("its fields break off".to_owned());
    let twice = || InferError::NotOnnx("two constants have one name".to_owned());
    let (rest, initializers) = split(onnx).ok_or_else(broken)?;
    let mut proto: ModelProto = checks::decode_fields(&rest)?;
    let graph = proto.graph.as_mut().ok_or_else(broken)?;
    let roles = only_weights(graph);
    let read: Vec<Option<Raw<'_>>> = initializers.iter().map(|message| Raw::read(message)).collect();
    let raw: BTreeMap<&str, &Raw<'_>> = read.iter().flatten().map(|raw| (raw.name, raw)).collect();
    let coded = coded_weights(graph, &roles, &raw);
    let data: BTreeSet<&str> = coded.values().map(|one| one.data).collect();
    let mut floats = Vec::new();
    let mut dropped = Vec::new();
    for (&message, raw) in initializers.iter().zip(&read) {
        match raw {
            Some(raw) if data.contains(raw.name) => dropped.push(raw.name),
            Some(raw) if raw.floats().is_some() && roles.contains(raw.name) => floats.push(raw),
            _ => graph.initializer.push(checks::decode_fields(message)?),
        }
    }
    if dropped.len() != data.len() {
        return Err(twice());
    }
    // Before nodes are taken out, so that none vanishes that is refused elsewhere.
    let outside: Vec<&str> = floats.iter().map(|raw| raw.name).chain(dropped).collect();
    checks::check_sequence(graph, &outside)?;
    // Older files declare constants as inputs, too.
    graph.input.retain(|input| !data.contains(&*input.name));
    graph.node.retain(|node| !node.output.first().is_some_and(|made| coded.contains_key(made)));
    let stored = floats.iter().filter_map(|raw| Some((raw.name, &raw.dims, Values::Stored(raw.floats()?))));
    let codes = coded.iter().map(|(name, one)| (&**name, &one.dims, Values::Coded(one.codes)));
    let (mut inputs, mut weights, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (name, dims, values) in stored.chain(codes) {
        inputs.push(declared(name, dims));
        weights.push(values);
        names.insert(name.to_owned());
    }
    let taken = names.len();
    names.extend(graph.initializer.iter().map(|tensor| tensor.name.clone()));
    if taken != weights.len() || names.len() != taken + graph.initializer.len() {
        return Err(twice());
    }
    graph.input.retain(|input| !names.contains(&input.name));
    graph.input.append(&mut inputs);
    checks::check_model(&proto)?;
    coded::fold(&mut proto)?;
    Ok(Skeleton { proto, weights })
}

/// The names of values that nodes read as weights and in no other role.
fn only_weights(graph: &GraphProto) -> BTreeSet<String> {
    let mut roles: BTreeMap<&str, bool> = BTreeMap::new();
    for node in &graph.node {
        let multiplies = matches!(&*node.op_type, "Conv" | "Gemm" | "MatMul");
        for (at, name) in node.input.iter().enumerate() {
            let as_weights = multiplies && at == 1;
            roles.entry(name).and_modify(|only| *only &= as_weights).or_insert(as_weights);
        }
    }
    for output in &graph.output {
        roles.remove(&*output.name);
    }
    roles.into_iter().filter(|&(_, only)| only).map(|(name, _)| name.to_owned()).collect()
}

fn declared(name: &str, dims: &[i64]) -> ValueInfoProto {
    let side = |&side| Dimension { value: Some(Side::DimValue(side)), ..Dimension::default() };
    let shape = Some(TensorShapeProto { dim: dims.iter().map(side).collect() });
    let tensor = Tensor { elem_type: DataType::Float as i32, shape };
    let r#type = Some(TypeProto { value: Some(Value::TensorType(tensor)), ..TypeProto::default() });
    ValueInfoProto { name: name.to_owned(), r#type, ..ValueInfoProto::default() }
}

/// The file's bytes without its initializers, and the bytes of each initializer.
fn split(onnx: &[u8]) -> Option<(Vec<u8>, Vec<&[u8]>)> {
    let (mut rest, mut initializers) = (Vec::new(), Vec::new());
    let mut graphs = 0;
    for field in fields(onnx) {
        let field = field?;
        match field.value {
            Wire::Bytes(graph) if field.number == u64::from(GRAPH) => {
                graphs += 1;
                let mut others = Vec::new();
                for field in fields(graph) {
                    let field = field?;
                    match field.value {
                        Wire::Bytes(message) if field.number == INITIALIZER => initializers.push(message),
                        _ => others.extend_from_slice(field.whole),
                    }
                }
                write(GRAPH, &others, &mut rest);
            }
            _ => rest.extend_from_slice(field.whole),
        }
    }
    (graphs == 1).then_some((rest, initializers))
}

/// Weights behind a `DequantizeLinear`.
struct Coded<'a> {
    /// The name of the constant that holds the codes.
    data: &'a str,
    dims: Vec<i64>,
    codes: Codes<'a>,
}

/// The weights, by name, that are made of int8 codes which nothing else reads. What is left to others: zero points
/// other than 0, and constants that are not written as bytes.
fn coded_weights<'a>(
    graph: &GraphProto,
    roles: &BTreeSet<String>,
    raw: &BTreeMap<&str, &Raw<'a>>,
) -> BTreeMap<String, Coded<'a>> {
    let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
    for name in graph.node.iter().flat_map(|node| &node.input) {
        *readers.entry(name).or_default() += 1;
    }
    let shown: BTreeSet<&String> = graph.output.iter().map(|output| &output.name).collect();
    let mut left = MAX_CONSTANT_VALUES;
    let mut found = BTreeMap::new();
    for node in graph.node.iter().filter(|node| node.op_type == DEQUANTIZE) {
        let ([made], [data, scale, zero @ ..]) = (&*node.output, &*node.input) else { continue };
        if !roles.contains(made) || readers.get(&**data) != Some(&1) || shown.contains(data) {
            continue;
        }
        let zero = zero.iter().filter(|name| !name.is_empty());
        let plain = zero.into_iter().all(|zero| raw.get(&**zero).is_some_and(|zero| zero.is_zero()));
        let coded = raw.get(&**data).zip(raw.get(&**scale)).filter(|_| plain).and_then(|(data, scale)| {
            let (codes, scales) = (data.codes()?, scale.floats()?);
            let run = coded::values_of_a_scale(node, &data.dims, scales.len())?;
            Some(Coded { data: data.name, dims: data.dims.clone(), codes: Codes { codes, scales, run } })
        });
        // Bytes of a file become four times as many: what is beyond the limit is refused where it is decoded.
        if let Some(coded) = coded.filter(|coded| coded.codes.codes.len() <= left) {
            left -= coded.codes.codes.len();
            found.insert(made.clone(), coded);
        }
    }
    found
}

/// A tensor that holds its values as raw bytes and has no other fields.
struct Raw<'a> {
    name: &'a str,
    dims: Vec<i64>,
    kind: u64,
    /// How many values the dims ask for; at least 1.
    values: usize,
    bytes: &'a [u8],
}

impl<'a> Raw<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let (mut name, mut dims, mut kind, mut raw) = ("", Vec::new(), 0, None);
        for field in fields(message) {
            let field = field?;
            match (field.number, field.value) {
                (DIMS, Wire::Varint(side)) => dims.push(side),
                (DIMS, Wire::Bytes(packed)) => dims.extend(varints(packed)?),
                (DATA_TYPE, Wire::Varint(found)) => kind = found,
                (NAME, Wire::Bytes(bytes)) => name = std::str::from_utf8(bytes).ok()?,
                (RAW_DATA, Wire::Bytes(bytes)) => raw = Some(bytes),
                _ => return None,
            }
        }
        let dims: Vec<i64> = dims.into_iter().map(i64::try_from).collect::<Result<_, _>>().ok()?;
        let side = |&side| usize::try_from(side).ok().filter(|&side| side > 0);
        let values = dims.iter().try_fold(1_usize, |n, i| n.checked_mul(side(i)?))?;
        Some(Self { name, dims, kind, values, bytes: raw? })
    }

    /// Little-endian f32, the last axis fastest.
    fn floats(&self) -> Option<&'a [[u8; 4]]> {
        let is_whole = self.values.checked_mul(4) == Some(self.bytes.len());
        (self.kind == DataType::Float as u64 && is_whole).then_some(self.bytes.as_chunks().0)
    }

    /// An i8 in each byte.
    fn codes(&self) -> Option<&'a [u8]> {
        (self.kind == DataType::Int8 as u64 && self.values == self.bytes.len()).then_some(self.bytes)
    }

    /// Whether it is int8 and 0 throughout.
    fn is_zero(&self) -> bool {
        self.codes().is_some_and(|codes| codes.iter().all(|&code| code == 0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use prost::Message;
    use tract_onnx::pb::{NodeProto, OperatorSetIdProto, TensorProto};

    use super::*;

    fn weights(name: &str) -> TensorProto {
        let values: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let data_type = DataType::Float as i32;
        TensorProto {
            name: name.into(),
            dims: vec![2, 3],
            data_type,
            raw_data: values,
            ..TensorProto::default()
        }
    }

    fn node(op_type: &str, input: &[&str], output: &str) -> NodeProto {
        let input = input.iter().map(|&name| name.to_owned()).collect();
        let (op_type, output) = (op_type.to_owned(), vec![output.to_owned()]);
        NodeProto { op_type, input, output, ..NodeProto::default() }
    }

    fn file(node: Vec<NodeProto>, initializer: Vec<TensorProto>, input: Vec<ValueInfoProto>) -> Vec<u8> {
        let output = vec![declared("y", &[2, 3])];
        let graph = GraphProto { node, initializer, input, output, ..GraphProto::default() };
        let opset_import = vec![OperatorSetIdProto { version: 13, ..OperatorSetIdProto::default() }];
        ModelProto { opset_import, graph: Some(graph), ..ModelProto::default() }.encode_to_vec()
    }

    fn names(skeleton: &Skeleton<'_>) -> Vec<String> {
        let graph = skeleton.proto.graph.as_ref().unwrap();
        graph.input.iter().map(|input| input.name.clone()).collect()
    }

    #[test]
    fn weights_stay_in_the_file_and_what_else_is_read_does_not() {
        let nodes = vec![
            node("MatMul", &["x", "w"], "a"),
            node("MatMul", &["a", "twice"], "b"),
            node("Add", &["b", "twice"], "c"),
            node("Mul", &["c", "slopes"], "y"),
        ];
        let constants = vec![weights("w"), weights("twice"), weights("slopes")];
        // As in files before IR version 4, where constants are inputs, too.
        let inputs = vec![declared("x", &[2, 2]), declared("w", &[2, 3]), declared("slopes", &[2, 3])];
        let file = file(nodes, constants, inputs);
        let skeleton = open(&file).unwrap();
        assert_eq!(names(&skeleton), ["x", "w"]);
        assert_eq!(skeleton.weights.len(), 1);
        let stored = [0.0_f32, 1.0, 2.0, 3.0, 4.0, 5.0].map(f32::to_le_bytes);
        assert_eq!(skeleton.weights[0], Values::Stored(&stored));
        assert_eq!(skeleton.proto.graph.unwrap().initializer.len(), 2);
    }

    #[test]
    fn two_constants_of_one_name_are_refused() {
        let nodes = vec![node("MatMul", &["x", "w"], "y")];
        let mut other = weights("w");
        for raw in [true, false] {
            if !raw {
                other.raw_data.clear();
                other.float_data = vec![0.5; 6];
            }
            let constants = vec![weights("w"), other.clone()];
            let refused = open(&file(nodes.clone(), constants, vec![declared("x", &[2, 2])])).err();
            assert!(matches!(refused, Some(InferError::NotOnnx(_))), "{refused:?}");
        }
    }

    #[test]
    fn weights_that_contradict_their_shape_are_left_to_the_checks() {
        let nodes = vec![node("MatMul", &["x", "w"], "y")];
        let mut short = weights("w");
        short.raw_data.pop();
        let file = file(nodes, vec![short], vec![declared("x", &[2, 2])]);
        let skeleton = open(&file).unwrap();
        assert!(skeleton.weights.is_empty());
        assert!(matches!(checks::check(&skeleton.proto), Err(InferError::Constant(_))));
    }
}
