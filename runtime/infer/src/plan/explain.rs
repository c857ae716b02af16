//! What a plan does, step by step, and how long that should take.

use super::step::Kernel;

/// One step of a plan, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Operators as ONNX calls them, joined by `+`.
    pub operators: String,
    /// Name of what the step makes.
    pub name: String,
    /// Channels, rows and columns of what it makes.
    pub shape: [usize; 3],
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Predicted time of one image on one core, in microseconds: the method of [`METHOD`].
    pub predicted_us: f64,
    /// Whether it runs band by band with the steps beside it, so that what they hand on stays in a cache.
    pub banded: bool,
}

/// How the prediction is made, in words.
pub const METHOD: &str = "fixed rates of one x86-64 server core, not of this machine: 40 GMAC/s dense, 80 in \
                          Winograd's form, 18 depthwise, 10 GB/s of weights and maps; a step takes the longer of the two";

/// What a direct convolution in this layout reached at 64 x 28 x 28 and 128 x 14 x 14, rounded down.
const DENSE_MACS_BY_US: f64 = 40_000.0;
/// What Winograd's form stood for at the least, as multiply-accumulates of the direct sum.
const WINOGRAD_MACS_BY_US: f64 = 80_000.0;
const DEPTHWISE_MACS_BY_US: f64 = 18_000.0;
const BYTES_BY_US: f64 = 10_000.0;

pub(super) fn predicted_us(kernel: &Kernel, bytes: usize) -> f64 {
    let rate = match kernel {
        Kernel::Depthwise(_) => DEPTHWISE_MACS_BY_US,
        Kernel::Winograd(..) => WINOGRAD_MACS_BY_US,
        _ => DENSE_MACS_BY_US,
    };
    (kernel.macs() as f64 / rate).max(bytes as f64 / BYTES_BY_US)
}
