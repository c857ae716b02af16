//! ONNX files through the plan alone: read without their weights, decluttered, compiled for a small input, and run
//! once. Without tract's code generation and its kernels, more of them get behind the reader.

use arcdoor_infer::{EngineChoice, Net, NetSpec};

/// Whatever comes in: an error, or numbers. Says whether the plan took it.
pub(crate) fn run(bytes: &[u8]) -> bool {
    let spec = NetSpec { input: [1, 3, 8, 8], outputs: &["y"] };
    let Ok(net) = Net::load(bytes, &spec, &EngineChoice::Plan.into()) else { return false };
    let Ok(mut session) = net.session() else { return false };
    if session.run().is_ok() {
        let shape: usize = session.output_shape(0).iter().product();
        assert_eq!(shape, session.output(0).len());
    }
    true
}
