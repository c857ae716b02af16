//! From files and tract to a graph.

pub(crate) mod checks;
pub(crate) mod cost;
pub(crate) mod declutter;
mod fields;
pub(crate) mod makers;
mod pattern;
mod product;
pub(crate) mod read;
mod skeleton;
pub(crate) mod stored;
mod wire;

pub use checks::{MAX_CONSTANT_VALUES, MAX_NODES, MAX_WINDOW, MAX_WORK};
pub use cost::{Cost, cost};
pub use stored::{check_graphs, write_graphs};
pub use wire::MAX_FIELDS;
