//! A graph in, numbers out.
//!
//! The only room that knows tract. [`Net`] is an ONNX graph made ready for one input shape,
//! shared and immutable; a [`Session`] runs it with buffers of its own.
//!
//! ```text
//! net -> source: from files and tract to a graph      -> graph: operators on channel-blocked maps
//!                                                     -> onnx: ONNX files within bounds
//!     -> plan:   from a graph to steps on our kernels -> graph
//! rewrite: foreign ONNX into the plain form that packs hold, offline -> onnx
//! ```
//!
//! tract reads, types and declutters every graph, here or, where a graph file was written ([`write_graphs`]), on the
//! machine that built the pack. A graph whose operators the plan has is compiled to steps on our own kernels; all
//! other graphs go to tract, which is also the reference.
//!
//! Without the feature `tract`, a network with a graph file runs all the same, and whatever would need tract is
//! refused ([`InferError::NoTract`]).
//!
//! ```
//! use arcdoor_infer::{Files, InferError, Net, NetSpec, RunOptions};
//!
//! # fn main() -> Result<(), InferError> {
//! // A convolution of 1x1 from 3 to 4 channels, and a ReLU.
//! let onnx: &[u8] = include_bytes!("../tests/data/small.onnx");
//! let graphs: &[u8] = include_bytes!("../tests/data/small.graph");
//! let spec = NetSpec { input: [1, 3, 2, 2], outputs: &["v4"] };
//! let net = Net::load(Files { onnx, graphs: Some(graphs) }, &spec, &RunOptions::default())?;
//! let mut session = net.session()?;
//! session.input_mut().fill(0.5);
//! session.run()?;
//! assert_eq!(session.output_shape(0), [1, 4, 2, 2]);
//! assert!(session.output(0).iter().all(|value| *value >= 0.0));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod codes;
mod engine;
mod error;
mod graph;
#[cfg(feature = "tract")]
mod guard;
mod limits;
mod net;
#[cfg(feature = "tract")]
mod onnx;
mod plan;
#[cfg(feature = "tract")]
pub mod rewrite;
mod session;
mod source;
mod spec;
mod team;
mod tuning;
mod watcher;

pub use arcdoor_kernels::{Isa, ShapeError, Tile};
pub use engine::{Engine, EngineChoice, HAS_TRACT, NoEngine, RunOptions};
pub use error::{Elsewhere, InferError};
pub use graph::{Unsupported, Why};
pub use limits::{
    LEAST_OPSET, MAX_CONSTANT_VALUES, MAX_ELEMENTS, MAX_FIELDS, MAX_NODES, MAX_ONNX_BYTES, MAX_OUTPUTS,
    MAX_WINDOW, MAX_WORK,
};
pub use net::Net;
pub use plan::{Entry, METHOD, Tuned, tune};
pub use session::Session;
#[cfg(feature = "tract")]
pub use source::{Cost, cost};
pub use source::{check_graphs, write_graphs};
pub use spec::{Files, NetSpec};
pub use team::Threads;
pub use tuning::{Choice, Form, Layer, MAX_LAYERS, Tuning, TuningError};
pub use watcher::{Done, Watcher};
