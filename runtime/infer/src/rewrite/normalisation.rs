//! A `Sub`, `Mul` or `Div` at the beginning of a graph goes into the manifest as mean and scale: vision applies them
//! when it fills the input, at no cost.

use super::graph::{Constant, Graph};

/// Input normalisation, per channel: x' = (x - mean) * scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputNorm {
    /// Subtracted first.
    pub mean: [f32; 3],
    /// Multiplied afterwards.
    pub scale: [f32; 3],
}

/// Takes the normalisation off the front of the graph, where there is one.
pub(super) fn take(graph: &mut Graph) -> Option<InputNorm> {
    let [input] = &*graph.inputs else { return None };
    let input = input.clone();
    let mut norm = InputNorm { mean: [0.0; 3], scale: [1.0; 3] };
    let mut taken = 0;
    while let Some(index) = graph.only_reader(&input) {
        let node = &graph.nodes[index];
        let Some(values) = graph.constant(node, 1).and_then(per_channel) else { break };
        if node.input.first() != Some(&input) || node.output.iter().any(|name| graph.outputs.contains(name)) {
            break;
        }
        match &*node.op_type {
            // (x - m) s - v = (x - (m + v / s)) s
            "Sub" if norm.scale.iter().all(|&s| s != 0.0) => {
                norm.mean = std::array::from_fn(|c| norm.mean[c] + values[c] / norm.scale[c]);
            }
            "Mul" => norm.scale = std::array::from_fn(|c| norm.scale[c] * values[c]),
            "Div" if values.iter().all(|&v| v != 0.0) => {
                norm.scale = std::array::from_fn(|c| norm.scale[c] / values[c]);
            }
            _ => break,
        }
        let output = graph.nodes.remove(index).output.into_iter().next().unwrap_or_default();
        graph.rename_readers(&output, &input);
        taken += 1;
    }
    (taken > 0).then_some(norm)
}

/// One value for all channels, or one for each of three.
fn per_channel(constant: &Constant) -> Option<[f32; 3]> {
    match (constant.f32()?, &*constant.dims) {
        (&[value], _) => Some([value; 3]),
        (&[a, b, c], [1, 3, 1, 1] | [3, 1, 1]) => Some([a, b, c]),
        _ => None,
    }
}
