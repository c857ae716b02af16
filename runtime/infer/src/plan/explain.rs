//! What a plan does, step by step, and how long that should take.

use arcdoor_kernels::LANES;

use super::chain::Link;
use super::step::Kernel;
use crate::tuning::Layer;

/// One step of a plan, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Operators as ONNX calls them: those of one pass joined by `+`, passes that take turns row by row by `>`.
    pub operators: String,
    /// Name of what the step makes.
    pub name: String,
    /// Channels, rows and columns of what it makes.
    pub shape: [usize; 3],
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Predicted time of one image on one core, in microseconds: the method of [`METHOD`].
    pub predicted_us: f64,
    /// What a [`Tuning`](crate::Tuning) may name, where the step is such a layer.
    pub layer: Option<Layer>,
}

/// How the prediction is made, in words.
pub const METHOD: &str = "a roofline of one x86-64 server core, not of this machine: 58 GMAC/s of whole blocks of channels \
     and 1.4 ns to begin and end each block's pixel, or weights and maps at 70, 32 or 17 GB/s, whichever takes longer";

/// Multiply-accumulates of 16 lanes by microsecond: what `cargo xtask bench kernels` measures in registers.
const PEAK: f64 = 58_000.0;
/// Microseconds to begin and end a dense sum of one pixel and block, and to transform one for Winograd's form: what
/// was left of the steps' times in `bench profile`.
const ENDS: f64 = 0.0014;
const TRANSFORM: f64 = 0.003;
/// Where weights and maps of a step come from, by their bytes together, and bytes by microsecond: the second cache,
/// the third, memory. The first and the last are those of `bench kernels`.
const NEAR: (usize, f64) = (768 << 10, 70_000.0);
const FAR: (usize, f64) = (8 << 20, 32_000.0);
const MEMORY: f64 = 17_000.0;

/// The longer of computing and moving. `bytes` are those of weights, input and output.
pub(super) fn predicted_us(links: &[Link<'_>], bytes: usize) -> f64 {
    let rate = match bytes {
        bytes if bytes <= NEAR.0 => NEAR.1,
        bytes if bytes <= FAR.0 => FAR.1,
        _ => MEMORY,
    };
    links.iter().map(computing).sum::<f64>().max(bytes as f64 / rate)
}

fn computing(link: &Link<'_>) -> f64 {
    let Link { kernel, map, .. } = link;
    let pixels = (map.height() * map.width() * map.blocks()) as f64;
    let lanes = kernel.macs() as f64 * (map.blocks() * LANES) as f64 / map.channels() as f64;
    match kernel {
        Kernel::Conv(..) => lanes / PEAK + pixels * ENDS,
        Kernel::Winograd(op, _) => {
            let [macs, transformed] = op.work();
            macs as f64 / PEAK + transformed as f64 * TRANSFORM
        }
        // Windows side by side share what they load; those further apart do not, and wait for loads.
        Kernel::Depthwise(_) => lanes / if link.fused.kind.stride() == 1 { PEAK } else { PEAK / 2.0 },
        _ => 0.0,
    }
}
