//! A step's work on one thread or two.

use arcdoor_kernels::{Inputs, Isa, LANES, Part, ShapeError};

use super::step::Kernel;
use crate::team::{self, Threads};

/// Least multiply-accumulates of a step that is shared between two threads. Fewer take a few microseconds, about as
/// long as it takes to wake the other thread.
const LEAST_MACS: u64 = 200_000;

/// Values of scratch memory for steps of which one thread needs up to `len`.
pub(super) fn scratch_len(len: usize, threads: Threads) -> usize {
    match threads {
        Threads::One => len,
        Threads::Two => 2 * len.next_multiple_of(LANES),
    }
}

/// Computes a step's output, in two parts where that is worth it. The values do not depend on it.
pub(super) fn run(
    kernel: &Kernel,
    threads: Threads,
    isa: Isa,
    inputs: Inputs<'_>,
    scratch: &mut [f32],
    output: &mut [f32],
) -> Result<(), ShapeError> {
    let Some((parts, middle)) = halves(kernel).filter(|_| threads == Threads::Two) else {
        return kernel.run(isa, inputs, Part::WHOLE, scratch, output);
    };
    let (upper, lower) = output.split_at_mut_checked(middle).ok_or(ShapeError::EmptyMap)?;
    let (mine, theirs) = scratch.split_at_mut(scratch.len() / 2);
    let (first, second) = team::both(
        || kernel.run(isa, inputs, parts[0], mine, upper),
        || kernel.run(isa, inputs, parts[1], theirs, lower),
    );
    first.and(second)
}

/// The two parts of a step, and the index in the output where the second one begins; `None` for steps that are too
/// small or of a kind that is not shared.
fn halves(kernel: &Kernel) -> Option<([Part; 2], usize)> {
    let map = match kernel {
        Kernel::Chain(op, _) => op.output(),
        Kernel::Coded(op, _) => op.output(),
        Kernel::Conv(op, _) => op.output(),
        Kernel::Depthwise(op) => op.output(),
        Kernel::Winograd(op, _) => op.output(),
        Kernel::Block(_) | Kernel::Elementwise(_) | Kernel::Pool(_) | Kernel::Upsample(_) => return None,
    };
    let parts = [Part::new(0, 2).ok()?, Part::new(1, 2).ok()?];
    let middle = parts[0].range(&map).end;
    (kernel.macs() >= LEAST_MACS && middle > 0 && middle < map.len()).then_some((parts, middle))
}
