//! What can go wrong with a network.

use crate::limits::{LEAST_OPSET, MAX_ELEMENTS, MAX_ONNX_BYTES, MAX_OUTPUTS, MAX_WINDOW, MAX_WORK};

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
    /// A constant that has not the size that its shape says, or is too large; its name.
    #[error("constant {0:?} contradicts its own shape, or is too large: export the network again")]
    Constant(String),
    /// A constant of a type that is not read.
    #[error(
        "constant {constant:?} is of type {kind}, which is not read: export the network in 32-bit floats, or \
         with int8 weights behind DequantizeLinear"
    )]
    ConstantType {
        /// The constant's name.
        constant: String,
        /// The type, as ONNX calls it.
        kind: String,
    },
    /// A constant that lies in another file.
    #[error("constant {constant:?} lies in another file, {file:?}, {why}")]
    Elsewhere {
        /// The constant's name.
        constant: String,
        /// The file, as the network names it.
        file: String,
        /// Why it was not read from there.
        why: Elsewhere,
    },
    /// A network of an operator set older than [`LEAST_OPSET`]; which.
    #[error(
        "the network is of operator set {0}, and from {LEAST_OPSET} on they are read: export it again, or convert it \
         (Python: `onnx.version_converter.convert_version(model, 13)`)"
    )]
    Opset(i64),
    /// int8 weights were asked for in a network of an operator set in which they cannot be written; which.
    #[error(
        "the network stays in operator set {0}, and int8 weights with a scale for each channel are written from 13 on: \
         convert it first (Python: `onnx.version_converter.convert_version(model, 13)`), or leave its weights f32"
    )]
    Int8Opset(i64),
    /// An operator that is run, in a form that is not.
    #[error("node {node:?} is a {operator} {form}, which is not run here: {remedy}")]
    Form {
        /// The node's name.
        node: String,
        /// The operator, as ONNX calls it.
        operator: String,
        /// What is special about it.
        form: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A network that was exported for several images at once and reshapes to that number.
    #[error(
        "the network takes batches of {batch}, and node {node:?} reshapes to that number: export it with a batch of \
         1, or with a named batch dimension"
    )]
    Batch {
        /// How many images the network declares.
        batch: i64,
        /// The node's name.
        node: String,
    },
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
    /// A second run on one input.
    #[error("a run spends the network's input: write it before each run")]
    SpentInput,
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

/// Why a constant was not read from the other file in which it lies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Elsewhere {
    /// Here, networks of one file are read.
    #[error(
        "and only networks of one file are read here: build its pack with `arcdoor-lab pack build`, both files in one folder"
    )]
    NotRead,
    /// The file is not there.
    #[error("which does not lie beside the network: copy it there")]
    Absent,
    /// A path.
    #[error(
        "which is no plain name of a file beside the network: make one file of both (Python: \
         `onnx.save(onnx.load(\"model.onnx\"), \"one.onnx\")`)"
    )]
    NotPlain,
    /// An offset or a length that is no number of bytes; which of the two.
    #[error("and its {0} there is no number of bytes: export the network again")]
    NoNumber(&'static str),
    /// Another length than type and shape ask for.
    #[error(
        "at a length of {found} bytes, where its type and shape ask for {expected}: export the network again"
    )]
    Length {
        /// In bytes, as the network says.
        found: usize,
        /// In bytes.
        expected: usize,
    },
    /// A file that is too short; its length in bytes.
    #[error("which ends before that, after {0} bytes: copy the whole file, or export the network again")]
    Ends(usize),
}
