//! Networks as the field writes them: each form is computed as ONNX says, or refused by name with what to do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeMap;

use arcdoor_infer::rewrite::{data_files, merge, simplify};
use arcdoor_infer::{Elsewhere, EngineChoice, InferError, MAX_ONNX_BYTES, Net, NetSpec};
use common::{Builder, answers_of, changed, graph, int, ints, of_opset};
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Side;
use tract_onnx::pb::type_proto::Value;
use tract_onnx::pb::{AttributeProto, NodeProto, StringStringEntryProto, TensorProto};
use tract_onnx::prelude::f16;

const INPUT: [usize; 4] = [1, 3, 4, 4];
const ENGINES: [EngineChoice; 2] = [EngineChoice::Auto, EngineChoice::Tract];

fn image() -> Vec<f32> {
    common::image(INPUT)
}

/// What each engine answers to one image.
fn answers(onnx: &[u8], output: &str) -> Vec<Vec<f32>> {
    let spec = NetSpec { input: INPUT, outputs: &[output] };
    let of = |choice: EngineChoice| {
        let net = Net::load(onnx, &spec, &choice.into()).unwrap();
        answers_of(&net, &spec, &image()).swap_remove(0).1
    };
    ENGINES.map(of).to_vec()
}

fn refusal(onnx: &[u8], output: &str) -> InferError {
    let spec = NetSpec { input: INPUT, outputs: &[output] };
    let [auto, tract] = ENGINES.map(|choice| Net::load(onnx, &spec, &choice.into()).unwrap_err());
    assert_eq!(auto, tract);
    auto
}

#[track_caller]
fn assert_near(found: &[Vec<f32>], expected: &[f32]) {
    for found in found {
        assert_eq!(found.len(), expected.len());
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1.0));
        assert!(near, "{found:?} against {expected:?}");
    }
}

/// A 1x1 convolution from 3 to 2 channels with these weights, no bias, and its result.
fn mixed(weights: &[f32; 6]) -> Vec<f32> {
    let image = image();
    let sum = |o: usize, at: usize| (0..3).map(|c| weights[o * 3 + c] * image[c * 16 + at]).sum::<f32>();
    (0..2).flat_map(|o| (0..16).map(move |at| (o, at))).map(|(o, at)| sum(o, at)).collect()
}

const WEIGHTS: [f32; 6] = [0.5, -1.25, 2.0, 0.75, 3.0, -0.375];

fn mixing() -> (Builder, String) {
    let mut b = Builder::new(3);
    let weights = b.constant_of(&[2, 3, 1, 1], WEIGHTS.to_vec());
    let mixed = b.node("Conv", &["x", &weights], vec![]);
    (b, mixed)
}

// Constants in other files

/// The network with its first constant in another file, behind four bytes of another.
fn outside(location: &str, more: &[(&str, &str)]) -> (Vec<u8>, String, Vec<u8>) {
    let (b, output) = mixing();
    let mut data = vec![7; 4];
    let onnx = changed(&b.finish(INPUT, &[(&output, 4)]), |model| {
        let tensor = &mut graph(model).initializer[0];
        data.extend(WEIGHTS.iter().flat_map(|value| value.to_le_bytes()));
        (tensor.raw_data, tensor.float_data, tensor.data_location) = (vec![], vec![], Some(1));
        for (key, value) in [("location", location)].iter().chain(more) {
            let (key, value) = ((*key).to_owned(), (*value).to_owned());
            tensor.external_data.push(StringStringEntryProto { key, value });
        }
    });
    (onnx, output, data)
}

#[test]
fn constants_in_a_file_beside_it_become_those_of_the_network() {
    for more in [&[("offset", "4"), ("length", "24")][..], &[("offset", "4")]] {
        let (onnx, output, data) = outside("a.data", more);
        assert_eq!(data_files(&onnx).unwrap(), ["a.data"]);
        let whole = merge(&onnx, &BTreeMap::from([("a.data".to_owned(), data)])).unwrap();
        assert!(data_files(&whole).unwrap().is_empty());
        assert_near(&answers(&whole, &output), &mixed(&WEIGHTS));
        assert_near(&answers(&simplify(&whole).unwrap().onnx, &output), &mixed(&WEIGHTS));
    }
}

#[test]
fn a_device_reads_no_other_file_and_says_what_to_do() {
    let (onnx, output, _) = outside("a.data", &[]);
    let refused = refusal(&onnx, &output);
    assert!(matches!(refused, InferError::Elsewhere { why: Elsewhere::NotRead, .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("a.data") && text.contains("pack build"), "{text}");
    assert_eq!(simplify(&onnx).unwrap_err(), refused);
}

#[test]
fn data_outside_the_folder_is_never_asked_for() {
    for name in ["../a", "/etc/passwd", "a/b", "", ".", "..", "a\\b", "C:a", "a\0b", &"a".repeat(256)] {
        let (onnx, _, data) = outside(name, &[]);
        let refused = data_files(&onnx).unwrap_err();
        assert!(
            matches!(&refused, InferError::Elsewhere { file, why: Elsewhere::NotPlain, .. } if file == name)
        );
        assert_eq!(merge(&onnx, &BTreeMap::from([(name.to_owned(), data)])), Err(refused));
    }
}

#[test]
fn a_range_that_is_not_there_is_refused() {
    let huge = "18446744073709551615";
    for (more, expected) in [
        (&[("offset", "-4")][..], Elsewhere::NoNumber("offset")),
        (&[("length", "24 ")], Elsewhere::NoNumber("length")),
        (&[("length", "20")], Elsewhere::Length { found: 20, expected: 24 }),
        (&[("length", huge)], Elsewhere::Length { found: usize::MAX, expected: 24 }),
        (&[("offset", "5")], Elsewhere::Ends(28)),
        (&[("offset", huge)], Elsewhere::Ends(28)),
    ] {
        let (onnx, _, data) = outside("a.data", more);
        let refused = merge(&onnx, &BTreeMap::from([("a.data".to_owned(), data)])).unwrap_err();
        assert!(matches!(&refused, InferError::Elsewhere { why, .. } if *why == expected), "{refused}");
    }
    let (onnx, ..) = outside("a.data", &[]);
    let refused = merge(&onnx, &BTreeMap::new()).unwrap_err();
    assert!(matches!(refused, InferError::Elsewhere { why: Elsewhere::Absent, .. }), "{refused}");
}

#[test]
fn many_constants_in_the_same_bytes_do_not_grow_without_end() {
    let (onnx, ..) = outside("a.data", &[]);
    let onnx = changed(&onnx, |model| {
        let constants = &mut graph(model).initializer;
        constants[0].dims = vec![8 << 20];
        for copy in 1..20 {
            constants.push(TensorProto { name: format!("c{copy}"), ..constants[0].clone() });
        }
    });
    let refused = merge(&onnx, &BTreeMap::from([("a.data".to_owned(), vec![0; 32 << 20])])).unwrap_err();
    assert!(matches!(refused, InferError::TooMuch { .. }), "{refused}");
}

/// Within the limit of values, and beyond that of bytes: the refusal says no length that nobody found.
#[test]
fn constants_and_network_together_keep_the_limit_of_a_file() {
    let (onnx, ..) = outside("a.data", &[]);
    let onnx = changed(&onnx, |model| {
        let constants = &mut graph(model).initializer;
        constants[0].dims = vec![8 << 20];
        for copy in 1..8 {
            constants.push(TensorProto { name: format!("c{copy}"), ..constants[0].clone() });
        }
    });
    let refused = merge(&onnx, &BTreeMap::from([("a.data".to_owned(), vec![0; 32 << 20])])).unwrap_err();
    assert!(matches!(refused, InferError::TooMuch { most: MAX_ONNX_BYTES, .. }), "{refused}");
}

// 16-bit floats

fn narrow(tensor: &mut TensorProto, values: &[f16], raw: bool) {
    tensor.data_type = DataType::Float16 as i32;
    (tensor.raw_data, tensor.float_data) = (vec![], vec![]);
    if raw {
        tensor.raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    } else {
        tensor.int32_data = values.iter().map(|value| i32::from(value.to_bits())).collect();
    }
}

/// Among them a subnormal, the largest, and one that 16 bits do not hold exactly.
const HALVES: [f32; 6] = [0.1, -6e-8, 65_504.0, 1.0, 0.333, -2.5];

#[test]
fn sixteen_bit_weights_are_computed_with_as_they_are() {
    let values = HALVES.map(f16::from_f32);
    let expected = mixed(&values.map(f16::to_f32));
    for raw in [true, false] {
        let (b, output) = mixing();
        let onnx = changed(&b.finish(INPUT, &[(&output, 4)]), |model| {
            let graph = graph(model);
            narrow(&mut graph.initializer[0], &values, raw);
            for info in graph.input.iter_mut().chain(&mut graph.output) {
                let Some(Value::TensorType(tensor)) = info.r#type.as_mut().unwrap().value.as_mut() else {
                    panic!("no tensor")
                };
                tensor.elem_type = DataType::Float16 as i32;
            }
        });
        let refused = refusal(&onnx, &output);
        assert!(matches!(refused, InferError::Form { form: "of 16-bit floats", .. }), "{refused}");
        let after = simplify(&onnx).unwrap();
        assert_eq!(after.report.halves, 1);
        assert_near(&answers(&after.onnx, &output), &expected);
    }
}

#[test]
fn casts_to_sixteen_bits_and_back_leave_f32() {
    let mut b = Builder::new(3);
    let narrowed = b.node("Cast", &["x"], vec![int("to", DataType::Float16 as i64)]);
    let weights = b.constant_of(&[2, 3, 1, 1], WEIGHTS.to_vec());
    let sums = b.node("Conv", &[&narrowed, &weights], vec![]);
    let output = b.node("Cast", &[&sums], vec![int("to", DataType::Float as i64)]);
    let onnx = changed(&b.finish(INPUT, &[(&output, 4)]), |model| {
        narrow(&mut graph(model).initializer[0], &HALVES.map(f16::from_f32), true);
    });
    let refused = refusal(&onnx, &output);
    assert!(refused.to_string().contains("pack build"), "{refused}");
    let after = simplify(&onnx).unwrap();
    assert_eq!((after.report.halves, after.report.identities, after.report.nodes), (1, 2, 1));
    assert_near(&answers(&after.onnx, &output), &mixed(&HALVES.map(|value| f16::from_f32(value).to_f32())));
}

#[test]
fn a_type_that_is_not_read_is_named() {
    let (b, output) = mixing();
    let onnx = changed(&b.finish(INPUT, &[(&output, 4)]), |model| {
        graph(model).initializer[0].data_type = DataType::Complex64 as i32;
    });
    let refused = refusal(&onnx, &output).to_string();
    assert!(refused.contains("complex64") && refused.contains("32-bit floats"), "{refused}");
}

// Operator sets

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f, ..AttributeProto::default() }
}

#[test]
fn a_clip_keeps_the_bounds_of_older_operator_sets() {
    let (mut b, mixed_values) = mixing();
    let output = b.node("Clip", &[&mixed_values], vec![float("min", -0.5), float("max", 0.25)]);
    let onnx = of_opset(&b.finish(INPUT, &[(&output, 4)]), 7);
    let expected: Vec<f32> = mixed(&WEIGHTS).iter().map(|value| value.clamp(-0.5, 0.25)).collect();
    assert_near(&answers(&onnx, &output), &expected);
    assert_near(&answers(&simplify(&onnx).unwrap().onnx, &output), &expected);
}

/// Bounds become constants, which are named after the Clip: a file may hold one of that name already.
#[test]
fn bounds_that_become_constants_take_no_name_of_another() {
    for (name, as_node) in [("min", false), ("max", false), ("min", true)] {
        let (mut b, sums) = mixing();
        let taken = b.constant_of(&[1], vec![0.125]);
        let clipped = b.node("Clip", &[&sums], vec![float("min", -0.5), float("max", 0.25)]);
        let other = if as_node { b.node("Identity", &[&taken], vec![]) } else { taken };
        let output = b.node("Add", &[&clipped, &other], vec![]);
        let onnx = changed(&of_opset(&b.finish(INPUT, &[(&output, 4)]), 7), |model| {
            let graph = graph(model);
            let taken = format!("{clipped}.{name}");
            let rename = |text: &mut String| {
                if *text == other {
                    text.clone_from(&taken);
                }
            };
            graph.initializer.iter_mut().for_each(|tensor| rename(&mut tensor.name));
            graph.node.iter_mut().for_each(|node| {
                node.input.iter_mut().chain(&mut node.output).for_each(rename);
            });
        });
        let expected: Vec<f32> =
            mixed(&WEIGHTS).iter().map(|value| value.clamp(-0.5, 0.25) + 0.125).collect();
        assert_near(&answers(&onnx, &output), &expected);
        assert_near(&answers(&simplify(&onnx).unwrap().onnx, &output), &expected);
    }
}

/// The same for weights into which a normalisation is folded, and for the parts of a PReLU.
#[test]
fn what_passes_make_takes_no_name_of_another() {
    for part in ["folded_weight", "folded_bias", "scaled", "above"] {
        for steepest in [0.5, 1.5] {
            let (mut b, sums) = mixing();
            let taken = b.constant_of(&[1, 2, 1, 1], vec![0.125, -0.25]);
            let slopes = b.constant_of(&[2, 1, 1], vec![steepest, -0.25]);
            let normed = b.norm(&sums, 2);
            let bent = b.node("PRelu", &[&normed, &slopes], vec![]);
            let output = b.node("Add", &[&bent, &taken], vec![]);
            let onnx = changed(&b.finish(INPUT, &[(&output, 4)]), |model| {
                let graph = graph(model);
                let owner = if part.starts_with("folded") { &sums } else { &bent };
                let name = format!("{owner}.{part}");
                let inputs = graph.node.iter_mut().flat_map(|node| &mut node.input);
                let constants = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
                inputs
                    .chain(constants)
                    .filter(|text| **text == taken)
                    .for_each(|text| text.clone_from(&name));
            });
            let after = simplify(&onnx).unwrap();
            assert_near(&answers(&after.onnx, &output), &answers(&onnx, &output)[1]);
        }
    }
}

#[test]
fn a_softmax_keeps_the_axes_of_older_operator_sets() {
    let mut b = Builder::new(3);
    let output = b.node("Softmax", &["x"], vec![int("axis", 1)]);
    let onnx = of_opset(&b.finish(INPUT, &[(&output, 4)]), 11);
    let largest = image().into_iter().fold(f32::MIN, f32::max);
    let powers: Vec<f32> = image().iter().map(|value| (value - largest).exp()).collect();
    let expected: Vec<f32> = powers.iter().map(|power| power / powers.iter().sum::<f32>()).collect();
    assert_near(&answers(&onnx, &output), &expected);
    assert_near(&answers(&simplify(&onnx).unwrap().onnx, &output), &expected);
}

#[test]
fn an_upsample_takes_the_pixel_before_its_place() {
    let mut b = Builder::new(3);
    let floats = vec![1.0, 1.0, 2.0, 2.0];
    let scales = AttributeProto {
        name: "scales".into(),
        r#type: AttributeType::Floats as i32,
        floats,
        ..AttributeProto::default()
    };
    let output = b.node("Upsample", &["x"], vec![scales]);
    let onnx = of_opset(&b.finish(INPUT, &[(&output, 4)]), 7);
    let image = image();
    let expected: Vec<f32> =
        (0..3 * 64).map(|i| image[i / 64 * 16 + i % 64 / 8 / 2 * 4 + i % 8 / 2]).collect();
    assert_near(&answers(&simplify(&onnx).unwrap().onnx, &output), &expected);
}

/// tract takes the nearest pixel by rounding, where operator set 10 takes the one before the place. For a factor of 2,
/// both are the same.
#[test]
fn the_first_resize_takes_the_pixel_before_its_place_or_is_refused() {
    for factor in [2, 3] {
        let mut b = Builder::new(3);
        let scales = b.constant_of(&[4], vec![1.0, 1.0, factor as f32, factor as f32]);
        let output = b.node("Resize", &["x", &scales], vec![]);
        let listed = of_opset(&b.finish(INPUT, &[(&output, 4)]), 10);
        // torch writes scales as nodes.
        let as_node = changed(&listed, |model| {
            let graph = graph(model);
            let tensor = graph.initializer.remove(0);
            let mut value = int("value", 0);
            (value.r#type, value.t) = (AttributeType::Tensor as i32, Some(tensor));
            let node = NodeProto {
                output: vec![scales.clone()],
                op_type: "Constant".into(),
                attribute: vec![value],
                ..NodeProto::default()
            };
            graph.node.insert(0, node);
        });
        let (image, side) = (image(), 4 * factor);
        let place =
            |i: usize| i / (side * side) * 16 + i % (side * side) / side / factor * 4 + i % side / factor;
        let expected: Vec<f32> = (0..3 * side * side).map(|i| image[place(i)]).collect();
        for onnx in [listed, as_node] {
            assert_near(&answers(&simplify(&onnx).unwrap().onnx, &output), &expected);
            if factor == 2 {
                assert_near(&answers(&onnx, &output), &expected);
            } else {
                let refused = refusal(&onnx, &output);
                assert!(refused.to_string().contains("pack build"), "{refused}");
            }
        }
    }
}

#[test]
fn a_normalisation_of_an_older_operator_set_ignores_momentum() {
    let mut b = Builder::new(3);
    let output = b.norm("x", 3);
    let onnx = b.finish(INPUT, &[(&output, 4)]);
    let old = changed(&of_opset(&onnx, 7), |model| {
        graph(model).node[0].attribute.extend([float("momentum", 0.3), int("spatial", 1)]);
    });
    let expected = answers(&onnx, &output).swap_remove(1);
    assert_near(&answers(&old, &output), &expected);
    assert_near(&answers(&simplify(&old).unwrap().onnx, &output), &expected);
}

#[test]
fn a_normalisation_by_value_or_in_training_is_refused_by_name() {
    for (attribute, says) in [(int("spatial", 0), "spatial = 0"), (int("training_mode", 1), "model.eval()")] {
        let mut b = Builder::new(3);
        let output = b.norm("x", 3);
        let onnx = b.finish(INPUT, &[(&output, 4)]);
        let onnx = changed(&onnx, |model| graph(model).node[0].attribute.push(attribute));
        let refused = refusal(&onnx, &output);
        assert!(refused.to_string().contains(says) && refused.to_string().contains(&output), "{refused}");
        assert_eq!(simplify(&onnx).unwrap_err(), refused);
    }
}

#[test]
fn an_operator_set_that_broadcasts_otherwise_is_refused() {
    let (b, output) = mixing();
    let onnx = b.finish(INPUT, &[(&output, 4)]);
    assert_near(&answers(&of_opset(&onnx, 7), &output), &mixed(&WEIGHTS));
    for opset in [6, 1, 0, -1] {
        let refused = refusal(&of_opset(&onnx, opset), &output);
        assert_eq!(refused, InferError::Opset(opset));
        assert!(refused.to_string().contains("convert_version"), "{refused}");
    }
}

// Batches and shapes

#[test]
fn any_batch_dimension_will_do() {
    let (b, output) = mixing();
    let onnx = b.finish(INPUT, &[(&output, 4)]);
    let sides = ["None", "N", "batch", ""].map(|name| Some(Side::DimParam(name.to_owned())));
    let numbers = [-1, 0, 1, 8].map(|number| Some(Side::DimValue(number)));
    for side in sides.into_iter().chain(numbers).chain([None]) {
        let onnx = changed(&onnx, |model| {
            let Some(Value::TensorType(tensor)) =
                graph(model).input[0].r#type.as_mut().unwrap().value.as_mut()
            else {
                panic!("no tensor")
            };
            tensor.shape.as_mut().unwrap().dim[0].value = side;
        });
        assert_near(&answers(&onnx, &output), &mixed(&WEIGHTS));
        assert_near(&answers(&simplify(&onnx).unwrap().onnx, &output), &mixed(&WEIGHTS));
    }
}

#[test]
fn one_image_is_not_taken_for_eight() {
    let (mut b, mixed) = mixing();
    let shape = b.shape_of(&[8, -1]);
    let output = b.node("Reshape", &[&mixed, &shape], vec![]);
    let onnx = b.finish([8, 3, 4, 4], &[(&output, 2)]);
    let refused = refusal(&onnx, &output);
    assert!(matches!(refused, InferError::Batch { batch: 8, .. }), "{refused}");
    assert_eq!(refusal(&simplify(&onnx).unwrap().onnx, &output), refused);
    let spec = NetSpec { input: [8, 3, 4, 4], outputs: &[&output] };
    Net::load(&onnx, &spec, &EngineChoice::Tract.into()).unwrap();
}

/// Up to version 3 of the file's format, constants are inputs, too, in any order.
#[test]
fn the_batch_is_that_of_the_image_and_not_of_a_constant() {
    let (mut b, mixed) = mixing();
    let shape = b.shape_of(&[8, -1]);
    let output = b.node("Reshape", &[&mixed, &shape], vec![]);
    let onnx = changed(&b.finish([8, 3, 4, 4], &[(&output, 2)]), |model| {
        let graph = graph(model);
        let mut declared = graph.input[0].clone();
        declared.name.clone_from(&graph.initializer[0].name);
        let Some(Value::TensorType(tensor)) = declared.r#type.as_mut().unwrap().value.as_mut() else {
            panic!("no tensor")
        };
        let dims = &mut tensor.shape.as_mut().unwrap().dim;
        for (dim, side) in dims.iter_mut().zip([2, 3, 1, 1]) {
            dim.value = Some(Side::DimValue(side));
        }
        graph.input.insert(0, declared);
    });
    let refused = refusal(&onnx, &output);
    assert!(matches!(refused, InferError::Batch { batch: 8, .. }), "{refused}");
}

#[test]
fn a_shape_that_is_a_list_of_integers_is_seen() {
    let (mut b, mixed) = mixing();
    let shape = b.node("Constant", &[], vec![ints("value_ints", &[8, -1])]);
    let output = b.node("Reshape", &[&mixed, &shape], vec![]);
    let onnx = b.finish([8, 3, 4, 4], &[(&output, 2)]);
    let refused = refusal(&onnx, &output);
    assert!(matches!(refused, InferError::Batch { batch: 8, .. }), "{refused}");
    let spec = NetSpec { input: [8, 3, 4, 4], outputs: &[&output] };
    Net::load(&onnx, &spec, &EngineChoice::Tract.into()).unwrap();
}

#[test]
fn shapes_that_are_put_together_of_constants_are_known() {
    let (mut b, sums) = mixing();
    let (one, eight, two) = (b.shape_of(&[-1]), b.shape_of(&[8]), b.shape_of(&[2, 3]));
    let first = b.shape_of(&[0]);
    let two = b.node("Gather", &[&two, &first], vec![int("axis", 0)]);
    let half = b.node("Mul", &[&eight, &two], vec![]);
    let all = b.node("Add", &[&half, &half], vec![]);
    let shape = b.node("Concat", &[&one, &all], vec![int("axis", 0)]);
    let output = b.node("Reshape", &[&sums, &shape], vec![]);
    let after = simplify(&b.finish(INPUT, &[(&output, 2)])).unwrap();
    assert_eq!((after.report.shapes, after.report.nodes), (4, 2));
    assert_near(&answers(&after.onnx, &output), &mixed(&WEIGHTS));
}

#[test]
fn arithmetic_that_does_not_come_out_is_left_to_be_refused() {
    for (op, a, b_values) in
        [("Mul", &[i64::MAX][..], &[2][..]), ("Add", &[1, 2], &[1, 2, 3]), ("Gather", &[1], &[5])]
    {
        let (mut b, sums) = mixing();
        let (a, c) = (b.shape_of(a), b.shape_of(b_values));
        let shape = b.node(op, &[&a, &c], vec![]);
        let output = b.node("Reshape", &[&sums, &shape], vec![]);
        let after = simplify(&b.finish(INPUT, &[(&output, 0)])).unwrap();
        assert!(matches!(refusal(&after.onnx, &output), InferError::Order(_)), "{op}");
    }
}

#[test]
fn a_view_as_torch_traces_it_is_a_view() {
    let (mut b, sums) = mixing();
    let (zero, rest) = (b.shape_of(&[0]), b.shape_of(&[-1]));
    let sides = b.node("Shape", &[&sums], vec![]);
    let first = b.node("Gather", &[&sides, &zero], vec![int("axis", 0)]);
    let shape = b.node("Concat", &[&first, &rest], vec![int("axis", 0)]);
    let output = b.node("Reshape", &[&sums, &shape], vec![]);
    let onnx = b.finish(INPUT, &[(&output, 2)]);
    assert_near(&answers(&onnx, &output), &mixed(&WEIGHTS));
    assert_near(&answers(&simplify(&onnx).unwrap().onnx, &output), &mixed(&WEIGHTS));
    // Flatten, the other spelling.
    let (mut b, sums) = mixing();
    let output = b.node("Flatten", &[&sums], vec![]);
    let shown = b.node("Transpose", &[&output], vec![ints("perm", &[0, 1])]);
    assert_near(&answers(&b.finish(INPUT, &[(&shown, 2)]), &shown), &mixed(&WEIGHTS));
}
