//! Quantised weights become f32.

use std::collections::BTreeMap;

use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::f16;

use super::graph::{Constant, Graph, Values};
use super::int8::Int8;
use super::reshape::reshaped;
use super::weights;
use crate::error::InferError;
use crate::onnx::coded;
use crate::onnx::node::{DEQUANTIZE, int};

/// Replaces every `DequantizeLinear` of a constant; returns how many. Codes are kept one by one, as what is made of them
/// is counted: many nodes may read the same ones.
pub(super) fn dequantise(graph: &mut Graph) -> Result<usize, InferError> {
    let mut int8 = BTreeMap::new();
    let count = graph.replace(|graph, node| {
        let Some(data) = graph.constant(node, 0).filter(|_| node.op_type == DEQUANTIZE) else {
            return Ok(None);
        };
        let (scale, zero) = (graph.constant(node, 1), graph.constant(node, 2));
        let floats = dequantised(node, data, scale, zero).ok_or_else(|| {
            InferError::Rewrite(format!("quantisation of {:?} contradicts itself", node.input.first()))
        })?;
        int8.extend(codes(graph, node));
        Ok(Some(floats))
    })?;
    graph.int8.extend(int8);
    Ok(count)
}

/// The codes of what a node makes, and its name.
fn codes(graph: &Graph, node: &NodeProto) -> Option<(String, Int8)> {
    let (data, scale) = (graph.constant(node, 0)?, graph.constant(node, 1)?);
    let has_zero = node.input.get(2).is_some_and(|name| !name.is_empty());
    let zero = graph.constant(node, 2);
    if has_zero && zero.is_none() {
        return None;
    }
    Some((node.output.first()?.clone(), weights::read(node, data, scale, zero)?))
}

/// Replaces every `Reshape` of a constant; returns how many.
pub(super) fn reshape(graph: &mut Graph) -> Result<usize, InferError> {
    graph.replace(|graph, node| {
        let (Some(data), Some(shape)) = (graph.constant(node, 0), graph.constant(node, 1)) else {
            return Ok(None);
        };
        if node.op_type != "Reshape" {
            return Ok(None);
        }
        let dims = shape.i64().and_then(|shape| reshaped(&data.dims, shape, int(node, "allowzero", 0) != 0));
        match dims {
            Some(dims) => Ok(Some(Constant { dims, values: data.values.clone() })),
            None => Err(InferError::Rewrite(format!("{:?} cannot be reshaped", node.input.first()))),
        }
    })
}

/// `(value - zero point) * scale`, with one scale for all, one for each index along `axis`, or (operator
/// set 21) one for each block of `block_size` along `axis`. `None` where the shapes do not fit.
fn dequantised(
    node: &NodeProto,
    data: &Constant,
    scale: Option<&Constant>,
    zero: Option<&Constant>,
) -> Option<Constant> {
    let values = integers(data)?;
    let scale = scale?;
    // Products with 16-bit scales are 16-bit floats.
    let (scales, is_half) = match &scale.values {
        Values::F32(scales) => (scales.clone(), false),
        Values::F16(scales) => (scales.iter().map(|scale| scale.to_f32()).collect(), true),
        _ => return None,
    };
    let result = products(node, data, &values, &scales, scale, zero)?;
    let values = match is_half {
        true => Values::F16(result.into_iter().map(f16::from_f32).collect()),
        false => Values::F32(result),
    };
    Some(Constant { dims: data.dims.clone(), values })
}

fn products(
    node: &NodeProto,
    data: &Constant,
    values: &[f32],
    scales: &[f32],
    scale: &Constant,
    zero: Option<&Constant>,
) -> Option<Vec<f32>> {
    let zeros = match zero {
        Some(zero) => integers(zero)?,
        None => vec![0.0; scales.len()],
    };
    if zeros.len() != scales.len() {
        return None;
    }
    if scales.len() == 1 {
        return Some(values.iter().map(|v| (v - zeros[0]) * scales[0]).collect());
    }
    let rank = data.dims.len();
    let axis = coded::scale_axis(node, rank)?;
    let block = usize::try_from(int(node, "block_size", 0)).ok()?;
    let along = data.dims[axis];
    let inner: usize = data.dims[axis + 1..].iter().product();
    let (blocks, outer_stride, inner_stride, block) = if block == 0 {
        (along, 0, 0, 1)
    } else {
        let blocks = along.div_ceil(block);
        let fits = scale.dims.len() == rank
            && scale
                .dims
                .iter()
                .zip(&data.dims)
                .enumerate()
                .all(|(i, (&s, &d))| s == if i == axis { blocks } else { d });
        if !fits {
            return None;
        }
        (blocks, blocks * inner, 1, block)
    };
    if block == 1 && outer_stride == 0 && scales.len() != blocks {
        return None;
    }
    let step = if outer_stride == 0 { 1 } else { inner };
    let result = values.iter().enumerate().map(|(i, v)| {
        let (outer, at, within) = (i / (along * inner), i / inner % along, i % inner);
        let k = outer * outer_stride + at / block * step + within * inner_stride;
        (v - zeros[k]) * scales[k]
    });
    Some(result.collect())
}

fn integers(constant: &Constant) -> Option<Vec<f32>> {
    match &constant.values {
        Values::I8(values) => Some(values.iter().map(|&v| f32::from(v)).collect()),
        Values::U8(values) => Some(values.iter().map(|&v| f32::from(v)).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::graph;
    use tract_onnx::pb::AttributeProto;

    fn linear(axis: i64, block: i64) -> NodeProto {
        let attribute = |name: &str, i| AttributeProto { name: name.into(), i, ..AttributeProto::default() };
        NodeProto {
            attribute: vec![attribute("axis", axis), attribute("block_size", block)],
            ..graph::node(DEQUANTIZE, &["x", "s", "z"], "y")
        }
    }

    fn i8s(dims: &[usize], values: &[i8]) -> Constant {
        Constant { dims: dims.to_vec(), values: Values::I8(values.to_vec()) }
    }

    fn run(axis: i64, block: i64, data: &Constant, scale: &[usize], s: &[f32], z: &[i8]) -> Option<Vec<f32>> {
        let (scales, zeros) = (Constant::new_f32(scale, s.to_vec()), i8s(scale, z));
        dequantised(&linear(axis, block), data, Some(&scales), Some(&zeros))?.f32().map(<[f32]>::to_vec)
    }

    #[test]
    fn blocks_may_end_short_and_run_along_any_axis() {
        let data = i8s(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        let rows = run(1, 2, &data, &[2, 2], &[1.0, 10.0, 100.0, 1000.0], &[0, 1, 2, 3]);
        assert_eq!(rows, Some(vec![1.0, 2.0, 20.0, 200.0, 300.0, 3000.0]));
        let columns = run(-2, 2, &data, &[1, 3], &[1.0, 10.0, 100.0], &[0, 0, 1]);
        assert_eq!(columns, Some(vec![1.0, 20.0, 200.0, 4.0, 50.0, 500.0]));
    }

    #[test]
    fn one_scale_for_all_or_one_an_index() {
        let data = i8s(&[2, 2], &[-1, 2, 3, 4]);
        assert_eq!(run(1, 0, &data, &[], &[2.0], &[1]), Some(vec![-4.0, 2.0, 4.0, 6.0]));
        assert_eq!(run(0, 0, &data, &[2], &[1.0, 10.0], &[0, 0]), Some(vec![-1.0, 2.0, 30.0, 40.0]));
    }

    #[test]
    fn scales_that_do_not_fit_are_refused() {
        let data = i8s(&[2, 3], &[0; 6]);
        assert_eq!(run(1, 0, &data, &[2], &[1.0, 1.0], &[0, 0]), None);
        assert_eq!(run(1, 2, &data, &[2], &[1.0, 1.0], &[0, 0]), None);
        assert_eq!(run(5, 0, &data, &[3], &[1.0; 3], &[0; 3]), None);
    }
}
