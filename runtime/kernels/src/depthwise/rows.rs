//! The loop of depthwise convolutions: P neighbouring pixels of a row are summed in registers over the
//! kernel's rows and columns, in this order for every P.
// Reads and writes through pointers that `Depthwise::run_part` checked.
#![allow(unsafe_code)]

use core::ops::Range;

use crate::finish::{Finish, InRow};
use crate::isa::Isa;
use crate::map::LANES;
use crate::simd::{Kernel, Simd};

/// Rows of one output plane.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) kernel: [usize; 2],
    /// At the window of output pixel 0, 0.
    pub(super) input: *const f32,
    /// Values from one row of the window to the next.
    pub(super) input_tap_row: usize,
    /// Values from the window of one output row to that of the next.
    pub(super) input_row: usize,
    pub(super) stride: usize,
    pub(super) weights: *const f32,
    pub(super) finish: Finish,
    /// At pixel 0, 0.
    pub(super) output: *mut f32,
    pub(super) output_row: usize,
    pub(super) width: usize,
    pub(super) rows: Range<usize>,
}

impl Rows {
    pub(super) fn dispatch(self, isa: Isa) {
        // Kernels and strides that networks use are constants to the compiler; 0 stands for any.
        match (self.kernel, self.stride) {
            ([3, 3], 1) => isa.run(Fixed::<3, 1>(self)),
            ([3, 3], 2) => isa.run(Fixed::<3, 2>(self)),
            ([5, 5], 1) => isa.run(Fixed::<5, 1>(self)),
            ([5, 5], 2) => isa.run(Fixed::<5, 2>(self)),
            _ => isa.run(Fixed::<0, 0>(self)),
        }
    }
}

struct Fixed<const K: usize, const T: usize>(Rows);

impl<const K: usize, const T: usize> Kernel for Fixed<K, T> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for row in self.0.rows.clone() {
            let mut column = 0;
            while column < self.0.width {
                let rest = self.0.width - column;
                // Sums, and one row of weights beside them, fill the registers.
                let taken = if S::SUMS >= 8 && rest >= 8 {
                    self.tile::<S, 8>(s, row, column)
                } else if S::SUMS >= 7 && rest >= 7 {
                    self.tile::<S, 7>(s, row, column)
                } else if rest >= 4 {
                    self.tile::<S, 4>(s, row, column)
                } else if rest >= 2 {
                    self.tile::<S, 2>(s, row, column)
                } else {
                    self.tile::<S, 1>(s, row, column)
                };
                column += taken;
            }
        }
    }
}

impl<const K: usize, const T: usize> Fixed<K, T> {
    #[inline(always)]
    fn tile<S: Simd, const P: usize>(&self, s: S, row: usize, column: usize) -> usize {
        let rows = &self.0;
        let stride = if T == 0 { rows.stride } else { T };
        // SAFETY: the block's bias.
        let mut sums = [[unsafe { s.load(rows.finish.bias) }]; P];
        let mut input = rows.input.wrapping_add(row * rows.input_row + column * stride * LANES);
        let mut weights = rows.weights;
        // Windows side by side share most pixels; further apart, loading again costs less than choosing.
        if T != 1 {
            let [height, width] = if K == 0 { rows.kernel } else { [K, K] };
            for _ in 0..height {
                for tap in 0..width {
                    // SAFETY: `pack` wrote 16 values for each tap; every window lies within the plane.
                    unsafe {
                        let weight = s.load(weights.wrapping_add(tap * LANES));
                        for p in 0..P {
                            let x = s.load(input.wrapping_add((p * stride + tap) * LANES));
                            sums[p][0] = s.fma(x, weight, sums[p][0]);
                        }
                    }
                }
                input = input.wrapping_add(rows.input_tap_row);
                weights = weights.wrapping_add(width * LANES);
            }
        } else {
            for _ in 0..K {
                let mut taps = [sums[0][0]; K];
                for tap in 0..K {
                    // SAFETY: `pack` wrote 16 values for each tap.
                    taps[tap] = unsafe { s.load(weights.wrapping_add(tap * LANES)) };
                }
                // Each pixel of the row is loaded once and goes to the windows that it lies under.
                for at in 0..P - 1 + K {
                    // SAFETY: every window lies within the plane.
                    let x = unsafe { s.load(input.wrapping_add(at * LANES)) };
                    for tap in 0..K {
                        if at >= tap && at - tap < P {
                            sums[at - tap][0] = s.fma(x, taps[tap], sums[at - tap][0]);
                        }
                    }
                }
                input = input.wrapping_add(rows.input_tap_row);
                weights = weights.wrapping_add(K * LANES);
            }
        }
        let places = InRow { row, column };
        let mut output = [rows.output.wrapping_add(row * rows.output_row + column * LANES); P];
        for p in 0..P {
            output[p] = output[p].wrapping_add(p * LANES);
        }
        // SAFETY: the tile lies within the output.
        unsafe { rows.finish.apply(s, &places, &output, 0, sums) };
        P
    }
}
