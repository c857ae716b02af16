//! From files and tract to a graph.
//!
//! | module | holds |
//! |---|---|
//! | `skeleton` | a file without its weights, which stay where they are |
//! | `model`, `declutter` | the file as tract reads, types and simplifies it |
//! | `makers` | who makes what in tract's graph, and which weights it has not seen |
//! | `pattern` | what several of tract's operators say together: a PReLU, a clip, a mean |
//! | `product` | which sums an `EinSum` of tract's is made of |
//! | `axes` | what reshaping and transposing make of a view |
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
