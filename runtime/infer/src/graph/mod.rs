//! A graph as operators on channel-blocked maps, before anything is fused.
#![expect(clippy::module_inception, reason = "a folder's main noun has its name")]

pub(crate) mod graph;
mod refusal;
pub(crate) mod shape;

pub use refusal::{Unsupported, Why};
