//! Steps that hand a large map to the next one alone run together, some rows at a time.

use std::ops::Range;

use arcdoor_kernels::{Behind, Chain, MAX_BEHIND, Map, ShapeError};

use super::fuse::Fused;
use super::step::{Kernel, LEAST_CHAINED};
use crate::graph::Graph;
use crate::tuning::Layer;

/// Most values of a chain's strips together: 256 KiB, half of a small second cache. 64 KiB were about as fast.
const ROOM: usize = if cfg!(fuzzing) { 1 << 8 } else { 1 << 16 };

/// A fused step with its kernel, and where its packed weights lie.
pub(super) struct Link<'a> {
    pub(super) fused: &'a Fused<'a>,
    pub(super) kernel: Kernel,
    pub(super) map: Map,
    /// Whether it reads the network's input.
    pub(super) planar: bool,
    pub(super) layer: Option<Layer>,
    pub(super) packed: Range<usize>,
}

/// The links in groups, in order; each group becomes a step: several links as a chain, or one link alone.
pub(super) fn group(graph: &Graph<'_>, links: &[Link<'_>]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = 0;
    while start < links.len() {
        let mut end = start + 1;
        if matches!(links[start].kernel, Kernel::Conv(..)) {
            while end <= start + MAX_BEHIND && end < links.len() && follows(graph, links, end) {
                end += 1;
            }
        }
        groups.push(start..end);
        start = end;
    }
    groups
}

/// Whether link `at` can join the group of the link before it: it alone reads that link's map, the map is large enough
/// to be worth it, and the link computes each block of channels from the same block, row by row.
fn follows(graph: &Graph<'_>, links: &[Link<'_>], at: usize) -> bool {
    let (before, link) = (&links[at - 1], &links[at]);
    let value = before.fused.output;
    let reads =
        |fused: &Fused<'_>| fused.input == value || fused.added.is_some_and(|added| added.value() == value);
    let others = links.iter().enumerate().any(|(index, link)| index != at && reads(link.fused));
    let adds_it = link.fused.added.is_some_and(|added| added.value() == value);
    link.fused.input == value
        && !adds_it
        && !others
        && !graph.outputs.iter().any(|view| view.value == value)
        && before.fused.added.is_none()
        && before.map.len() >= LEAST_CHAINED
        && match link.kernel {
            Kernel::Depthwise(_) | Kernel::Pool(_) => true,
            Kernel::Conv(op, _) => op.is_pointwise() && op.output().blocks() == 1,
            _ => false,
        }
}

/// The kernel of a group: the link's own, or a chain of all.
pub(super) fn kernel(links: &[Link<'_>]) -> Result<Kernel, ShapeError> {
    let (head, tile) = match links {
        [one] => return Ok(one.kernel.clone()),
        [Link { kernel: Kernel::Conv(head, tile), .. }, ..] => (*head, *tile),
        _ => return Err(ShapeError::Chain),
    };
    let behind = links[1..].iter().map(|link| match link.kernel {
        Kernel::Depthwise(op) => Ok(Behind::Depthwise(op)),
        Kernel::Conv(op, tile) => Ok(Behind::Pointwise(op, tile)),
        Kernel::Pool(op) => Ok(Behind::Pool(op)),
        _ => Err(ShapeError::Chain),
    });
    let behind = behind.collect::<Result<Vec<_>, _>>()?;
    Ok(Kernel::Chain(Box::new(Chain::new(head, &behind, ROOM)?), tile))
}
