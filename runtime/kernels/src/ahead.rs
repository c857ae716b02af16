//! What the next operators will read, fetched while this one multiplies.

use core::cell::Cell;

use crate::map::LANES;
use crate::simd::Simd;

/// Most values fetched ahead: 256 KiB, a quarter of a second cache of 1 MiB, whose rest holds the maps.
pub(crate) const MOST: usize = 1 << 16;

/// Values to fetch, how far that has come, and how many are due with each step of the operator that has time.
#[derive(Debug)]
pub(crate) struct Ahead<'a> {
    next: &'a [f32],
    done: Cell<usize>,
    each: usize,
}

impl<'a> Ahead<'a> {
    /// Spread over `steps` steps.
    pub(crate) fn new(next: &'a [f32], steps: usize) -> Self {
        let next = &next[..next.len().min(MOST)];
        let each = next.len().div_ceil(steps.max(1)).next_multiple_of(LANES);
        Self { next, done: Cell::new(0), each }
    }

    /// One step's share.
    #[inline(always)]
    pub(crate) fn step<S: Simd>(&self, s: S) {
        let done = self.done.get();
        if done >= self.next.len() {
            return;
        }
        // The last share may reach beyond: a fetch reads nothing.
        for line in (done..done + self.each).step_by(LANES) {
            s.fetch(self.next.as_ptr().wrapping_add(line));
        }
        self.done.set(done + self.each);
    }
}
