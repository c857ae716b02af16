//! A network starts from its graph file, with or without tract in the build.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::sync::mpsc::channel;

use arcdoor_infer::{Done, EngineChoice, Files, HAS_TRACT, InferError, Net, NetSpec, RunOptions, Watcher};

/// A 1x1 convolution from 3 to 4 channels and a ReLU; `stored.rs` makes both files anew and compares them.
const ONNX: &[u8] = include_bytes!("data/small.onnx");
const GRAPHS: &[u8] = include_bytes!("data/small.graph");
const SPEC: NetSpec<'_> = NetSpec { input: [1, 3, 2, 2], outputs: &["v4"] };
/// As tract computed it for the ramp -1, -0.75, .. 1.75.
const ANSWER: [f32; 16] = [
    0.034_441_77,
    0.0,
    0.0,
    0.0,
    0.086_756_766,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.626_263_74,
    0.445_009_35,
    0.263_755_02,
    0.082_500_696,
];

fn load(graphs: Option<&[u8]>, engine: EngineChoice) -> Result<Net, InferError> {
    Net::load(Files { onnx: ONNX, graphs }, &SPEC, &engine.into())
}

#[test]
fn a_graph_file_is_enough() {
    let net = load(Some(GRAPHS), EngineChoice::Auto).unwrap();
    assert!(net.from_graph());
    let mut session = net.session().unwrap();
    for (value, i) in session.input_mut().iter_mut().zip(0_u8..) {
        *value = f32::from(i) / 4.0 - 1.0;
    }
    session.run().unwrap();
    let apart = session.output(0).iter().zip(ANSWER).map(|(ours, tracts)| (ours - tracts).abs());
    assert!(session.output(0).len() == 16 && apart.fold(0.0, f32::max) < 1e-6, "{:?}", session.output(0));
}

#[test]
fn a_second_run_on_one_input_is_refused() {
    let mut session = load(Some(GRAPHS), EngineChoice::Auto).unwrap().session().unwrap();
    session.input_mut().fill(0.5);
    session.run().unwrap();
    let answer = session.output(0).to_vec();
    assert_eq!(session.run(), Err(InferError::SpentInput));
    assert_eq!(session.output(0), answer, "what was refused takes no answer away");
    session.input_mut().fill(0.5);
    session.run().unwrap();
    assert_eq!(session.output(0), answer);
}

#[test]
fn a_build_without_tract_says_so_where_tract_would_be_asked() {
    for loaded in [load(None, EngineChoice::Auto), load(Some(GRAPHS), EngineChoice::Tract)] {
        match loaded {
            Ok(net) => assert!(HAS_TRACT && !net.from_graph()),
            Err(error) => {
                assert!(!HAS_TRACT && error == InferError::NoTract, "{error}");
                assert!(error.to_string().contains("built without tract"));
            }
        }
    }
}

#[test]
fn a_watcher_hears_of_each_part_in_its_order() {
    let (sender, heard) = channel();
    let watcher = Watcher::new(move |done| {
        let _ = sender.send(done);
    });
    let options = RunOptions { watcher, ..EngineChoice::Plan.into() };
    let net = Net::load(Files { onnx: ONNX, graphs: Some(GRAPHS) }, &SPEC, &options).unwrap();
    let mut session = net.session().unwrap();
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [Done::Decluttered, Done::Planned, Done::Packed]);
    for _ in 0..2 {
        session.input_mut().fill(0.0);
        session.run().unwrap();
        let steps = (0..net.steps().len()).map(Done::Step);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), steps.chain([Done::Outputs]).collect::<Vec<_>>());
    }
}
