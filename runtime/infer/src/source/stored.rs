//! Graphs as tract has read and decluttered them, in a file of their own beside the ONNX file: a network that has one
//! starts without tract.
//!
//! | bytes | what they are |
//! |---|---|
//! | 0..8 | `arcgraph` |
//! | 8 | the version of what follows, [`VERSION`] |
//! | 9.. | [`Stored`], in postcard's encoding |
//!
//! Weights stay in the ONNX file, and are named by their place in it. A detector's inputs of several sizes share the
//! operators and differ in the shapes of the outputs alone. The file comes from outside: all that is read goes through
//! [`Graph::push`], where shapes are computed and constants checked.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use super::checks::guarded;
use super::declutter;
use super::makers::Values;
use crate::error::InferError;
use crate::graph::graph::{Graph, Node, Op};
use crate::graph::shape::View;
use crate::graph::{Unsupported, Why};
use crate::net::{MAX_ONNX_BYTES, NetSpec};

/// How the file begins, before its version.
const NAME: &[u8; 8] = b"arcgraph";
/// Raised with every change of what operators mean or how they are written.
const VERSION: u8 = 1;

/// `B`: bytes, held or borrowed.
#[derive(Serialize, Deserialize)]
struct Stored<B> {
    /// Length of the ONNX file that weights lie in.
    onnx: usize,
    /// The outputs' names.
    outputs: Vec<String>,
    groups: Vec<Group<B>>,
}

/// Input shapes whose operators are the same.
#[derive(Serialize, Deserialize)]
struct Group<B> {
    nodes: Vec<StoredNode<B>>,
    forms: Vec<Form>,
}

/// Name, operator, and the values that it reads.
#[derive(PartialEq, Serialize, Deserialize)]
struct StoredNode<B>(String, Op<Place<B>>, Vec<usize>);

/// One input shape, and the outputs for it.
#[derive(Serialize, Deserialize)]
struct Form {
    input: [usize; 4],
    outputs: Vec<View>,
}

/// Where weights are: little-endian f32.
#[derive(PartialEq, Serialize, Deserialize)]
enum Place<B> {
    /// From this byte of the ONNX file on, so many values.
    InOnnx { at: usize, len: usize },
    /// What tract made of others.
    Here(B),
}

/// Reads a network at each of these input shapes and writes down what the plan starts from.
///
/// # Errors
/// As [`Net::load`](crate::Net::load) with [`EngineChoice::Plan`](crate::EngineChoice::Plan).
pub fn write_graphs(onnx: &[u8], outputs: &[&str], inputs: &[[usize; 4]]) -> Result<Vec<u8>, InferError> {
    let mut groups: Vec<Group<Vec<u8>>> = Vec::new();
    for &input in inputs {
        let simple = guarded(|| declutter::simple(onnx, &NetSpec { input, outputs }, &mut |_| {}))?;
        let graph = Graph::read(&simple, input)?;
        let nodes: Vec<_> = graph.nodes.iter().map(|node| StoredNode::of(node, onnx)).collect();
        let form = Form { input, outputs: graph.outputs };
        match groups.iter_mut().find(|group| group.nodes == nodes) {
            Some(group) => group.forms.push(form),
            None => groups.push(Group { nodes, forms: vec![form] }),
        }
    }
    let names = outputs.iter().map(|&name| name.to_owned()).collect();
    let stored = Stored { onnx: onnx.len(), outputs: names, groups };
    let begin = [&NAME[..], &[VERSION]].concat();
    let graphs = postcard::to_extend(&stored, begin).map_err(|error| InferError::Graph(error.to_string()))?;
    // What a device would refuse is refused here.
    for &input in inputs {
        read(onnx, &graphs, &NetSpec { input, outputs })?;
    }
    Ok(graphs)
}

/// That `graphs` holds what [`write_graphs`] makes of the same ONNX file. What another version wrote is not used, and
/// not looked at.
///
/// # Errors
/// [`InferError::OtherGraph`] where it does not; as [`write_graphs`].
pub fn check_graphs(onnx: &[u8], outputs: &[&str], graphs: &[u8]) -> Result<(), InferError> {
    let Some(stored) = open(graphs)? else { return Ok(()) };
    let forms = stored.groups.iter().flat_map(|group| &group.forms);
    let inputs: Vec<[usize; 4]> = forms.map(|form| form.input).collect();
    if write_graphs(onnx, outputs, &inputs)? == graphs { Ok(()) } else { Err(InferError::OtherGraph) }
}

/// The graph for one input shape. `None` where the file was written by an arcdoor that knew another version, for
/// other outputs, or without this shape: then the ONNX file says it all.
///
/// # Errors
/// [`InferError::Graph`]: the file is damaged, or belongs to another network.
pub(crate) fn read<'m>(
    onnx: &'m [u8],
    graphs: &'m [u8],
    spec: &NetSpec<'_>,
) -> Result<Option<Graph<'m>>, InferError> {
    let Some(stored) = open(graphs)?.filter(|stored| stored.outputs == spec.outputs) else { return Ok(None) };
    let wrong = |why: Unsupported| InferError::Graph(why.to_string());
    if stored.onnx != onnx.len() {
        return Err(InferError::Graph("it belongs to another network".to_owned()));
    }
    for Group { nodes, forms } in stored.groups {
        if let Some(form) = forms.into_iter().find(|form| form.input == spec.input) {
            let graph = build(nodes, form, onnx).map_err(wrong)?;
            return if graph.outputs.len() == spec.outputs.len() {
                Ok(Some(graph))
            } else {
                Err(InferError::Graph("an output is missing".to_owned()))
            };
        }
    }
    Ok(None)
}

fn open(graphs: &[u8]) -> Result<Option<Stored<&[u8]>>, InferError> {
    let Some([version, body @ ..]) = graphs.strip_prefix(NAME).filter(|_| graphs.len() <= MAX_ONNX_BYTES)
    else {
        return Err(InferError::Graph("it is no such file".to_owned()));
    };
    if *version != VERSION {
        return Ok(None);
    }
    match postcard::take_from_bytes(body) {
        Ok((stored, [])) => Ok(Some(stored)),
        Ok(_) => Err(InferError::Graph("it goes on behind its end".to_owned())),
        Err(error) => Err(InferError::Graph(error.to_string())),
    }
}

fn build<'m>(nodes: Vec<StoredNode<&'m [u8]>>, form: Form, onnx: &'m [u8]) -> Result<Graph<'m>, Unsupported> {
    let whole = |why| Unsupported { operator: "graph".to_owned(), node: String::new(), why };
    let mut graph = Graph::new(form.input).map_err(whole)?;
    for StoredNode(name, op, inputs) in nodes {
        let operator = op.name();
        let refused = |why| Unsupported { operator: operator.to_owned(), node: name.clone(), why };
        let op = op.try_map(|place| place.values(onnx).ok_or(Why::Constant("weights"))).map_err(refused)?;
        graph.push(name.clone(), op, inputs).map_err(refused)?;
    }
    graph.outputs = form.outputs;
    if graph.is_whole() { Ok(graph) } else { Err(whole(Why::Order)) }
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
                Self::InOnnx { at: values.as_ptr().addr() - onnx.as_ptr().addr(), len: values.len() }
            }
        }
    }
}

impl<'m> Place<&'m [u8]> {
    fn values(self, onnx: &'m [u8]) -> Option<Values<'m>> {
        let bytes = match self {
            Self::InOnnx { at, len } => onnx.get(at..at.checked_add(len.checked_mul(4)?)?)?,
            Self::Here(bytes) => bytes,
        };
        let (values, rest) = bytes.as_chunks();
        rest.is_empty().then_some(Values::Stored(values))
    }
}
