//! Rewritten graphs compute what they computed before.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Side};
use tract_onnx::pb::type_proto::{Tensor, Value};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto,
};

use super::graph::{Constant, Graph, Values};
use super::{Report, Simplified, graph, plain_constants, simplify};
use crate::limits::MAX_CONSTANT_VALUES;
use crate::{InferError, Net, NetSpec, RunOptions};

const INPUT: [usize; 4] = [1, 3, 6, 6];
const SPEC: NetSpec<'static> = NetSpec { input: INPUT, outputs: &["y"] };

/// Numbers -1..1 that look random.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }

    fn tensor(&mut self, name: &str, dims: &[i64], low: f32, high: f32) -> TensorProto {
        let count = dims.iter().product::<i64>();
        let float_data = (0..count).map(|_| low + (high - low) * (self.next() + 1.0) / 2.0).collect();
        f32s(name, dims, float_data)
    }

    /// Scale, shift, mean and variance of a batch normalisation.
    fn norm(&mut self, name: &str, channels: i64) -> [TensorProto; 4] {
        let mut part = |part: &str, low, high| self.tensor(&format!("{name}.{part}"), &[channels], low, high);
        [part("g", 0.5, 2.0), part("b", -1.0, 1.0), part("m", -1.0, 1.0), part("v", 0.1, 2.0)]
    }
}

fn f32s(name: &str, dims: &[i64], float_data: Vec<f32>) -> TensorProto {
    let data_type = DataType::Float as i32;
    TensorProto { name: name.into(), dims: dims.to_vec(), data_type, float_data, ..TensorProto::default() }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

fn with(mut node: NodeProto, attribute: Vec<AttributeProto>) -> NodeProto {
    node.attribute = attribute;
    node
}

fn value(name: &str, dims: &[usize]) -> ValueInfoProto {
    let dim =
        dims.iter().map(|&d| Dimension { value: Some(Side::DimValue(d as i64)), ..Dimension::default() });
    let shape = Some(TensorShapeProto { dim: dim.collect() });
    let tensor = Value::TensorType(Tensor { elem_type: DataType::Float as i32, shape });
    let r#type = Some(TypeProto { value: Some(tensor), ..TypeProto::default() });
    ValueInfoProto { name: name.into(), r#type, ..ValueInfoProto::default() }
}

fn model(node: Vec<NodeProto>, initializer: Vec<TensorProto>, output: &[usize]) -> Vec<u8> {
    let mut input = vec![value("x", &INPUT)];
    input.extend(
        initializer.iter().map(|t| value(&t.name, &t.dims.iter().map(|&d| d as usize).collect::<Vec<_>>())),
    );
    let graph =
        GraphProto { node, initializer, input, output: vec![value("y", output)], ..GraphProto::default() };
    let opset_import = vec![OperatorSetIdProto { version: 13, ..OperatorSetIdProto::default() }];
    ModelProto { ir_version: 7, opset_import, graph: Some(graph), ..ModelProto::default() }.encode_to_vec()
}

/// SFace's shape in small: normalisation, Conv, BatchNorm, `PReLU`, BatchNorm, Dropout, Flatten, Gemm, BatchNorm.
fn small_embedder(seed: u64, steepest: f32, transposed: bool) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut constants = vec![f32s("mean", &[1], vec![127.5]), f32s("scale", &[1], vec![1.0 / 128.0])];
    constants.push(numbers.tensor("w", &[4, 3, 3, 3], -1.0, 1.0));
    constants.push(numbers.tensor("slope", &[4, 1, 1], -0.5, steepest));
    let gemm = if transposed { [5, 4 * 36] } else { [4 * 36, 5] };
    constants.push(numbers.tensor("fc", &gemm, -0.1, 0.1));
    constants.push(numbers.tensor("fc_bias", &[5], -1.0, 1.0));
    let mut norm = |name: &str, channels| {
        let parts = numbers.norm(name, channels);
        constants.extend(parts);
    };
    norm("n1", 4);
    norm("n2", 4);
    norm("n3", 5);
    let batch_norm = |name: &str, x: &str, y: &str| {
        let parts = ["g", "b", "m", "v"].map(|part| format!("{name}.{part}"));
        graph::node("BatchNormalization", &[x, &parts[0], &parts[1], &parts[2], &parts[3]], y)
    };
    let nodes = vec![
        graph::node("Sub", &["x", "mean"], "centred"),
        graph::node("Mul", &["centred", "scale"], "scaled"),
        with(
            graph::node("Conv", &["scaled", "w"], "conv"),
            vec![ints("kernel_shape", &[3, 3]), ints("pads", &[1, 1, 1, 1]), ints("strides", &[1, 1])],
        ),
        batch_norm("n1", "conv", "normed"),
        graph::node("PRelu", &["normed", "slope"], "active"),
        batch_norm("n2", "active", "again"),
        graph::node("Dropout", &["again"], "dropped"),
        with(graph::node("Flatten", &["dropped"], "flat"), vec![int("axis", 1)]),
        with(
            graph::node("Gemm", &["flat", "fc", "fc_bias"], "dense"),
            vec![int("transB", i64::from(transposed))],
        ),
        batch_norm("n3", "dense", "named"),
        graph::node("Identity", &["named"], "y"),
    ];
    model(nodes, constants, &[1, 5])
}

fn run(onnx: &[u8], input: impl Fn(usize) -> f32) -> Vec<f32> {
    let mut session = Net::load(onnx, &SPEC, &RunOptions::default()).unwrap().session().unwrap();
    session.input_mut().iter_mut().enumerate().for_each(|(i, value)| *value = input(i));
    session.run().unwrap();
    session.output(0).to_vec()
}

fn pixel(i: usize) -> f32 {
    (i * 97 % 256) as f32
}

fn assert_close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 2e-5 * largest), "{a:?} against {b:?}");
}

#[test]
fn a_simplified_embedder_computes_the_same() {
    for seed in 0..6 {
        let steepest = if seed % 2 == 0 { 1.0 } else { 3.0 };
        let before = small_embedder(seed, steepest, seed % 3 == 0);
        let Simplified { onnx, input_norm, report } = simplify(&before).unwrap();
        let norm = input_norm.unwrap();
        assert_eq!((norm.mean, norm.scale), ([127.5; 3], [1.0 / 128.0; 3]));
        assert_eq!((report.batch_norms, report.identities, report.inputs_dropped), (3, 2, 18));
        assert_eq!(report.prelu_max + report.prelu_relu, 1);
        assert_eq!(report.nodes, if report.prelu_max == 1 { 5 } else { 8 });
        assert_close(&run(&before, pixel), &run(&onnx, |i| (pixel(i) - 127.5) / 128.0));
    }
}

#[test]
fn inputs_that_nothing_reads_vanish() {
    let mut file = ModelProto::decode(&*small_embedder(1, 1.0, true)).unwrap();
    file.graph.as_mut().unwrap().input.push(value("left over", &[1]));
    let file = file.encode_to_vec();
    assert!(matches!(Net::load(&file, &SPEC, &RunOptions::default()), Err(InferError::Inputs(2))));
    Net::load(&simplify(&file).unwrap().onnx, &SPEC, &RunOptions::default()).unwrap();
}

#[test]
fn simplifying_twice_changes_nothing() {
    let once = simplify(&small_embedder(1, 1.0, true)).unwrap().onnx;
    let twice = simplify(&once).unwrap();
    assert_eq!(twice.onnx, once);
    assert_eq!(twice.input_norm, None);
}

#[test]
fn a_second_output_where_there_is_one_is_refused() {
    let mut reshape = graph::node("Reshape", &["c", "s"], "r");
    reshape.output.push("also".into());
    let nodes = vec![reshape, graph::node("Relu", &["also"], "y")];
    let constants = vec![f32s("c", &[1], vec![1.0]), f32s("s", &[1], vec![1.0])];
    let error = simplify(&model(nodes, constants, &INPUT)).unwrap_err().to_string();
    assert!(error.contains("Reshape \"r\" has 2 outputs"), "{error}");
}

#[test]
fn a_norm_whose_input_is_read_elsewhere_is_left_alone() {
    let mut numbers = Numbers(3);
    let mut constants = vec![numbers.tensor("w", &[3, 3, 1, 1], -1.0, 1.0)];
    constants.extend(numbers.norm("n", 3));
    let nodes = vec![
        graph::node("Conv", &["x", "w"], "c"),
        graph::node("BatchNormalization", &["c", "n.g", "n.b", "n.m", "n.v"], "n"),
        graph::node("Add", &["n", "c"], "y"),
    ];
    let before = model(nodes, constants, &INPUT);
    let after = simplify(&before).unwrap();
    assert_eq!(after.report.batch_norms, 0);
    assert_close(&run(&before, pixel), &run(&after.onnx, pixel));
}

#[test]
fn quantised_weights_become_numbers_that_tract_can_read() {
    let raw = |values: &[i8]| values.iter().map(|&v| v as u8).collect::<Vec<_>>();
    let i8s = |name: &str, dims: &[i64], values: &[i8]| TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DataType::Int8 as i32,
        raw_data: raw(values),
        ..TensorProto::default()
    };
    let shape = TensorProto {
        name: "shape".into(),
        dims: vec![4],
        data_type: DataType::Int64 as i32,
        int64_data: vec![1, -1, 1, 1],
        ..TensorProto::default()
    };
    let constants = vec![
        i8s("q", &[1, 3], &[10, -20, 30]),
        f32s("s", &[1, 2], vec![0.5, 0.1]),
        i8s("z", &[1, 2], &[0, 10]),
        shape,
    ];
    let nodes = vec![
        with(
            graph::node("DequantizeLinear", &["q", "s", "z"], "f"),
            vec![int("axis", 1), int("block_size", 2)],
        ),
        graph::node("Reshape", &["f", "shape"], "w"),
        graph::node("Conv", &["x", "w"], "y"),
    ];
    let after = simplify(&model(nodes, constants, &[1, 1, 6, 6])).unwrap();
    assert_eq!((after.report.dequantised, after.report.reshaped, after.report.nodes), (1, 1, 1));
    // Blocks of two: 10 and -20 at 0.5, then 30 less 10 at 0.1.
    let expected: Vec<f32> =
        (0..36).map(|i| 5.0 * pixel(i) - 10.0 * pixel(i + 36) + 2.0 * pixel(i + 72)).collect();
    assert_close(&expected, &run(&after.onnx, pixel));
    let cost = crate::cost(&after.onnx, &SPEC).unwrap();
    assert_eq!((cost.macs, cost.parameters), (108, 3));
}

/// Many nodes may read one constant, and each makes another of its size: a small file that asks for much memory.
#[test]
fn what_nodes_make_of_one_constant_is_counted_before_it_is_kept() {
    let codes =
        TensorProto { data_type: DataType::Int8 as i32, int32_data: vec![1; 4], ..f32s("q", &[4], vec![]) };
    let half = TensorProto {
        data_type: DataType::Float16 as i32,
        int32_data: vec![1; 4],
        ..f32s("h", &[4], vec![])
    };
    let shape =
        TensorProto { data_type: DataType::Int64 as i32, int64_data: vec![4; 4], ..f32s("i", &[4], vec![]) };
    let of = |op: &str, inputs: &[&str], attribute: Vec<AttributeProto>| -> Vec<NodeProto> {
        (0..8).map(|i| with(graph::node(op, inputs, &format!("{op}{i}")), attribute.clone())).collect()
    };
    for nodes in [
        of("DequantizeLinear", &["q", "s"], vec![]),
        of("Cast", &["h"], vec![int("to", DataType::Float as i64)]),
        of("Add", &["i", "i"], vec![]),
    ] {
        let constants = vec![codes.clone(), half.clone(), shape.clone(), f32s("s", &[], vec![0.5])];
        let mut graph = Graph::decode(&model(nodes, constants, &[4])).unwrap();
        // Room for two of the eight is left.
        let filler = Constant { dims: vec![MAX_CONSTANT_VALUES - 8], values: Values::F32(vec![]) };
        graph.make("filler", filler).unwrap();
        let refused = plain_constants(&mut graph, &mut Report::default());
        assert!(
            matches!(refused, Err(InferError::TooMuch { what: "values of constants", .. })),
            "{refused:?}"
        );
        let kept: usize = graph.int8.values().map(|int8| int8.codes.len()).sum();
        assert!(kept <= 8, "{kept} codes");
    }
}

#[test]
fn a_session_answers_anew_for_every_input() {
    let onnx = simplify(&small_embedder(5, 1.0, true)).unwrap().onnx;
    let net = Net::load(&onnx, &SPEC, &RunOptions::default()).unwrap();
    let mut session = net.session().unwrap();
    assert!(session.output(0).is_empty() && session.output_shape(0).is_empty());
    let mut answers = Vec::new();
    for value in [0.0, 1.0, 0.0] {
        session.input_mut().fill(value);
        session.run().unwrap();
        assert_eq!(session.output_shape(0), [1, 5]);
        answers.push(session.output(0).to_vec());
    }
    assert_eq!(answers[0], answers[2]);
    assert_ne!(answers[0], answers[1]);
    assert!(session.output(1).is_empty());
}

#[test]
fn what_cannot_be_run_is_refused() {
    let onnx = simplify(&small_embedder(5, 1.0, true)).unwrap().onnx;
    let load = |onnx: &[u8], input, outputs: &[&str]| {
        Net::load(onnx, &NetSpec { input, outputs }, &RunOptions::default()).map(|_| ())
    };
    assert_eq!(load(&[], INPUT, &["y"]), Err(InferError::FileSize(0)));
    assert_eq!(load(&onnx, [1, 3, 0, 6], &["y"]), Err(InferError::InputShape([1, 3, 0, 6])));
    assert_eq!(
        load(&onnx, [1, 3, usize::MAX, 6], &["y"]),
        Err(InferError::InputShape([1, 3, usize::MAX, 6]))
    );
    assert_eq!(load(&onnx, INPUT, &[]), Err(InferError::OutputCount(0)));
    assert_eq!(load(&onnx, INPUT, &["z"]), Err(InferError::NoSuchOutput("z".into())));
    // The Gemm fits one size only.
    assert!(matches!(load(&onnx, [1, 3, 8, 8], &["y"]), Err(InferError::Load(_))));
    assert!(matches!(load(b"no onnx at all", INPUT, &["y"]), Err(InferError::NotOnnx(_))));
    assert!(matches!(simplify(b"no onnx at all"), Err(InferError::NotOnnx(_))));
    let mut cut = onnx;
    cut.truncate(cut.len() / 2);
    assert!(load(&cut, INPUT, &["y"]).is_err() && simplify(&cut).is_err());
}

#[test]
fn nets_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Net>();
}

/// Other programs refuse a file whose nodes have attributes that its operator set does not know.
#[test]
fn no_attribute_of_a_later_operator_set_is_left_in_an_older_one() {
    for (zero_is_copied, opset) in [(0, 13), (1, 18)] {
        let shape = TensorProto {
            name: "shape".into(),
            dims: vec![2],
            data_type: DataType::Int64 as i32,
            int64_data: vec![1, 108],
            ..TensorProto::default()
        };
        let nodes = vec![
            graph::node("Relu", &["x"], "active"),
            with(graph::node("Reshape", &["active", "shape"], "y"), vec![int("allowzero", zero_is_copied)]),
        ];
        let mut onnx = ModelProto::decode(&*model(nodes, vec![shape], &[1, 108])).unwrap();
        onnx.opset_import[0].version = 18;
        let after = ModelProto::decode(&*simplify(&onnx.encode_to_vec()).unwrap().onnx).unwrap();
        assert_eq!(after.opset_import[0].version, opset);
        let left = after.graph.unwrap().node.iter().flat_map(|node| &node.attribute).count();
        assert_eq!(left as i64, zero_is_copied);
    }
}
