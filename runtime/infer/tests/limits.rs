//! Networks that would take too long are refused before they run.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod common;

use arcdoor_infer::{EngineChoice, InferError, MAX_WORK, Net, NetSpec};
use common::{Builder, ints};

const INPUT: [usize; 4] = [1, 16, 600, 600];
/// Work of one layer: its multiply-accumulates plus the values of its result.
const LAYER: u64 = 360_000 * 16 * (16 * 9 + 1);

/// Convolutions that share their weights: a small file that asks for much work.
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
            let net = Net::load(&onnx, &NetSpec { input: INPUT, outputs: &[&output] }, &choice.into());
            assert_eq!(
                matches!(net, Err(InferError::TooMuchWork(_))),
                refused,
                "{choice:?} {layers} {net:?}"
            );
            assert_eq!(net.is_ok(), !refused, "{choice:?} {layers} {net:?}");
        }
    }
}

#[test]
fn a_transposition_names_each_axis_once() {
    let load = |perm: &[i64], choice: EngineChoice| {
        let mut b = Builder::new(1);
        let output = b.node("Transpose", &["x"], vec![ints("perm", perm)]);
        let spec = NetSpec { input: [1, 3, 4, 5], outputs: &[&*output] };
        Net::load(&b.finish(spec.input, &[(&output, 0)]), &spec, &choice.into()).map(drop)
    };
    for choice in [EngineChoice::Auto, EngineChoice::Tract] {
        load(&[0, 2, 3, 1], choice).unwrap();
        for wrong in [&[0, 2, 3, 0][..], &[0, 2, 3, 4], &[0, 1, 2, -1], &[3; 4], &[0; 300]] {
            assert!(
                matches!(load(wrong, choice), Err(InferError::Attribute { .. })),
                "{wrong:?} on {choice:?}"
            );
        }
        for other_rank in [&[0][..], &[1, 0], &[0, 1, 2, 4, 3]] {
            assert!(load(other_rank, choice).is_err(), "{other_rank:?} on {choice:?}");
        }
    }
}

/// No axis, however odd, keeps tract busy without an end.
#[test]
fn odd_axes_are_an_answer_or_an_error() {
    for op in ["Squeeze", "Unsqueeze", "ReduceMean", "ReduceSum", "ReduceMax"] {
        for axes in [&[2, 2][..], &[0, 0, 0], &[9], &[-9], &[1, -3], &[3, 2, 1, 0, 0]] {
            for choice in [EngineChoice::Auto, EngineChoice::Tract] {
                let mut b = Builder::new(1);
                let given = b.shape_of(axes);
                let in_attribute = op.starts_with("ReduceM");
                let output = if in_attribute {
                    b.node(op, &["x"], vec![ints("axes", axes)])
                } else {
                    b.node(op, &["x", &given], vec![])
                };
                let spec = NetSpec { input: [1, 3, 4, 5], outputs: &[&*output] };
                if let Ok(net) = Net::load(&b.finish(spec.input, &[(&output, 0)]), &spec, &choice.into()) {
                    let _ = net.session().and_then(|mut session| session.run());
                }
            }
        }
    }
}
