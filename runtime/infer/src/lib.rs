//! A graph in, numbers out.
//!
//! The only room that knows an inference engine. [`Net`] is an ONNX graph made ready for one input shape,
//! shared and immutable; a [`Session`] runs it with buffers of its own. tract reads, types and declutters every
//! graph, here or, where [`write_graphs`] put down what was left, on the machine that built the pack. Where the plan has
//! all operators of it, it is compiled to steps on our own kernels; all other graphs go to tract, which is also the
//! reference. [`rewrite`] rewrites foreign graphs into the plain form that packs
//! hold; the device never calls it.
#![forbid(unsafe_code)]

mod engine;
mod error;
mod graph;
mod net;
mod plan;
pub mod rewrite;
mod session;
mod source;
mod team;
mod tuning;

pub use arcdoor_kernels::{Isa, ShapeError, Tile};
pub use engine::{Engine, EngineChoice, NoEngine, RunOptions};
pub use error::InferError;
pub use graph::{Unsupported, Why};
pub use net::{Files, MAX_ELEMENTS, MAX_ONNX_BYTES, MAX_OUTPUTS, Net, NetSpec};
pub use plan::{Entry, Loading, METHOD, Tuned, tune};
pub use session::Session;
pub use source::{
    Cost, MAX_CONSTANT_VALUES, MAX_FIELDS, MAX_NODES, MAX_WINDOW, MAX_WORK, check_graphs, cost, write_graphs,
};
pub use team::Threads;
pub use tuning::{Choice, Form, Layer, MAX_LAYERS, Tuning, TuningError};
