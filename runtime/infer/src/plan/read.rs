//! ONNX operators, one by one: attributes, constants and shapes checked.

use std::collections::BTreeMap;

use arcdoor_kernels::{PoolKind, Taps};
use tract_onnx::pb::{AttributeProto, NodeProto};

use super::graph::{Act, Graph, Node, Op, Weights, reads};
use super::pattern::Makers;
use super::refusal::Why;
use super::shape::{Shape, View};
use crate::onnx::{Numbers, Tensor};

/// Reads one node; what it makes is a view, of an old map or of the one that it adds to the graph.
pub(super) fn node<'a>(
    graph: &mut Graph,
    makers: &Makers<'a>,
    views: &BTreeMap<&'a str, View>,
    node: &'a NodeProto,
) -> Result<View, Why> {
    if !(node.domain.is_empty() || node.domain == "ai.onnx") {
        return Err(Why::Operator);
    }
    if node.output.iter().skip(1).any(|name| !name.is_empty()) {
        return Err(Why::Attribute("second output"));
    }
    let names = reads(makers, node);
    let inputs: Option<Vec<&View>> = names.iter().map(|name| views.get(name)).collect();
    let inputs = inputs.ok_or(Why::Order)?;
    let reader = Reader { makers, node, graph };
    match &*inputs {
        [x] => reader.unary(x),
        [a, b] => reader.add(a, b),
        _ => Err(Why::Operator),
    }
}

struct Reader<'a, 'g> {
    makers: &'g Makers<'a>,
    node: &'a NodeProto,
    graph: &'g mut Graph,
}

impl<'a> Reader<'a, '_> {
    fn unary(self, x: &View) -> Result<View, Why> {
        let shape = self.graph.shape(x.value);
        if let Some(prelu) = self.makers.prelu(self.node) {
            let slopes = self.per_channel(prelu.slopes, x, shape)?;
            return self.prelu(x, slopes);
        }
        match &*self.node.op_type {
            "Conv" => self.conv(x, shape),
            "Gemm" | "MatMul" => self.dense(x, shape),
            "BatchNormalization" => self.norm(x, shape),
            "Add" | "Sub" | "Mul" | "Div" => self.affine(x, shape),
            "Relu" => Ok(self.same(x, Op::Act(Act::Relu))),
            "Sigmoid" => Ok(self.same(x, Op::Act(Act::Sigmoid))),
            "LeakyRelu" => {
                let slope = self.float("alpha", 0.01);
                self.prelu(x, vec![slope; shape.channels])
            }
            "Clip" => self.clip(x),
            "MaxPool" | "AveragePool" => self.pool(x, shape),
            "GlobalAveragePool" => {
                image(x, shape)?;
                let to = Shape { height: 1, width: 1, ..shape };
                Ok(self.push(Op::GlobalAverage, x, to))
            }
            "Resize" | "Upsample" => self.upsample(x, shape),
            "Identity" => Ok(x.clone()),
            "Dropout" if self.node.input.len() <= 2 => Ok(x.clone()),
            "Flatten" => x.flatten(self.int("axis", 1)),
            "Reshape" => x.reshape(self.i64s(1)?, self.int("allowzero", 0) != 0),
            "Transpose" => x.transpose(self.ints("perm").ok_or(Why::Attribute("perm"))?, shape),
            "Squeeze" => self.squeeze(x),
            _ => Err(Why::Operator),
        }
    }

    fn conv(self, x: &View, shape: Shape) -> Result<View, Why> {
        image(x, shape)?;
        self.no_dilation()?;
        let weight = self.constant(1)?;
        let &[outputs, by_group, rows, columns] = &*weight.dims else { return Err(Why::Constant("weights")) };
        let taps = self.taps([rows, columns])?;
        let groups = usize::try_from(self.int("group", 1)).map_err(|_| Why::Attribute("group"))?;
        let [height, width] = taps.output_size(shape.height, shape.width)?;
        let to = Shape::of_image(&[1, outputs, height, width])?;
        let weights = self.weights(false, outputs)?;
        let op = if groups == shape.channels && outputs == groups && by_group == 1 {
            Op::Depthwise { taps, weights }
        } else if groups == 1 && by_group == shape.channels {
            Op::Conv { taps, weights }
        } else {
            return Err(Why::Attribute("group"));
        };
        Ok(self.push(op, x, to))
    }

    fn dense(self, x: &View, shape: Shape) -> Result<View, Why> {
        let weight = self.constant(1)?;
        let &[first, second] = &*weight.dims else { return Err(Why::Constant("weights")) };
        let gemm = self.node.op_type == "Gemm";
        let plain = !gemm
            || (self.int("transA", 0) == 0
                && self.float("alpha", 1.0).to_bits() == 1.0_f32.to_bits()
                && self.float("beta", 1.0).to_bits() == 1.0_f32.to_bits());
        if !plain {
            return Err(Why::Attribute("alpha, beta or transA"));
        }
        let by_input = !(gemm && self.int("transB", 0) != 0);
        let (outputs, length) = if by_input { (second, first) } else { (first, second) };
        let flat = x.order == super::shape::Order::Planes && x.dims.len() == 2;
        if !flat || x.dims.get(1) != Some(&length) || length != shape.len() {
            return Err(Why::Dims);
        }
        let to = Shape::of_image(&[1, outputs, 1, 1])?;
        let weights = self.weights(by_input, outputs)?;
        let view = self.push(Op::Dense { weights }, x, to);
        Ok(View { dims: vec![x.dims.first().copied().unwrap_or(1), outputs], ..view })
    }

    fn norm(self, x: &View, shape: Shape) -> Result<View, Why> {
        if self.int("training_mode", 0) != 0 || self.int("spatial", 1) != 1 || !x.by_channel(shape) {
            return Err(Why::Attribute("training_mode"));
        }
        let epsilon = f64::from(self.float("epsilon", 1e-5));
        let mut parts = [&[][..]; 4];
        for (index, part) in parts.iter_mut().enumerate() {
            *part = self.f32s(index + 1, "norm").and_then(|values| {
                if values.len() == shape.channels { Ok(values) } else { Err(Why::Constant("norm")) }
            })?;
        }
        let [gamma, beta, mean, variance] = parts;
        let factor = |c: usize| f64::from(gamma[c]) / (f64::from(variance[c]) + epsilon).sqrt();
        let scale = (0..shape.channels).map(|c| factor(c) as f32).collect();
        let shift = (0..shape.channels).map(|c| f64::from(beta[c]) - f64::from(mean[c]) * factor(c));
        let shift = shift.map(|v| v as f32).collect();
        Ok(self.same(x, Op::Affine { scale, shift }))
    }

    /// A constant added, taken away, multiplied or divided by.
    fn affine(self, x: &View, shape: Shape) -> Result<View, Why> {
        let first = self.node.input.first().ok_or(Why::Order)?;
        let x_first = !self.makers.opened.constants.contains_key(first);
        let name = self.node.input.get(usize::from(x_first)).ok_or(Why::Order)?;
        let values = self.per_channel(name, x, shape)?;
        let all = |value: f32| vec![value; shape.channels];
        let (scale, shift) = match (&*self.node.op_type, x_first) {
            ("Add", _) => (all(1.0), values),
            ("Mul", _) => (values, all(0.0)),
            ("Sub", true) => (all(1.0), values.iter().map(|v| -v).collect()),
            ("Sub", false) => (all(-1.0), values),
            ("Div", true) => (values.iter().map(|v| 1.0 / v).collect(), all(0.0)),
            _ => return Err(Why::Inputs),
        };
        // tract would multiply an infinity by this; the fused forms would not.
        if scale.iter().chain(&shift).any(|v| !v.is_finite()) {
            return Err(Why::Constant("operand"));
        }
        Ok(self.same(x, Op::Affine { scale, shift }))
    }

    fn prelu(self, x: &View, slopes: Vec<f32>) -> Result<View, Why> {
        // The kernels may multiply a 0 by one, too.
        if slopes.iter().any(|slope| !slope.is_finite()) {
            return Err(Why::Constant("slopes"));
        }
        Ok(self.same(x, Op::Act(Act::Prelu(slopes))))
    }

    fn clip(self, x: &View) -> Result<View, Why> {
        let bound = |index: usize, name: &str, open: f32| match self.node.input.get(index) {
            Some(given) if !given.is_empty() => match self.f32s(index, "bounds")? {
                &[value] => Ok(value),
                _ => Err(Why::Constant("bounds")),
            },
            _ => Ok(self.float(name, open)),
        };
        let (min, max) = (bound(1, "min", f32::MIN)?, bound(2, "max", f32::MAX)?);
        if !(min.is_finite() && max.is_finite() && min <= max) {
            return Err(Why::Constant("bounds"));
        }
        Ok(self.same(x, Op::Act(Act::Clip { min, max })))
    }

    fn pool(self, x: &View, shape: Shape) -> Result<View, Why> {
        image(x, shape)?;
        self.no_dilation()?;
        if self.int("ceil_mode", 0) != 0 {
            return Err(Why::Attribute("ceil_mode"));
        }
        let &[rows, columns] = self.ints("kernel_shape").ok_or(Why::Attribute("kernel_shape"))? else {
            return Err(Why::Attribute("kernel_shape"));
        };
        let side = |side| usize::try_from(side).map_err(|_| Why::Attribute("kernel_shape"));
        let taps = self.taps([side(rows)?, side(columns)?])?;
        let [height, width] = taps.output_size(shape.height, shape.width)?;
        let to = Shape::of_image(&[1, shape.channels, height, width])?;
        let kind = if self.node.op_type == "MaxPool" {
            PoolKind::Max
        } else if self.int("count_include_pad", 0) != 0 {
            PoolKind::AverageWithPads
        } else {
            PoolKind::Average
        };
        Ok(self.push(Op::Pool { kind, taps }, x, to))
    }

    /// Nearest neighbour, twice as large.
    fn upsample(self, x: &View, shape: Shape) -> Result<View, Why> {
        image(x, shape)?;
        let scales = match self.node.input.len() {
            2 => self.f32s(1, "scales")?,
            3 => self.f32s(2, "scales")?,
            _ => return Err(Why::Attribute("sizes")),
        };
        let coordinates = self.string("coordinate_transformation_mode", "half_pixel");
        let rounding = self.string("nearest_mode", "round_prefer_floor");
        let older = self.node.op_type == "Upsample" || self.makers.opened.opset < 11;
        let plain = older
            || matches!(
                (coordinates, rounding),
                ("asymmetric", "floor") | ("half_pixel", "round_prefer_floor" | "round_prefer_ceil")
            );
        if scales != [1.0, 1.0, 2.0, 2.0] || self.string("mode", "nearest") != "nearest" || !plain {
            return Err(Why::Attribute("mode or scales"));
        }
        let doubled = |side: usize| side.checked_mul(2).ok_or(Why::TooLarge);
        let to = Shape::of_image(&[1, shape.channels, doubled(shape.height)?, doubled(shape.width)?])?;
        Ok(self.push(Op::Upsample, x, to))
    }

    fn squeeze(self, x: &View) -> Result<View, Why> {
        let axes = if self.makers.opened.opset < 13 { self.ints("axes") } else { self.i64s(1).ok() };
        let mut dims: Vec<Option<usize>> = x.dims.iter().copied().map(Some).collect();
        for &axis in axes.ok_or(Why::Attribute("axes"))? {
            let place = super::shape::place(axis, x.dims.len()).ok_or(Why::Attribute("axes"))?;
            match dims.get_mut(place) {
                Some(side) if *side == Some(1) => *side = None,
                _ => return Err(Why::Dims),
            }
        }
        Ok(View { dims: dims.into_iter().flatten().collect(), ..x.clone() })
    }

    fn add(self, a: &View, b: &View) -> Result<View, Why> {
        if self.node.op_type != "Add" {
            return Err(Why::Operator);
        }
        let (first, second) = (self.graph.shape(a.value), self.graph.shape(b.value));
        if first != second || a.order != b.order || a.dims != b.dims {
            return Err(Why::Inputs);
        }
        let value = self.put(Op::Add, vec![a.value, b.value], first);
        Ok(View { value, ..a.clone() })
    }

    /// Adds an operator that makes an image.
    fn push(self, op: Op, x: &View, to: Shape) -> View {
        let batch = self.graph.batch;
        let value = self.put(op, vec![x.value], to);
        View::image(value, batch, to)
    }

    /// Adds an operator that changes no shape.
    fn same(self, x: &View, op: Op) -> View {
        let shape = self.graph.shape(x.value);
        let value = self.put(op, vec![x.value], shape);
        View { value, ..x.clone() }
    }

    fn put(self, op: Op, inputs: Vec<usize>, shape: Shape) -> usize {
        let name = self.node.output.first().cloned().unwrap_or_default();
        let operator = self.node.op_type.clone();
        self.graph.nodes.push(Node { operator, name, op, inputs, shape });
        self.graph.nodes.len()
    }

    fn taps(&self, kernel: [usize; 2]) -> Result<Taps, Why> {
        match self.string("auto_pad", "NOTSET") {
            "NOTSET" | "VALID" => {}
            _ => return Err(Why::Attribute("auto_pad")),
        }
        let numbers = |name: &'static str, count: usize, default: i64| -> Result<Vec<usize>, Why> {
            let given = self.ints(name).filter(|given| !given.is_empty()).map(<[i64]>::to_vec);
            let given = given.unwrap_or_else(|| vec![default; count]);
            let numbers: Result<Vec<usize>, _> = given.into_iter().map(usize::try_from).collect();
            numbers.ok().filter(|numbers| numbers.len() == count).ok_or(Why::Attribute(name))
        };
        let (pads, strides) = (numbers("pads", 4, 0)?, numbers("strides", 2, 1)?);
        match (&*pads, &*strides) {
            (&[top, left, bottom, right], &[stride, across]) if stride == across => {
                // A window within the padding alone has no pixel of the map.
                if pads.iter().zip(kernel.iter().cycle()).any(|(&pad, &side)| pad >= side) {
                    return Err(Why::Attribute("pads"));
                }
                Ok(Taps { kernel, stride, pads: [top, left, bottom, right] })
            }
            _ => Err(Why::Attribute("strides")),
        }
    }

    fn weights(&self, by_input: bool, outputs: usize) -> Result<Weights, Why> {
        let name = self.node.input.get(1).cloned().unwrap_or_default();
        if !matches!(self.constant(1)?.numbers, Numbers::F32(_) | Numbers::Raw(_)) {
            return Err(Why::Constant("weights"));
        }
        let bias = match self.node.input.get(2).filter(|name| !name.is_empty()) {
            None => vec![0.0; outputs],
            Some(_) => match self.f32s(2, "bias")? {
                bias if bias.len() == outputs => bias.to_vec(),
                &[all] => vec![all; outputs],
                _ => return Err(Why::Constant("bias")),
            },
        };
        Ok(Weights { name, by_input, scale: None, bias })
    }

    /// One value a channel, spread from one where there is one.
    fn per_channel(&self, name: &str, x: &View, shape: Shape) -> Result<Vec<f32>, Why> {
        let wrong = || Why::Constant("operand");
        let tensor = self.makers.opened.constants.get(name).ok_or_else(wrong)?;
        let Numbers::F32(values) = &tensor.numbers else { return Err(wrong()) };
        if let &[all] = &**values {
            return if tensor.dims.len() <= x.dims.len() {
                Ok(vec![all; shape.channels])
            } else {
                Err(wrong())
            };
        }
        // Aligned from the right, every side is 1 but that of axis 1.
        let lead = x.dims.len().checked_sub(tensor.dims.len()).ok_or_else(wrong)?;
        let fits = tensor.dims.iter().enumerate().all(|(i, &side)| side == 1 || i + lead == 1);
        if fits && values.len() == shape.channels && x.by_channel(shape) {
            Ok(values.clone())
        } else {
            Err(wrong())
        }
    }

    fn constant(&self, index: usize) -> Result<&'a Tensor<'a>, Why> {
        let name = self.node.input.get(index).ok_or(Why::Constant("operand"))?;
        self.makers.opened.constants.get(name).ok_or(Why::Constant("operand"))
    }

    fn f32s(&self, index: usize, what: &'static str) -> Result<&'a [f32], Why> {
        match &self.constant(index)?.numbers {
            Numbers::F32(values) => Ok(values),
            _ => Err(Why::Constant(what)),
        }
    }

    fn i64s(&self, index: usize) -> Result<&'a [i64], Why> {
        match &self.constant(index)?.numbers {
            Numbers::I64(values) => Ok(values),
            _ => Err(Why::Constant("shape")),
        }
    }

    fn no_dilation(&self) -> Result<(), Why> {
        match self.ints("dilations") {
            Some(dilations) if dilations.iter().any(|&d| d != 1) => Err(Why::Attribute("dilations")),
            _ => Ok(()),
        }
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.f)
    }

    fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| &*attribute.ints)
    }

    fn string(&self, name: &str, default: &'static str) -> &'a str {
        self.attribute(name).map_or(default, |attribute| std::str::from_utf8(&attribute.s).unwrap_or("?"))
    }
}

/// Operators that look at rows and columns want the map as it is.
fn image(x: &View, shape: Shape) -> Result<(), Why> {
    if x.dims.len() == 4 && x.by_channel(shape) { Ok(()) } else { Err(Why::Dims) }
}
