//! Writing graph files, where packs are made, and checking them, where packs are taken in.

use std::convert::Infallible;

use super::declutter::simple;
use super::stored::{CODED, Group, NAME, Place, Size, Stored, StoredNode, VERSION, open, stored_graph};
use crate::codes::Codes;
use crate::error::InferError;
use crate::graph::{Node, Values};
use crate::spec::NetSpec;
use crate::watcher::Watcher;

/// Reads a network at each of these input shapes and writes down what the plan starts from.
///
/// # Errors
/// As [`Net::load`](crate::Net::load) with [`EngineChoice::Plan`](crate::EngineChoice::Plan).
pub fn write_graphs(onnx: &[u8], outputs: &[&str], inputs: &[[usize; 4]]) -> Result<Vec<u8>, InferError> {
    let mut groups: Vec<Group<Vec<u8>>> = Vec::new();
    for &input in inputs {
        let read = simple(onnx, &NetSpec { input, outputs }, &Watcher::default())?;
        let graph = read.graph(input)?;
        let nodes: Vec<_> = graph.nodes.iter().map(|node| StoredNode::of(node, onnx)).collect();
        let size = Size { input, outputs: graph.outputs };
        match groups.iter_mut().find(|group| group.nodes == nodes) {
            Some(group) => group.sizes.push(size),
            None => groups.push(Group { nodes, sizes: vec![size] }),
        }
    }
    let names = outputs.iter().map(|&name| name.to_owned()).collect();
    let stored = Stored { onnx: onnx.len(), outputs: names, groups };
    let version = if stored.is_coded() { CODED } else { VERSION };
    let begin = [&NAME[..], &[version]].concat();
    let graphs = postcard::to_extend(&stored, begin).map_err(|error| InferError::Graph(error.to_string()))?;
    // Reads the file back as a device will, so that what a device would refuse is refused here.
    for &input in inputs {
        stored_graph(onnx, &graphs, &NetSpec { input, outputs })?;
    }
    Ok(graphs)
}

/// Checks that `graphs` is what [`write_graphs`] makes of the same ONNX file. A file of another version passes:
/// nothing reads it.
///
/// # Errors
/// [`InferError::OtherGraph`] where it does not; as [`write_graphs`].
pub fn check_graphs(onnx: &[u8], outputs: &[&str], graphs: &[u8]) -> Result<(), InferError> {
    let Some(stored) = open(graphs)? else { return Ok(()) };
    let sizes = stored.groups.iter().flat_map(|group| &group.sizes);
    let inputs: Vec<[usize; 4]> = sizes.map(|size| size.input).collect();
    if write_graphs(onnx, outputs, &inputs)? == graphs { Ok(()) } else { Err(InferError::OtherGraph) }
}

impl StoredNode<Vec<u8>> {
    fn of(node: &Node<'_>, onnx: &[u8]) -> Self {
        let Ok(op) = node.op.clone().try_map(|values| Ok::<_, Infallible>(Place::of(values, onnx)));
        Self(node.name.clone(), op, node.inputs.clone())
    }
}

impl Place<Vec<u8>> {
    fn of(values: Values<'_>, onnx: &[u8]) -> Self {
        match values {
            Values::Seen(values) => Self::Here(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Values::Stored(values) => {
                Self::InOnnx { at: offset(values.as_ptr().addr(), onnx), len: values.len() }
            }
            Values::Coded(Codes { codes, scales, run }) => Self::CodedInOnnx {
                at: offset(codes.as_ptr().addr(), onnx),
                len: codes.len(),
                scales_at: offset(scales.as_ptr().addr(), onnx),
                scales: scales.len(),
                run,
            },
        }
    }
}

/// Of bytes that lie in the ONNX file.
fn offset(address: usize, onnx: &[u8]) -> usize {
    address - onnx.as_ptr().addr()
}
