//! Rewriting foreign ONNX graphs into the plain form that packs hold.
//!
//! Only the building of packs calls this. Each pass computes the same function as before, up to rounding:
//!
//! | pass | effect |
//! |---|---|
//! | external | constants in other files are taken into the network's own ([`merge`]) |
//! | constants | `Constant` nodes become initializers; initializers, and what nothing reads, are no inputs |
//! | halves | 16-bit floats become 32-bit floats of the same values, and what follows is computed in f32 |
//! | shapes | arithmetic on constant shapes is done |
//! | opsets | older spellings of `Clip`, `Upsample`, `Resize` and `BatchNormalization` become those of operator set 13 |
//! | dequantise | `DequantizeLinear` and `Reshape` of constants become f32 initializers |
//! | int8 | weights that are int8 with a scale for each output channel are written so again ([`with_int8_weights`] makes them so) |
//! | identities | `Identity` and inference-time `Dropout` vanish |
//! | normalisation | a leading `Sub`, `Mul` or `Div` becomes the manifest's mean and scale |
//! | batch norm | `BatchNormalization` is folded into its neighbouring `Conv` or `Gemm` |
//! | `PReLU` | becomes `Max` and `Mul`, which tract fuses and runs about twice as fast |

mod batch_norm;
mod constants;
mod dequantise;
mod external;
mod graph;
mod halves;
mod identities;
mod int8;
mod normalisation;
mod opsets;
mod prelu;
mod reshape;
mod shapes;
#[cfg(test)]
mod tests;
mod weights;

use crate::error::InferError;
pub use external::{data_files, merge};
use graph::Graph;
pub use normalisation::InputNorm;

/// The result of [`simplify`].
#[derive(Debug, Clone)]
pub struct Simplified {
    /// The rewritten file.
    pub onnx: Vec<u8>,
    /// What was taken off the front of the graph: x' = (x - mean) * scale, a value for each channel.
    pub input_norm: Option<InputNorm>,
    /// How many nodes each pass has rewritten.
    pub report: Report,
}

/// Counts of rewritten nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Graph inputs that were constants, or that nothing reads.
    pub inputs_dropped: usize,
    /// Constants of 16-bit floats that became 32-bit floats.
    pub halves: usize,
    /// Nodes that put shapes together from constants.
    pub shapes: usize,
    /// `DequantizeLinear` nodes.
    pub dequantised: usize,
    /// Constants that are written as int8 weights.
    pub int8: usize,
    /// `Reshape` nodes of constants.
    pub reshaped: usize,
    /// `Identity` and `Dropout` nodes.
    pub identities: usize,
    /// `BatchNormalization` nodes folded.
    pub batch_norms: usize,
    /// `PRelu` nodes as `Max(x, a x)`, where no slope exceeds 1.
    pub prelu_max: usize,
    /// `PRelu` nodes as `relu(x) - a relu(-x)`.
    pub prelu_relu: usize,
    /// Nodes of the rewritten graph.
    pub nodes: usize,
}

/// Rewrites a graph; see the module's table.
///
/// # Errors
/// When the bytes are no ONNX file, or hold a quantisation or a shape that contradicts itself.
pub fn simplify(onnx: &[u8]) -> Result<Simplified, InferError> {
    let mut graph = Graph::decode(onnx)?;
    let mut report = Report { inputs_dropped: graph.inputs_dropped, ..Report::default() };
    plain_constants(&mut graph, &mut report)?;
    report.identities = identities::remove(&mut graph);
    opsets::renew(&mut graph);
    weights::keep_int8(&mut graph);
    let input_norm = normalisation::take(&mut graph);
    report.batch_norms = batch_norm::fold(&mut graph);
    (report.prelu_max, report.prelu_relu) = prelu::rewrite(&mut graph);
    graph.prune();
    report.nodes = graph.nodes.len();
    report.int8 = weights::write_int8(&mut graph);
    Ok(Simplified { onnx: graph.encode(), input_norm, report })
}

/// The same graph with constants as f32, and nothing else changed but how it is spelled. Where neither plan nor tract
/// runs the file as it is, [`simplify`]'s result is compared with this; of the passes over constants, halves, shapes and
/// operator sets, which have made both, that comparison shows nothing.
///
/// # Errors
/// As [`simplify`].
pub fn dequantise(onnx: &[u8]) -> Result<Vec<u8>, InferError> {
    let mut graph = Graph::decode(onnx)?;
    plain_constants(&mut graph, &mut Report::default())?;
    identities::remove(&mut graph);
    opsets::renew(&mut graph);
    graph.int8.clear();
    graph.prune();
    Ok(graph.encode())
}

/// A simplified file with the weights of its convolutions and products as int8: each the nearest one at a scale that
/// its output channel has for itself, symmetric around 0. What is computed from them stays f32. Returns how many
/// constants became so.
///
/// # Errors
/// As [`simplify`]; also when a weight is not finite, or the file's operator set has no scale for each channel.
pub fn with_int8_weights(onnx: &[u8]) -> Result<(Vec<u8>, usize), InferError> {
    let mut graph = Graph::decode(onnx)?;
    plain_constants(&mut graph, &mut Report::default())?;
    weights::keep_int8(&mut graph);
    let count = weights::quantise(&mut graph)?;
    graph.prune();
    weights::write_int8(&mut graph);
    Ok((graph.encode(), count))
}

/// The passes over constants: afterwards, those that are floats are f32 and known.
fn plain_constants(graph: &mut Graph, report: &mut Report) -> Result<(), InferError> {
    constants::absorb(graph)?;
    halves::cast_constants(graph)?;
    report.shapes = shapes::fold(graph)?;
    report.dequantised = dequantise::dequantise(graph)?;
    report.reshaped = dequantise::reshape(graph)?;
    report.halves = halves::widen(graph);
    Ok(())
}
