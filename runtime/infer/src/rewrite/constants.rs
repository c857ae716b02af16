//! `Constant` nodes become initializers.

use super::graph::{Constant, Graph};
use crate::error::InferError;
use crate::onnx::node::attribute;

pub(super) fn absorb(graph: &mut Graph) -> Result<(), InferError> {
    let mut kept = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes) {
        let value = attribute(&node, "value").and_then(|value| value.t.as_ref());
        match (value, node.output.first()) {
            (Some(tensor), Some(output)) if node.op_type == "Constant" => {
                graph.constants.insert(output.clone(), Constant::read(tensor)?);
            }
            _ => kept.push(node),
        }
    }
    graph.nodes = kept;
    Ok(())
}
