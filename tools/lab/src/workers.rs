//! The same work on many things, on several threads.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;

/// Each of `threads` threads runs `work`, which takes the numbers of things from what it is given until there is
/// none. The first trouble stops all.
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
