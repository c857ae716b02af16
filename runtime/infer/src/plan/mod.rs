//! Graphs of supported operators as a straight list of fused steps on our own kernels.
//!
//! | module | holds |
//! |---|---|
//! | `pattern` | the spellings of a PReLU |
//! | `shape` | a tensor as a view of a channel-blocked map: reshaping and transposing move nothing |
//! | `graph`, `read` | ONNX operators, checked one by one, in order |
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
//! A graph with anything else in it is refused with the reason ([`Unsupported`]) and left to tract. The plan
//! is compiled from our own decoding of the file: tract's reading and simplifying would cost more than the
//! rest of start-up together.

mod arena;
mod chain;
mod compile;
mod explain;
mod floats;
mod fuse;
mod graph;
mod halves;
mod merge;
mod pattern;
mod read;
mod refusal;
mod run;
mod shape;
mod step;
mod trial;

use std::ops::Range;

use arcdoor_kernels::{Isa, Unblock};

use crate::onnx::Opened;
use crate::tuning::Tuning;
pub use explain::{Entry, METHOD};
use floats::Floats;
pub use refusal::{Unsupported, Why};
pub(crate) use run::Runner;
use step::Step;
pub use trial::{Tuned, tune};

/// A part of making a plan that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    /// The file is read into operators and constants.
    Decoded,
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
    /// Compiles what the outputs need, for the instruction set of this CPU.
    ///
    /// # Errors
    /// The first thing that the plan does not run.
    pub(crate) fn compile(
        opened: &Opened<'_>,
        input: [usize; 4],
        outputs: &[&str],
        tuning: &Tuning,
        after: &mut dyn FnMut(Loading),
    ) -> Result<Self, Unsupported> {
        compile::compile(opened, input, outputs, Isa::detect(), tuning, after)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Multiply-accumulates on one image, and values of all maps beside them.
    pub(crate) fn work(&self) -> u64 {
        let values = |shape: [usize; 3]| shape.iter().product::<usize>() as u64;
        let steps = self.entries.iter().map(|entry| entry.macs.saturating_add(values(entry.shape)));
        steps.fold(0_u64, u64::saturating_add)
    }

    /// Bytes of packed weights, and of a runner's arena.
    pub(crate) fn bytes(&self) -> [usize; 2] {
        [self.weights.len() * 4, (self.arena_len + self.scratch_len) * 4]
    }
}
