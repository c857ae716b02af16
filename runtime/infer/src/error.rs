//! What can go wrong with a network.

use crate::limits::{MAX_ELEMENTS, MAX_ONNX_BYTES, MAX_OUTPUTS, MAX_WINDOW, MAX_WORK};

/// Why a network was refused, or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// No bytes, or too many.
    #[error("an ONNX file of {0} bytes; from 1 to {MAX_ONNX_BYTES} are accepted: check the pack's files")]
    FileSize(usize),
    /// A zero or absurd input shape.
    #[error(
        "input shape {0:?} (batch, channels, height, width): each must be at least 1, all together at most \
         {MAX_ELEMENTS} values; correct the input size in pack.toml"
    )]
    InputShape([usize; 4]),
    /// No outputs were asked for, or too many.
    #[error("{0} outputs asked for; from 1 to {MAX_OUTPUTS} are possible: correct `outputs` in pack.toml")]
    OutputCount(usize),
    /// The graph has no such output.
    #[error("the network has no output named {0:?}: correct `outputs` in pack.toml, or rebuild the pack")]
    NoSuchOutput(String),
    /// The graph wants another number of inputs than one.
    #[error("the network has {0} inputs, not one: build its pack with `arcdoor-lab pack build`")]
    Inputs(usize),
    /// The bytes are no ONNX file.
    #[error("not an ONNX file: {0}")]
    NotOnnx(String),
    /// More of something than is taken.
    #[error("the network has more than {most} {what}: it is too large for a door, or made to do harm")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many are taken.
        most: usize,
    },
    /// A run would take too long.
    #[error(
        "the network takes {0} multiply-accumulates and results for one image, and {MAX_WORK} are the most: \
         it is too large for a door, or made to do harm"
    )]
    TooMuchWork(u64),
    /// A constant of another file, of a strange type, or not as large as it says.
    #[error(
        "constant {0:?} contradicts its own shape, is too large or lies in another file: rebuild the pack"
    )]
    Constant(String),
    /// An operator that is not run.
    #[error(
        "node {node:?} is a {operator}, which is not run here: build its pack with `arcdoor-lab pack build`"
    )]
    Operator {
        /// The node's name.
        node: String,
        /// What it is.
        operator: String,
    },
    /// Graphs within the graph.
    #[error("the network holds functions or graphs within its nodes, which are not run here")]
    Subgraph,
    /// A number out of its range.
    #[error("attribute {attribute:?} of node {node:?} is out of range (windows have 0 or 1 to {MAX_WINDOW})")]
    Attribute {
        /// The node's name.
        node: String,
        /// The attribute's name.
        attribute: String,
    },
    /// A cycle, a missing or doubled value, or a computation without the input.
    #[error(
        "node {0:?} reads what nothing before it makes, makes what is made already, or does not depend on the \
         input: build its pack with `arcdoor-lab pack build`"
    )]
    Order(String),
    /// The engine cannot read or prepare the graph.
    #[error("the network cannot be loaded ({0}): the file is broken or uses operators that we do not run")]
    Load(String),
    /// The file beside the network that holds its graph.
    #[error("the network's graph file cannot be used ({0}): build its pack with `arcdoor-lab pack build`")]
    Graph(String),
    /// It says something else than the ONNX file.
    #[error(
        "the network's graph file is not what this arcdoor makes of its ONNX file: build its pack with \
         `arcdoor-lab pack build`"
    )]
    OtherGraph,
    /// The plan was demanded and does not support the graph.
    #[error("the plan does not run this network ({0}): choose the engine `auto` or `tract`")]
    Unplanned(#[from] crate::graph::Unsupported),
    /// A build without the feature `tract` was asked for what needs it: the engine itself, a network without a graph
    /// file that this version reads, or the writing or checking of one.
    #[error(
        "this arcdoor was built without tract, which networks without a graph file of this version, checks of packs \
         and the engine `tract` need: use a build with tract, or a pack whose networks all have such files"
    )]
    NoTract,
    /// The engine failed while running.
    #[error("the network failed while running ({0}): check the pack with `arcdoor pack check`")]
    Run(String),
    /// The second thread cannot be started.
    #[error("no second thread can be started ({0}): set `threads = 1`, or allow the process more threads")]
    Thread(String),
    /// An output holds no plain f32 values.
    #[error("output {0:?} holds no 32-bit floats: this network cannot be used")]
    OutputType(String),
    /// The file is no ONNX file that can be rewritten.
    #[error("the ONNX file cannot be rewritten: {0}")]
    Rewrite(String),
}
