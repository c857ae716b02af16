//! Nodes that change nothing.

use tract_onnx::pb::NodeProto;

use super::graph::Graph;

/// Removes `Identity` and `Dropout`; returns how many.
pub(super) fn remove(graph: &mut Graph) -> usize {
    let before = graph.nodes.len();
    let mut index = 0;
    while index < graph.nodes.len() {
        if !(passes_through(&graph.nodes[index]) && unhook(graph, index)) {
            index += 1;
        }
    }
    before - graph.nodes.len()
}

/// A dropout with a training flag, or whose mask is read, is left alone.
fn passes_through(node: &NodeProto) -> bool {
    match &*node.op_type {
        "Identity" => true,
        "Dropout" => node.input.len() <= 2 && node.output.iter().skip(1).all(String::is_empty),
        _ => false,
    }
}

fn unhook(graph: &mut Graph, index: usize) -> bool {
    let (Some(input), Some(output)) =
        (graph.nodes[index].input.first().cloned(), graph.nodes[index].output.first().cloned())
    else {
        return false;
    };
    if graph.outputs.contains(&output) {
        // The graph's output must keep its name, so the node that made the input now makes the output.
        let Some(producer) = graph.producer(&input) else { return false };
        if graph.only_reader(&input) != Some(index) {
            return false;
        }
        for made in graph.nodes[producer].output.iter_mut().filter(|made| **made == input) {
            made.clone_from(&output);
        }
    } else {
        graph.rename_readers(&output, &input);
    }
    graph.nodes.remove(index);
    true
}
