//! From files and tract to a graph.
//!
//! | module | holds |
//! |---|---|
//! | `skeleton` | a file without its weights, which stay in the file until they are packed |
//! | `model`, `declutter` | the file as tract reads, types and simplifies it |
//! | `makers` | which node makes a value of tract's graph, and the weights that are not in it |
//! | `pattern` | one operator for several of tract's that together are a PReLU, a clip or a mean |
//! | `product` | which of tract's `EinSum`s are 1x1 convolutions or fully connected layers |
//! | `axes` | tract's reshaping and transposing as changes of a view |
//! | `order`, `read` | tract's operators, checked one by one, each after what it reads |
//! | `stored`, `write` | such a graph in a file, so that a start needs no tract |
//! | `work` | what running a typed graph takes, bounded before anything runs |
//! | `cost` | multiply-accumulates and parameters |
//! | `tract` | tract itself as a runner |
//!
//! All but `stored` needs tract. A build without it has `none` instead, which says so wherever tract is asked for.

mod stored;

#[cfg(feature = "tract")]
mod axes;
#[cfg(feature = "tract")]
mod cost;
#[cfg(feature = "tract")]
mod declutter;
#[cfg(feature = "tract")]
mod makers;
#[cfg(feature = "tract")]
mod model;
#[cfg(feature = "tract")]
mod order;
#[cfg(feature = "tract")]
mod pattern;
#[cfg(feature = "tract")]
mod product;
#[cfg(feature = "tract")]
mod read;
#[cfg(feature = "tract")]
mod skeleton;
#[cfg(feature = "tract")]
mod tract;
#[cfg(feature = "tract")]
mod work;
#[cfg(feature = "tract")]
mod write;

#[cfg(not(feature = "tract"))]
mod none;

#[cfg(feature = "tract")]
pub use {
    cost::{Cost, cost},
    write::{check_graphs, write_graphs},
};
#[cfg(feature = "tract")]
pub(crate) use {
    declutter::simple,
    tract::{Tract, TractRunner},
};

#[cfg(not(feature = "tract"))]
pub(crate) use none::{Tract, TractRunner, simple};
#[cfg(not(feature = "tract"))]
pub use none::{check_graphs, write_graphs};

pub(crate) use stored::stored_graph;
