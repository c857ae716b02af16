//! Graphs of supported operators as a straight list of fused steps on our own kernels.
//!
//! | module | holds |
//! |---|---|
//! | `makers` | who makes what in tract's graph, and which weights it has not seen |
//! | `pattern` | what several of tract's operators say together: a PReLU, a clip, a mean |
//! | `product` | which sums an `EinSum` of tract's is made of |
//! | `shape` | a tensor as a view of a channel-blocked map: reshaping and transposing move nothing |
//! | `graph`, `read` | tract's operators, checked one by one, in order |
//! | `stored` | such a graph in a file, so that a start needs no tract |
//! | `fuse` | convolution, bias, norm, activation and residual as one step |
//! | `merge` | branches that read the same map as one step |
//! | `chain` | steps that hand a large map to the next one run together, some rows at a time |
//! | `arena` | maps that share memory by lifetime |
//! | `step`, `compile` | kernels with their shapes, and weights packed for them |
//! | `halves` | a step on one thread or two |
//! | `run` | the runner: nothing is allocated once it is made |
//! | `explain` | what a plan does, by step |
//! | `trial` | measuring a layer's candidates on the machine at hand |
//!
//! A plan is compiled from the graph as tract reads, types and declutters it ([`crate::source::declutter`]), so that both
//! engines mean the same by a file. A graph with anything else in it is refused with the reason
//! ([`Unsupported`]) and left to tract.

mod arena;
mod chain;
mod compile;
mod explain;
mod floats;
mod fuse;
mod halves;
mod merge;
mod run;
mod step;
mod trial;

use std::ops::Range;

use arcdoor_kernels::{Isa, Unblock};

use crate::error::InferError;
use crate::graph::Unsupported;
use crate::graph::graph::Graph;
use crate::net::{Files, NetSpec};
use crate::source::declutter::Simple;
use crate::source::stored;
use crate::tuning::Tuning;
pub use explain::{Entry, METHOD};
use floats::Floats;
pub(crate) use run::Runner;
use step::Step;
pub use trial::{Tuned, tune};

/// A part of making a plan that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    /// tract has read the file into operators with types and shapes.
    Typed,
    /// tract has simplified them; or the graph was read that it once left.
    Decluttered,
    /// Steps and maps have their places.
    Planned,
    /// Weights lie as the kernels read them.
    Packed,
}

/// A network, compiled for one input shape.
#[derive(Debug)]
pub(crate) struct Plan {
    steps: Vec<Step>,
    entries: Vec<Entry>,
    weights: Floats,
    arena_len: usize,
    /// Values of scratch memory: the most that one step needs.
    scratch_len: usize,
    outputs: Vec<Output>,
    batch: usize,
    /// Values of one input image.
    image: usize,
    isa: Isa,
}

/// How an output is read out of its map.
#[derive(Debug)]
struct Output {
    unblock: Unblock,
    place: Range<usize>,
    dims: Vec<usize>,
}

impl Plan {
    /// Compiles a decluttered graph for the instruction set of this CPU.
    ///
    /// # Errors
    /// The first thing that the plan does not run.
    pub(crate) fn compile(
        simple: &Simple<'_>,
        input: [usize; 4],
        tuning: &Tuning,
        after: &mut dyn FnMut(Loading),
    ) -> Result<Self, Unsupported> {
        compile::compile(&Graph::read(simple, input)?, Isa::detect(), tuning, after)
    }

    /// Compiles the graph that [`write_graphs`](crate::write_graphs) put down; `None` where there is none for this input and these outputs.
    ///
    /// # Errors
    /// [`InferError::Graph`] where the file cannot be used, [`InferError::Unplanned`] as [`compile`](Self::compile).
    pub(crate) fn compile_stored(
        files: Files<'_>,
        spec: &NetSpec<'_>,
        tuning: &Tuning,
        after: &mut dyn FnMut(Loading),
    ) -> Result<Option<Self>, InferError> {
        let Some(graphs) = files.graphs else { return Ok(None) };
        let Some(graph) = stored::read(files.onnx, graphs, spec)? else { return Ok(None) };
        after(Loading::Decluttered);
        Ok(Some(compile::compile(&graph, Isa::detect(), tuning, after)?))
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Bytes of packed weights, and of a runner's arena.
    pub(crate) fn bytes(&self) -> [usize; 2] {
        [self.weights.len() * 4, (self.arena_len + self.scratch_len) * 4]
    }
}
