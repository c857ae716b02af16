//! Networks whose weights are int8 with scales: the same values as f32 weights give, from a file of a quarter of the
//! size.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use arcdoor_infer::rewrite::{simplify, with_int8_weights};
use arcdoor_infer::{
    Engine, EngineChoice, Files, InferError, Net, NetSpec, RunOptions, check_graphs, cost, write_graphs,
};
use common::{Answers, Builder, Numbers, answers, answers_of, assert_equal, bits, int, ints};
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

const INPUT: [usize; 4] = [1, 3, 8, 8];

/// A convolution, a depthwise one, one of 1x1, and a product, by `Gemm` or `MatMul`. The last three weights are long
/// enough to become int8.
fn network(transposed: bool, product: &str) -> (Vec<u8>, String) {
    let mut b = Builder::new(4);
    let x = b.conv("x", [3, 32, 1], [3, 3], 1, [1; 4]);
    let x = b.node("Relu", &[&x], vec![]);
    let x = b.conv(&x, [32, 32, 32], [3, 3], 2, [1; 4]);
    let x = b.conv(&x, [32, 16, 1], [1, 1], 1, [0; 4]);
    let x = b.node("Flatten", &[&x], vec![]);
    let dims = if transposed { [24, 256] } else { [256, 24] };
    let weights = b.constant(&dims, -0.1, 0.1);
    let y = match product {
        "Gemm" => b.node("Gemm", &[&x, &weights], vec![int("transB", i64::from(transposed))]),
        _ => b.node("MatMul", &[&x, &weights], vec![]),
    };
    (b.finish(INPUT, &[(&y, 2)]), y)
}

fn networks() -> [(Vec<u8>, String); 3] {
    [network(true, "Gemm"), network(false, "Gemm"), network(false, "MatMul")]
}

fn image() -> Vec<f32> {
    Numbers(9).many(INPUT.iter().product(), -1.0, 1.0)
}

fn run(onnx: &[u8], output: &str, choice: EngineChoice) -> Answers {
    answers(onnx, &NetSpec { input: INPUT, outputs: &[output] }, choice, &image())
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

fn changed(onnx: &[u8], change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    let mut model = ModelProto::decode(onnx).unwrap();
    change(graph(&mut model));
    model.encode_to_vec()
}

fn is_linear(node: &NodeProto) -> bool {
    node.op_type == "DequantizeLinear"
}

/// The same network with f32 weights, each a code times its scale, in Rust as ONNX says it.
fn widened(onnx: &[u8]) -> Vec<u8> {
    changed(onnx, |graph| {
        let find = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name).unwrap();
        let mut made = Vec::new();
        for node in graph.node.iter().filter(|node| is_linear(node)) {
            let (codes, scale) = (find(&node.input[0]), find(&node.input[1]));
            let scales: Vec<f32> =
                scale.raw_data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            let axis = codes.dims.len() as i64 + node.attribute.first().unwrap().i;
            let run: i64 = codes.dims[axis as usize + 1..].iter().product();
            let value = |(at, &code): (usize, &u8)| {
                f32::from(code.cast_signed()) * scales[at / run as usize % scales.len()]
            };
            made.push(TensorProto {
                name: node.output[0].clone(),
                dims: codes.dims.clone(),
                data_type: DataType::Float as i32,
                float_data: codes.raw_data.iter().enumerate().map(value).collect(),
                ..TensorProto::default()
            });
        }
        graph.node.retain(|node| !is_linear(node));
        graph.initializer.extend(made);
    })
}

#[test]
fn int8_weights_answer_bit_for_bit_as_their_f32_values() {
    for (onnx, output) in networks() {
        let (coded, count) = with_int8_weights(&onnx).unwrap();
        assert_eq!(count, 4);
        let wide = widened(&coded);
        let plan = run(&coded, &output, EngineChoice::Plan);
        assert_eq!(bits(&plan), bits(&run(&wide, &output, EngineChoice::Plan)));
        let tract = run(&coded, &output, EngineChoice::Tract);
        assert_eq!(bits(&tract), bits(&run(&wide, &output, EngineChoice::Tract)));
        assert_equal(&plan, &tract, "int8");
        let spec = NetSpec { input: INPUT, outputs: &[&output] };
        assert_eq!(cost(&coded, &spec), cost(&onnx, &spec));
    }
}

#[test]
fn rounding_moves_no_weight_by_more_than_half_a_step() {
    let (onnx, _) = network(true, "Gemm");
    let wide = ModelProto::decode(&*widened(&with_int8_weights(&onnx).unwrap().0)).unwrap().graph.unwrap();
    let before = ModelProto::decode(&*simplify(&onnx).unwrap().onnx).unwrap().graph.unwrap();
    let mut compared = 0;
    for tensor in
        wide.initializer.iter().filter(|tensor| !tensor.float_data.is_empty() && tensor.dims.len() > 1)
    {
        let source = before.initializer.iter().find(|other| other.name == tensor.name).unwrap();
        let source: Vec<f32> =
            source.raw_data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let row = source.len() / tensor.dims[0] as usize;
        for (found, source) in tensor.float_data.chunks(row).zip(source.chunks(row)) {
            let largest = source.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            let step = largest / 127.0;
            assert!(found.iter().zip(source).all(|(a, b)| (a - b).abs() <= 0.5001 * step));
            compared += 1;
        }
    }
    assert_eq!(compared, 32 + 32 + 16 + 24);
}

#[test]
fn neither_file_holds_the_weights_as_f32() {
    let (onnx, output) = network(true, "Gemm");
    let (coded, _) = with_int8_weights(&onnx).unwrap();
    let weights = 32 * 27 + 32 * 9 + 16 * 32 + 24 * 256;
    assert!(onnx.len() > 4 * weights && coded.len() < weights + 3_500, "{} bytes", coded.len());
    let graphs = write_graphs(&coded, &[&output], &[INPUT]).unwrap();
    assert!(graphs.len() < 1_500, "{} bytes", graphs.len());
    assert_eq!(check_graphs(&coded, &[&output], &graphs), Ok(()));
    assert_eq!(graphs[8], 2, "programs that know no int8 weights must leave it aside");
    assert_eq!(write_graphs(&onnx, &[&output], &[INPUT]).unwrap()[8], 1);
}

#[test]
fn damage_to_a_graph_file_of_int8_weights_is_never_a_panic() {
    let (onnx, output) = network(false, "MatMul");
    let (coded, _) = with_int8_weights(&onnx).unwrap();
    let graphs = write_graphs(&coded, &[&output], &[INPUT]).unwrap();
    let spec = NetSpec { input: INPUT, outputs: &[&output] };
    for at in 0..graphs.len() {
        for bit in 0..8 {
            let mut damaged = graphs.clone();
            damaged[at] ^= 1 << bit;
            let files = Files { onnx: &coded, graphs: Some(&damaged) };
            if let Ok(net) = Net::load(files, &spec, &RunOptions::default()) {
                net.session().unwrap().run().unwrap();
            }
        }
    }
}

#[test]
fn a_channel_of_zeros_and_one_of_the_least_values_stay_finite() {
    let mut b = Builder::new(4);
    let mut values = Numbers(2).many(4 * 300, -1.0, 1.0);
    values[..300].fill(0.0);
    values[300..600].fill(f32::from_bits(1));
    let flat = b.node("Flatten", &["x"], vec![]);
    let weights = b.constant_of(&[4, 300], values);
    let output = b.node("Gemm", &[&flat, &weights], vec![int("transB", 1)]);
    let input = [1, 3, 10, 10];
    let (coded, count) = with_int8_weights(&b.finish(input, &[(&output, 2)])).unwrap();
    assert_eq!(count, 1);
    let spec = NetSpec { input, outputs: &[&output] };
    let net = Net::load(&coded, &spec, &EngineChoice::Plan.into()).unwrap();
    let answer = answers_of(&net, &spec, &[1.0; 300]).swap_remove(0).1;
    assert!(answer[..2] == [0.0; 2] && answer.iter().all(|value| value.is_finite()), "{answer:?}");
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_name() {
    let (onnx, _) = network(true, "Gemm");
    let mut name = String::new();
    let onnx = changed(&onnx, |graph| {
        let tensor = graph.initializer.iter_mut().find(|tensor| tensor.dims == [24, 256]).unwrap();
        (tensor.raw_data, tensor.float_data) = (vec![], vec![f32::NAN; 24 * 256]);
        name.clone_from(&tensor.name);
    });
    let refused = with_int8_weights(&onnx).unwrap_err();
    assert!(matches!(&refused, InferError::Rewrite(text) if text.contains(&name)), "{refused}");
}

#[test]
fn what_came_as_int8_stays_int8() {
    let (onnx, output) = network(true, "Gemm");
    let (coded, _) = with_int8_weights(&onnx).unwrap();
    let again = simplify(&coded).unwrap();
    assert_eq!(again.report.int8, 4);
    assert_eq!(again.onnx, coded);
    assert_eq!(with_int8_weights(&coded).unwrap(), (coded.clone(), 0));
    // Zero points of 0, as quantisers write them.
    let zeros = changed(&coded, |graph| {
        let mut zeros = Vec::new();
        for node in graph.node.iter_mut().filter(|node| is_linear(node)) {
            let scale = graph.initializer.iter().find(|tensor| tensor.name == node.input[1]).unwrap();
            let name = format!("{}.zero", node.output[0]);
            let (dims, data_type) = (scale.dims.clone(), DataType::Int8 as i32);
            let raw_data = vec![0; scale.raw_data.len() / 4];
            node.input.push(name.clone());
            zeros.push(TensorProto { name, dims, data_type, raw_data, ..TensorProto::default() });
        }
        graph.initializer.extend(zeros);
    });
    assert_eq!(
        bits(&run(&zeros, &output, EngineChoice::Plan)),
        bits(&run(&coded, &output, EngineChoice::Plan))
    );
    assert_eq!(simplify(&zeros).unwrap().onnx, coded);
}

#[test]
fn codes_that_are_read_elsewhere_or_written_as_numbers_are_taken_too() {
    let (onnx, output) = network(true, "Gemm");
    let (coded, _) = with_int8_weights(&onnx).unwrap();
    let expected = bits(&run(&coded, &output, EngineChoice::Plan));
    let as_numbers = changed(&coded, |graph| {
        for tensor in graph.initializer.iter_mut().filter(|tensor| tensor.data_type == DataType::Int8 as i32)
        {
            tensor.int32_data = std::mem::take(&mut tensor.raw_data)
                .into_iter()
                .map(|code| i32::from(code.cast_signed()))
                .collect();
        }
    });
    assert_eq!(bits(&run(&as_numbers, &output, EngineChoice::Plan)), expected);
    let twice = changed(&coded, |graph| {
        let at = graph.node.iter().position(is_linear).unwrap();
        let copy = NodeProto { output: vec!["unread".to_owned()], ..graph.node[at].clone() };
        graph.node.insert(at, copy);
    });
    assert_eq!(bits(&run(&twice, &output, EngineChoice::Plan)), expected);
}

#[test]
fn a_normalisation_goes_into_the_scales() {
    let mut b = Builder::new(6);
    let weights = b.constant(&[40, 3, 3, 3], -0.3, 0.3);
    let x = b.node("Conv", &["x", &weights], vec![ints("pads", &[1; 4])]);
    let x = b.norm(&x, 40);
    let x = b.norm(&x, 40);
    let x = b.node("Relu", &[&x], vec![]);
    let x = b.norm(&x, 40);
    let x = b.node("Flatten", &[&x], vec![]);
    let dense = b.constant(&[10, 40 * 64], -0.1, 0.1);
    let output = b.node("Gemm", &[&x, &dense], vec![int("transB", 1)]);
    let (coded, count) = with_int8_weights(&b.finish(INPUT, &[(&output, 2)])).unwrap();
    assert_eq!(count, 2);
    let after = simplify(&coded).unwrap();
    // The last one would need a factor for each input of the product.
    assert_eq!((after.report.int8, after.report.batch_norms), (2, 2));
    let expected = run(&coded, &output, EngineChoice::Tract);
    assert_equal(&run(&after.onnx, &output, EngineChoice::Tract), &expected, "folded, tract");
    assert_equal(&run(&after.onnx, &output, EngineChoice::Plan), &expected, "folded, plan");
    assert_equal(&run(&coded, &output, EngineChoice::Plan), &expected, "plan");
}

#[test]
fn codes_and_scales_that_do_not_fit_are_refused() {
    let (onnx, output) = network(true, "Gemm");
    let (coded, _) = with_int8_weights(&onnx).unwrap();
    let spec = NetSpec { input: INPUT, outputs: &[&output] };
    let of_scale = |change: fn(&mut TensorProto)| {
        changed(&coded, |graph| {
            let name = graph.node.iter().find(|node| is_linear(node)).unwrap().input[1].clone();
            change(graph.initializer.iter_mut().find(|tensor| tensor.name == name).unwrap());
        })
    };
    let broken = [
        of_scale(|scale| scale.raw_data.truncate(3)),
        of_scale(|scale| {
            scale.raw_data.truncate(8);
            scale.dims = vec![2];
        }),
        changed(&coded, |graph| graph.node.iter_mut().find(|n| is_linear(n)).unwrap().attribute[0].i = 9),
    ];
    for broken in broken {
        for choice in [EngineChoice::Auto, EngineChoice::Tract] {
            assert!(Net::load(&broken, &spec, &choice.into()).is_err());
        }
        assert!(simplify(&broken).is_err());
    }
    let net = Net::load(&coded, &spec, &EngineChoice::Auto.into()).unwrap();
    assert_eq!(net.engine(), Engine::Plan);
}
