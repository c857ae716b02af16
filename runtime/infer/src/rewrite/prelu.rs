//! tract computes a `PRelu` as a product, a comparison and a selection, each a pass over memory; two other forms run
//! about twice as fast.

use tract_onnx::pb::NodeProto;

use super::graph::{Graph, node};

/// What lies between such a node's input and its output is called after its output, with one of these behind it.
const PARTS: [&str; 4] = ["scaled", "above", "negated", "below"];

fn part(y: &str, name: &str) -> String {
    format!("{y}.{name}")
}

/// Rewrites every `PRelu` with constant slopes, where names are left for its parts; returns how many took each form.
pub(super) fn rewrite(graph: &mut Graph) -> (usize, usize) {
    let (mut by_max, mut by_relu) = (0, 0);
    let are_free = |y: &String| PARTS.iter().all(|name| graph.is_free(&part(y, name)));
    let is_one = |node: &NodeProto| node.op_type == "PRelu" && node.output.first().is_some_and(are_free);
    let are_ones: Vec<bool> = graph.nodes.iter().map(is_one).collect();
    let nodes = std::mem::take(&mut graph.nodes);
    for (prelu, is_one) in nodes.into_iter().zip(are_ones) {
        let slopes = graph.constant_f32(&prelu, 1).filter(|_| is_one);
        let ([x, a], [y], Some(slopes)) = (&*prelu.input, &*prelu.output, slopes) else {
            graph.nodes.push(prelu);
            continue;
        };
        let part = |name: &str| part(y, name);
        if slopes.iter().all(|&slope| slope <= 1.0) {
            // Exact for any a <= 1: above zero x >= a x, below zero a x >= x.
            by_max += 1;
            graph.nodes.push(node("Mul", &[x, a], &part("scaled")));
            graph.nodes.push(node("Max", &[x, &part("scaled")], y));
        } else {
            // Exact for any a: relu(x) - a relu(-x).
            by_relu += 1;
            graph.nodes.push(node("Relu", &[x], &part("above")));
            graph.nodes.push(node("Neg", &[x], &part("negated")));
            graph.nodes.push(node("Relu", &[&part("negated")], &part("below")));
            graph.nodes.push(node("Mul", &[&part("below"), a], &part("scaled")));
            graph.nodes.push(node("Sub", &[&part("above"), &part("scaled")], y));
        }
    }
    (by_max, by_relu)
}
