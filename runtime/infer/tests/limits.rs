//! What would take too long is refused before it begins.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod common;

use arcdoor_infer::{EngineChoice, InferError, MAX_WORK, Net, NetSpec};
use common::{Builder, ints};

const INPUT: [usize; 4] = [1, 16, 600, 600];
/// Of one layer: its multiply-accumulates, and what they make.
const LAYER: u64 = 360_000 * 16 * (16 * 9 + 1);

/// Convolutions that share their weights: a small file that asks for much.
fn deep(layers: u64) -> (Vec<u8>, String) {
    let mut b = Builder::new(1);
    let weights = b.constant(&[16, 16, 3, 3], -0.1, 0.1);
    let mut last = "x".to_owned();
    for _ in 0..layers {
        last = b.node("Conv", &[&last, &weights], vec![ints("pads", &[1; 4]), ints("kernel_shape", &[3; 2])]);
    }
    (b.finish(INPUT, &[(&last, 0)]), last)
}

#[test]
fn a_network_may_work_for_so_long_and_no_longer_on_both_engines() {
    let most = MAX_WORK / LAYER;
    for choice in [EngineChoice::Plan, EngineChoice::Tract] {
        for (layers, refused) in [(most, false), (most + 1, true)] {
            let (onnx, output) = deep(layers);
            let net = Net::load_on(&onnx, &NetSpec { input: INPUT, outputs: &[&output] }, choice);
            assert_eq!(
                matches!(net, Err(InferError::TooMuchWork(_))),
                refused,
                "{choice:?} {layers} {net:?}"
            );
            assert_eq!(net.is_ok(), !refused, "{choice:?} {layers} {net:?}");
        }
    }
}
