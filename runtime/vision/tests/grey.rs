//! An embedder that takes one grey plane, from the pack's file to the template.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use arcdoor_core::{Basis, CalibrationRow, Fmr, Landmarks5, Point};
use arcdoor_frame::RgbView;
use arcdoor_models::{
    Alignment, CalibrationTable, ChannelOrder, GraphFile, Layout, MANIFEST_FILE, Manifest, NetFile, Pack,
    Preprocess, Role, sha256_hex,
};
use arcdoor_vision::align::{ARCFACE_112, TEMPLATE_SIDE};
use arcdoor_vision::{
    Embedder, Engine, EngineChoice, RunOptions, VisionError, YuNet, check_pack_graphs, explain, graph_file,
};
use std::fs;
use std::path::Path;

/// Side of the embedder's input, and of the frame: the face fills it exactly.
const SIDE: usize = 16;
const DIMENSION: usize = 8;
const MEAN: f32 = 100.0;
const SCALE: f32 = 0.25;

/// One field of a protocol buffer's message that holds bytes.
fn bytes(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    // A length of up to 14 bits, in two bytes.
    out.extend([bytes.len() as u8 | 0x80, (bytes.len() >> 7) as u8]);
    out.extend(bytes);
    out
}

/// One field that holds a number below 128.
fn number(field: u8, value: usize) -> Vec<u8> {
    vec![field << 3, value as u8]
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let mut out: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input.as_bytes())).collect();
    out.extend(bytes(2, output.as_bytes()));
    out.extend(bytes(4, operator.as_bytes()));
    bytes(1, &out)
}

fn value(field: u8, name: &str, shape: &[usize]) -> Vec<u8> {
    let dims: Vec<u8> = shape.iter().flat_map(|&side| bytes(1, &number(1, side))).collect();
    let tensor = [number(1, 1), bytes(2, &dims)].concat();
    bytes(field, &[bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat())
}

/// A convolution of 3 x 3 whose channel `k` copies its `k`th tap, and the mean of each channel: ONNX, by hand.
fn network() -> Vec<u8> {
    let mut weights = [0.0_f32; DIMENSION * 9];
    (0..DIMENSION).for_each(|channel| weights[channel * 9 + channel] = 1.0);
    let raw: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let dims: Vec<u8> = [DIMENSION, 1, 3, 3].iter().flat_map(|&side| number(1, side)).collect();
    let weights = [dims, number(2, 1), bytes(8, b"weights"), bytes(9, &raw)].concat();
    let graph = [
        node("Conv", &["image", "weights"], "maps"),
        node("GlobalAveragePool", &["maps"], "means"),
        node("Flatten", &["means"], "embedding"),
        bytes(2, b"grey"),
        bytes(5, &weights),
        value(11, "image", &[1, 1, SIDE, SIDE]),
        value(12, "embedding", &[1, DIMENSION]),
    ]
    .concat();
    [number(1, 8), bytes(7, &graph), bytes(8, &number(2, 13))].concat()
}

fn preprocess() -> Preprocess {
    Preprocess {
        width: SIDE as u32,
        height: SIDE as u32,
        layout: Layout::Nchw,
        channel_order: ChannelOrder::Grey,
        mean: vec![MEAN],
        scale: vec![SCALE],
        alignment: Alignment::Arcface112,
    }
}

/// Writes the pack: the network as embedder, with a graph file; as detector as well, which no YuNet is.
fn pack(dir: &Path) -> Pack {
    let onnx = network();
    let graph = graph_file(&onnx, Role::Embedder, &["embedding"], &preprocess()).unwrap().unwrap();
    let net = NetFile {
        file: "grey.onnx".to_owned(),
        sha256: sha256_hex(&onnx),
        outputs: vec!["embedding".to_owned()],
        dimension: Some(DIMENSION),
        macs: 1,
        parameters: 72,
        licence: "MIT".to_owned(),
        source: "made here".to_owned(),
        training_data: "none".to_owned(),
        preprocess: preprocess(),
        graph: Some(GraphFile { file: "grey.graph".to_owned(), sha256: sha256_hex(&graph) }),
    };
    let row = CalibrationRow {
        fmr: Fmr::new(1e-4).unwrap(),
        threshold: 0.5,
        fmr_low: 1e-5,
        fmr_high: 1e-3,
        tmr: 0.9,
        basis: Basis::Counted,
    };
    let calibration = CalibrationTable {
        data: "none".to_owned(),
        genuine: 1,
        impostor: 1,
        protocol: None,
        date: None,
        suspects_left_out: 0,
        tail_fit: None,
        rows: vec![row],
    };
    let manifest = Manifest {
        name: "grey".to_owned(),
        format: 1,
        version: 1,
        description: "one grey plane".to_owned(),
        detector: net.clone(),
        embedder: net,
        calibration,
        recognisability: None,
    };
    fs::write(dir.join(MANIFEST_FILE), manifest.to_toml().unwrap()).unwrap();
    fs::write(dir.join("grey.onnx"), onnx).unwrap();
    fs::write(dir.join("grey.graph"), graph).unwrap();
    Pack::open(dir).unwrap()
}

/// The template that follows from the pixels: grey levels, normalised, averaged where each tap sees them, and
/// brought to unit length.
fn expected(frame: RgbView<'_>) -> Vec<f32> {
    let level = |x: usize, y: usize| {
        let [r, g, b] = frame.pixel(x as u32, y as u32).map(f64::from);
        (0.299 * r + 0.587 * g + 0.114 * b - f64::from(MEAN)) * f64::from(SCALE)
    };
    let seen = SIDE - 2;
    let mean = |tap: usize| {
        let sum: f64 = (0..seen * seen).map(|i| level(i % seen + tap % 3, i / seen + tap / 3)).sum();
        sum / (seen * seen) as f64
    };
    let means: Vec<f64> = (0..DIMENSION).map(mean).collect();
    let length = means.iter().map(|mean| mean * mean).sum::<f64>().sqrt();
    means.iter().map(|mean| (mean / length) as f32).collect()
}

#[test]
fn a_grey_embedder_sees_the_weighted_sum_of_the_colours() {
    let dir = tempfile::tempdir().unwrap();
    let pack = pack(dir.path());
    // Colours that grey levels tell apart by their weights alone, and a slope, so that each tap's mean differs.
    let data: Vec<u8> = (0..SIDE * SIDE)
        .flat_map(|i| [(i * 7 % 256) as u8, (i % SIDE * 15) as u8, (i / SIDE * 11) as u8])
        .collect();
    let frame = RgbView::new(&data, SIDE as u32, SIDE as u32, SIDE * 3).unwrap();
    let factor = SIDE as f32 / TEMPLATE_SIDE as f32;
    let landmarks = Landmarks5(ARCFACE_112.map(|p| Point::new(p.x * factor, p.y * factor)));
    let expected = expected(frame);
    for (choice, engine) in [(EngineChoice::Plan, Engine::Plan), (EngineChoice::Tract, Engine::Tract)] {
        let mut embedder = Embedder::from_pack(&pack, &choice.into()).unwrap();
        assert_eq!(embedder.engine(), engine);
        let template = embedder.embed(frame, &landmarks).unwrap();
        assert_eq!((template.model_id(), template.values().len()), (pack.model_id(), DIMENSION));
        for (found, expected) in template.values().iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "{engine}: {:?} {expected:?}", template.values());
        }
    }
}

#[test]
fn a_grey_network_starts_from_its_graph_file() {
    let dir = tempfile::tempdir().unwrap();
    let pack = pack(dir.path());
    check_pack_graphs(&pack).unwrap();
    let explained = explain(&pack, EngineChoice::Auto).unwrap();
    assert_eq!(explained[1].input, [1, 1, SIDE, SIDE]);
    assert!(explained[1].from_graph && explained[1].engine == Engine::Plan, "{explained:?}");
}

#[test]
fn a_detector_that_is_no_yunet_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        YuNet::from_pack(&pack(dir.path()), &RunOptions::default()),
        Err(VisionError::NotYunet { found: 1 })
    ));
}
