//! tract computes a `PRelu` as a product, a comparison and a selection, each a pass over memory; two other forms run
//! about twice as fast.

use super::graph::{Graph, node};

/// Rewrites every `PRelu` with constant slopes; returns how many took each form.
pub(super) fn rewrite(graph: &mut Graph) -> (usize, usize) {
    let (mut by_max, mut by_relu) = (0, 0);
    let nodes = std::mem::take(&mut graph.nodes);
    for prelu in nodes {
        let slopes = graph.constant_f32(&prelu, 1).filter(|_| prelu.op_type == "PRelu");
        let ([x, a], [y], Some(slopes)) = (&*prelu.input, &*prelu.output, slopes) else {
            graph.nodes.push(prelu);
            continue;
        };
        let part = |name: &str| format!("{y}.{name}");
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
