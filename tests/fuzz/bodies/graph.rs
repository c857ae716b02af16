//! ONNX files as they come from outside, through our own reader and rewriter; the engine is not asked.

use arcdoor_infer::rewrite::{dequantise, simplify};

/// Whatever comes in: an error, or a graph that is as simple as it gets.
pub(crate) fn run(bytes: &[u8]) {
    let _ = dequantise(bytes);
    if let Ok(simple) = simplify(bytes) {
        assert!(simplify(&simple.onnx).is_ok(), "what was written cannot be read");
    }
}
