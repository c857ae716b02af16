//! What goes on for as long as the process lives: the loop at the door, and the clock that it lives by.

mod clock;
mod decider;
pub mod door;
mod feed;
mod inbox;
pub mod keypad;
pub mod ladder;
pub mod r#loop;
pub mod motion;
pub mod presses;
pub mod screen;
pub mod socket;
mod trace;
mod watch;
pub mod watchdog;

pub use clock::{Clock, SystemClock};
pub use decider::Decider;
pub use feed::feed;
pub use inbox::{Asked, Caller, Inbox, MAX_ASKED, Queue};
pub use r#loop::Loop;
pub use trace::{MAX_TRACE_BYTES, Trace};
