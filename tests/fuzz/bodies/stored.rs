//! A network's graph file beside its ONNX file, of which only the weights' bytes count here.
//!
//! | bytes | what they are |
//! |---|---|
//! | 0..2 | length of the ONNX file, u16 |
//! | 2.. | the ONNX file, then the graph file |

use arcdoor_infer::{EngineChoice, Files, Net, NetSpec};

/// Whatever comes in: an error, or numbers. Says whether the graph was taken.
pub(crate) fn run(bytes: &[u8]) -> bool {
    let [low, high, files @ ..] = bytes else { return false };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let Some((onnx, graphs)) = files.split_at_checked(length) else { return false };
    let spec = NetSpec { input: [1, 3, 8, 8], outputs: &["y"] };
    let files = Files { onnx, graphs: Some(graphs) };
    let Ok(net) = Net::load(files, &spec, &EngineChoice::Plan.into()) else { return false };
    let Ok(mut session) = net.session() else { return false };
    if session.run().is_ok() {
        let shape: usize = session.output_shape(0).iter().product();
        assert_eq!(shape, session.output(0).len());
    }
    net.from_graph()
}
