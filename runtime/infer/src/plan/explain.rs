//! The steps of a plan for people, with a predicted time for each.

use arcdoor_kernels::LANES;

use super::chain::Link;
use super::step::Kernel;
use crate::tuning::Layer;

/// One step of a plan, described for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// ONNX's names of the operators that run in this step: joined by `+` where they run in one pass over memory, by
    /// `>` where one pass follows another some rows behind it.
    pub operators: String,
    /// The name of the step's result, as the file or tract calls it.
    pub name: String,
    /// Channels, rows and columns of its result.
    pub shape: [usize; 3],
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Predicted time of one image on one core, in microseconds: the method of [`METHOD`].
    pub predicted_us: f64,
    /// The layer that a [`Tuning`](crate::Tuning) may have a choice for, where the step begins with one.
    pub layer: Option<Layer>,
}

/// How [`Entry::predicted_us`] is computed, in words, for those who print it.
pub const METHOD: &str = "a roofline of one x86-64 server core, not of this machine: 58 GMAC/s of whole blocks of channels \
     and 1.4 ns to begin and end each block's pixel, or weights and maps at 70, 32 or 17 GB/s, whichever takes longer";

/// Multiply-accumulates a microsecond, counting all 16 lanes of each block: what `cargo xtask bench kernels` measures
/// for arithmetic in registers alone.
const PEAK: f64 = 58_000.0;
/// Microseconds to begin and end the sum of one pixel and block of a dense convolution. Fitted: what the times that
/// `bench profile` measured have over the time that [`PEAK`] explains.
const ENDS: f64 = 0.0014;
/// Microseconds to transform one pixel of a block for Winograd's form, fitted in the same way.
const TRANSFORM: f64 = 0.003;
/// Steps whose weights and maps have at most this many bytes together read them from the second cache, at this many
/// bytes a microsecond, as `bench kernels` measures it.
const NEAR: (usize, f64) = (768 << 10, 70_000.0);
/// The same for the third cache; its rate lies between the two that were measured.
const FAR: (usize, f64) = (8 << 20, 32_000.0);
/// Bytes a microsecond from memory, as `bench kernels` measures it: for all larger steps.
const MEMORY: f64 = 17_000.0;

/// Predicted microseconds of a step: the time to compute or the time to move `bytes` (weights, input and output),
/// whichever is longer.
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
        Kernel::Coded(..) | Kernel::Conv(..) => lanes / PEAK + pixels * ENDS,
        Kernel::Winograd(op, _) => {
            let [macs, transformed] = op.work();
            macs as f64 / PEAK + transformed as f64 * TRANSFORM
        }
        // With stride 1, neighbouring windows share the pixels that they load; with larger strides loads take the
        // time.
        Kernel::Depthwise(_) => lanes / if link.fused.kind.stride() == 1 { PEAK } else { PEAK / 2.0 },
        _ => 0.0,
    }
}
