//! The loop of depthwise convolutions: P neighbouring pixels of a row are summed in registers over the
//! kernel's rows and columns, in this order for every P; the one pixel of a global operator in four sums.
// Reads and writes through pointers that `Depthwise::run_slab` checked.
#![allow(unsafe_code)]

use core::ops::Range;

use super::Depthwise;
use crate::epilogue::{Inputs, head_len};
use crate::finish::{Finish, InRow};
use crate::isa::Isa;
use crate::map::{LANES, Slab};
use crate::simd::{Kernel, Simd};
use crate::taps::{MAX_KERNEL, Taps, on_map};

/// The rows of some planes of the output, to be computed.
pub(super) struct Rows<'a> {
    pub(super) operator: &'a Depthwise,
    pub(super) inputs: &'a Inputs<'a>,
    /// Where the first values of the whole input and output maps would lie: only the slab's rows need be in memory.
    pub(super) input: *const f32,
    pub(super) slab: &'a Slab,
    pub(super) output: *mut f32,
}

impl Rows<'_> {
    pub(super) fn dispatch(self, isa: Isa) {
        let taps = &self.operator.taps;
        // For the kernels and strides that networks use, code is compiled with these as constants; 0 stands for any
        // other.
        match (taps.kernel, taps.stride) {
            ([3, 3], 1) => isa.run(Fixed::<3, 1>(self)),
            ([3, 3], 2) => isa.run(Fixed::<3, 2>(self)),
            ([5, 5], 1) => isa.run(Fixed::<5, 1>(self)),
            ([5, 5], 2) => isa.run(Fixed::<5, 2>(self)),
            _ => isa.run(Fixed::<0, 0>(self)),
        }
    }
}

struct Fixed<'a, const K: usize, const T: usize>(Rows<'a>);

/// What all pixels of one row of the output have in common.
struct Line {
    finish: Finish,
    row: usize,
    /// Rows of the kernel that lie on the map.
    taps: Range<usize>,
    /// Pixel 0 of each input row that a kernel row in `taps` lies on. Where the kernel is the whole map, only the
    /// first is filled in: the others follow it in memory.
    input: [*const f32; MAX_KERNEL],
    /// The weights of the first kernel row in `taps`.
    weights: *const f32,
    /// The row's output pixel 0.
    output: *mut f32,
}

impl<const K: usize, const T: usize> Kernel for Fixed<'_, K, T> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Rows { operator, inputs, input, slab, output } = &self.0;
        let (from, map) = (&operator.input, &operator.output);
        for block in slab.blocks.clone() {
            let finish = Finish::new(&operator.epilogue, map, inputs, block);
            let weights = head_len(map.blocks()) + block * operator.block_weights();
            for row in slab.rows.clone() {
                let (taps, first) = self.on_map(row);
                let mut under = [*input; MAX_KERNEL];
                for (above, line) in under.iter_mut().take(taps.len().max(1)).enumerate() {
                    *line = input.wrapping_add(from.at(block, first + above, 0));
                }
                let line = Line {
                    finish,
                    row,
                    input: under,
                    weights: inputs.packed.as_ptr().wrapping_add(weights + taps.start * self.width() * LANES),
                    taps,
                    output: output.wrapping_add(map.at(block, row, 0)),
                };
                if K == 0 && operator.taps == Taps::whole(from) {
                    self.whole(s, &line);
                } else {
                    self.line(s, &line);
                }
            }
        }
    }
}

impl<const K: usize, const T: usize> Fixed<'_, K, T> {
    #[inline(always)]
    fn stride(&self) -> usize {
        if T == 0 { self.0.operator.taps.stride } else { T }
    }

    /// Columns of the kernel.
    #[inline(always)]
    fn width(&self) -> usize {
        if K == 0 { self.0.operator.taps.kernel[1] } else { K }
    }

    /// The rows of the kernel that lie on the map for one row of the output, and the map's row under the first.
    #[inline(always)]
    fn on_map(&self, row: usize) -> (Range<usize>, usize) {
        let Depthwise { input, taps, .. } = self.0.operator;
        let [height, top] = [if K == 0 { taps.kernel[0] } else { K }, taps.pads[0]];
        let start = row * self.stride();
        let on = on_map(start, top, height, input.height());
        let first = (start + on.start).saturating_sub(top).min(input.height() - 1);
        (on, first)
    }

    #[inline(always)]
    fn line<S: Simd>(&self, s: S, line: &Line) {
        let width = self.0.operator.output.width();
        let mut column = 0;
        while column < width {
            let rest = width - column;
            // So many sums that no addition waits for the one before it to end. AVX-512 has registers for more, but
            // the compiler does not unroll longer loops.
            let many = S::SUMS >= 10;
            let sevens = rest == 7 || (T == 1 && rest.is_multiple_of(7));
            column += match rest {
                7.. if many && sevens => self.some::<S, 7>(s, line, column),
                8.. if many => self.some::<S, 8>(s, line, column),
                4.. => self.some::<S, 4>(s, line, column),
                2.. => self.some::<S, 2>(s, line, column),
                _ => self.some::<S, 1>(s, line, column),
            };
        }
    }

    /// Computes P pixels from `column` on, where their windows lie on the map or leave it by exactly half a kernel, else
    /// one pixel. Returns how many.
    #[inline(always)]
    fn some<S: Simd, const P: usize>(&self, s: S, line: &Line, column: usize) -> usize {
        let Depthwise { input, taps, .. } = self.0.operator;
        let (start, left) = (column * self.stride(), taps.pads[1]);
        let end = start + (P - 1) * self.stride() + self.width();
        let beyond = [left.saturating_sub(start), end.saturating_sub(input.width() + left)];
        // Whether windows leave the map by half a kernel, on the left, on the right or on both sides.
        let half = K / 2;
        match beyond {
            [0, 0] => self.tile::<S, P, false, false>(s, line, column),
            [a, 0] if a == half && P >= 4 => self.tile::<S, P, true, false>(s, line, column),
            [0, b] if b == half && P >= 4 => self.tile::<S, P, false, true>(s, line, column),
            [a, b] if a == half && b == half && P >= 4 => self.tile::<S, P, true, true>(s, line, column),
            _ => return self.single(s, line, column),
        }
        P
    }

    /// P pixels from `column` on. The first and the last half of the kernel's columns lie beyond the map where
    /// `LEFT` and `RIGHT` say so, all others on it.
    #[inline(always)]
    fn tile<S: Simd, const P: usize, const LEFT: bool, const RIGHT: bool>(
        &self,
        s: S,
        line: &Line,
        column: usize,
    ) {
        let stride = self.stride();
        let start = (column * stride).wrapping_sub(self.0.operator.taps.pads[1]);
        let mut weights = line.weights;
        // SAFETY: the block's bias.
        let mut sums = [[unsafe { s.load(line.finish.bias) }]; P];
        for input in &line.input[..line.taps.len()] {
            let input = input.wrapping_add(start.wrapping_mul(LANES));
            // SAFETY: pixels of the row; `pack` wrote 16 values for each tap.
            let pixel = |at: usize| unsafe { s.load(input.wrapping_add(at * LANES)) };
            let weight = |tap: usize| unsafe { s.load(weights.wrapping_add(tap * LANES)) };
            let skip = [if LEFT { K / 2 } else { 0 }, if RIGHT { K / 2 } else { 0 }];
            let end = (P - 1) * stride + self.width() - skip[1];
            if T == 1 {
                let mut taps = [sums[0][0]; K];
                for tap in 0..K {
                    taps[tap] = weight(tap);
                }
                // Each pixel of the row is loaded once and goes to the windows that it lies under.
                for at in skip[0]..end {
                    let x = pixel(at);
                    for tap in 0..K {
                        if at >= tap && at - tap < P {
                            sums[at - tap][0] = s.fma(x, taps[tap], sums[at - tap][0]);
                        }
                    }
                }
            } else {
                // With larger strides, windows share few pixels, and the time goes into loads from the second cache.
                for tap in 0..self.width() {
                    let weight = weight(tap);
                    for p in 0..P {
                        let at = p * stride + tap;
                        if at >= skip[0] && at < end {
                            sums[p][0] = s.fma(pixel(at), weight, sums[p][0]);
                        }
                    }
                }
            }
            weights = weights.wrapping_add(self.width() * LANES);
        }
        self.finish(s, line, column, sums);
    }

    /// The pixel at `column`, wherever its window lies. Returns 1.
    #[inline(always)]
    fn single<S: Simd>(&self, s: S, line: &Line, column: usize) -> usize {
        let Depthwise { input, taps, .. } = self.0.operator;
        let (start, left, width) = (column * self.stride(), taps.pads[1], self.width());
        let on = on_map(start, left, width, input.width());
        // SAFETY: the block's bias.
        let mut sum = unsafe { s.load(line.finish.bias) };
        for row in 0..line.taps.len() {
            for tap in on.clone() {
                // SAFETY: the window's part that lies on the map.
                sum = unsafe { self.add_tap(s, line, line.input[row], [row, tap], start + tap - left, sum) };
            }
        }
        self.finish(s, line, column, [[sum]]);
        1
    }

    /// The only pixel of a plane, whose window is the whole map: four sums, since each product would wait for the one
    /// before it.
    #[inline(always)]
    fn whole<S: Simd>(&self, s: S, line: &Line) {
        let (width, stride) = (self.width(), self.0.operator.input.row_stride());
        let first = line.input[0];
        // SAFETY: the block's bias.
        let mut sums = [s.splat(0.0), s.splat(0.0), s.splat(0.0), unsafe { s.load(line.finish.bias) }];
        for row in 0..line.taps.len() {
            for tap in 0..width {
                let sum = &mut sums[(row * width + tap) % 4];
                // SAFETY: a tap of the window, which is the map.
                *sum =
                    unsafe { self.add_tap(s, line, first.wrapping_add(row * stride), [row, tap], tap, *sum) };
            }
        }
        let sum = s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]));
        self.finish(s, line, 0, [[sum]]);
    }

    /// `sum` with the product of a weight and the pixel `column` of the map's row `input`.
    ///
    /// # Safety
    /// The pixel lies on the map; `tap`, a row from the line's first on and a column, in the kernel.
    #[inline(always)]
    unsafe fn add_tap<S: Simd>(
        &self,
        s: S,
        line: &Line,
        input: *const f32,
        tap: [usize; 2],
        column: usize,
        sum: S::V,
    ) -> S::V {
        let weight = (tap[0] * self.width() + tap[1]) * LANES;
        // SAFETY: as the caller says; `pack` wrote 16 values for each tap.
        let (x, weight) = unsafe {
            (s.load(input.wrapping_add(column * LANES)), s.load(line.weights.wrapping_add(weight)))
        };
        s.fma(x, weight, sum)
    }

    #[inline(always)]
    fn finish<S: Simd, const P: usize>(&self, s: S, line: &Line, column: usize, sums: [[S::V; 1]; P]) {
        let places = InRow { row: line.row, column };
        let mut output = [line.output.wrapping_add(column * LANES); P];
        for p in 0..P {
            output[p] = output[p].wrapping_add(p * LANES);
        }
        // SAFETY: the tile lies within the output.
        unsafe { line.finish.apply(s, &places, &output, 0, sums) };
    }
}
