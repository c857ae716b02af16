//! What is read next, fetched while an operator multiplies: its own weights, and what the operators after it read.

use core::cell::Cell;

use crate::map::LANES;
use crate::simd::Simd;

/// Most values fetched for later operators: 256 KiB, a quarter of a second cache of 1 MiB, whose rest holds the maps.
pub(crate) const MOST: usize = 1 << 16;

/// Two streams of values to fetch, each spread evenly over the steps of one operator.
#[derive(Debug)]
pub(crate) struct Ahead<'a> {
    own: Stream<'a>,
    next: Stream<'a>,
}

impl<'a> Ahead<'a> {
    /// `own` are weights of the operator itself, in the order in which its steps read them, without those that its
    /// first steps would need before they can be fetched. `next` is what later operators read. Both may be empty.
    pub(crate) fn new(own: &'a [f32], next: &'a [f32], steps: usize) -> Self {
        let next = &next[..next.len().min(MOST)];
        Self { own: Stream::new(own, steps), next: Stream::new(next, steps) }
    }

    /// Fetches the share of one step.
    #[inline(always)]
    pub(crate) fn step<S: Simd>(&self, s: S) {
        if !S::FETCHES {
            return;
        }
        if S::TIGHT {
            self.own.step(s);
        }
        self.next.step(s);
    }
}

/// Values to fetch, the same number at each step.
#[derive(Debug)]
struct Stream<'a> {
    values: &'a [f32],
    done: Cell<usize>,
    /// Values that should have been fetched by now, and how many each step adds, both times 65536 for the fractions.
    due: Cell<u64>,
    each: u64,
}

impl<'a> Stream<'a> {
    fn new(values: &'a [f32], steps: usize) -> Self {
        let each = ((values.len() as u64) << 16).div_ceil(steps.max(1) as u64);
        Self { values, done: Cell::new(0), due: Cell::new(0), each }
    }

    #[inline(always)]
    fn step<S: Simd>(&self, s: S) {
        let mut line = self.done.get();
        if line >= self.values.len() {
            return;
        }
        let due = self.due.get() + self.each;
        self.due.set(due);
        // The last cache line may reach beyond the values, which is no read of them: a fetch is a hint.
        while line < (due >> 16) as usize {
            s.fetch(self.values.as_ptr().wrapping_add(line));
            line += LANES;
        }
        self.done.set(line);
    }
}
