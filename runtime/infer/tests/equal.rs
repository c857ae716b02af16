//! The plan computes what tract computes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use arcdoor_infer::{Choice, EngineChoice, Form, Isa, Layer, Net, NetSpec, RunOptions, Tile, Tuning};
use common::drawing::{At, Drawn, conv_of, draw, pool};
use common::{Builder, answers, answers_of, apart, assert_equal, assert_equal_but, ints};
use proptest::prelude::*;

fn compare(drawn: &Drawn, seed: u64, broken: Option<f32>) {
    let names: Vec<&str> = drawn.outputs.iter().map(|name| &**name).collect();
    let spec = NetSpec { input: drawn.input, outputs: &names };
    let mut input = common::Numbers(seed ^ 0xa5a5).many(drawn.input.iter().product(), -1.0, 1.0);
    if let Some(broken) = broken {
        let at = seed as usize % input.len();
        input[at] = broken;
    }
    let plan = answers(&drawn.onnx, &spec, EngineChoice::Plan, &input);
    let tract = answers(&drawn.onnx, &spec, EngineChoice::Tract, &input);
    assert_equal(&plan, &tract, &format!("seed {seed}, input {:?}", drawn.input));
}

/// tract's results on the graph as it was read, without its own decluttering: that of tract 0.23.9 folds "constant -
/// convolution" into a bias and loses the sign of the weights (the graph of seed 18048300927159471580 shows it; ONNX's own
/// reference agrees with the plan).
fn unsimplified(file: &[u8], input: [usize; 4], outputs: &[&str], values: &[f32]) -> common::Answers {
    use tract_onnx::prelude::*;
    let reader = tract_onnx::onnx().with_ignore_value_info(true);
    let mut model = reader.model_for_read(&mut &*file).unwrap();
    let outlets: Vec<OutletId> = outputs
        .iter()
        .map(|&name| {
            let known = model.output_outlets().unwrap();
            *known.iter().find(|&&outlet| model.outlet_label(outlet) == Some(name)).unwrap()
        })
        .collect();
    model.select_output_outlets(&outlets).unwrap();
    let model = model.with_input_fact(0, f32::fact(input).into()).unwrap().into_typed().unwrap();
    let tensor = Tensor::from_shape(&input, values).unwrap();
    let answers = model.into_runnable().unwrap().run(tvec!(tensor.into())).unwrap();
    let values = |answer: &TValue| {
        let view = answer.try_as_plain_ram().unwrap();
        (answer.shape().to_vec(), view.as_slice::<f32>().unwrap().to_vec())
    };
    answers.iter().map(values).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn graphs_drawn_at_random_answer_alike(seed in any::<u64>()) {
        answers_alike(seed);
    }
}

/// The plan answers as tract does, but for a few times what another rounding of the input changes.
fn answers_alike(seed: u64) {
    /// Of the change, which is drawn once.
    const TIMES: f32 = 8.0;
    let drawn = draw(seed);
    let (spec, input) =
        (drawn.input, common::Numbers(seed ^ 0xa5a5).many(drawn.input.iter().product(), -1.0, 1.0));
    let names: Vec<&str> = drawn.outputs.iter().map(|name| &**name).collect();
    let plan = answers(&drawn.onnx, &NetSpec { input: spec, outputs: &names }, EngineChoice::Plan, &input);
    let tract = unsimplified(&drawn.onnx, spec, &names, &input);
    let last_bits = common::Numbers(seed ^ 0x5a5a).many(input.len(), -1.0, 1.0);
    let rounded = |(value, bit): (&f32, &f32)| value * bit.mul_add(f32::EPSILON, 1.0);
    let rounded: Vec<f32> = input.iter().zip(&last_bits).map(rounded).collect();
    let more = apart(&unsimplified(&drawn.onnx, spec, &names, &rounded), &tract);
    let more: Vec<f32> = more.iter().map(|by| TIMES * by).collect();
    assert_equal_but(&plan, &tract, &more, &format!("seed {seed}, input {spec:?}"));
}

/// One value, 0.005, is left of terms of size 4: in f64 it lies between the two engines' answers, 5e-7 from each.
#[test]
fn what_is_left_of_large_terms_may_err_as_these_do() {
    answers_alike(308_494_829_323_515_198);
}

/// The parts of detectors and embedders, whose heads are merged: random graphs seldom have them.
#[test]
fn detectors_and_embedders_in_small_answer_alike() {
    for seed in 0..40 {
        let mut b = Builder::new(seed);
        let (height, width) = (17 + b.numbers.below(24), 15 + b.numbers.below(20));
        let pixels = |side: usize| (side + 2 - 3) / 2 + 1;
        let mut at = At { name: "x".into(), channels: 3, height, width };
        at = conv_of(&mut b, &at, 16, 1, [3, 3], 2, [1; 4]);
        assert_eq!((at.height, at.width), (pixels(height), pixels(width)));
        at.name = b.node("Relu", &[&at.name], vec![]);
        for to in [16, 24, 40] {
            // YuNet's unit, then MobileFaceNet's with its residual.
            at = conv_of(&mut b, &at, to, 1, [1, 1], 1, [0; 4]);
            at = conv_of(&mut b, &at, to, to, [3, 3], 1, [1; 4]);
            at.name = b.node("Relu", &[&at.name], vec![]);
            let before = at.clone();
            at = conv_of(&mut b, &at, 2 * to, 1, [1, 1], 1, [0; 4]);
            let spelling = b.numbers.below(5);
            at.name = b.prelu(&at.name, 2 * to, spelling);
            at = conv_of(&mut b, &at, 2 * to, 2 * to, [3, 3], 1, [1; 4]);
            at = conv_of(&mut b, &at, to, 1, [1, 1], 1, [0; 4]);
            at.name = b.node("Add", &[&at.name, &before.name], vec![]);
            if b.numbers.below(2) == 0 && at.height > 4 && at.width > 4 {
                let attributes = vec![ints("kernel_shape", &[2; 2]), ints("strides", &[2; 2])];
                at.name = b.node("MaxPool", &[&at.name], attributes);
                (at.height, at.width) = (at.height / 2, at.width / 2);
            }
        }
        // Several heads on one map, some of which end in a sigmoid; sometimes the map itself is an output, too.
        let mut outputs = Vec::new();
        for to in [1, 1, 4, 10].into_iter().take(2 + b.numbers.below(3)) {
            let mut head = conv_of(&mut b, &at, to, 1, [1, 1], 1, [0; 4]);
            if b.numbers.below(3) > 0 {
                head = conv_of(&mut b, &head, to, to, [3, 3], 1, [1; 4]);
            }
            let transposed = b.node("Transpose", &[&head.name], vec![ints("perm", &[0, 2, 3, 1])]);
            let shape = b.shape_of(&[1, -1, to as i64]);
            let flat = b.node("Reshape", &[&transposed, &shape], vec![]);
            outputs.push(if to == 1 { b.node("Sigmoid", &[&flat], vec![]) } else { flat });
        }
        if b.numbers.below(2) == 0 {
            outputs.push(at.name.clone());
        }
        let declared: Vec<(&str, usize)> = outputs.iter().map(|name| (&**name, 0)).collect();
        let input = [1, 3, height, width];
        let drawn = Drawn { onnx: b.finish(input, &declared), input, outputs };
        let names: Vec<&str> = drawn.outputs.iter().map(|name| &**name).collect();
        let values = common::Numbers(seed).many(input.iter().product(), -1.0, 1.0);
        let plan = answers(&drawn.onnx, &NetSpec { input, outputs: &names }, EngineChoice::Plan, &values);
        assert_equal(&plan, &unsimplified(&drawn.onnx, input, &names, &values), &format!("seed {seed}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tuning_of_tiles_changes_no_bit(seed in any::<u64>()) {
        let drawn = draw(seed);
        let mut numbers = common::Numbers(seed ^ 0x7117);
        let input = numbers.many(drawn.input.iter().product(), -1.0, 1.0);
        let names: Vec<&str> = drawn.outputs.iter().map(|name| &**name).collect();
        let spec = NetSpec { input: drawn.input, outputs: &names };
        let net = Net::load(&drawn.onnx, &spec, &EngineChoice::Plan.into()).unwrap();
        let layers: BTreeSet<Layer> = net.steps().iter().filter_map(|step| step.layer).collect();
        let choices = layers.into_iter().map(|layer| {
            let Choice { form, .. } = layer.default_choice(Isa::detect()).unwrap();
            let blocks = [1, 2, 4][numbers.below(3)];
            let [pixels, planes, strip] = [14, 4, 90].map(|most| 1 + numbers.below(most));
            (layer, Choice { form, tile: Tile { pixels, blocks, planes, strip } })
        });
        let tuning = Tuning::new(&choices.collect::<Vec<_>>()).unwrap();
        prop_assert!(tuning.keeps_values(Isa::detect()));
        let run = |net: &Net| {
            let mut session = net.session().unwrap();
            session.input_mut().copy_from_slice(&input);
            session.run().unwrap();
            let bits = |index| session.output(index).iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            (0..names.len()).map(bits).collect::<Vec<_>>()
        };
        let tuned = Net::load(&drawn.onnx, &spec, &RunOptions { tuning, ..EngineChoice::Plan.into() }).unwrap();
        prop_assert_eq!(run(&net), run(&tuned));
    }
}

/// How many random graphs are tried: `PROPTEST_CASES`, or a number for everyday runs where it is not set.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(600)
}

/// Maps too large for a cache, which go from step to step some rows at a time, unless a second reader, a border or an
/// output needs them whole.
#[test]
fn large_maps_answer_alike() {
    let (mut chained, mut pointwise) = (0, 0);
    for seed in 0..40 {
        let mut b = Builder::new(seed);
        let mut at = At {
            name: "x".into(),
            channels: 3,
            height: 90 + b.numbers.below(40),
            width: 70 + b.numbers.below(60),
        };
        let input = [1 + b.numbers.below(2), 3, at.height, at.width];
        let to = [12, 12, 33, 64][b.numbers.below(4)];
        at = conv_of(&mut b, &at, to, 1, [3, 3], 1, [1; 4]);
        let mut outputs = Vec::new();
        for _ in 0..2 {
            let to = [12, 12, 33, 64][b.numbers.below(4)];
            at = conv_of(&mut b, &at, to, 1, [1, 1], 1, [0; 4]);
            at.name = b.prelu(&at.name, at.channels, 0);
            let before = at.clone();
            for _ in 0..1 + b.numbers.below(3) {
                let (channels, stride) = (at.channels, 1 + b.numbers.below(2));
                at = match b.numbers.below(3) {
                    0 => pool(&mut b, &at),
                    1 => conv_of(&mut b, &at, channels, channels, [5, 5], stride, [2; 4]),
                    _ => conv_of(&mut b, &at, channels, channels, [3, 3], stride, [1; 4]),
                };
            }
            match b.numbers.below(4) {
                0 => outputs.push(before.name.clone()),
                1 if (at.height, at.width) == (before.height, before.width) => {
                    at.name = b.node("Add", &[&before.name, &at.name], vec![]);
                }
                2 => at = conv_of(&mut b, &at, 17, 1, [3, 3], 1, [1; 4]),
                _ => {}
            }
        }
        outputs.push(at.name.clone());
        outputs.dedup();
        let declared: Vec<(&str, usize)> = outputs.iter().map(|name| (&**name, 0)).collect();
        let drawn = Drawn { onnx: b.finish(input, &declared), input, outputs };
        let names: Vec<&str> = drawn.outputs.iter().map(|name| &**name).collect();
        let spec = NetSpec { input, outputs: &names };
        let net = Net::load(&drawn.onnx, &spec, &EngineChoice::Plan.into()).unwrap();
        let chains = || net.steps().iter().filter(|step| step.operators.contains('>'));
        chained += chains().count();
        pointwise += chains().filter(|step| step.operators.contains("> Conv+PRelu")).count();
        compare(&drawn, seed, None);
    }
    assert!(chained > 12, "{chained} chains");
    assert!(pointwise > 1, "{pointwise} chains with a pointwise convolution behind another");
}

/// Where a file lists several branches and only then their sums, each sum is computed by the last step of a branch.
#[test]
fn sums_listed_last_are_no_steps() {
    let graph = one([1, 8, 9, 9], |b| {
        let branches: Vec<String> = (0..5).map(|_| b.conv("x", [8, 8, 1], [3, 3], 1, [1; 4])).collect();
        let (first, others) = branches.split_first().unwrap();
        others.iter().fold(first.clone(), |sum, branch| b.node("Add", &[&sum, branch], vec![]))
    });
    let names: Vec<&str> = graph.outputs.iter().map(|name| &**name).collect();
    let spec = NetSpec { input: graph.input, outputs: &names };
    let net = Net::load(&graph.onnx, &spec, &EngineChoice::Plan.into()).unwrap();
    assert!(net.steps().iter().all(|step| step.operators != "Add"), "{:?}", net.steps());
    compare(&graph, 1, None);
}

/// tract makes a map of one pixel that is added to a convolution its bias; the plan must read that.
#[test]
fn a_residual_of_one_pixel_answers_alike() {
    let graph = one([1, 20, 1, 1], |b| {
        let first = b.conv("x", [20, 20, 1], [3, 3], 1, [1; 4]);
        let first = b.node("Relu", &[&first], vec![]);
        let second = b.conv(&first, [20, 20, 1], [3, 3], 1, [1; 4]);
        b.node("Add", &[&second, &first], vec![])
    });
    compare(&graph, 3, None);
}

#[test]
fn bounds_on_one_side_answer_alike() {
    let input = [1, 5, 7, 9];
    for (op, bounds) in
        [("Max", [Some(-0.25), None]), ("Min", [None, Some(0.5)]), ("Clip", [Some(0.1), None])]
    {
        let graph = one(input, |b| {
            let bound = b.constant_of(&[], vec![bounds[0].or(bounds[1]).unwrap()]);
            b.node(op, &["x", &bound], vec![])
        });
        for broken in [None, Some(f32::INFINITY), Some(f32::NEG_INFINITY)] {
            compare(&graph, 4, broken);
        }
    }
}

/// tract 0.23.9 would fold these constants into the weights as if they stood on the other side.
#[test]
fn what_stands_left_of_a_convolution_stays_there() {
    for (op, groups) in [("Sub", 1), ("Div", 1), ("Sub", 6), ("Div", 6)] {
        let graph = one([1, 6, 7, 7], |b| {
            let conv = b.conv("x", [6, 6, groups], [3, 3], 1, [1; 4]);
            let constant = b.constant(&[1, 6, 1, 1], 0.5, 1.5);
            b.node(op, &[&constant, &conv], vec![])
        });
        let names: Vec<&str> = graph.outputs.iter().map(|name| &**name).collect();
        let spec = NetSpec { input: graph.input, outputs: &names };
        let input = common::Numbers(5).many(6 * 49, -1.0, 1.0);
        let right = unsimplified(&graph.onnx, graph.input, &names, &input);
        for engine in [EngineChoice::Auto, EngineChoice::Tract] {
            let answer = answers_of(&Net::load(&graph.onnx, &spec, &engine.into()).unwrap(), &spec, &input);
            assert_equal(&answer, &right, &format!("{op} in {groups} groups on {engine:?}"));
        }
    }
}

/// A single operator between input and output.
fn one(input: [usize; 4], build: impl FnOnce(&mut Builder) -> String) -> Drawn {
    let mut b = Builder::new(3);
    let output = build(&mut b);
    let onnx = b.finish(input, &[(&output, 0)]);
    Drawn { onnx, input, outputs: vec![output] }
}

#[test]
fn nan_and_infinities_pass_as_in_tract() {
    let input = [1, 5, 7, 9];
    let graphs = [
        one(input, |b| b.conv("x", [5, 20, 1], [3, 3], 1, [1; 4])),
        one(input, |b| b.conv("x", [5, 5, 5], [3, 3], 2, [1; 4])),
        one(input, |b| {
            let conv = b.conv("x", [5, 5, 1], [3, 3], 1, [1; 4]);
            b.node("Add", &[&conv, "x"], vec![])
        }),
        one(input, |b| b.norm("x", 5)),
        one(input, |b| b.prelu("x", 5, 0)),
        one(input, |b| b.node("GlobalAveragePool", &["x"], vec![])),
    ];
    for (index, graph) in graphs.iter().enumerate() {
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            compare(graph, 100 + index as u64, Some(broken));
        }
    }
}

/// Maps large and small, and channels that do not fill a block: both of Winograd's squares, cut at the edges.
#[test]
fn convolutions_in_winograds_form_answer_alike() {
    for (side, [from, to]) in [(24, [40, 48]), (21, [17, 33]), (14, [64, 64]), (7, [48, 20]), (56, [32, 32])]
    {
        let graph = one([1, from, side, side + 1], |b| {
            let conv = b.conv("x", [from, to, 1], [3, 3], 1, [1; 4]);
            b.prelu(&conv, to, 0)
        });
        compare(&graph, 7 + side as u64, None);
    }
}

/// A layer gives the same values, up to rounding, in every form that a tuning may choose for it.
#[test]
fn every_form_of_a_layer_answers_alike() {
    let forms = [Form::Direct, Form::Winograd2, Form::Winograd4];
    for ([from, to], side) in [([40, 48], 24), ([33, 17], 9), ([5, 70], 5)] {
        let graph = one([1, from, side, side], |b| b.conv("x", [from, to, 1], [3, 3], 1, [1; 4]));
        let names: Vec<&str> = graph.outputs.iter().map(|name| &**name).collect();
        let spec = NetSpec { input: graph.input, outputs: &names };
        let input = common::Numbers(9).many(from * side * side, -1.0, 1.0);
        let tract = unsimplified(&graph.onnx, graph.input, &names, &input);
        let net = Net::load(&graph.onnx, &spec, &EngineChoice::Plan.into()).unwrap();
        let layer = net.steps().iter().find_map(|step| step.layer).unwrap();
        for form in forms.into_iter().filter(|form| *form == Form::Direct || layer.has_winograd()) {
            let tile = layer.default_choice(Isa::detect()).unwrap().tile;
            let tuning = Tuning::new(&[(layer, Choice { form, tile })]).unwrap();
            let tuned =
                Net::load(&graph.onnx, &spec, &RunOptions { tuning, ..EngineChoice::Plan.into() }).unwrap();
            let mut session = tuned.session().unwrap();
            session.input_mut().copy_from_slice(&input);
            session.run().unwrap();
            let answer = vec![(session.output_shape(0).to_vec(), session.output(0).to_vec())];
            assert_equal(&answer, &tract, &format!("{form:?} of {layer:?}"));
        }
    }
}

/// An infinity or a NaN reaches 1 pixel around in a direct 3x3 sum, and up to 2 or 4 as NaN in Winograd's squares; it
/// never becomes a number, and beyond that nothing is touched.
#[test]
fn what_is_not_finite_stays_within_winograds_squares() {
    for (side, reach) in [(24_usize, 4), (14, 2)] {
        let graph = one([1, 40, side, side], |b| b.conv("x", [40, 48, 1], [3, 3], 1, [1; 4]));
        let names: Vec<&str> = graph.outputs.iter().map(|name| &**name).collect();
        let spec = NetSpec { input: graph.input, outputs: &names };
        for (broken, row, column) in
            [(f32::NAN, 3, 8), (f32::INFINITY, 0, side - 1), (f32::NEG_INFINITY, 7, 4)]
        {
            let mut input = common::Numbers(5).many(40 * side * side, -1.0, 1.0);
            input[17 * side * side + row * side + column] = broken;
            let plan = answers(&graph.onnx, &spec, EngineChoice::Plan, &input);
            let tract = answers(&graph.onnx, &spec, EngineChoice::Tract, &input);
            for (at, (ours, theirs)) in plan[0].1.iter().zip(&tract[0].1).enumerate() {
                let (y, x) = (at / side % side, at % side);
                assert!(!ours.is_finite() || theirs.is_finite(), "a number where tract has none");
                if y.abs_diff(row) > reach || x.abs_diff(column) > reach {
                    assert!((ours - theirs).abs() <= 1e-3, "{broken} reached {y}, {x} from {row}, {column}");
                }
            }
        }
    }
}

#[test]
fn a_nan_never_becomes_a_number() {
    // tract's max and min drop a NaN where they meet one; the plan keeps it, so that a broken frame is seen.
    let input = [1, 3, 4, 4];
    for op in ["Relu", "Sigmoid"] {
        let graph = one(input, |b| b.node(op, &["x"], vec![]));
        let names: Vec<&str> = graph.outputs.iter().map(|name| &**name).collect();
        let spec = NetSpec { input, outputs: &names };
        let plan = answers(&graph.onnx, &spec, EngineChoice::Plan, &[f32::NAN; 48]);
        assert!(plan[0].1.iter().all(|value| value.is_nan()), "{op}");
    }
}

#[test]
fn broken_files_are_errors_on_either_engine() {
    let drawn = draw(11);
    let names: Vec<&str> = drawn.outputs.iter().map(|name| &**name).collect();
    let spec = NetSpec { input: drawn.input, outputs: &names };
    for cut in (0..drawn.onnx.len()).step_by(drawn.onnx.len() / 97 + 1) {
        assert!(Net::load(&drawn.onnx[..cut], &spec, &EngineChoice::Plan.into()).is_err(), "cut at {cut}");
    }
    let mut numbers = common::Numbers(77);
    for _ in 0..300 {
        let mut bytes = drawn.onnx.clone();
        for _ in 0..3 {
            let at = numbers.below(bytes.len());
            bytes[at] = numbers.below(256) as u8;
        }
        // The changed byte may lead to an error or to a result, but never to a panic.
        if let Ok(net) = Net::load(&bytes, &spec, &EngineChoice::Plan.into()) {
            net.session().unwrap().run().unwrap();
        }
    }
}

#[test]
fn what_the_plan_does_not_run_goes_to_tract_with_the_reason() {
    use arcdoor_infer::Why;
    let input = [1, 3, 6, 6];
    let unknown = one(input, |b| b.node("Tanh", &["x"], vec![]));
    let steep = one(input, |b| {
        let slopes = b.constant_of(&[3, 1, 1], vec![0.25, f32::INFINITY, 0.5]);
        b.node("PRelu", &["x", &slopes], vec![])
    });
    for (graph, operator, why) in
        [(unknown, "Tanh", Why::Operator), (steep, "PRelu", Why::Constant("slopes"))]
    {
        let names: Vec<&str> = graph.outputs.iter().map(|name| &**name).collect();
        let spec = NetSpec { input, outputs: &names };
        let net = Net::load(&graph.onnx, &spec, &RunOptions::default()).unwrap();
        assert_eq!(net.engine(), arcdoor_infer::Engine::Tract);
        let unsupported = net.unsupported().unwrap();
        assert_eq!((&*unsupported.operator, &unsupported.why), (operator, &why));
        assert!(matches!(
            Net::load(&graph.onnx, &spec, &EngineChoice::Plan.into()),
            Err(arcdoor_infer::InferError::Unplanned(_))
        ));
    }
}
