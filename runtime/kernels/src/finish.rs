//! The end of every kernel: residual, activation, store. And the walk over the pixels of a rectangle.
// Reads and writes through pointers that the operators checked.
#![allow(unsafe_code)]

use crate::epilogue::{Activation, Epilogue, Inputs, Residual};
use crate::map::{LANES, Map};
use crate::simd::{Simd, sigmoid};

/// Where the pixels of a tile lie.
pub(crate) struct Places<const P: usize> {
    pub(crate) rows: [usize; P],
    pub(crate) columns: [usize; P],
}

/// The pixels of a tile that are neighbours in one row. Two numbers say where all of them lie, and fit into registers;
/// [`Places`] keeps two for each pixel.
#[derive(Clone, Copy)]
pub(crate) struct InRow {
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// Where the pixels of a tile lie, in any buffer.
pub(crate) trait Spots {
    /// Values from the pixel at row 0, column 0 to pixel `p` of the tile, in a buffer that has `row_stride` values
    /// from one row to the next and `pixel` values from one pixel to the next.
    fn at(&self, p: usize, row_stride: usize, pixel: usize) -> usize;
}

impl<const P: usize> Spots for Places<P> {
    #[inline(always)]
    fn at(&self, p: usize, row_stride: usize, pixel: usize) -> usize {
        self.rows[p] * row_stride + self.columns[p] * pixel
    }
}

impl Spots for InRow {
    #[inline(always)]
    fn at(&self, p: usize, row_stride: usize, pixel: usize) -> usize {
        self.row * row_stride + self.column * pixel + p * pixel
    }
}

/// The pixels of a rectangle, row by row.
pub(crate) struct Walk {
    row: usize,
    column: usize,
    left: usize,
    right: usize,
}

impl Walk {
    /// Over the rectangle at `row`, `column`, `width` pixels wide, from its pixel `start` on.
    #[inline(always)]
    pub(crate) fn new(row: usize, column: usize, width: usize, start: usize) -> Self {
        Self { row: row + start / width, column: column + start % width, left: column, right: column + width }
    }

    #[inline(always)]
    pub(crate) fn take<const P: usize>(&mut self) -> Places<P> {
        let mut places = Places { rows: [0; P], columns: [0; P] };
        for p in 0..P {
            places.rows[p] = self.row;
            places.columns[p] = self.column;
            self.column += 1;
            if self.column == self.right {
                self.column = self.left;
                self.row += 1;
            }
        }
        places
    }
}

/// What follows the sums of a tile; the pointers `bias`, `slopes` and `residual` are at its first output block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finish {
    pub(crate) bias: *const f32,
    activation: Activation,
    slopes: *const f32,
    /// At row 0, column 0; null where nothing is added.
    residual: *const f32,
    residual_plane: usize,
    residual_row: usize,
    residual_first: bool,
}

/// Zeros in the place of bias and slopes, for sums that have neither.
static NO_BIAS: [f32; 4 * LANES] = [0.0; 4 * LANES];

impl Finish {
    /// Stores sums as they are.
    pub(crate) fn plain() -> Self {
        Self {
            bias: NO_BIAS.as_ptr(),
            activation: Activation::None,
            slopes: NO_BIAS.as_ptr(),
            residual: core::ptr::null(),
            residual_plane: 0,
            residual_row: 0,
            residual_first: false,
        }
    }

    /// What follows the sums of `block` and of the blocks after it. The operator has checked `inputs`; the values that
    /// it packed begin with bias and slopes.
    pub(crate) fn new(epilogue: &Epilogue, output: &Map, inputs: &Inputs<'_>, block: usize) -> Self {
        let head = inputs.packed.as_ptr();
        let (residual, residual_plane, residual_row) = match (epilogue.residual_map(), inputs.residual) {
            (Some(map), Some(values)) => {
                (values.as_ptr().wrapping_add(map.at(block, 0, 0)), map.plane_stride(), map.row_stride())
            }
            _ => (core::ptr::null(), 0, 0),
        };
        Self {
            bias: head.wrapping_add(block * LANES),
            activation: epilogue.activation,
            slopes: head.wrapping_add((output.blocks() + block) * LANES),
            residual,
            residual_plane,
            residual_row,
            residual_first: matches!(epilogue.residual, Residual::BeforeActivation(_)),
        }
    }

    /// # Safety
    /// `output` are the places in the output's first block, `plane` its plane stride.
    #[inline(always)]
    pub(crate) unsafe fn apply<S: Simd, const P: usize, const B: usize>(
        &self,
        s: S,
        places: &impl Spots,
        output: &[*mut f32; P],
        plane: usize,
        mut sums: [[S::V; B]; P],
    ) {
        // SAFETY: the residual has the output's pixels and blocks.
        unsafe {
            if self.residual_first {
                self.add_residual(s, places, &mut sums);
            }
            if self.activation == Activation::Sigmoid {
                return self.sigmoid(s, places, output, plane, &sums);
            }
            self.activate(s, &mut sums);
            if !self.residual.is_null() && !self.residual_first {
                self.add_residual(s, places, &mut sums);
            }
            store(s, output, plane, &sums);
        }
    }

    /// The sigmoid is rare and its code long. It reads the sums back from memory, block by block, so that its code
    /// needs few registers, and the sums under all other activations can stay in theirs.
    #[inline(always)]
    unsafe fn sigmoid<S: Simd, const P: usize, const B: usize>(
        &self,
        s: S,
        places: &impl Spots,
        output: &[*mut f32; P],
        plane: usize,
        sums: &[[S::V; B]; P],
    ) {
        // SAFETY: the output, what was just stored there, and the residual.
        unsafe {
            store(s, output, plane, sums);
            for b in 0..B {
                for p in 0..P {
                    let at = output[p].wrapping_add(b * plane);
                    let mut value = sigmoid(s, s.load(at));
                    if !self.residual.is_null() && !self.residual_first {
                        let pixel = b * self.residual_plane + places.at(p, self.residual_row, LANES);
                        value = s.add(value, s.load(self.residual.wrapping_add(pixel)));
                    }
                    s.store(at, value);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn add_residual<S: Simd, const P: usize, const B: usize>(
        &self,
        s: S,
        places: &impl Spots,
        sums: &mut [[S::V; B]; P],
    ) {
        for p in 0..P {
            let pixel = places.at(p, self.residual_row, LANES);
            for b in 0..B {
                let at = self.residual.wrapping_add(b * self.residual_plane + pixel);
                // SAFETY: pixel p of block b of the residual.
                sums[p][b] = s.add(sums[p][b], unsafe { s.load(at) });
            }
        }
    }

    #[inline(always)]
    unsafe fn activate<S: Simd, const P: usize, const B: usize>(&self, s: S, sums: &mut [[S::V; B]; P]) {
        match self.activation {
            Activation::None | Activation::Sigmoid => {}
            Activation::Relu => {
                let zero = s.splat(0.0);
                for p in 0..P {
                    for b in 0..B {
                        sums[p][b] = s.at_least(sums[p][b], zero);
                    }
                }
            }
            Activation::Prelu => {
                for b in 0..B {
                    // SAFETY: the block's slopes.
                    let slopes = unsafe { s.load(self.slopes.wrapping_add(b * LANES)) };
                    for p in 0..P {
                        sums[p][b] = s.prelu(sums[p][b], slopes);
                    }
                }
            }
            Activation::Clip { min, max } => {
                let (min, max) = (s.splat(min), s.splat(max));
                for p in 0..P {
                    for b in 0..B {
                        sums[p][b] = s.at_most(s.at_least(sums[p][b], min), max);
                    }
                }
            }
        }
    }
}

/// # Safety
/// `output` are the places in the output's first block, `plane` its plane stride.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd, const P: usize, const B: usize>(
    s: S,
    output: &[*mut f32; P],
    plane: usize,
    sums: &[[S::V; B]; P],
) {
    for p in 0..P {
        for b in 0..B {
            // SAFETY: pixel p of block b of the output.
            unsafe { s.store(output[p].wrapping_add(b * plane), sums[p][b]) };
        }
    }
}
