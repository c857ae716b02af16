//! Graphs of supported operators as a straight list of fused steps on our own kernels.
//!
//! | module | holds |
//! |---|---|
//! | `fuse` | convolution, bias, norm, activation and residual as one step |
//! | `merge` | branches that read the same map as one step |
//! | `chain` | steps that hand a large map to the next one run together, some rows at a time |
//! | `arena` | maps that share memory by lifetime |
//! | `step`, `compile` | kernels with their shapes, and weights packed for them |
//! | `halves` | a step on one thread or two |
//! | `floats` | buffers that begin at a cache line |
//! | `run` | the runner: nothing is allocated once it is made |
//! | `explain` | each step for people: its operators, its result, its predicted time |
//! | `trial` | measuring which tile and form of a layer is fastest on this machine |
//!
//! A plan is compiled from the graph that tract has read, typed and decluttered, so that plan and tract mean the same
//! by a file. A graph with an operator that is not supported is refused with the reason ([`crate::Unsupported`]) and
//! left to tract.

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

pub(crate) use compile::compile;
pub use explain::{Entry, METHOD};
pub(crate) use run::{Plan, Runner};
pub use trial::{Tuned, tune};
