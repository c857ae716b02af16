//! Graph files: what they hold, when they are used, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use arcdoor_infer::{EngineChoice, Files, InferError, Net, NetSpec, RunOptions, check_graphs, write_graphs};
use common::{Builder, Numbers, answers_of, bits, ints};

const OUTPUTS: [&str; 1] = ["v11"];
/// Channels before and after the convolution whose weights lie in the file as exporters put them there.
const KEPT: [usize; 2] = [20, 4];
/// One network at several sizes, as a detector runs.
const INPUTS: [[usize; 4]; 3] = [[1, 3, 16, 16], [1, 3, 32, 16], [2, 3, 16, 32]];

/// A detector's head: the outputs' shape follows the input's.
fn network(seed: u64) -> Vec<u8> {
    let mut b = Builder::new(seed);
    let x = b.conv("x", [3, 20, 1], [3, 3], 2, [1; 4]);
    let x = b.prelu(&x, 20, 0);
    b.constant(&[1], 0.0, 1.0);
    let weights = b.constant_of(&[KEPT[1], KEPT[0], 1, 1], kept_in_onnx(seed));
    let x = b.node("Conv", &[&x, &weights], vec![]);
    let x = b.node("Transpose", &[&x], vec![ints("perm", &[0, 2, 3, 1])]);
    let y = b.node("Sigmoid", &[&x], vec![]);
    assert_eq!(y, OUTPUTS[0]);
    b.finish(INPUTS[0], &[(&y, 0)])
}

fn kept_in_onnx(seed: u64) -> Vec<f32> {
    Numbers(seed + 100).many(KEPT[0] * KEPT[1], -0.5, 0.5)
}

fn load(onnx: &[u8], graphs: &[u8], input: [usize; 4]) -> Result<Net, InferError> {
    let files = Files { onnx, graphs: Some(graphs) };
    Net::load(files, &NetSpec { input, outputs: &OUTPUTS }, &RunOptions::default())
}

#[test]
fn inputs_of_several_sizes_share_the_operators() {
    let onnx = network(1);
    let all = write_graphs(&onnx, &OUTPUTS, &INPUTS).unwrap();
    let one = write_graphs(&onnx, &OUTPUTS, &INPUTS[..1]).unwrap();
    assert!(all.len() < one.len() + 40, "{} bytes for three, {} for one", all.len(), one.len());
    for input in INPUTS {
        let spec = NetSpec { input, outputs: &OUTPUTS };
        let values = Numbers(7).many(input.iter().product(), -1.0, 1.0);
        let stored = load(&onnx, &all, input).unwrap();
        assert!(stored.from_graph());
        let read = Net::load(&onnx, &spec, &EngineChoice::Plan.into()).unwrap();
        assert!(!read.from_graph());
        assert_eq!(bits(&answers_of(&stored, &spec, &values)), bits(&answers_of(&read, &spec, &values)));
    }
}

#[test]
fn weights_stay_where_they_are() {
    let onnx = network(1);
    let graphs = write_graphs(&onnx, &OUTPUTS, &INPUTS).unwrap();
    let weights: Vec<u8> = kept_in_onnx(1).iter().flat_map(|value| value.to_le_bytes()).collect();
    let holds = |file: &[u8]| file.windows(16).any(|bytes| bytes == &weights[..16]);
    assert!(holds(&onnx) && !holds(&graphs));
}

#[test]
fn an_input_that_is_not_there_is_read_from_the_onnx_file() {
    let onnx = network(1);
    let graphs = write_graphs(&onnx, &OUTPUTS, &INPUTS[..1]).unwrap();
    assert!(load(&onnx, &graphs, INPUTS[0]).unwrap().from_graph());
    assert!(!load(&onnx, &graphs, INPUTS[1]).unwrap().from_graph());
    let forced = Net::load(
        Files { onnx: &onnx, graphs: Some(&graphs) },
        &NetSpec { input: INPUTS[0], outputs: &OUTPUTS },
        &EngineChoice::Tract.into(),
    );
    assert!(!forced.unwrap().from_graph());
}

#[test]
fn another_version_is_not_used_and_nothing_is_wrong_with_it() {
    let onnx = network(1);
    let mut graphs = write_graphs(&onnx, &OUTPUTS, &INPUTS).unwrap();
    graphs[8] += 2;
    graphs.truncate(20);
    assert!(!load(&onnx, &graphs, INPUTS[0]).unwrap().from_graph());
    assert_eq!(check_graphs(&onnx, &OUTPUTS, &graphs), Ok(()));
}

#[test]
fn a_file_of_another_network_is_refused() {
    let onnx = network(1);
    let mut b = Builder::new(1);
    let other = b.conv("x", [3, 20, 1], [3, 3], 2, [1; 4]);
    let other = b.finish(INPUTS[0], &[(&other, 0)]);
    let name = ["v3"];
    let graphs = write_graphs(&other, &name, &INPUTS).unwrap();
    let spec = NetSpec { input: INPUTS[0], outputs: &name };
    let refused =
        Net::load(Files { onnx: &onnx, graphs: Some(&graphs) }, &spec, &RunOptions::default()).unwrap_err();
    assert!(matches!(refused, InferError::Graph(_)), "{refused}");
    assert!(refused.to_string().contains("pack build"), "{refused}");
}

#[test]
fn a_graph_that_says_something_else_is_found_out() {
    let (onnx, other) = (network(1), network(2));
    assert_eq!(onnx.len(), other.len(), "only constants differ");
    let graphs = write_graphs(&onnx, &OUTPUTS, &INPUTS).unwrap();
    assert_eq!(check_graphs(&onnx, &OUTPUTS, &graphs), Ok(()));
    assert_eq!(check_graphs(&other, &OUTPUTS, &graphs), Err(InferError::OtherGraph));
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let onnx = network(1);
    let graphs = write_graphs(&onnx, &OUTPUTS, &INPUTS).unwrap();
    for at in 0..graphs.len() {
        assert!(load(&onnx, &graphs[..at], INPUTS[0]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut damaged = graphs.clone();
            damaged[at] ^= 1 << bit;
            // Damage may change a weight and still give a network: only the pack's hashes find that out.
            if let Ok(net) = load(&onnx, &damaged, INPUTS[0]) {
                net.session().unwrap().run().unwrap();
            }
        }
    }
    let longer = [&graphs[..], &[0]].concat();
    assert!(matches!(load(&onnx, &longer, INPUTS[0]), Err(InferError::Graph(_))));
}

/// `start.rs` reads these committed files, also in builds without tract. They are made anew here and compared, so that they
/// stay what this version writes.
#[test]
fn the_committed_network_is_the_one_that_is_written_today() {
    const INPUT: [usize; 4] = [1, 3, 2, 2];
    let mut b = Builder::new(5);
    let x = b.conv("x", [3, 4, 1], [1, 1], 1, [0; 4]);
    let y = b.node("Relu", &[&x], vec![]);
    let onnx = b.finish(INPUT, &[(&y, 0)]);
    let graphs = write_graphs(&onnx, &[&y], &[INPUT]).unwrap();
    let committed = [&include_bytes!("data/small.onnx")[..], include_bytes!("data/small.graph")];
    assert_eq!([&onnx[..], &graphs], committed);
}
