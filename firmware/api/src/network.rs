//! How a network is run.

use serde::{Deserialize, Serialize};

/// An operator that the plan does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsupportedNode {
    /// The operator's name in ONNX, such as `Conv`.
    pub operator: String,
    /// Name of the tensor that it makes.
    pub node: String,
    /// Why the plan does not run it.
    pub why: String,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkStep {
    /// Operators as ONNX calls them, joined by `+`.
    pub operators: String,
    /// Name of the tensor that the step makes.
    pub name: String,
    /// Channels, rows and columns of what it makes.
    pub shape: [usize; 3],
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// Predicted microseconds, on one core.
    pub predicted_us: f64,
}

/// How a layer is computed. It says what arcdoor-infer's `Choice` says, in the stable fields of a response: this crate
/// knows neither networks nor kernels, and whoever reads responses needs none of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerForm {
    /// `direct`, `winograd2` or `winograd4`.
    pub form: String,
    /// Output pixels in registers at once.
    pub pixels: usize,
    /// Blocks of 16 output channels in registers at once.
    pub blocks: usize,
    /// Blocks of 16 input channels in one pass; none: all.
    pub planes: Option<usize>,
    /// Output pixels in one strip; none: all.
    pub strip: Option<usize>,
}
