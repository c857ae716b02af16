//! ONNX files as they come from outside, through our own reader and rewriter; the engine is not asked.

use std::collections::BTreeMap;

use arcdoor_infer::rewrite::{data_files, dequantise, merge, simplify, with_int8_weights};

/// Whatever comes in: an error, or a graph that is as simple as it gets.
pub(crate) fn run(bytes: &[u8]) {
    let _ = dequantise(bytes);
    // The network's own bytes stand in for the files in which its constants lie.
    if let Ok(names) = data_files(bytes).map(|names| names.into_iter().map(|name| (name, bytes.to_vec()))) {
        let _ = merge(bytes, &names.collect::<BTreeMap<_, _>>());
    }
    if let Ok(simple) = simplify(bytes) {
        assert!(simplify(&simple.onnx).is_ok(), "what was written cannot be read");
        if let Ok((coded, _)) = with_int8_weights(&simple.onnx) {
            assert!(simplify(&coded).is_ok(), "int8 weights that were written cannot be read");
        }
    }
}
