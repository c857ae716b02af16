//! Counts allocations, for tests and the lab; no device's binary holds it.
//!
//! A program that calls [`during`] or [`during_here`] has the counting allocator by that alone: it cannot ask one that
//! is not there. Memory itself comes from the system's allocator, unchanged.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Neither made on first use nor dropped at the thread's end: reading it allocates nothing.
    static HERE: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
}

/// How many allocations there were, and how large.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Allocations {
    /// Calls that asked for memory: new blocks, and blocks that were to grow or shrink.
    pub count: u64,
    /// Bytes that those calls asked for; a block that was to grow counts in its full new size.
    pub bytes: u64,
}

impl Allocations {
    const fn since(self, before: Self) -> Self {
        Self { count: self.count - before.count, bytes: self.bytes.wrapping_sub(before.bytes) }
    }
}

/// The result of `work`, and what the whole process allocates meanwhile: every thread of it.
pub fn during<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
    between(everywhere, work)
}

/// The result of `work`, and what this thread alone allocates meanwhile: for tests that run beside others.
pub fn during_here<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
    between(|| HERE.get(), work)
}

fn between<T>(now: impl Fn() -> Allocations, work: impl FnOnce() -> T) -> (T, Allocations) {
    let before = now();
    let result = work();
    (result, now().since(before))
}

fn everywhere() -> Allocations {
    Allocations { count: COUNT.load(Ordering::Relaxed), bytes: BYTES.load(Ordering::Relaxed) }
}

fn count(size: usize) {
    let bytes = size as u64;
    COUNT.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes, Ordering::Relaxed);
    let _ = HERE.try_with(|here| {
        let Allocations { count, bytes: before } = here.get();
        // What is asked for need not be given: sums of absurd sizes wrap, like those of the atomics.
        here.set(Allocations { count: count + 1, bytes: before.wrapping_add(bytes) });
    });
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged, so its promises are ours. Counting touches two atomics
// and a cell of this thread that has no destructor: it neither allocates nor panics.
#[expect(unsafe_code, reason = "a global allocator is an unsafe trait; this one only counts and passes on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promises, passed on.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises, passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::thread;

    #[test]
    fn new_zeroed_and_grown_blocks_count_and_freed_ones_do_not() {
        let (_, none) = during_here(|| black_box(1) + 1);
        assert_eq!(none, Allocations::default());
        let (mut block, new) = during_here(|| black_box(Vec::<u8>::with_capacity(1_000)));
        assert_eq!(new, Allocations { count: 1, bytes: 1_000 });
        let ((), grown) = during_here(|| block.reserve_exact(black_box(3_000)));
        assert_eq!(grown, Allocations { count: 1, bytes: 3_000 });
        let (zeros, zeroed) = during_here(|| black_box(vec![0_u8; 500]));
        assert_eq!(zeroed, Allocations { count: 1, bytes: 500 });
        let ((), freed) = during_here(|| drop((block, zeros)));
        assert_eq!(freed, Allocations::default());
    }

    #[test]
    fn sizes_that_no_memory_has_are_counted_and_refused_like_elsewhere() {
        let ((), asked) = during_here(|| {
            for _ in 0..5 {
                assert!(Vec::<u8>::new().try_reserve_exact(black_box(isize::MAX as usize)).is_err());
            }
        });
        assert_eq!(asked.count, 5);
    }

    #[test]
    fn another_threads_blocks_count_for_the_process_alone() {
        let work = || thread::scope(|scope| drop(scope.spawn(|| black_box(vec![1_u8; 1 << 20])).join()));
        let (((), here), process) = during(|| during_here(work));
        // Other tests allocate at the same time, so only a lower bound holds for the process.
        assert!(process.bytes >= 1 << 20 && here.bytes < 1 << 20, "{process:?} {here:?}");
    }
}
