//! What is asked of the kernel.

use std::fmt;

use rustix::io::Errno;

use crate::driver::LineCause;
use crate::line::Line;

/// What a line is asked for as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Driven, from the first moment on with this level.
    Output { active: bool },
    /// Observed; the kernel debounces and keeps every edge.
    Edges { debounce_ms: u32 },
    /// Observed; only its level is read.
    Level,
}

/// An edge as the kernel tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) active: bool,
    /// On the clock of [`Kernel::now_ns`].
    pub(crate) at_ns: u64,
}

/// A line that is ours until it is dropped.
pub(crate) trait Held: fmt::Debug + Send {
    fn set(&self, active: bool) -> Result<(), Errno>;
    /// Its level; a debounced one where the kernel debounces.
    fn level(&self) -> Result<bool, Errno>;
    /// The oldest edge that waits, if any; never blocks.
    fn event(&self) -> Result<Option<Event>, Errno>;
}

/// The kernel.
pub(crate) trait Kernel: fmt::Debug + Send {
    /// Who uses the line, where anybody does.
    fn consumer(&self, line: &Line) -> Result<Option<String>, LineCause>;
    fn request(&self, line: &Line, wanted: Wanted) -> Result<Box<dyn Held>, Errno>;
    /// Whether a line that is let go keeps the level to which it was driven.
    fn keeps_outputs(&self) -> bool;
    /// The monotonic clock that stamps events.
    fn now_ns(&self) -> u64;
    fn pause(&self, ms: u32);
}

/// Takes a line, or says why not in words that help.
pub(crate) fn take(kernel: &dyn Kernel, line: &Line, wanted: Wanted) -> Result<Box<dyn Held>, LineCause> {
    if let Some(consumer) = kernel.consumer(line)? {
        return Err(LineCause::Busy { consumer });
    }
    kernel.request(line, wanted).map_err(LineCause::from)
}
