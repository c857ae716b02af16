//! Constants that lie in other files ("external data") are taken into the network's own file.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use tract_onnx::pb::{ModelProto, TensorProto};

use crate::error::{Elsewhere, InferError};
use crate::limits::MAX_ONNX_BYTES;
use crate::onnx::checks;

/// `data_location` of a tensor whose values lie in another file.
const EXTERNAL: i32 = 1;
/// Longest name of a file, as on most systems.
const MAX_NAME: usize = 255;

/// The names of the files in which constants of a network lie, each once; empty where all lie in its own. Each is the
/// plain name of a file: nothing outside the network's folder is ever read.
///
/// # Errors
/// When the bytes are no ONNX file, or name a file elsewhere.
pub fn data_files(onnx: &[u8]) -> Result<Vec<String>, InferError> {
    let mut model = checks::decode(onnx)?;
    let mut files = BTreeSet::new();
    for tensor in tensors(&mut model).filter(|tensor| is_external(tensor)) {
        files.insert(location(tensor)?.to_owned());
    }
    Ok(files.into_iter().collect())
}

/// The same network as one file. `files` holds those that [`data_files`] names; together with the network, they may
/// have [`MAX_ONNX_BYTES`].
///
/// # Errors
/// As [`data_files`]; also when a file is not there, or ends before a constant does.
pub fn merge(onnx: &[u8], files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, InferError> {
    let mut model = checks::decode(onnx)?;
    // Several constants may lie in the same bytes, so the files' sizes bound nothing.
    let mut left = MAX_ONNX_BYTES.saturating_sub(onnx.len());
    let too_much = InferError::TooMuch { what: "bytes with its files", most: MAX_ONNX_BYTES };
    for tensor in tensors(&mut model).filter(|tensor| is_external(tensor)) {
        let bytes = values(tensor, files)?;
        left = left.checked_sub(bytes.len()).ok_or_else(|| too_much.clone())?;
        tensor.raw_data = bytes.to_vec();
        tensor.external_data.clear();
        tensor.data_location = None;
    }
    Ok(model.encode_to_vec())
}

fn tensors(model: &mut ModelProto) -> impl Iterator<Item = &mut TensorProto> {
    let (constants, nodes) = match &mut model.graph {
        Some(graph) => (graph.initializer.as_mut_slice(), graph.node.as_mut_slice()),
        None => (&mut [][..], &mut [][..]),
    };
    let attributes = nodes.iter_mut().flat_map(|node| &mut node.attribute);
    constants
        .iter_mut()
        .chain(attributes.flat_map(|attribute| attribute.t.iter_mut().chain(&mut attribute.tensors)))
}

fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(EXTERNAL) || !tensor.external_data.is_empty()
}

/// The bytes of a constant in its file.
fn values<'a>(tensor: &TensorProto, files: &'a BTreeMap<String, Vec<u8>>) -> Result<&'a [u8], InferError> {
    let file = files.get(location(tensor)?).ok_or_else(|| refused(tensor, Elsewhere::Absent))?;
    // A product of a bounded number: it fits.
    let expected = checks::tensor_values(tensor)? * checks::value_bytes(tensor)?;
    let offset = number(tensor, "offset")?.unwrap_or(0);
    let found = number(tensor, "length")?.unwrap_or(expected);
    if found != expected {
        return Err(refused(tensor, Elsewhere::Length { found, expected }));
    }
    let range = offset.checked_add(expected).and_then(|end| file.get(offset..end));
    range.ok_or_else(|| refused(tensor, Elsewhere::Ends(file.len())))
}

fn location(tensor: &TensorProto) -> Result<&str, InferError> {
    let name = entry(tensor, "location").unwrap_or_default();
    let is_plain = (1..=MAX_NAME).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\', ':'])
        && !name.contains(char::is_control);
    if is_plain { Ok(name) } else { Err(refused(tensor, Elsewhere::NotPlain)) }
}

fn number(tensor: &TensorProto, key: &'static str) -> Result<Option<usize>, InferError> {
    let text = entry(tensor, key);
    text.map(|text| text.parse().map_err(|_| refused(tensor, Elsewhere::NoNumber(key)))).transpose()
}

fn entry<'a>(tensor: &'a TensorProto, key: &str) -> Option<&'a str> {
    tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &*entry.value)
}

fn refused(tensor: &TensorProto, why: Elsewhere) -> InferError {
    let file = entry(tensor, "location").unwrap_or_default().to_owned();
    InferError::Elsewhere { constant: tensor.name.clone(), file, why }
}
