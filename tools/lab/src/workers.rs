//! The same work on many numbered things, on several threads.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

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

/// What `work` makes of the numbers 0..`count`, in their order, on each of `threads` threads; each thread `open`s a tool of its
/// own. A bar on the terminal counts them, as so many of `what`.
pub(crate) fn each<Tool, Made: Send>(
    threads: usize,
    count: usize,
    what: &str,
    open: impl Fn() -> Result<Tool> + Sync,
    work: impl Fn(&mut Tool, usize) -> Result<Made> + Sync,
) -> Result<Vec<Made>> {
    let bar = ProgressBar::new(count as u64).with_message(what.to_owned());
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {per_sec}, {eta} left")?);
    let done = Mutex::new(Vec::with_capacity(count));
    run(threads, count, |take| {
        let mut tool = open()?;
        while let Some(index) = take() {
            let made = work(&mut tool, index)?;
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, made));
            bar.inc(1);
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, made)| made).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::ensure;

    #[test]
    fn results_come_in_order_from_any_number_of_threads_and_one_failure_is_all() {
        let squares = |threads| each(threads, 100, "numbers", || Ok(()), |(), index| Ok(index * index));
        let wanted: Vec<usize> = (0..100).map(|index| index * index).collect();
        assert_eq!([squares(1).unwrap(), squares(3).unwrap()], [wanted.clone(), wanted]);
        let failed = each(
            2,
            100,
            "numbers",
            || Ok(()),
            |(), index| {
                ensure!(index != 50, "fifty");
                Ok(())
            },
        );
        assert_eq!(failed.unwrap_err().to_string(), "fifty");
    }
}
