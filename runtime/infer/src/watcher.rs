//! Who is told what a plan has done, as it happens: nothing here reads a clock, but whoever is told may.

use std::fmt;
use std::sync::Arc;

/// A part of a network's work that has just ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Loading: tract has read the ONNX file into operators with types and shapes. Left out with a graph file.
    Typed,
    /// Loading: tract has simplified the operators; or they were read from a graph file, where they are stored
    /// simplified.
    Decluttered,
    /// Loading: every step has its kernel, and its maps have their places in memory.
    Planned,
    /// Loading: all weights are in the order in which the kernels read them.
    Packed,
    /// Running: this step, an index in [`Net::steps`](crate::Net::steps), for one image of the batch.
    Step(usize),
    /// Running: all outputs of one image were copied out of their maps.
    Outputs,
}

/// Who is told of each [`Done`], on the thread that loads or runs; by default nobody. tract tells nothing of its own
/// runs: of a network that it runs because the plan does not, only [`Done::Typed`] and [`Done::Decluttered`] may be
/// heard.
///
/// ```
/// use arcdoor_infer::{RunOptions, Watcher};
///
/// let watcher = Watcher::new(|done| eprintln!("{done:?}"));
/// let options = RunOptions { watcher, ..RunOptions::default() };
/// ```
#[derive(Clone, Default)]
pub struct Watcher(Option<Arc<dyn Fn(Done) + Send + Sync>>);

impl Watcher {
    /// `told` is called in the middle of the work that it hears of, so it should be quick.
    pub fn new(told: impl Fn(Done) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    pub(crate) fn tell(&self, done: Done) {
        if let Some(told) = &self.0 {
            told(done);
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Watcher(somebody)" } else { "Watcher(nobody)" })
    }
}
