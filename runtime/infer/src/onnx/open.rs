//! A graph opened for reading: what the plan is compiled from. Large constants stay where they are in the
//! file until they are packed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{NodeProto, TensorProto};

use super::constants;
use super::graph::{Constant, Graph, Values};
use super::wire::{Wire, fields, varints, write};
use crate::error::InferError;
use crate::net::MAX_ONNX_BYTES;

/// Constants up to this many bytes are read at once: biases, slopes and shapes among them.
const SMALL: usize = 64 << 10;
/// `ModelProto.graph`, `GraphProto.initializer`; `TensorProto`'s dims, `data_type`, name, `raw_data`.
const GRAPH: u8 = 7;
const INITIALIZER: u64 = 5;
const DIMS: u64 = 1;
const DATA_TYPE: u64 = 2;
const NAME: u64 = 8;
const RAW_DATA: u64 = 9;

/// A constant's values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers<'a> {
    F32(Vec<f32>),
    /// Little-endian f32, as many as the dims say.
    Raw(&'a [u8]),
    I64(Vec<i64>),
    /// Of another type.
    Other,
}

/// A constant; `dims` and the numbers agree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor<'a> {
    pub(crate) dims: Vec<usize>,
    pub(crate) numbers: Numbers<'a>,
}

impl Tensor<'_> {
    /// The values, where they are f32.
    pub(crate) fn f32s(&self) -> Option<Cow<'_, [f32]>> {
        match &self.numbers {
            Numbers::F32(values) => Some(Cow::Borrowed(values)),
            Numbers::Raw(bytes) => {
                Some(bytes.as_chunks::<4>().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect())
            }
            _ => None,
        }
    }
}

/// A decoded graph.
pub(crate) struct Opened<'a> {
    pub(crate) nodes: Vec<NodeProto>,
    pub(crate) constants: BTreeMap<String, Tensor<'a>>,
    /// The inputs that some node reads.
    pub(crate) inputs: Vec<String>,
    /// Declared inputs that no node reads.
    pub(crate) inputs_dropped: usize,
    pub(crate) outputs: Vec<String>,
    /// Version of the standard operators; 0 where the file names none, or any other domain beside it.
    pub(crate) opset: i64,
}

/// Decodes a file.
///
/// # Errors
/// When the bytes are no ONNX file or a constant contradicts its own shape.
pub(crate) fn open(onnx: &[u8]) -> Result<Opened<'_>, InferError> {
    if onnx.is_empty() || onnx.len() > MAX_ONNX_BYTES {
        return Err(InferError::FileSize(onnx.len()));
    }
    crate::wire::check(onnx)?;
    let broken = || InferError::Rewrite("no ONNX: its fields break off".to_owned());
    let (rest, initializers) = split(onnx).ok_or_else(broken)?;
    let mut graph = Graph::decode_part(&rest)?;
    constants::absorb(&mut graph)?;
    let opset = match graph.operator_sets() {
        [only] if only.domain.is_empty() || only.domain == "ai.onnx" => only.version,
        _ => 0,
    };
    let absorbed = std::mem::take(&mut graph.constants);
    let mut constants: BTreeMap<String, Tensor<'_>> =
        absorbed.into_iter().map(|(name, constant)| (name, plain(constant))).collect();
    for message in initializers {
        let (name, tensor) = tensor(message)?;
        if constants.insert(name, tensor).is_some() {
            return Err(InferError::Rewrite("two constants of one name".to_owned()));
        }
    }
    Ok(Opened {
        constants,
        nodes: std::mem::take(&mut graph.nodes),
        inputs: std::mem::take(&mut graph.inputs),
        inputs_dropped: graph.inputs_dropped,
        outputs: std::mem::take(&mut graph.outputs),
        opset,
    })
}

/// The file without its initializers, and these.
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

fn tensor(message: &[u8]) -> Result<(String, Tensor<'_>), InferError> {
    if message.len() > SMALL
        && let Some(large) = large(message)
    {
        return Ok(large);
    }
    let decoded = TensorProto::decode(message).map_err(|e| InferError::Rewrite(format!("no ONNX: {e}")))?;
    let constant = Constant::read(&decoded)?;
    Ok((decoded.name, plain(constant)))
}

/// A tensor of f32 in raw bytes, and nothing else beside name and shape.
fn large(message: &[u8]) -> Option<(String, Tensor<'_>)> {
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
    let dims: Vec<usize> = dims.into_iter().map(usize::try_from).collect::<Result<_, _>>().ok()?;
    let bytes = dims.iter().try_fold(4_usize, |n, &side| n.checked_mul(side))?;
    let raw = raw.filter(|raw| kind == DataType::Float as u64 && raw.len() == bytes)?;
    Some((name.to_owned(), Tensor { dims, numbers: Numbers::Raw(raw) }))
}

fn plain(constant: Constant) -> Tensor<'static> {
    let numbers = match constant.values {
        Values::F32(values) => Numbers::F32(values),
        Values::I64(values) => Numbers::I64(values),
        _ => Numbers::Other,
    };
    Tensor { dims: constant.dims, numbers }
}
