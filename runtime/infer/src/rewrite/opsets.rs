//! Older spellings become those of [`PLAIN_OPSET`](super::graph::PLAIN_OPSET): bounds of a `Clip` and scales of an
//! `Upsample` that are attributes, and the first `Resize`. A graph is changed whole or not at all, since an operator
//! set holds for all of its nodes.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, NodeProto};

use super::graph::{Constant, Graph, PLAIN_OPSET, is_plain};
use crate::onnx::node::{attribute, float};

/// The first operator set in which a `Clip` has its bounds, and a `Resize` its scales, where they are today.
const NEW_INPUTS: i64 = 11;

/// The bounds of a `Clip`, and what is assumed where an attribute is missing, which bounds nothing.
const BOUNDS: [(&str, f32); 2] = [("min", f32::MIN), ("max", f32::MAX)];
/// Of a `Resize`.
const SCALES: &str = "scales";

/// Brings a graph of an older operator set to the plain one, where that is possible.
pub(super) fn renew(graph: &mut Graph) {
    if graph.opset >= PLAIN_OPSET || !graph.nodes.iter().all(|node| is_renewable(graph, node)) {
        return;
    }
    let mut nodes = std::mem::take(&mut graph.nodes);
    for node in &mut nodes {
        match &*node.op_type {
            "Clip" if graph.opset < NEW_INPUTS => renew_clip(graph, node),
            "Upsample" | "Resize" if graph.opset < NEW_INPUTS => renew_resize(graph, node),
            "BatchNormalization" => node.attribute.retain(|a| a.name != "spatial"),
            _ => {}
        }
    }
    graph.nodes = nodes;
    graph.opset = PLAIN_OPSET;
}

fn is_renewable(graph: &Graph, node: &NodeProto) -> bool {
    match &*node.op_type {
        // Before the plain set, it is over all axes from its own on.
        "Softmax" => false,
        "Upsample" | "Resize" if graph.opset < NEW_INPUTS => {
            let is_known =
                attribute(node, "mode").is_none_or(|mode| mode.s == b"nearest" || mode.s == b"linear");
            // Smaller results are rounded otherwise there.
            is_known
                && scales(graph, node).is_some_and(|scales| scales.iter().all(|&scale| scale >= 1.0))
                && graph.is_free(&named(node, SCALES))
        }
        "Clip" if graph.opset < NEW_INPUTS => {
            is_plain(node) && BOUNDS.iter().all(|(name, _)| graph.is_free(&named(node, name)))
        }
        _ => is_plain(node),
    }
}

fn scales(graph: &Graph, node: &NodeProto) -> Option<Vec<f32>> {
    let given = attribute(node, "scales").map(|scales| scales.floats.clone());
    given.or_else(|| graph.constant_f32(node, 1).map(<[f32]>::to_vec))
}

fn renew_clip(graph: &mut Graph, node: &mut NodeProto) {
    for (name, none) in BOUNDS {
        let constant = named(node, name);
        graph.constants.insert(constant.clone(), Constant::new_f32(&[], vec![float(node, name, none)]));
        node.input.push(constant);
    }
    node.attribute.retain(|a| a.name != "min" && a.name != "max");
}

/// Until then, a pixel took its value from where it falls in the smaller map, counted from the corner, and the nearest
/// one was the one before that place.
fn renew_resize(graph: &mut Graph, node: &mut NodeProto) {
    let Some(scales) = scales(graph, node) else { return };
    let constant = named(node, SCALES);
    graph.constants.insert(constant.clone(), Constant::new_f32(&[scales.len()], scales));
    node.input.truncate(1);
    node.input.extend([String::new(), constant]);
    "Resize".clone_into(&mut node.op_type);
    node.attribute.retain(|a| a.name == "mode");
    node.attribute
        .extend([text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor")]);
}

/// What a node's new constant is called.
fn named(node: &NodeProto, part: &str) -> String {
    format!("{}.{part}", node.output.first().map_or("", String::as_str))
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::String as i32,
        s: value.into(),
        ..AttributeProto::default()
    }
}
