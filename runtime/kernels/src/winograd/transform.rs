//! Winograd's transforms: of the weights when they are packed, of the input before the products, of the products into
//! outputs. B, G and A are the matrices of Lavin and Gray; d is an input square, g a kernel, m a square of products.
// Reads and writes through pointers that `Winograd::run_part` checked.
#![allow(unsafe_code)]

use core::ops::Range;

use super::Square;
use crate::finish::{Finish, InRow};
use crate::isa::Isa;
use crate::map::{LANES, Map};
use crate::simd::{Kernel, Simd};

/// What is read in place of a pixel beyond the input's border: zeros.
static NOTHING: [f32; LANES] = [0.0; LANES];

/// G g G^T, row by row: the weights of the products for a 3x3 kernel g. [`Square::Two`] has 16, the first of the
/// values returned; [`Square::Four`] has all 36.
pub(super) fn weights_square(square: Square, kernel: &[f32; 9]) -> [f32; 36] {
    const TWO: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
    const SIXTH: f64 = 1.0 / 6.0;
    const FOUR: [[f64; 3]; 6] = [
        [0.25, 0.0, 0.0],
        [-SIXTH, -SIXTH, -SIXTH],
        [-SIXTH, SIXTH, -SIXTH],
        [SIXTH / 4.0, SIXTH / 2.0, SIXTH],
        [SIXTH / 4.0, -SIXTH / 2.0, SIXTH],
        [0.0, 0.0, 1.0],
    ];
    let rows: &[[f64; 3]] = match square {
        Square::Two => &TWO,
        Square::Four => &FOUR,
    };
    let mut values = [0.0; 36];
    for (i, left) in rows.iter().enumerate() {
        for (j, right) in rows.iter().enumerate() {
            let mut sum = 0.0;
            for (at, &weight) in kernel.iter().enumerate() {
                sum += left[at / 3] * f64::from(weight) * right[at % 3];
            }
            values[i * rows.len() + j] = whole(sum as f32);
        }
    }
    values
}

/// A transformed weight, or 0 for a denormal one: CPUs multiply denormal numbers slowly, and it adds nothing that
/// shows.
fn whole(value: f32) -> f32 {
    if value.is_subnormal() { 0.0 } else { value }
}

/// B^T d B of the (M + 2)^2 input pixels d under each square of M x M outputs, written as
/// `[product][plane][square][16]`.
pub(super) struct ToSquares<'a> {
    pub(super) input: &'a [f32],
    pub(super) map: Map,
    pub(super) pads: [usize; 2],
    /// Squares in a row of squares.
    pub(super) columns: usize,
    pub(super) squares: Range<usize>,
    pub(super) output: &'a mut [f32],
}

impl ToSquares<'_> {
    pub(super) fn dispatch(self, isa: Isa, square: Square) {
        match square {
            Square::Two => isa.run(To::<2, 4>(self)),
            Square::Four => isa.run(To::<4, 6>(self)),
        }
    }
}

struct To<'a, const M: usize, const T: usize>(ToSquares<'a>);

impl<const M: usize, const T: usize> Kernel for To<'_, M, T> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let ToSquares { input, map, pads, columns, squares, output } = self.0;
        let (count, planes) = (squares.len(), map.blocks());
        let (height, width) = (map.height() + 2 * map.border(), map.width() + 2 * map.border());
        let (top, left) = (map.border() - pads[0], map.border() - pads[1]);
        for plane in 0..planes {
            for (n, square) in squares.clone().enumerate() {
                let (row, column) = (square / columns * M + top, square % columns * M + left);
                let at = |y: usize, x: usize| {
                    if row + y < height && column + x < width {
                        let pixel = (row + y) * map.row_stride() + (column + x) * LANES;
                        input.as_ptr().wrapping_add(plane * map.plane_stride() + pixel)
                    } else {
                        NOTHING.as_ptr()
                    }
                };
                let mut half = [[s.splat(0.0); T]; T];
                for x in 0..T {
                    let mut values = [s.splat(0.0); T];
                    for y in 0..T {
                        // SAFETY: a pixel of the plane or its border.
                        values[y] = unsafe { s.load(at(y, x)) };
                    }
                    values = to_line(s, values);
                    for y in 0..T {
                        half[y][x] = values[y];
                    }
                }
                for y in 0..T {
                    let values = to_line(s, half[y]);
                    for x in 0..T {
                        let place = (((y * T + x) * planes + plane) * count + n) * LANES;
                        // SAFETY: `output` holds T * T * planes * count pixels.
                        unsafe { s.store(output.as_mut_ptr().wrapping_add(place), values[x]) };
                    }
                }
            }
        }
    }
}

/// A^T m A of each square's products m: M x M outputs, which go through the epilogue and into those rows of the output
/// that are asked for.
pub(super) struct FromSquares<'a> {
    /// `[product][..][square][16]`.
    pub(super) products: &'a [f32],
    pub(super) product_stride: usize,
    pub(super) map: Map,
    pub(super) columns: usize,
    pub(super) squares: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) finish: Finish,
    /// Where the output's pixel at row 0, column 0 lies.
    pub(super) output: *mut f32,
}

impl FromSquares<'_> {
    pub(super) fn dispatch(self, isa: Isa, square: Square) {
        match square {
            Square::Two => isa.run(From::<2, 4>(self)),
            Square::Four => isa.run(From::<4, 6>(self)),
        }
    }
}

struct From<'a, const M: usize, const T: usize>(FromSquares<'a>);

impl<const M: usize, const T: usize> Kernel for From<'_, M, T> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let all = &self.0;
        // SAFETY: the block's bias.
        let bias = unsafe { s.load(all.finish.bias) };
        for (n, square) in all.squares.clone().enumerate() {
            let mut half = [[s.splat(0.0); T]; M];
            for x in 0..T {
                let mut values = [s.splat(0.0); T];
                for y in 0..T {
                    let at = (y * T + x) * all.product_stride + n * LANES;
                    // SAFETY: `products` holds every square's products.
                    values[y] = unsafe { s.load(all.products.as_ptr().wrapping_add(at)) };
                }
                let values = from_line::<S, M, T>(s, values);
                for y in 0..M {
                    half[y][x] = values[y];
                }
            }
            let (row, column) = (square / all.columns * M, square % all.columns * M);
            for y in 0..M {
                let values = from_line::<S, M, T>(s, half[y]);
                let mut sums = [[bias]; M];
                for x in 0..M {
                    sums[x][0] = s.add(values[x], bias);
                }
                if all.rows.contains(&(row + y)) {
                    self.finish(s, row + y, column, sums);
                }
            }
        }
    }
}

impl<const M: usize, const T: usize> From<'_, M, T> {
    /// Finishes M pixels of a row, or those of them that the map has.
    #[inline(always)]
    fn finish<S: Simd>(&self, s: S, row: usize, column: usize, sums: [[S::V; 1]; M]) {
        let all = &self.0;
        let mut output = [all.output; M];
        let places = InRow { row, column };
        for x in 0..M {
            let at = row * all.map.row_stride() + (column + x) * LANES;
            output[x] = all.output.wrapping_add(at);
        }
        // SAFETY: pixels of the output, those beyond its width left out.
        unsafe {
            if column + M <= all.map.width() {
                all.finish.apply(s, &places, &output, 0, sums);
                return;
            }
            for x in 0..M {
                if column + x < all.map.width() {
                    let places = InRow { row, column: column + x };
                    all.finish.apply(s, &places, &[output[x]], 0, [sums[x]]);
                }
            }
        }
    }
}

/// a + factor * b.
#[inline(always)]
fn plus<S: Simd>(s: S, a: S::V, factor: f32, b: S::V) -> S::V {
    s.fma(s.splat(factor), b, a)
}

/// B^T d of one line.
#[inline(always)]
fn to_line<S: Simd, const T: usize>(s: S, d: [S::V; T]) -> [S::V; T] {
    let mut line = d;
    if T == 4 {
        line[0] = plus(s, d[0], -1.0, d[2]);
        line[1] = s.add(d[1], d[2]);
        line[2] = plus(s, d[2], -1.0, d[1]);
        line[3] = plus(s, d[1], -1.0, d[3]);
    } else {
        let (a, b) = (plus(s, d[4], -4.0, d[2]), plus(s, d[3], -4.0, d[1]));
        let (c, e) = (plus(s, d[4], -1.0, d[2]), plus(s, d[3], -1.0, d[1]));
        line[0] = plus(s, plus(s, d[4], -5.0, d[2]), 4.0, d[0]);
        line[1] = s.add(a, b);
        line[2] = plus(s, a, -1.0, b);
        line[3] = plus(s, c, 2.0, e);
        line[4] = plus(s, c, -2.0, e);
        line[5] = plus(s, plus(s, d[5], -5.0, d[3]), 4.0, d[1]);
    }
    line
}

/// A^T m of one line.
#[inline(always)]
fn from_line<S: Simd, const M: usize, const T: usize>(s: S, m: [S::V; T]) -> [S::V; M] {
    let mut line = [m[0]; M];
    let (p, q) = (s.add(m[1], m[2]), plus(s, m[1], -1.0, m[2]));
    if T == 4 {
        line[0] = s.add(m[0], p);
        line[1] = plus(s, q, -1.0, m[3]);
    } else {
        let (r, u) = (s.add(m[3], m[4]), plus(s, m[3], -1.0, m[4]));
        line[0] = s.add(s.add(m[0], p), r);
        line[1] = plus(s, q, 2.0, u);
        line[2] = plus(s, p, 4.0, r);
        line[3] = s.add(plus(s, q, 8.0, u), m[5]);
    }
    line
}
