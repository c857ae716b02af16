//! The middle form: operators on channel-blocked maps, before anything is fused. It knows neither tract nor files.
#![expect(clippy::module_inception, reason = "a folder's main noun has its name")]

mod graph;
mod refusal;
mod shape;

pub(crate) use graph::{Act, Graph, Node, Op, Values, Weights};
pub use refusal::{Unsupported, Why};
pub(crate) use shape::{Shape, View};
