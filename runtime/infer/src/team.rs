//! A second thread for the larger steps of a network, where it is asked for.
//!
//! Both threads write pieces of one buffer, and the helper lives as long as the thread that it helps. The standard
//! library can lend borrowed pieces to a thread only if it starts one for them; `rayon-core` lends them to one that
//! runs already, without `unsafe` of our own, and nothing else of it is used. A thread and its helper form a pool of
//! two; [`both`] offers one half of the work to the helper; if the helper does not take it in time, the calling thread
//! does both: on a busy machine nobody waits for a thread that does not run. Which thread computes which half changes
//! no bit of a result.

use std::cell::OnceCell;

use rayon_core::{ThreadPool, ThreadPoolBuilder};

use crate::error::InferError;

/// How many threads run a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threads {
    /// The calling thread alone.
    #[default]
    One,
    /// The calling thread and one that helps it. Only the plan uses a second one; tract runs on one.
    Two,
}

thread_local! {
    /// This thread's pool; the helper ends with the thread.
    static TEAM: OnceCell<ThreadPool> = const { OnceCell::new() };
}

/// Gives this thread a helper where it has none. A thread that belongs to a rayon pool has that pool for a helper.
///
/// # Errors
/// When the system starts no more threads.
pub(crate) fn start() -> Result<(), InferError> {
    if rayon_core::current_thread_index().is_some() {
        return Ok(());
    }
    let name = |index| format!("arcdoor-infer-{index}");
    let builder = ThreadPoolBuilder::new().num_threads(2).use_current_thread().thread_name(name);
    let pool = builder.build().map_err(|error| InferError::Thread(error.to_string()))?;
    // Makes the helper allocate now what it allocates when it first looks for work, so that no run sees it do so.
    pool.broadcast(|_| ());
    // The cell is empty: a thread that is in a pool has returned above.
    let _ = TEAM.with(|team| team.set(pool));
    Ok(())
}

/// Runs both, the second on the helper where it is free; returns when both have ended. Allocates nothing.
///
/// # Panics
/// When one of them panics, after the other has ended.
pub(crate) fn both<T: Send>(first: impl FnOnce() -> T + Send, second: impl FnOnce() -> T + Send) -> (T, T) {
    // On a thread without a helper, a join would start a thread for every core.
    if rayon_core::current_thread_index().is_some() {
        rayon_core::join(first, second)
    } else {
        (first(), second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn the_helper_takes_part_and_its_panic_reaches_the_caller() {
        start().unwrap();
        start().unwrap();
        let here = thread::current().id();
        let helped = AtomicUsize::new(0);
        // Each half waits until the other runs: on one thread that could not end, so it gives up in time.
        for _ in 0..50 {
            let met = AtomicUsize::new(0);
            let half = || {
                met.fetch_add(1, Ordering::SeqCst);
                let until = std::time::Instant::now() + std::time::Duration::from_millis(200);
                while met.load(Ordering::SeqCst) < 2 && std::time::Instant::now() < until {
                    thread::yield_now();
                }
                helped.fetch_add(usize::from(thread::current().id() != here), Ordering::SeqCst);
            };
            both(half, half);
        }
        assert!(helped.into_inner() > 0, "the helper never helped");

        let ended = AtomicUsize::new(0);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            both(|| ended.fetch_add(1, Ordering::SeqCst), || panic!("of the second half"));
        }));
        assert!(panicked.is_err());
        assert_eq!(ended.load(Ordering::SeqCst), 1);
        assert_eq!(both(|| 1, || 2), (1, 2), "the helper is still there");
    }
}
