//! A graph in, numbers out.
//!
//! The only room that knows an inference engine. [`Net`] is an ONNX graph made ready for one input shape,
//! shared and immutable; a [`Session`] runs it with buffers of its own. tract reads, types and declutters every
//! graph. Where the plan has all operators of what is left, it is compiled to steps on our own kernels; all other
//! graphs go to tract, which is also the reference. [`onnx`] rewrites foreign graphs into the plain form that packs
//! hold; the device never calls it.
#![forbid(unsafe_code)]

mod cost;
mod declutter;
mod engine;
mod error;
mod fields;
mod limits;
mod net;
pub mod onnx;
mod plan;
mod session;
mod skeleton;
mod team;
mod tuning;
mod wire;

pub use arcdoor_kernels::{Isa, ShapeError, Square, Tile};
pub use cost::{Cost, cost};
pub use engine::{Engine, EngineChoice, NoEngine, RunOptions};
pub use error::InferError;
pub use limits::{MAX_CONSTANT_VALUES, MAX_NODES, MAX_WINDOW, MAX_WORK};
pub use net::{MAX_ELEMENTS, MAX_ONNX_BYTES, MAX_OUTPUTS, Net, NetSpec};
pub use plan::{Entry, Loading, METHOD, Tuned, Unsupported, Why, tune};
pub use session::Session;
pub use team::Threads;
pub use tuning::{Choice, Form, Layer, MAX_LAYERS, Tuning, TuningError};
pub use wire::MAX_FIELDS;
