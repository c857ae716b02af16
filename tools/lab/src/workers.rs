//! The same work on many numbered things, on several threads.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;

/// Runs `work` on each of `threads` threads. It is handed a function that gives it the numbers 0..`count`, each to one
/// thread only, and then `None`. After the first error no more numbers are given, and that error is returned.
pub(crate) fn run(
    threads: usize,
    count: usize,
    work: impl Fn(&dyn Fn() -> Option<usize>) -> Result<()> + Sync,
) -> Result<()> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let take = || {
        let index = (!stop.load(Ordering::Relaxed)).then(|| next.fetch_add(1, Ordering::Relaxed));
        index.filter(|&index| index < count)
    };
    thread::scope(|scope| {
        let run = || work(&take).inspect_err(|_| stop.store(true, Ordering::Relaxed));
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        })
    })
}
