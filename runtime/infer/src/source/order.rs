//! The order in which a graph's nodes are read.

use tract_onnx::prelude::*;

use super::makers::Makers;
use crate::graph::{Graph, Why};

/// Every node that the outputs need, each after those that it reads from. Where a node adds a sum and a convolution,
/// the sum is computed first, so that the convolution comes last before the addition and can be fused with it.
pub(super) fn order<'m>(makers: &Makers<'m>, input: usize) -> Result<Vec<&'m TypedNode>, Why> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let nodes = makers.model.nodes();
    let mut states = vec![State::New; nodes.len()];
    let mut ordered = Vec::with_capacity(nodes.len());
    let outputs = makers.model.outputs.iter();
    let mut stack: Vec<usize> =
        outputs.filter(|&&outlet| makers.constant(outlet).is_none()).map(|outlet| outlet.node).collect();
    while let Some(&index) = stack.last() {
        let node = nodes.get(index).ok_or(Why::Order)?;
        if states[index] != State::New || index == input {
            stack.pop();
            if states[index] == State::Open {
                states[index] = State::Done;
                ordered.push(node);
            }
            continue;
        }
        if ordered.len() + stack.len() > Graph::MAX_OPERATORS {
            return Err(Why::TooLarge);
        }
        states[index] = State::Open;
        let above = stack.len();
        for OutletId { node, .. } in makers.reads(node) {
            match states.get(node) {
                Some(State::New) => stack.push(node),
                Some(State::Done) => {}
                _ => return Err(Why::Order),
            }
        }
        // The top of the stack is walked first, so sums go on top.
        stack[above..].sort_by_key(|&maker| makers.is_sum(&nodes[maker]));
    }
    Ok(ordered)
}
