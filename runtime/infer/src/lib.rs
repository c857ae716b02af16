//! A graph in, numbers out.
//!
//! The only room that knows an inference engine. [`Net`] is an ONNX graph made ready for one input shape,
//! shared and immutable; a [`Session`] runs it with buffers of its own. tract reads, types and declutters every
//! graph, here or, where [`write_graphs`] put down what was left, on the machine that built the pack. Where the plan has
//! all operators of it, it is compiled to steps on our own kernels; all other graphs go to tract, which is also the
//! reference. [`rewrite`] rewrites foreign graphs into the plain form that packs
//! hold; the device never calls it.
#![forbid(unsafe_code)]

mod cost;
mod declutter;
mod engine;
mod error;
mod fields;
mod limits;
mod net;
mod plan;
pub mod rewrite;
mod session;
mod skeleton;
mod team;
mod tuning;
mod wire;

pub use arcdoor_kernels::{Isa, ShapeError, Tile};
pub use cost::{Cost, cost};
pub use engine::{Engine, EngineChoice, NoEngine, RunOptions};
pub use error::InferError;
pub use limits::{MAX_CONSTANT_VALUES, MAX_NODES, MAX_WINDOW, MAX_WORK};
pub use net::{Files, MAX_ELEMENTS, MAX_ONNX_BYTES, MAX_OUTPUTS, Net, NetSpec};
pub use plan::{Entry, Loading, METHOD, Tuned, Unsupported, Why, check_graphs, tune, write_graphs};
pub use session::Session;
pub use team::Threads;
pub use tuning::{Choice, Form, Layer, MAX_LAYERS, Tuning, TuningError};
pub use wire::MAX_FIELDS;
