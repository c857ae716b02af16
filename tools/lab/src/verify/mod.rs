//! Every row of a table of features against every row of another: how often each score comes, exactly, in bounded
//! memory, on many threads and machines.
//!
//! | file | holds |
//! |---|---|
//! | `grid` | what a score is here: a whole number of 2^-18; counts by score |
//! | `rows` | where features come from: files, memory |
//! | `generated` | features of nobody, for trials of the machinery |
//! | `task` | who is compared with whom, and the units that work is cut into |
//! | `block` | the rows of a unit: of length 1, and as bytes |
//! | `tally` | what one thread has counted |
//! | `engine` | runs a task's units, or a shard's, and goes on where it stopped |
//! | `partial` | counts of some units in a file; adding them |

pub(crate) mod block;
mod engine;
pub(crate) mod generated;
pub(crate) mod grid;
mod partial;
pub(crate) mod rows;
mod tally;
pub(crate) mod task;

pub(crate) use engine::{Settings, Sieving, resume, run};
pub(crate) use partial::Partial;
