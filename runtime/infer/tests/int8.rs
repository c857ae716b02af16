//! Networks whose weights are int8 with scales: the same values as f32 weights give, from a file of a quarter of the
//! size.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use arcdoor_infer::rewrite::{simplify, with_int8_weights};
use arcdoor_infer::{
    Engine, EngineChoice, Files, InferError, Net, NetSpec, RunOptions, Threads, check_graphs, cost,
    write_graphs,
};
use common::{
    Answers, Builder, Numbers, answers, answers_of, assert_equal, bits, image, int, ints, of_opset,
};
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

fn run(onnx: &[u8], output: &str, choice: EngineChoice) -> Answers {
    answers(onnx, &NetSpec { input: INPUT, outputs: &[output] }, choice, &image(INPUT))
}

/// The same file, its graph changed.
fn changed(onnx: &[u8], change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    common::changed(onnx, |model| change(common::graph(model)))
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
fn layers_of_many_int8_weights_keep_them_so_and_answer_the_same() {
    let mut b = Builder::new(8);
    let x = b.conv("x", [3, 160, 1], [3, 3], 1, [1; 4]);
    let x = b.conv(&x, [160, 224, 1], [1, 1], 1, [0; 4]);
    let x = b.prelu(&x, 224, 2);
    let x = b.conv(&x, [224, 40, 1], [3, 3], 2, [1; 4]);
    let x = b.node("Flatten", &[&x], vec![]);
    let weights = b.constant(&[100, 640], -0.1, 0.1);
    let output = b.node("Gemm", &[&x, &weights], vec![int("transB", 1)]);
    let (coded, count) = with_int8_weights(&b.finish(INPUT, &[(&output, 2)])).unwrap();
    assert_eq!(count, 4);
    let wide = widened(&coded);
    let plan = run(&coded, &output, EngineChoice::Plan);
    assert_eq!(bits(&plan), bits(&run(&wide, &output, EngineChoice::Plan)));
    assert_equal(&plan, &run(&coded, &output, EngineChoice::Tract), "int8");
    let spec = NetSpec { input: INPUT, outputs: &[&output] };
    let load = |onnx: &[u8], threads| {
        Net::load(onnx, &spec, &RunOptions { threads, ..EngineChoice::Plan.into() }).unwrap()
    };
    let two = load(&coded, Threads::Two);
    assert_eq!(bits(&answers_of(&two, &spec, &image(INPUT))), bits(&plan));
    let [bytes, numbers] =
        [&coded, &wide].map(|onnx| load(onnx, Threads::One).plan_bytes().unwrap()[0] as f64);
    assert!(numbers / bytes > 3.5, "{bytes} of {numbers} bytes");
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

/// The operator set 13 is the first in which a `DequantizeLinear` has an axis.
#[test]
fn an_operator_set_without_scales_by_channel_is_refused_with_what_to_do() {
    let mut b = Builder::new(4);
    let x = b.conv("x", [3, 32, 1], [3, 3], 1, [1; 4]);
    let output = b.node("Softmax", &[&x], vec![int("axis", 1)]);
    let onnx = simplify(&of_opset(&b.finish(INPUT, &[(&output, 4)]), 11)).unwrap().onnx;
    let refused = with_int8_weights(&onnx).unwrap_err();
    assert!(matches!(refused, InferError::Int8Opset(11)), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("operator set 11") && text.contains("version_converter"), "{text}");
}

/// A convolution of int8 weights with these scales, a normalisation, and an operator that keeps older operator sets.
fn scaled(dims: &[usize], scales: Vec<f32>) -> (Vec<u8>, String) {
    let mut b = Builder::new(4);
    let scale = b.constant_of(dims, scales);
    let weights = b.node("DequantizeLinear", &["codes", &scale], vec![int("axis", -4)]);
    let x = b.node("Conv", &["x", &weights], vec![ints("pads", &[1; 4])]);
    let x = b.norm(&x, 40);
    let output = b.node("Softmax", &[&x], vec![int("axis", 1)]);
    let onnx = changed(&b.finish(INPUT, &[(&output, 4)]), |graph| {
        graph.initializer.push(TensorProto {
            name: "codes".to_owned(),
            dims: vec![40, 3, 3, 3],
            data_type: DataType::Int8 as i32,
            raw_data: (0..40 * 27).map(|at| (at * 37) as u8).collect(),
            ..TensorProto::default()
        });
    });
    (onnx, output)
}

/// One scale for all stays one where the file's operator set has no other, so a normalisation stays, too.
#[test]
fn scales_by_channel_are_not_written_in_an_operator_set_without_them() {
    let (one, by_channel) = (scaled(&[], vec![0.01]), scaled(&[40], Numbers(3).many(40, 0.001, 0.02)));
    for ((onnx, output), opset, int8, norms) in
        [(&one, 11, 1, 0), (&one, 13, 1, 1), (&by_channel, 11, 0, 1), (&by_channel, 13, 1, 1)]
    {
        let onnx = of_opset(onnx, opset);
        let after = simplify(&onnx).unwrap();
        assert_eq!((after.report.int8, after.report.batch_norms), (int8, norms), "{opset}");
        let graph = ModelProto::decode(&*after.onnx).unwrap().graph.unwrap();
        let linear: Vec<&NodeProto> = graph.node.iter().filter(|node| is_linear(node)).collect();
        assert_eq!(linear.len(), int8);
        assert!(linear.iter().all(|node| opset == 13 || node.attribute.is_empty()));
        let expected = run(&onnx, output, EngineChoice::Tract);
        assert_equal(&run(&after.onnx, output, EngineChoice::Tract), &expected, "folded or not");
    }
}

#[test]
fn weights_that_several_nodes_read_are_counted_once() {
    let mut b = Builder::new(4);
    let weights = b.constant(&[3, 3, 11, 11], -0.1, 0.1);
    let pads = || vec![ints("pads", &[5; 4])];
    let x = b.node("Conv", &["x", &weights], pads());
    let output = b.node("Conv", &[&x, &weights], pads());
    let (coded, count) = with_int8_weights(&b.finish(INPUT, &[(&output, 4)])).unwrap();
    let graph = ModelProto::decode(&*coded).unwrap().graph.unwrap();
    assert_eq!((count, graph.node.iter().filter(|node| is_linear(node)).count()), (1, 1));
}

/// Codes and scales are named after their weights: a file may hold another constant, or its input, of that name.
#[test]
fn weights_whose_names_are_taken_stay_f32_and_are_not_counted() {
    let (onnx, output) = network(true, "Gemm");
    for taken in ["scale", "int8"] {
        let onnx = changed(&onnx, |graph| {
            let mut convs = graph.node.iter().filter(|node| node.op_type == "Conv");
            let name = format!("{}.{taken}", convs.next_back().unwrap().input[1]);
            let bias = graph.node.iter().find(|node| node.op_type == "Conv").unwrap().input[2].clone();
            graph.initializer.iter_mut().filter(|c| c.name == bias).for_each(|c| c.name.clone_from(&name));
            let inputs = graph.node.iter_mut().flat_map(|node| &mut node.input);
            inputs.filter(|input| **input == bias).for_each(|input| input.clone_from(&name));
        });
        let expected = run(&onnx, &output, EngineChoice::Tract);
        let (coded, count) = with_int8_weights(&onnx).unwrap();
        let linear = |onnx: &[u8]| {
            let graph = ModelProto::decode(onnx).unwrap().graph.unwrap();
            graph.node.iter().filter(|node| is_linear(node)).count()
        };
        assert_eq!((count, linear(&coded)), (3, 3), "{taken}");
        let found = run(&coded, &output, EngineChoice::Tract);
        assert!(found[0].1.iter().zip(&expected[0].1).all(|(a, b)| (a - b).abs() < 0.05), "{taken}");
        let of_input = changed(&onnx, |graph| {
            let mut convs = graph.node.iter().filter(|node| node.op_type == "Conv");
            let name = format!("{}.{taken}", convs.nth(1).unwrap().input[1]);
            graph.input[0].name.clone_from(&name);
            let inputs = graph.node.iter_mut().flat_map(|node| &mut node.input);
            inputs.filter(|input| *input == "x").for_each(|input| input.clone_from(&name));
        });
        let (coded, count) = with_int8_weights(&of_input).unwrap();
        assert_eq!((count, linear(&coded)), (2, 2), "{taken}, of the input");
        run(&coded, &output, EngineChoice::Tract);
    }
}

/// What a file that is loaded by tract is refused for, the plan refuses, too: there, such nodes vanish before tract sees
/// the graph.
#[test]
fn weights_that_are_made_twice_or_too_late_are_refused_on_both_engines() {
    let (onnx, output) = network(true, "Gemm");
    let (coded, _) = with_int8_weights(&onnx).unwrap();
    let made_twice = changed(&coded, |graph| {
        let name = graph.node[0].output.clone();
        let at = graph.node.iter().position(|node| node.op_type == "Relu").unwrap();
        graph.node.insert(at, NodeProto { output: name, ..graph.node[at].clone() });
    });
    let from_others = changed(&coded, |graph| {
        let name = graph.node[0].output.clone();
        let find = |graph: &GraphProto, name: &str| {
            graph.initializer.iter().find(|tensor| tensor.name == name).unwrap().clone()
        };
        let mut second = NodeProto { output: name, ..graph.node[0].clone() };
        let copy = TensorProto { name: "others".to_owned(), ..find(graph, &second.input[0]) };
        second.input[0].clone_from(&copy.name);
        graph.initializer.push(copy);
        graph.node.insert(1, second);
    });
    let too_late = changed(&coded, |graph| {
        let linear = graph.node.remove(0);
        graph.node.push(linear);
    });
    let spec = NetSpec { input: INPUT, outputs: &[&output] };
    for (what, onnx) in [("by a Relu", made_twice), ("again", from_others), ("too late", too_late)] {
        for choice in [EngineChoice::Plan, EngineChoice::Tract] {
            let refused = Net::load(&onnx, &spec, &choice.into()).map(drop);
            assert!(matches!(refused, Err(InferError::Order(_))), "{what}, {choice:?}: {refused:?}");
        }
        assert!(matches!(simplify(&onnx), Err(InferError::Order(_))), "{what}");
    }
}
