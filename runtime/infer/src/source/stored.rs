//! Graphs as tract has read and decluttered them, in a file of their own beside the ONNX file: a network that has one
//! starts without tract.
//!
//! | bytes | what they are |
//! |---|---|
//! | 0..8 | `arcgraph` |
//! | 8 | the version of what follows, [`VERSION`], or [`CODED`] where weights are int8 |
//! | 9.. | [`Stored`], in postcard's encoding |
//!
//! Weights stay in the ONNX file; the graph file holds their position in it. For a detector's several input sizes, the
//! operators are stored once and the shapes of the outputs for each size. The file comes from outside: every operator
//! goes through `Graph::push`, which computes shapes and checks constants.

use serde::{Deserialize, Serialize};

use crate::codes::Codes;
use crate::error::InferError;
use crate::graph::{Graph, Op, Unsupported, Values, View, Why};
use crate::limits::{MAX_CONSTANT_VALUES, MAX_ONNX_BYTES};
use crate::spec::NetSpec;

/// How the file begins, before its version.
pub(super) const NAME: &[u8; 8] = b"arcgraph";
/// The version that is written, and read. Raised with every change of what operators mean or how they are written.
pub(super) const VERSION: u8 = 1;
/// The version that is written where weights are int8: programs that read no such weights leave the file aside, and
/// read the ONNX file.
pub(super) const CODED: u8 = 2;

/// The content of a graph file. `B` is a type of bytes: `Vec<u8>` to write one, `&[u8]` to read one.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored<B> {
    /// Length in bytes of the ONNX file that holds the weights.
    pub(super) onnx: usize,
    /// The outputs' names.
    pub(super) outputs: Vec<String>,
    pub(super) groups: Vec<Group<B>>,
}

/// Operators, and the input shapes for which the network consists of them.
#[derive(Serialize, Deserialize)]
pub(super) struct Group<B> {
    pub(super) nodes: Vec<StoredNode<B>>,
    pub(super) sizes: Vec<Size>,
}

/// The name of the node's result, its operator, and the numbers of the values that it reads.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct StoredNode<B>(pub(super) String, pub(super) Op<Place<B>>, pub(super) Vec<usize>);

/// One input shape, and how the outputs are read out for it.
#[derive(Serialize, Deserialize)]
pub(super) struct Size {
    pub(super) input: [usize; 4],
    pub(super) outputs: Vec<View>,
}

#[cfg(feature = "tract")]
impl<B> Stored<B> {
    /// Whether a layer's weights are int8.
    pub(super) fn is_coded(&self) -> bool {
        let nodes = self.groups.iter().flat_map(|group| &group.nodes);
        nodes
            .filter_map(|node| node.1.weights())
            .any(|weights| matches!(weights.values, Place::CodedInOnnx { .. }))
    }
}

/// Where weights are stored, as little-endian f32 or as int8.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) enum Place<B> {
    /// In the ONNX file: `len` values from the byte `at` on.
    InOnnx { at: usize, len: usize },
    /// In the graph file: values that tract has computed from others.
    Here(B),
    /// In the ONNX file: `len` codes from the byte `at` on, `scales` little-endian f32 from the byte `scales_at` on, each
    /// for `run` codes in a row.
    CodedInOnnx { at: usize, len: usize, scales_at: usize, scales: usize, run: usize },
}

/// The graph for one input shape. `None` where the file has another version, was written for other outputs, or does
/// not have this shape: then the ONNX file is to be read in its place.
///
/// # Errors
/// [`InferError::Graph`]: the file is damaged, or belongs to another network.
pub(crate) fn stored_graph<'m>(
    onnx: &'m [u8],
    graphs: &'m [u8],
    spec: &NetSpec<'_>,
) -> Result<Option<Graph<'m>>, InferError> {
    let Some(stored) = open(graphs)?.filter(|stored| stored.outputs == spec.outputs) else { return Ok(None) };
    let wrong = |why: Unsupported| InferError::Graph(why.to_string());
    if stored.onnx != onnx.len() {
        return Err(InferError::Graph("it belongs to another network".to_owned()));
    }
    for Group { nodes, sizes } in stored.groups {
        if let Some(size) = sizes.into_iter().find(|size| size.input == spec.input) {
            let graph = build(nodes, size, onnx).map_err(wrong)?;
            return if graph.outputs.len() == spec.outputs.len() {
                Ok(Some(graph))
            } else {
                Err(InferError::Graph("an output is missing".to_owned()))
            };
        }
    }
    Ok(None)
}

pub(super) fn open(graphs: &[u8]) -> Result<Option<Stored<&[u8]>>, InferError> {
    let Some([version, body @ ..]) = graphs.strip_prefix(NAME).filter(|_| graphs.len() <= MAX_ONNX_BYTES)
    else {
        return Err(InferError::Graph("it is no such file".to_owned()));
    };
    if ![VERSION, CODED].contains(version) {
        return Ok(None);
    }
    match postcard::take_from_bytes(body) {
        Ok((stored, [])) => Ok(Some(stored)),
        Ok(_) => Err(InferError::Graph("it goes on behind its end".to_owned())),
        Err(error) => Err(InferError::Graph(error.to_string())),
    }
}

fn build<'m>(nodes: Vec<StoredNode<&'m [u8]>>, size: Size, onnx: &'m [u8]) -> Result<Graph<'m>, Unsupported> {
    let mut graph = Graph::new(size.input).map_err(Unsupported::whole)?;
    for StoredNode(name, op, inputs) in nodes {
        let operator = op.name();
        let refused = |why| Unsupported { operator: operator.to_owned(), node: name.clone(), why };
        let op = op.try_map(|place| place.values(onnx).ok_or(Why::Constant("weights"))).map_err(refused)?;
        graph.push(name.clone(), op, inputs).map_err(refused)?;
    }
    graph.outputs = size.outputs;
    if graph.is_whole() { Ok(graph) } else { Err(Unsupported::whole(Why::Order)) }
}

impl<'m> Place<&'m [u8]> {
    fn values(self, onnx: &'m [u8]) -> Option<Values<'m>> {
        let within = |at: usize, len: usize| onnx.get(at..at.checked_add(len)?);
        let bytes = match self {
            Self::InOnnx { at, len } => within(at, len.checked_mul(4)?)?,
            Self::Here(bytes) => bytes,
            Self::CodedInOnnx { at, len, scales_at, scales, run } => {
                let (codes, scales) =
                    (within(at, len)?, within(scales_at, scales.checked_mul(4)?)?.as_chunks().0);
                let whole = run.checked_mul(scales.len()).filter(|&whole| whole > 0)?;
                let fits = len <= MAX_CONSTANT_VALUES && len.is_multiple_of(whole);
                return fits.then_some(Values::Coded(Codes { codes, scales, run }));
            }
        };
        let (values, rest) = bytes.as_chunks();
        rest.is_empty().then_some(Values::Stored(values))
    }
}
