//! tract's operators, one by one, as operators of the graph, with constants and shapes checked.

use std::collections::BTreeMap;

use arcdoor_kernels::{Order, PoolKind, Taps};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::AxisOp;
use tract_onnx::tract_core::ops::array::MultiBroadcastTo;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PoolSpec, SumPool};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Add, Max, Min, Mul, Neg, Sub};
use tract_onnx::tract_core::ops::nn::{DataFormat, LeakyRelu, NearestUpsample, Reduce, Sigmoid};

use super::declutter::Simple;
use super::makers::{Makers, floats};
use super::order::order;
use super::pattern::{Pattern, is_sum};
use super::product::{Over, Product};
use crate::graph::{Act, Graph, Op, Shape, Unsupported, Values, View, Weights, Why};

impl Simple<'_> {
    /// The nodes that the outputs need, as a graph. Nodes that no output needs are ignored, whatever they are.
    pub(crate) fn graph(&self, input: [usize; 4]) -> Result<Graph<'_>, Unsupported> {
        let makers = Makers::new(self).ok_or_else(|| Unsupported::whole(Why::Order))?;
        let model = makers.model;
        let image = *model.inputs.first().ok_or_else(|| Unsupported::whole(Why::Order))?;
        let mut graph = Graph::new(input).map_err(Unsupported::whole)?;
        let mut views = BTreeMap::from([(image, View::image(0, graph.batch, graph.input))]);
        for read in order(&makers, image.node).map_err(Unsupported::whole)? {
            let refused = |why| Unsupported { operator: makers.name(read), node: makers.label(read), why };
            let view = node(&mut graph, &makers, &views, read).map_err(refused)?;
            views.insert(read.id.into(), view);
        }
        for outlet in &model.outputs {
            // An output that is the input itself, or a constant, is left to tract.
            let view = views.get(outlet).filter(|view| view.value > 0);
            graph.outputs.push(view.ok_or_else(|| Unsupported::whole(Why::Order))?.clone());
        }
        Ok(graph)
    }
}

/// Reads one node and returns its result as a view: of an earlier map, or of the map of an operator that is added to
/// the graph.
fn node<'m>(
    graph: &mut Graph<'m>,
    makers: &Makers<'m>,
    views: &BTreeMap<OutletId, View>,
    node: &'m TypedNode,
) -> Result<View, Why> {
    let [made] = &*node.outputs else { return Err(Why::Attribute("second output")) };
    if made.fact.datum_type != f32::datum_type() {
        return Err(Why::Operator);
    }
    let reads = makers.reads(node);
    let inputs: Option<Vec<&View>> = reads.iter().map(|outlet| views.get(outlet)).collect();
    let inputs = inputs.ok_or(Why::Order)?;
    let mut reader = Reader { makers, node, graph };
    let view = match &*inputs {
        [x] => reader.unary(x)?,
        [x, bias] if node.op_is::<Conv>() => reader.conv_onto(x, bias)?,
        [a, b] => reader.add(a, b)?,
        _ => return Err(Why::Operator),
    };
    // The shape that we have computed must be the one that tract has.
    if made.fact.shape.as_concrete() == Some(&*view.dims) { Ok(view) } else { Err(Why::Dims) }
}

struct Reader<'m, 'g> {
    makers: &'g Makers<'m>,
    node: &'m TypedNode,
    graph: &'g mut Graph<'m>,
}

impl<'m> Reader<'m, '_> {
    fn unary(&mut self, x: &View) -> Result<View, Why> {
        let node = self.node;
        let shape = self.graph.shape(x.value);
        if let Some(pattern) = self.makers.pattern(node) {
            return self.pattern(pattern, x, shape);
        }
        if let Some(op) = node.op_as::<Conv>() {
            return self.conv(op, None, x, shape);
        }
        if let Some(op) = node.op_as::<EinSum>() {
            return self.product(op, x, shape);
        }
        if let Some(op) = node.op_as::<TypedBinOp>() {
            return self.with_constant(op, x, shape);
        }
        if let Some(op) = node.op_as::<ElementWiseOp>() {
            return self.element_wise(op, x, shape);
        }
        if let Some(op) = node.op_as::<AxisOp>() {
            return x.moved(op, shape);
        }
        if let Some(op) = node.op_as::<MultiBroadcastTo>() {
            return x.repeated(op);
        }
        if let Some(op) = node.op_as::<MaxPool>() {
            return self.pool(PoolKind::Max, &op.pool_spec, x, shape);
        }
        if let Some(op) = node.op_as::<SumPool>().filter(|op| op.normalize) {
            let kind = if op.count_include_pad { PoolKind::AverageWithPads } else { PoolKind::Average };
            return self.pool(kind, &op.pool_spec, x, shape);
        }
        if node.op_as::<Reduce>().is_some_and(is_sum) {
            return self.sum(x, shape);
        }
        if let Some(op) = node.op_as::<NearestUpsample>() {
            return self.upsample(&op.scales, x, shape);
        }
        Err(Why::Operator)
    }

    /// A convolution whose bias is computed: tract makes one of a map of one pixel that is added to a convolution.
    fn conv_onto(&mut self, x: &View, bias: &View) -> Result<View, Why> {
        let op = self.node.op_as::<Conv>().ok_or(Why::Operator)?;
        let sums = self.conv(op, Some(bias), x, self.graph.shape(x.value))?;
        let shape = self.graph.shape(sums.value);
        if self.graph.batch != 1 || shape != self.graph.shape(bias.value) || shape.height * shape.width != 1 {
            return Err(Why::Inputs);
        }
        let value = self.put(Op::Add, vec![bias.value, sums.value])?;
        Ok(View { value, ..sums })
    }

    /// Reads a convolution. `onto` is the view of its bias, where that is no constant.
    fn conv(&mut self, op: &Conv, onto: Option<&View>, x: &View, shape: Shape) -> Result<View, Why> {
        if op.q_params.is_some() || op.kernel_fmt != KernelFormat::OIHW {
            return Err(Why::Attribute("weights' format"));
        }
        let &[_, weights, bias] = &*self.node.inputs else { return Err(Why::Inputs) };
        let (values, scale) = self.makers.weights(weights).ok_or(Why::Constant("weights"))?;
        let &[outputs, by_group, rows, columns] = self.dims(weights)? else {
            return Err(Why::Constant("weights"));
        };
        image(x, shape)?;
        let taps = taps(&op.pool_spec, [rows, columns], shape)?;
        let bias = if onto.is_some() { vec![0.0; outputs] } else { self.bias(bias, outputs)? };
        let weights = Weights { values, by_input: false, scale, bias };
        let op = if op.group == shape.channels && outputs == op.group && by_group == 1 {
            Op::Depthwise { taps, weights }
        } else if op.group == 1 && by_group == shape.channels {
            Op::Conv { taps, weights }
        } else {
            return Err(Why::Attribute("group"));
        };
        self.push(op, x)
    }

    /// Reads a product with weights as a 1x1 convolution or a fully connected layer.
    fn product(&mut self, op: &EinSum, x: &View, shape: Shape) -> Result<View, Why> {
        let &[a, b] = &*self.node.inputs else { return Err(Why::Attribute("number of inputs")) };
        let (at, weights) = if self.makers.weights(b).is_some() { (0, b) } else { (1, a) };
        let (values, scale) = self.makers.weights(weights).ok_or(Why::Constant("weights"))?;
        let product = Product::read(op, at, x.dims.len(), self.dims(weights)?);
        let Product { over, by_input, outputs } = product.ok_or(Why::Attribute("axes"))?;
        let weights = Weights { values, by_input, scale, bias: vec![0.0; outputs] };
        match over {
            Over::Channels if by_input => Err(Why::Attribute("axes")),
            Over::Channels => {
                image(x, shape)?;
                let taps = Taps { kernel: [1, 1], stride: 1, pads: [0; 4] };
                self.push(Op::Conv { taps, weights }, x)
            }
            Over::Image => {
                if x.order != Order::Planar || x.dims.first() != Some(&self.graph.batch) {
                    return Err(Why::Dims);
                }
                let view = self.push(Op::Dense { weights }, x)?;
                Ok(View { dims: vec![self.graph.batch, outputs], ..view })
            }
        }
    }

    fn pattern(&mut self, pattern: Pattern<'m>, x: &View, shape: Shape) -> Result<View, Why> {
        match pattern {
            Pattern::Prelu { slopes, .. } => {
                let slopes = per_channel(slopes, x, shape).ok_or(Why::Constant("slopes"))?;
                self.act(x, Act::Prelu(slopes))
            }
            Pattern::Clip { min, max, .. } => self.act(x, Act::Clip { min, max }),
            Pattern::Mean { .. } => {
                image(x, shape)?;
                self.push(Op::GlobalAverage, x)
            }
        }
    }

    /// Reads an operation with a constant: addition, subtraction, multiplication, or a bound.
    fn with_constant(&mut self, op: &TypedBinOp, x: &View, shape: Shape) -> Result<View, Why> {
        let op = &op.0;
        if op.is::<Max>() || op.is::<Min>() {
            return match self.makers.scalar(self.node) {
                Some((_, 0.0)) if op.is::<Max>() => self.act(x, Act::Relu),
                Some((_, min)) if op.is::<Max>() => self.act(x, Act::Clip { min, max: f32::INFINITY }),
                Some((_, max)) => self.act(x, Act::Clip { min: f32::NEG_INFINITY, max }),
                None => Err(Why::Constant("bound")),
            };
        }
        let &[a, b] = &*self.node.inputs else { return Err(Why::Inputs) };
        let constant = |outlet| self.makers.constant(outlet);
        let (x_first, tensor) = match (constant(a), constant(b)) {
            (None, Some(tensor)) => (true, tensor),
            (Some(tensor), None) => (false, tensor),
            _ => return Err(Why::Inputs),
        };
        let values = per_channel(tensor, x, shape).ok_or(Why::Constant("operand"))?;
        let all = |value: f32| vec![value; shape.channels];
        let (scale, shift) = match () {
            () if op.is::<Add>() => (all(1.0), values),
            () if op.is::<Mul>() => (values, all(0.0)),
            () if op.is::<Sub>() && x_first => (all(1.0), values.iter().map(|v| -v).collect()),
            () if op.is::<Sub>() => (all(-1.0), values),
            () => return Err(Why::Operator),
        };
        self.affine(x, scale, shift)
    }

    fn element_wise(&mut self, op: &ElementWiseOp, x: &View, shape: Shape) -> Result<View, Why> {
        if op.0.is::<Sigmoid>() {
            self.act(x, Act::Sigmoid)
        } else if let Some(LeakyRelu { alpha }) = op.0.downcast_ref() {
            self.act(x, Act::Prelu(vec![*alpha; shape.channels]))
        } else if op.0.is::<Neg>() {
            self.affine(x, vec![-1.0; shape.channels], vec![0.0; shape.channels])
        } else {
            Err(Why::Operator)
        }
    }

    fn affine(&mut self, x: &View, scale: Vec<f32>, shift: Vec<f32>) -> Result<View, Why> {
        self.same(x, Op::Affine { scale, shift })
    }

    fn act(&mut self, x: &View, act: Act) -> Result<View, Why> {
        self.same(x, Op::Act(act))
    }

    fn pool(&mut self, kind: PoolKind, spec: &PoolSpec, x: &View, shape: Shape) -> Result<View, Why> {
        image(x, shape)?;
        let &[rows, columns] = &*spec.kernel_shape else { return Err(Why::Attribute("kernel_shape")) };
        let taps = taps(spec, [rows, columns], shape)?;
        self.push(Op::Pool { kind, taps }, x)
    }

    /// The sum over all rows and columns, computed as their mean times the number of pixels.
    fn sum(&mut self, x: &View, shape: Shape) -> Result<View, Why> {
        image(x, shape)?;
        let mean = self.push(Op::GlobalAverage, x)?;
        let pixels = (shape.height * shape.width) as f32;
        self.affine(&mean, vec![pixels; shape.channels], vec![0.0; shape.channels])
    }

    /// Nearest neighbour, twice as large.
    fn upsample(&mut self, scales: &[usize], x: &View, shape: Shape) -> Result<View, Why> {
        image(x, shape)?;
        if scales != [1, 1, 2, 2] {
            return Err(Why::Attribute("scales"));
        }
        self.push(Op::Upsample, x)
    }

    fn add(&mut self, a: &View, b: &View) -> Result<View, Why> {
        if !self.makers.is_sum(self.node) {
            return Err(Why::Operator);
        }
        if a.order != b.order || a.dims != b.dims {
            return Err(Why::Inputs);
        }
        let value = self.put(Op::Add, vec![a.value, b.value])?;
        Ok(View { value, ..a.clone() })
    }

    /// Adds an operator whose result is a map of a shape of its own.
    fn push(&mut self, op: Op<Values<'m>>, x: &View) -> Result<View, Why> {
        let value = self.put(op, vec![x.value])?;
        Ok(View::image(value, self.graph.batch, self.graph.shape(value)))
    }

    /// Adds an operator that leaves the shape as it is.
    fn same(&mut self, x: &View, op: Op<Values<'m>>) -> Result<View, Why> {
        let value = self.put(op, vec![x.value])?;
        Ok(View { value, ..x.clone() })
    }

    fn put(&mut self, op: Op<Values<'m>>, inputs: Vec<usize>) -> Result<usize, Why> {
        self.graph.push(self.makers.label(self.node), op, inputs)
    }

    /// Shape of a value.
    fn dims(&self, outlet: OutletId) -> Result<&'m [usize], Why> {
        let fact = self.makers.model.outlet_fact(outlet).ok();
        fact.and_then(|fact| fact.shape.as_concrete()).ok_or(Why::Dims)
    }

    fn bias(&self, outlet: OutletId, outputs: usize) -> Result<Vec<f32>, Why> {
        match self.makers.constant(outlet).and_then(floats) {
            Some(bias) if bias.len() == outputs => Ok(bias.to_vec()),
            Some(&[all]) => Ok(vec![all; outputs]),
            _ => Err(Why::Constant("bias")),
        }
    }
}

/// Kernel, stride and padding of a convolution or a pool.
fn taps(spec: &PoolSpec, kernel: [usize; 2], shape: Shape) -> Result<Taps, Why> {
    if spec.data_format != DataFormat::NCHW || spec.dilations().iter().any(|&dilation| dilation != 1) {
        return Err(Why::Attribute("dilations"));
    }
    let [rows, columns] = &*spec.computed_padding(&[shape.height, shape.width]) else {
        return Err(Why::Attribute("pads"));
    };
    let pads = [rows.pad_before, columns.pad_before, rows.pad_after, columns.pad_after];
    match *spec.strides() {
        [stride, across] if stride == across => Ok(Taps { kernel, stride, pads }),
        _ => Err(Why::Attribute("strides")),
    }
}

/// Checks that the view shows the map as `[N, C, H, W]`, as operators need it that read rows and columns.
fn image(x: &View, shape: Shape) -> Result<(), Why> {
    if x.dims.len() == 4 && x.by_channel(shape) { Ok(()) } else { Err(Why::Dims) }
}

/// The constant's value for each channel; a single value holds for all channels. `None` where it has any other shape.
fn per_channel(tensor: &Tensor, x: &View, shape: Shape) -> Option<Vec<f32>> {
    let values = floats(tensor)?;
    if tensor.shape().len() != x.dims.len() {
        return None;
    }
    if let &[all] = values {
        return Some(vec![all; shape.channels]);
    }
    let channels = usize::from(x.dims.len() > 1);
    let fits = tensor.shape().iter().enumerate().all(|(axis, &side)| side == 1 || axis == channels);
    (fits && values.len() == shape.channels && x.by_channel(shape)).then(|| values.to_vec())
}
