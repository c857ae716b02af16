//! On the plan, nothing is allocated after start.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait; this one only counts and passes on")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use arcdoor_infer::{EngineChoice, Net, NetSpec};
use common::Builder;

thread_local! {
    // No destructor and no lazy making: reading it allocates nothing.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged, so its promises are ours.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises, passed on.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises, passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

fn during(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn a_run_allocates_nothing_on_the_plan() {
    let mut b = Builder::new(5);
    let stem = b.conv("x", [3, 20, 1], [3, 3], 2, [1; 4]);
    let active = b.prelu(&stem, 20, 2);
    let deep = b.conv(&active, [20, 20, 20], [3, 3], 1, [1; 4]);
    let normed = b.norm(&deep, 20);
    let sum = b.node("Add", &[&normed, &active], vec![]);
    let pooled = b.node("GlobalAveragePool", &[&sum], vec![]);
    let input = [2, 3, 17, 23];
    let onnx = b.finish(input, &[(&pooled, 4)]);
    let spec = NetSpec { input, outputs: &[&pooled] };
    let count = |choice: EngineChoice| {
        let mut session = Net::load(&onnx, &spec, &choice.into()).unwrap().session().unwrap();
        // The very first run is no exception.
        during(|| {
            for value in [0.5, -1.0, 2.0] {
                session.input_mut().fill(value);
                session.run().unwrap();
                assert_eq!(session.output(0).len(), 40);
            }
        })
    };
    assert_eq!(count(EngineChoice::Plan), 0);
    assert!(count(EngineChoice::Tract) > 0, "the counter counts");
}
