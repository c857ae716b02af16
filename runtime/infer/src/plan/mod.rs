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

pub(crate) use compile::compile;
pub use explain::{Entry, METHOD};
pub(crate) use run::{Plan, Runner};
pub use trial::{Tuned, tune};
