//! Graphs built as ONNX bytes, and the plan and tract side by side.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

pub(crate) mod drawing;

use arcdoor_infer::{Engine, EngineChoice, Files, Net, NetSpec, write_graphs};
use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Side};
use tract_onnx::pb::type_proto::{Tensor, Value};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto,
};

/// Numbers that look random.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// Within -1..1.
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }

    /// Within 0..end.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (((self.next() + 1.0) / 2.0 * end as f32) as usize).min(end - 1)
    }

    pub(crate) fn many(&mut self, count: usize, low: f32, high: f32) -> Vec<f32> {
        (0..count).map(|_| low + (high - low) * (self.next() + 1.0) / 2.0).collect()
    }
}

/// A graph under construction; each method adds nodes and returns the name of what they make.
pub(crate) struct Builder {
    pub(crate) numbers: Numbers,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    made: usize,
}

pub(crate) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    let r#type = AttributeType::Ints as i32;
    AttributeProto { name: name.into(), r#type, ints: values.to_vec(), ..AttributeProto::default() }
}

pub(crate) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

pub(crate) fn text(name: &str, s: &str) -> AttributeProto {
    let r#type = AttributeType::String as i32;
    AttributeProto { name: name.into(), r#type, s: s.into(), ..AttributeProto::default() }
}

impl Builder {
    pub(crate) fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        numbers.next();
        Self { numbers, nodes: Vec::new(), constants: Vec::new(), made: 0 }
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("v{}", self.made)
    }

    pub(crate) fn constant(&mut self, dims: &[usize], low: f32, high: f32) -> String {
        let count = dims.iter().product();
        let values = self.numbers.many(count, low, high);
        self.constant_of(dims, values)
    }

    pub(crate) fn constant_of(&mut self, dims: &[usize], values: Vec<f32>) -> String {
        let name = self.name();
        // Every other constant is written as raw bytes, as exporters do; the others as lists of numbers.
        let raw = self.made.is_multiple_of(2);
        let raw_data =
            if raw { values.iter().flat_map(|value| value.to_le_bytes()).collect() } else { vec![] };
        self.constants.push(TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: DataType::Float as i32,
            float_data: if raw { vec![] } else { values },
            raw_data,
            ..TensorProto::default()
        });
        name
    }

    pub(crate) fn shape_of(&mut self, values: &[i64]) -> String {
        let name = self.name();
        self.constants.push(TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: DataType::Int64 as i32,
            int64_data: values.to_vec(),
            ..TensorProto::default()
        });
        name
    }

    pub(crate) fn node(&mut self, op: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let name = self.name();
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op.to_owned(),
            attribute,
            ..NodeProto::default()
        });
        name
    }

    /// Convolution with a bias; `groups` is 1 or the channels. Weights keep values near their size.
    pub(crate) fn conv(
        &mut self,
        x: &str,
        [from, to, groups]: [usize; 3],
        kernel: [usize; 2],
        stride: usize,
        pads: [usize; 4],
    ) -> String {
        let fan = (from / groups * kernel[0] * kernel[1]) as f32;
        let reach = (3.0 / fan).sqrt();
        let weights = self.constant(&[to, from / groups, kernel[0], kernel[1]], -reach, reach);
        let bias = self.constant(&[to], -0.5, 0.5);
        let wide = |values: &[usize]| values.iter().map(|&v| v as i64).collect::<Vec<_>>();
        let attributes = vec![
            ints("kernel_shape", &wide(&kernel)),
            ints("strides", &wide(&[stride, stride])),
            ints("pads", &wide(&pads)),
            int("group", groups as i64),
        ];
        self.node("Conv", &[x, &weights, &bias], attributes)
    }

    pub(crate) fn norm(&mut self, x: &str, channels: usize) -> String {
        let parts = [(0.5, 2.0), (-1.0, 1.0), (-1.0, 1.0), (0.1, 2.0)]
            .map(|(low, high)| self.constant(&[channels], low, high));
        self.node("BatchNormalization", &[x, &parts[0], &parts[1], &parts[2], &parts[3]], vec![])
    }

    /// A PReLU, in one of the five spellings in which files have it.
    pub(crate) fn prelu(&mut self, x: &str, channels: usize, spelling: usize) -> String {
        let slopes = self.constant(&[channels, 1, 1], -0.5, if spelling == 1 { 1.0 } else { 1.5 });
        let zero = self.constant_of(&[], vec![0.0]);
        match spelling % 5 {
            0 => self.node("PRelu", &[x, &slopes], vec![]),
            1 => {
                let scaled = self.node("Mul", &[x, &slopes], vec![]);
                self.node("Max", &[x, &scaled], vec![])
            }
            2 => {
                let above = self.node("Relu", &[x], vec![]);
                let negated = self.node("Neg", &[x], vec![]);
                let below = self.node("Relu", &[&negated], vec![]);
                let scaled = self.node("Mul", &[&below, &slopes], vec![]);
                self.node("Sub", &[&above, &scaled], vec![])
            }
            3 => {
                let positive = self.node("Greater", &[x, &zero], vec![]);
                let scaled = self.node("Mul", &[&slopes, x], vec![]);
                self.node("Where", &[&positive, x, &scaled], vec![])
            }
            _ => {
                let negative = self.node("Less", &[x, &zero], vec![]);
                let scaled = self.node("Mul", &[x, &slopes], vec![]);
                self.node("Where", &[&negative, &scaled, x], vec![])
            }
        }
    }

    /// The ONNX file; `outputs` are names with their number of axes, 0 to leave that open.
    pub(crate) fn finish(self, input: [usize; 4], outputs: &[(&str, usize)]) -> Vec<u8> {
        let value = |name: &str, dims: Vec<Side>| {
            let dim = dims.into_iter().map(|d| Dimension { value: Some(d), ..Dimension::default() });
            let dim: Vec<Dimension> = dim.collect();
            let shape = (!dim.is_empty()).then_some(TensorShapeProto { dim });
            let tensor = Value::TensorType(Tensor { elem_type: DataType::Float as i32, shape });
            let r#type = Some(TypeProto { value: Some(tensor), ..TypeProto::default() });
            ValueInfoProto { name: name.into(), r#type, ..ValueInfoProto::default() }
        };
        let outputs = outputs.iter().map(|&(name, rank)| {
            value(name, (0..rank).map(|i| Side::DimParam(format!("{name}_{i}"))).collect())
        });
        let graph = GraphProto {
            node: self.nodes,
            initializer: self.constants,
            input: vec![value("x", input.iter().map(|&d| Side::DimValue(d as i64)).collect())],
            output: outputs.collect(),
            ..GraphProto::default()
        };
        let opset_import = vec![OperatorSetIdProto { version: 13, ..OperatorSetIdProto::default() }];
        ModelProto { ir_version: 7, opset_import, graph: Some(graph), ..ModelProto::default() }
            .encode_to_vec()
    }
}

/// The same file, its model changed.
pub(crate) fn changed(onnx: &[u8], change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
    let mut model = ModelProto::decode(onnx).unwrap();
    change(&mut model);
    model.encode_to_vec()
}

pub(crate) fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

/// The same file, said to be of another operator set.
pub(crate) fn of_opset(onnx: &[u8], opset: i64) -> Vec<u8> {
    changed(onnx, |model| model.opset_import[0].version = opset)
}

/// An input of this shape that looks random.
pub(crate) fn image(input: [usize; 4]) -> Vec<f32> {
    Numbers(11).many(input.iter().product(), -1.0, 1.0)
}

/// Shapes and values of all outputs.
pub(crate) type Answers = Vec<(Vec<usize>, Vec<f32>)>;

/// Also checks that a plan that starts from a graph file gives the same bits.
pub(crate) fn answers(onnx: &[u8], spec: &NetSpec<'_>, choice: EngineChoice, input: &[f32]) -> Answers {
    let net = Net::load(onnx, spec, &choice.into()).unwrap();
    assert_eq!(net.engine(), if choice == EngineChoice::Plan { Engine::Plan } else { Engine::Tract });
    let answers = answers_of(&net, spec, input);
    if choice == EngineChoice::Plan {
        let graphs = write_graphs(onnx, spec.outputs, &[spec.input]).unwrap();
        let files = Files { onnx, graphs: Some(&graphs) };
        let stored = Net::load(files, spec, &choice.into()).unwrap();
        assert!(stored.from_graph());
        assert_eq!(bits(&answers_of(&stored, spec, input)), bits(&answers));
    }
    answers
}

pub(crate) fn bits(answers: &Answers) -> Vec<(Vec<usize>, Vec<u32>)> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    answers.iter().map(|(shape, values)| (shape.clone(), bits(values))).collect()
}

pub(crate) fn answers_of(net: &Net, spec: &NetSpec<'_>, input: &[f32]) -> Answers {
    let mut session = net.session().unwrap();
    session.input_mut().copy_from_slice(input);
    session.run().unwrap();
    (0..spec.outputs.len()).map(|i| (session.output_shape(i).to_vec(), session.output(i).to_vec())).collect()
}

/// How far each of some answers lies from others, at most.
pub(crate) fn apart(answers: &Answers, others: &Answers) -> Vec<f32> {
    let largest =
        |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    answers.iter().zip(others).map(|((_, a), (_, b))| largest(a, b)).collect()
}

/// Values within 1e-4 of the output's size, and directions alike; what is not finite, alike too.
pub(crate) fn assert_equal(plan: &Answers, tract: &Answers, what: &str) {
    assert_equal_but(plan, tract, &vec![0.0; tract.len()], what);
}

/// The same, where each output's values may err by so much more, but at most ten times as much in all: what is left of large
/// terms that cancel errs as these do.
pub(crate) fn assert_equal_but(plan: &Answers, tract: &Answers, more: &[f32], what: &str) {
    assert_eq!(plan.len(), tract.len());
    for (index, ((shape, ours), (expected, theirs))) in plan.iter().zip(tract).enumerate() {
        assert_eq!(shape, expected, "{what}: output {index}");
        assert_eq!(ours.len(), theirs.len(), "{what}: output {index}");
        let finite = |v: &&f32| v.is_finite();
        let largest = theirs.iter().filter(finite).fold(0.0_f32, |m, v| m.max(v.abs()));
        let usual = 1e-4 * largest.max(1e-3);
        let within = usual + more[index].min(9.0 * usual);
        let (mut dot, mut a2, mut b2) = (0.0_f64, 0.0, 0.0);
        for (at, (a, b)) in ours.iter().zip(theirs).enumerate() {
            if b.is_finite() {
                assert!((a - b).abs() <= within, "{what}: output {index} at {at}: {a} {b}");
                let (a, b) = (f64::from(*a), f64::from(*b));
                (dot, a2, b2) = (dot + a * b, a2 + a * a, b2 + b * b);
            } else {
                assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "{what}: at {at}: {a} {b}");
            }
        }
        assert!(a2 * b2 == 0.0 || dot / (a2 * b2).sqrt() >= 0.999_99, "{what}: output {index}");
    }
}
