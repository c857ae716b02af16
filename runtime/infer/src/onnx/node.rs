//! What nodes, inputs and outputs of an ONNX file say of themselves.

use tract_onnx::pb::type_proto::{Tensor, Value};
use tract_onnx::pb::{AttributeProto, NodeProto, ValueInfoProto};

/// The operator that makes floats of codes and scales.
pub(crate) const DEQUANTIZE: &str = "DequantizeLinear";

pub(crate) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

/// An integer attribute, or what ONNX assumes without it.
pub(crate) fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |attribute| attribute.i)
}

/// A float attribute, or what ONNX assumes without it.
pub(crate) fn float(node: &NodeProto, name: &str, default: f32) -> f32 {
    attribute(node, name).map_or(default, |attribute| attribute.f)
}

/// The axis of a tensor of `rank` axes that a node's attribute `axis` names: from the first on, or from the end where
/// it is negative. `None` where there is no such axis.
pub(crate) fn axis(node: &NodeProto, default: i64, rank: usize) -> Option<usize> {
    let axis = int(node, "axis", default);
    let axis = if axis < 0 { axis.checked_add(i64::try_from(rank).ok()?)? } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

/// The type of an input or output, where a tensor was declared.
pub(crate) fn tensor_type(info: &ValueInfoProto) -> Option<&Tensor> {
    let Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
}

/// As [`tensor_type`], to be changed.
pub(crate) fn tensor_type_mut(info: &mut ValueInfoProto) -> Option<&mut Tensor> {
    let Value::TensorType(tensor) = info.r#type.as_mut()?.value.as_mut()?;
    Some(tensor)
}
