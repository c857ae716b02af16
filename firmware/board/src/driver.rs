//! The seam between whoever decides about the door and its wires.

use std::fmt;

use arcdoor_core::Millis;
use rustix::io::Errno;

use crate::limits::MAX_EDGES;
use crate::line::Line;
use crate::machine::WrongMachine;
use crate::relay_watch::RelayState;
use crate::role::{Input, Output, Role};

/// An input's new level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Which one.
    pub input: Input,
    /// Whether it is active from now on, whatever level that is on the wire.
    pub active: bool,
    /// When that was, on the caller's clock.
    pub at: Millis,
}

/// The edges of one poll, oldest first.
pub type Edges = heapless::Vec<Edge, MAX_EDGES>;

/// Adds an edge in the order of time; those of one time stay in the order in which they came.
pub(crate) fn insert(edges: &mut Edges, edge: Edge) {
    if edges.push(edge).is_err() {
        return;
    }
    let mut index = edges.len() - 1;
    while index > 0 && edges[index - 1].at > edge.at {
        edges.swap(index - 1, index);
        index -= 1;
    }
}

/// Drives the door's outputs and observes its inputs. Nothing in it waits.
///
/// A driver starts, and ends when it is dropped, with the relay in the board's fail mode; and it puts it there when the
/// relay, its contact or an input fails.
pub trait LineDriver: fmt::Debug {
    /// Makes `output` active or not. One that is not wired, a lamp or the buzzer, is passed over.
    ///
    /// # Errors
    /// The line cannot be driven.
    fn set(&mut self, output: Output, active: bool, now: Millis) -> Result<(), LineError>;

    /// Compares what the relay was asked for with what its own contact says.
    ///
    /// # Errors
    /// The contact's line cannot be read.
    fn relay(&mut self, now: Millis) -> Result<RelayState, LineError>;

    /// Replaces `edges` by those since the last poll, debounced, at most [`MAX_EDGES`]: more wait for the next one. The
    /// first poll in which a level has held tells of each wired input how it stands.
    ///
    /// # Errors
    /// A line cannot be read: the first of those. `edges` holds what the others say.
    fn poll(&mut self, now: Millis, edges: &mut Edges) -> Result<(), LineError>;
}

/// What is wrong with one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{role} ({line}): {cause}")]
pub struct LineError {
    /// What it is for.
    pub role: Role,
    /// Where it is.
    pub line: Line,
    /// Why.
    pub cause: LineCause,
}

/// Why a line does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineCause {
    /// Other hardware.
    #[error("{0}")]
    Machine(#[from] WrongMachine),
    /// No such chip.
    #[error(
        "there is no such GPIO chip: `gpiodetect` lists those there are; correct `chip` in the board's file"
    )]
    NoChip,
    /// The chip is smaller.
    #[error("the chip has {lines} lines, 0 to {}: correct `offset` in the board's file", lines.saturating_sub(1))]
    NoLine {
        /// How many the chip has.
        lines: u32,
    },
    /// Somebody else has it.
    #[error("{} uses it: stop that, or take a line that is free; `gpioinfo` lists them", user(consumer))]
    Busy {
        /// Who, as the kernel knows it; may be empty.
        consumer: String,
    },
    /// No permission.
    #[error("no permission to open the chip: run as a member of the group `gpio`, or as root")]
    Denied,
    /// It was there.
    #[error("the chip is gone: was it unplugged, or its driver unloaded? Start again when it is back")]
    Gone,
    /// The chip cannot do what is asked.
    #[error("the chip cannot do this ({0}): another direction, or without this bias; see its data sheet")]
    Unsupported(Errno),
    /// Anything else that the kernel says.
    #[error("{0}; `dmesg` may say more")]
    Kernel(Errno),
}

fn user(consumer: &str) -> &str {
    if consumer.is_empty() { "another program or driver" } else { consumer }
}

impl From<Errno> for LineCause {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NXIO => Self::NoChip,
            Errno::BUSY => Self::Busy { consumer: String::new() },
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::NODEV => Self::Gone,
            Errno::OPNOTSUPP | Errno::INVAL => Self::Unsupported(errno),
            errno => Self::Kernel(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_come_in_the_order_of_time_and_those_of_one_time_as_they_came() {
        let mut edges = Edges::new();
        for (input, active, at) in [
            (Input::Rex, true, 5),
            (Input::Rex, false, 9),
            (Input::Contact, true, 5),
            (Input::Tamper, true, 1),
        ] {
            insert(&mut edges, Edge { input, active, at: Millis(at) });
        }
        let order: Vec<(Input, u64)> = edges.iter().map(|edge| (edge.input, edge.at.0)).collect();
        assert_eq!(order, [(Input::Tamper, 1), (Input::Rex, 5), (Input::Contact, 5), (Input::Rex, 9)]);
    }
}
