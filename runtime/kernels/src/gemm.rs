//! The one loop under every dense operator: P pixels x B blocks of output channels
//! are summed in registers over input planes, taps and channels, in this order for every tile.
// Reads and writes through pointers that `Conv::run_part` checked.
#![allow(unsafe_code)]

use core::ops::Range;

use crate::ahead::Ahead;
use crate::finish::{Finish, InRow, Spots, Walk, store};
use crate::isa::Isa;
use crate::map::LANES;
use crate::simd::{Kernel, Simd};

/// What one output value is a sum of: planes x rows x columns of taps, and at each tap `inner` input values that lie
/// side by side, each times its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) planes: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) inner: usize,
    /// `inner` of the last plane, whose block may not be full.
    pub(crate) inner_last: usize,
    pub(crate) plane_stride: usize,
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
    /// Packed values from one tap to the next, from one row of taps, and from one plane.
    pub(crate) tap_weights: usize,
    pub(crate) row_weights: usize,
    pub(crate) plane_weights: usize,
}

/// A run of equal tiles over the pixels `pixels` of the rectangle at `row`, `column`, counted row by row.
#[derive(Debug, Clone)]
pub(crate) struct Job<'a> {
    pub(crate) window: &'a Window,
    pub(crate) finish: &'a Finish,
    /// Input planes of this pass. The pass with plane 0 starts its sums from the bias, and the one with the last plane
    /// finishes them; from pass to pass they are kept in the output.
    pub(crate) planes: Range<usize>,
    /// Where the window of the output pixel at row 0, column 0 begins, in plane 0. That is outside the input where the
    /// pixel does not belong to the job.
    pub(crate) input: *const f32,
    /// Input values from the window of one output row to that of the next, and from column to column.
    pub(crate) input_row: usize,
    pub(crate) input_column: usize,
    /// The weights of the window's first tap, for plane 0 and the first output block.
    pub(crate) weights: *const f32,
    pub(crate) weights_block: usize,
    /// Where the pixel at row 0, column 0 of the first output block lies. That is outside the output's memory where
    /// the pixel does not belong to the job.
    pub(crate) output: *mut f32,
    pub(crate) output_plane: usize,
    pub(crate) output_row: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) width: usize,
    pub(crate) pixels: Range<usize>,
    /// Fetches its next share at each plane of each tile.
    pub(crate) ahead: &'a Ahead<'a>,
}

/// Tiles whose pixels lie at distances that the compiler knows, so that one pointer serves them all.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// On a blocked map whose rows follow one another without a gap: neighbours across the ends of rows.
    Blocked,
    /// On a blocked map, stride 1: neighbours within one row.
    Row,
    /// On a blocked map, stride 2: neighbours within one row of the output.
    Row2,
    /// On a planar image, 3 columns wide, stride 1: neighbours within one row.
    Planar1,
    /// As `Planar1`, with stride 2.
    Planar2,
    /// On a planar image, 4 columns wide, stride 4, as networks that begin with patches have.
    Patch4,
    /// Anything else: each pixel has a pointer of its own.
    Any,
}

const BLOCKED: usize = Shape::Blocked as usize;
const ROW: usize = Shape::Row as usize;
const ROW_2: usize = Shape::Row2 as usize;
const PLANAR_1: usize = Shape::Planar1 as usize;
const PLANAR_2: usize = Shape::Planar2 as usize;
const PATCH_4: usize = Shape::Patch4 as usize;
const ANY: usize = Shape::Any as usize;

/// For each [`Shape`]: input values from one pixel's window to the next, and values that lie side by side at a tap,
/// where 0 stands for the number that the job gives.
const SHAPES: [[usize; 2]; 7] = [[LANES, 0], [LANES, 0], [2 * LANES, 0], [1, 3], [2, 3], [4, 4], [0, 0]];

impl Shape {
    fn of(isa: Isa, job: &Job<'_>, pixels: usize) -> Self {
        // Whether tiles within rows fill at least 7/8 of their pixels; else tiles go across the ends of rows, if they
        // can.
        let filled = 8 * job.width >= 7 * pixels * job.width.div_ceil(pixels);
        match (job.window.column_stride, job.input_column, job.window.inner) {
            (0, 1, 3) => Self::Planar1,
            (0, 2, 3) => Self::Planar2,
            (0, 4, 4) => Self::Patch4,
            (LANES, LANES, _) | (0, LANES, LANES) => {
                let single = job.pixels.start / job.width == (job.pixels.end - 1) / job.width;
                let joined = job.input_row == job.width * job.input_column;
                // Full tiles across rows rather than smaller ones in each: 3 % at 28 columns on a Zen 3.
                let filled = filled && !(joined && isa.tight());
                if single || filled {
                    Self::Row
                } else if joined {
                    Self::Blocked
                } else {
                    Self::Any
                }
            }
            (LANES, column, _) if column == 2 * LANES && filled => Self::Row2,
            _ => Self::Any,
        }
    }
}

/// `job` in tiles of at most `pixels` pixels, as equal as can be, and of `blocks` blocks (1, 2 or 4).
///
/// # Safety
/// Every pointer reaches what the job's window, pixels and blocks name.
pub(crate) unsafe fn run(isa: Isa, pixels: usize, blocks: usize, job: &Job<'_>) {
    let shape = Shape::of(isa, job, pixels);
    if matches!(shape, Shape::Any | Shape::Blocked) {
        return split(isa, pixels, blocks, shape, job);
    }
    let mut start = job.pixels.start;
    while start < job.pixels.end {
        let end = ((start / job.width + 1) * job.width).min(job.pixels.end);
        split(isa, pixels, blocks, shape, &Job { pixels: start..end, ..job.clone() });
        start = end;
    }
}

fn split(isa: Isa, pixels: usize, blocks: usize, shape: Shape, job: &Job<'_>) {
    let count = job.pixels.len().div_ceil(pixels);
    let (small, large) = (job.pixels.len() / count, job.pixels.len() % count);
    let middle = job.pixels.start + large * (small + 1);
    for (size, range) in [(small + 1, job.pixels.start..middle), (small, middle..job.pixels.end)] {
        if !range.is_empty() {
            dispatch(isa, size, blocks, shape, Job { pixels: range, ..job.clone() });
        }
    }
}

fn dispatch(isa: Isa, pixels: usize, blocks: usize, shape: Shape, job: Job<'_>) {
    macro_rules! tiles {
        ($($p:literal)*; $b:literal, $shape:ident) => {
            match pixels {
                $($p => isa.run(Tiles::<$p, $b, $shape>(job)),)*
                _ => unreachable!("a tile of {pixels} pixels"),
            }
        };
    }
    macro_rules! blocks {
        ($shape:ident) => {
            match blocks {
                1 => tiles!(1 2 3 4 5 6 7 8 9 10 11 12 13 14; 1, $shape),
                2 => tiles!(1 2 3 4 5 6 7 8 9 10 11 12 13 14; 2, $shape),
                _ => tiles!(1 2 3 4 5 6; 4, $shape),
            }
        };
    }
    match shape {
        Shape::Blocked => blocks!(BLOCKED),
        Shape::Row => blocks!(ROW),
        Shape::Row2 => blocks!(ROW_2),
        Shape::Planar1 => blocks!(PLANAR_1),
        Shape::Planar2 => blocks!(PLANAR_2),
        Shape::Patch4 => blocks!(PATCH_4),
        Shape::Any => blocks!(ANY),
    }
}

struct Tiles<'a, const P: usize, const B: usize, const SHAPE: usize>(Job<'a>);

impl<const P: usize, const B: usize, const SHAPE: usize> Kernel for Tiles<'_, P, B, SHAPE> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        if P * B > S::SUMS {
            return;
        }
        let job = &self.0;
        let tiles = job.pixels.len() / P;
        if SHAPE != ANY && SHAPE != BLOCKED {
            let row = job.row + job.pixels.start / job.width;
            let mut column = job.column + job.pixels.start % job.width;
            for _ in 0..tiles {
                // SAFETY: the job's pointers reach these pixels (`run`).
                unsafe { self.tile(s, &InRow { row, column }) }
                column += P;
            }
            return;
        }
        let mut walk = Walk::new(job.row, job.column, job.width, job.pixels.start);
        for _ in 0..tiles {
            let places = walk.take::<P>();
            // SAFETY: the job's pointers reach these pixels (`run`).
            unsafe { self.tile(s, &places) }
        }
    }
}

impl<const P: usize, const B: usize, const SHAPE: usize> Tiles<'_, P, B, SHAPE> {
    #[inline(always)]
    unsafe fn tile<S: Simd>(&self, s: S, spots: &impl Spots) {
        let job = &self.0;
        let mut output = [job.output; P];
        for p in 0..P {
            // Wrapping: the pixel at row 0, column 0 may lie outside the piece of the map that is in memory.
            output[p] = job.output.wrapping_add(spots.at(p, job.output_row, LANES));
        }
        let mut sums = [[s.splat(0.0); B]; P];
        for b in 0..B {
            for p in 0..P {
                let from = if job.planes.start == 0 {
                    job.finish.bias.wrapping_add(b * LANES)
                } else {
                    output[p].wrapping_add(b * job.output_plane).cast_const()
                };
                // SAFETY: the block's bias, or what the pass before stored.
                sums[p][b] = unsafe { s.load(from) };
            }
        }
        let mut input = [job.input; P];
        for p in 0..P {
            input[p] = job.input.wrapping_add(spots.at(p, job.input_row, job.input_column));
        }
        // SAFETY: every window lies within the input.
        sums = unsafe { self.sum(s, input, sums) };
        // SAFETY: within output and residual.
        unsafe {
            if job.planes.end < job.window.planes {
                store(s, &output, job.output_plane, &sums);
            } else {
                job.finish.apply(s, spots, &output, job.output_plane, sums);
            }
        }
    }

    #[inline(always)]
    unsafe fn sum<S: Simd>(&self, s: S, input: [*const f32; P], mut sums: [[S::V; B]; P]) -> [[S::V; B]; P] {
        let job = &self.0;
        let window = job.window;
        let [_, width] = SHAPES[SHAPE];
        let inner = |plane: usize| {
            let inner = if plane + 1 == window.planes { window.inner_last } else { window.inner };
            if width == 0 { inner } else { width }
        };
        // Kernels of 1x1 have one tap a plane: a loop of its own, without counters for rows and columns.
        if (S::TIGHT || S::PICKS) && width == 0 && window.rows * window.columns == 1 {
            let mut at = job.planes.start * window.plane_stride;
            let mut weights = job.weights.wrapping_add(job.planes.start * window.plane_weights);
            for plane in job.planes.clone() {
                job.ahead.step(s);
                // SAFETY: every window lies within the input; `pack` wrote `plane_weights` values for each plane.
                unsafe { self.tap(s, &input, at, weights, inner(plane), &mut sums) }
                at += window.plane_stride;
                weights = weights.wrapping_add(window.plane_weights);
            }
            return sums;
        }
        for plane in job.planes.clone() {
            job.ahead.step(s);
            for row in 0..window.rows {
                let mut at = plane * window.plane_stride + row * window.row_stride;
                let mut weights =
                    job.weights.wrapping_add(plane * window.plane_weights + row * window.row_weights);
                for _ in 0..window.columns {
                    // SAFETY: every window lies within the input; `pack` wrote `tap_weights` values for each tap.
                    unsafe { self.tap(s, &input, at, weights, inner(plane), &mut sums) }
                    at += window.column_stride;
                    weights = weights.wrapping_add(window.tap_weights);
                }
            }
        }
        sums
    }

    /// `inner` values of each pixel's window times their weights.
    ///
    /// # Safety
    /// `inner` values at `at` lie within each pixel's window; `weights` begins with as many weights of each block.
    #[inline(always)]
    unsafe fn tap<S: Simd>(
        &self,
        s: S,
        input: &[*const f32; P],
        at: usize,
        weights: *const f32,
        inner: usize,
        sums: &mut [[S::V; B]; P],
    ) {
        let [_, width] = SHAPES[SHAPE];
        if S::TIGHT && width == 0 && inner == LANES {
            for k in 0..LANES {
                // SAFETY: as the caller's.
                unsafe { self.step(s, input, at + k, weights.wrapping_add(k * LANES), sums) }
            }
            return;
        }
        let fours = if S::PICKS && width == 0 { inner / 4 * 4 } else { 0 };
        if fours > 0 {
            // Pointers that move on need no address computed at each load.
            let mut from: [_; P] = core::array::from_fn(|p| self.pixel(input, p).wrapping_add(at));
            let mut weights = weights;
            for _ in 0..fours / 4 {
                let x = core::array::from_fn(|p| self.pixel(&from, p));
                // SAFETY: as the caller's.
                unsafe { s.four_steps(&x, weights, self.0.weights_block, sums) }
                from.iter_mut().for_each(|at| *at = at.wrapping_add(4));
                weights = weights.wrapping_add(4 * LANES);
            }
        }
        for k in fours..inner {
            // SAFETY: as the caller's.
            unsafe { self.step(s, input, at + k, weights.wrapping_add(k * LANES), sums) }
        }
    }

    /// Where the window of pixel `p` begins.
    #[inline(always)]
    fn pixel(&self, input: &[*const f32; P], p: usize) -> *const f32 {
        let [step, _] = SHAPES[SHAPE];
        if step == 0 { input[p] } else { input[0].wrapping_add(p * step) }
    }

    /// One value of each pixel's window times its weights.
    ///
    /// # Safety
    /// As [`tap`](Self::tap).
    #[inline(always)]
    unsafe fn step<S: Simd>(
        &self,
        s: S,
        input: &[*const f32; P],
        at: usize,
        weights: *const f32,
        sums: &mut [[S::V; B]; P],
    ) {
        let mut w = [s.splat(0.0); B];
        for b in 0..B {
            // SAFETY: 16 weights of each block.
            w[b] = unsafe { s.load(weights.add(b * self.0.weights_block)) };
        }
        for p in 0..P {
            // SAFETY: within the pixel's window.
            let x = s.splat(unsafe { *self.pixel(input, p).wrapping_add(at) });
            for b in 0..B {
                sums[p][b] = s.fma(x, w[b], sums[p][b]);
            }
        }
    }
}
