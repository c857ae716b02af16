//! ONNX files through the engine: loaded for a small input, and run once.

use arcdoor_infer::{Net, NetSpec, RunOptions};

/// Whatever comes in: an error, or numbers.
pub(crate) fn run(bytes: &[u8]) {
    let spec = NetSpec { input: [1, 3, 8, 8], outputs: &["y"] };
    let Ok(mut session) = Net::load(bytes, &spec, &RunOptions::default()).and_then(|net| net.session())
    else {
        return;
    };
    if session.run().is_ok() {
        let shape: usize = session.output_shape(0).iter().product();
        assert_eq!(shape, session.output(0).len());
    }
}
