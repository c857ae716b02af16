//! What can go wrong with a network.

use crate::limits::{MAX_ELEMENTS, MAX_ONNX_BYTES, MAX_OUTPUTS, MAX_WINDOW, MAX_WORK};

/// Why a network was refused, or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// The file has no bytes, or more than [`MAX_ONNX_BYTES`]; its length.
    #[error("an ONNX file of {0} bytes; from 1 to {MAX_ONNX_BYTES} are accepted: check the pack's files")]
    FileSize(usize),
    /// An input shape with a side of 0, or with more than [`MAX_ELEMENTS`] values.
    #[error(
        "input shape {0:?} (batch, channels, height, width): each must be at least 1, all together at most \
         {MAX_ELEMENTS} values; correct the input size in pack.toml"
    )]
    InputShape([usize; 4]),
    /// No outputs were asked for, or more than [`MAX_OUTPUTS`]; how many.
    #[error("{0} outputs asked for; from 1 to {MAX_OUTPUTS} are possible: correct `outputs` in pack.toml")]
    OutputCount(usize),
    /// The graph has no output of this name.
    #[error("the network has no output named {0:?}: correct `outputs` in pack.toml, or rebuild the pack")]
    NoSuchOutput(String),
    /// The graph wants another number of inputs than one.
    #[error("the network has {0} inputs, not one: build its pack with `arcdoor-lab pack build`")]
    Inputs(usize),
    /// The bytes are no ONNX file; what was wrong first.
    #[error("not an ONNX file: {0}")]
    NotOnnx(String),
    /// The file has more of something than is accepted.
    #[error("the network has more than {most} {what}: it is too large for a door, or made to do harm")]
    TooMuch {
        /// Of what there is too much, such as `nodes`.
        what: &'static str,
        /// How many are accepted.
        most: usize,
    },
    /// A run would take more than [`MAX_WORK`] multiply-accumulates and results; how many.
    #[error(
        "the network takes {0} multiply-accumulates and results for one image, and {MAX_WORK} are the most: \
         it is too large for a door, or made to do harm"
    )]
    TooMuchWork(u64),
    /// A constant that lies in another file, has a type that is not read, or has not the size that its shape says; its
    /// name.
    #[error(
        "constant {0:?} contradicts its own shape, is too large or lies in another file: rebuild the pack"
    )]
    Constant(String),
    /// An operator that is not among those that are run.
    #[error(
        "node {node:?} is a {operator}, which is not run here: build its pack with `arcdoor-lab pack build`"
    )]
    Operator {
        /// The node's name.
        node: String,
        /// The operator, as ONNX calls it.
        operator: String,
    },
    /// Functions, or graphs within nodes.
    #[error("the network holds functions or graphs within its nodes, which are not run here")]
    Subgraph,
    /// An attribute with a number out of its range.
    #[error("attribute {attribute:?} of node {node:?} is out of range (windows have 0 or 1 to {MAX_WINDOW})")]
    Attribute {
        /// The node's name.
        node: String,
        /// The attribute's name.
        attribute: String,
    },
    /// A cycle, a value that no node makes or that two make, or a node that does not depend on the input; the node's
    /// name.
    #[error(
        "node {0:?} reads what nothing before it makes, makes what is made already, or does not depend on the \
         input: build its pack with `arcdoor-lab pack build`"
    )]
    Order(String),
    /// tract cannot read or prepare the graph.
    #[error("the network cannot be loaded ({0}): the file is broken or uses operators that we do not run")]
    Load(String),
    /// The graph file cannot be used; why.
    #[error("the network's graph file cannot be used ({0}): build its pack with `arcdoor-lab pack build`")]
    Graph(String),
    /// The graph file is not what this version writes for the ONNX file.
    #[error(
        "the network's graph file is not what this arcdoor makes of its ONNX file: build its pack with \
         `arcdoor-lab pack build`"
    )]
    OtherGraph,
    /// The plan was demanded and does not support the graph.
    #[error("the plan does not run this network ({0}): choose the engine `auto` or `tract`")]
    Unplanned(#[from] crate::graph::Unsupported),
    /// A build without the feature `tract` was asked for what needs it: the engine `tract`, a network without a graph
    /// file that this version reads, or the writing or checking of one.
    #[error(
        "this arcdoor was built without tract, which networks without a graph file of this version, checks of packs \
         and the engine `tract` need: use a build with tract, or a pack whose networks all have such files"
    )]
    NoTract,
    /// A run failed, on the plan or on tract.
    #[error("the network failed while running ({0}): check the pack with `arcdoor pack check`")]
    Run(String),
    /// The second thread cannot be started; the system's words.
    #[error("no second thread can be started ({0}): set `threads = 1`, or allow the process more threads")]
    Thread(String),
    /// An output, of this name, holds no plain f32 values.
    #[error("output {0:?} holds no 32-bit floats: this network cannot be used")]
    OutputType(String),
    /// The file cannot be rewritten; why.
    #[error("the ONNX file cannot be rewritten: {0}")]
    Rewrite(String),
}
