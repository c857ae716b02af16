//! Branches that read the same map become one step. A detector's heads are such, and each has few channels, which
//! alone would leave most lanes of a block empty.

use std::collections::BTreeMap;
use std::ops::Range;

use arcdoor_kernels::{LANES, Taps};

use super::fuse::{Fused, Kind};
use crate::graph::{Act, Graph};

/// Where a merged branch's output is found: in these channels of another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) value: usize,
    pub(super) channels: Range<usize>,
    /// Whether the logistic function remains to be computed when the output is read out.
    pub(super) sigmoid: bool,
}

/// A convolution, or one that a depthwise convolution follows, whose result only outputs read.
#[derive(Debug, Clone, Copy)]
struct Branch {
    first: usize,
    second: Option<usize>,
}

impl Branch {
    fn last(self) -> usize {
        self.second.unwrap_or(self.first)
    }
}

/// Merges the branches that can be merged. Returns, for each of their outputs, where it is found then.
pub(super) fn merge(graph: &Graph<'_>, fused: &mut Vec<Fused<'_>>) -> BTreeMap<usize, Taken> {
    let mut taken = BTreeMap::new();
    let mut groups: Vec<Vec<Branch>> = Vec::new();
    for branch in branches(graph, fused) {
        match groups.iter_mut().find(|group| alike(fused, group[0], branch)) {
            Some(group) => group.push(branch),
            None => groups.push(vec![branch]),
        }
    }
    let mut gone = vec![false; fused.len()];
    for group in groups {
        let channels: Vec<usize> = group.iter().map(|branch| fused[branch.last()].shape.channels).collect();
        let apart: usize = channels.iter().map(|channels| channels.div_ceil(LANES)).sum();
        if group.len() < 2 || channels.iter().sum::<usize>().div_ceil(LANES) >= apart {
            continue;
        }
        join(fused, &group, &mut taken);
        for branch in &group[1..] {
            gone[branch.first] = true;
            branch.second.into_iter().for_each(|second| gone[second] = true);
        }
    }
    let mut gone = gone.into_iter();
    fused.retain(|_| !gone.next().unwrap_or(false));
    taken
}

fn branches(graph: &Graph<'_>, fused: &[Fused<'_>]) -> Vec<Branch> {
    let reads = |step: &Fused<'_>, value| {
        step.input == value || step.added.is_some_and(|added| added.value() == value)
    };
    let plain = |step: &Fused<'_>| step.added.is_none() && step.kind != Kind::Block;
    let mut found = Vec::new();
    for (first, step) in fused.iter().enumerate() {
        if !matches!(step.kind, Kind::Conv { .. }) || !plain(step) || step.input == 0 {
            continue;
        }
        let readers: Vec<usize> = (0..fused.len()).filter(|&at| reads(&fused[at], step.output)).collect();
        let is_output = |step: &Fused<'_>| graph.outputs.iter().any(|view| view.value == step.output);
        match *readers {
            [] => found.push(Branch { first, second: None }),
            [second] if !is_output(step) => {
                let behind = &fused[second];
                let ends = !fused.iter().any(|step| reads(step, behind.output));
                if ends && plain(behind) && matches!(behind.kind, Kind::Depthwise { .. }) {
                    found.push(Branch { first, second: Some(second) });
                }
            }
            _ => {}
        }
    }
    found
}

fn taps(step: &Fused<'_>) -> Option<Taps> {
    match step.kind {
        Kind::Conv { taps, .. } | Kind::Depthwise { taps, .. } => Some(taps),
        _ => None,
    }
}

/// Whether one step can compute both branches: same input, kernels and activations. The last activations may differ in
/// that one is the logistic function and the other none: that is made up for when outputs are read out.
fn alike(fused: &[Fused<'_>], a: Branch, b: Branch) -> bool {
    let same_act = |a: &Act, b: &Act| match (a, b) {
        (Act::Prelu(_), Act::Prelu(_)) => true,
        (a, b) => a == b,
    };
    let may_differ = |act: &Act| matches!(act, Act::None | Act::Sigmoid);
    let inner = match (a.second, b.second) {
        (None, None) => true,
        (Some(behind), Some(other)) => {
            taps(&fused[behind]) == taps(&fused[other]) && same_act(&fused[a.first].act, &fused[b.first].act)
        }
        _ => false,
    };
    let (last, other) = (&fused[a.last()].act, &fused[b.last()].act);
    fused[a.first].input == fused[b.first].input
        && taps(&fused[a.first]) == taps(&fused[b.first])
        && inner
        && (same_act(last, other) || (may_differ(last) && may_differ(other)))
}

/// Adds the other branches to the first one's steps.
fn join(fused: &mut [Fused<'_>], group: &[Branch], taken: &mut BTreeMap<usize, Taken>) {
    let acts: Vec<Act> = group.iter().map(|branch| fused[branch.last()].act.clone()).collect();
    let mixed = acts.iter().any(|act| *act != acts[0]) && !matches!(acts[0], Act::Prelu(_));
    let value = fused[group[0].last()].output;
    let mut start = 0;
    for (branch, act) in group.iter().zip(&acts) {
        let step = &fused[branch.last()];
        let channels = start..start + step.shape.channels;
        start = channels.end;
        taken.insert(step.output, Taken { value, channels, sigmoid: mixed && *act == Act::Sigmoid });
    }
    let firsts: Vec<usize> = group.iter().map(|branch| branch.first).collect();
    let seconds: Vec<usize> = group.iter().filter_map(|branch| branch.second).collect();
    for steps in [firsts, seconds] {
        let Some((&into, others)) = steps.split_first() else { continue };
        for &other in others {
            let other = fused[other].clone();
            fused[into].absorb(other);
        }
    }
    if mixed {
        fused[group[0].last()].act = Act::None;
    }
}

impl Fused<'_> {
    /// Adds another step's channels after this one's.
    fn absorb(&mut self, other: Self) {
        self.shape.channels += other.shape.channels;
        self.name.push(',');
        self.name.push_str(&other.name);
        if let (Act::Prelu(slopes), Act::Prelu(more)) = (&mut self.act, other.act) {
            slopes.extend(more);
        }
        if let Kind::Conv { weights, .. } | Kind::Depthwise { weights, .. } = other.kind {
            self.beside.push(weights);
        }
    }
}
