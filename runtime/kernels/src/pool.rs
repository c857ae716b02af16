//! Pools over windows or the whole map.
// Reads through pointers that the shared driver checked.
#![allow(unsafe_code)]

use core::ops::Range;

use crate::conv::Taps;
use crate::epilogue::Epilogue;
use crate::error::{ShapeError, check_len};
use crate::finish::Places;
use crate::local::{Local, local_operator};
use crate::map::{LANES, Map};
use crate::simd::Simd;

/// What a pool keeps of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolKind {
    /// The greatest value that is no padding; NaN if one is NaN.
    Max,
    /// The mean of the values that are no padding.
    Average,
    /// The sum over the window divided by the kernel's taps, padding counted as zeros.
    AverageWithPads,
}

/// A pool over windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    kind: PoolKind,
    input: Map,
    output: Map,
    kernel: [usize; 2],
    stride: usize,
    pads: [usize; 2],
    epilogue: Epilogue,
}

impl Pool {
    /// A pool; the input's border is not read. `pack` with no weights writes what the epilogue needs.
    ///
    /// # Errors
    /// When kernel, stride, output or residual do not fit, or a window would be all padding.
    pub fn new(
        kind: PoolKind,
        input: Map,
        output: Map,
        taps: Taps,
        epilogue: Epilogue,
    ) -> Result<Self, ShapeError> {
        taps.check(input.height(), input.width(), &output)?;
        let [rows, columns] = taps.kernel;
        let [top, left, bottom, right] = taps.pads;
        if top >= rows || bottom >= rows || left >= columns || right >= columns {
            return Err(ShapeError::Kernel { rows, columns });
        }
        Self::checked(kind, input, output, taps.kernel, taps.stride, [top, left], epilogue)
    }

    /// The window is the whole map; `output` is 1 x 1.
    ///
    /// # Errors
    /// When output or residual do not fit.
    pub fn global(kind: PoolKind, input: Map, output: Map, epilogue: Epilogue) -> Result<Self, ShapeError> {
        output.check_pixel()?;
        Self::checked(kind, input, output, [input.height(), input.width()], 1, [0, 0], epilogue)
    }

    fn checked(
        kind: PoolKind,
        input: Map,
        output: Map,
        kernel: [usize; 2],
        stride: usize,
        pads: [usize; 2],
        epilogue: Epilogue,
    ) -> Result<Self, ShapeError> {
        output.check_channels(&input)?;
        epilogue.check(&output)?;
        Ok(Self { kind, input, output, kernel, stride, pads, epilogue })
    }

    /// Writes PReLU slopes, where the activation is one; all zeros else.
    ///
    /// # Errors
    /// When a slice has not the operator's length, or slopes and activation disagree.
    pub fn pack(&self, slopes: Option<&[f32]>, packed: &mut [f32]) -> Result<(), ShapeError> {
        check_len("packed weights", self.packed_len(), packed.len())?;
        self.epilogue.pack(&self.output, None, slopes, packed).map(drop)
    }

    /// The part of a window that is no padding, along one side of the map.
    #[inline(always)]
    fn window(at: usize, stride: usize, pad: usize, kernel: usize, length: usize) -> Range<usize> {
        let start = at * stride;
        start.saturating_sub(pad)..(start + kernel - pad).min(length)
    }
}

impl Local for Pool {
    fn input(&self) -> Map {
        self.input
    }

    fn output(&self) -> Map {
        self.output
    }

    fn epilogue(&self) -> &Epilogue {
        &self.epilogue
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize>(
        &self,
        s: S,
        input: *const f32,
        _weights: *const f32,
        bias: S::V,
        places: &Places<P>,
    ) -> [S::V; P] {
        let mut values = [bias; P];
        if self.kernel == [2, 2] && self.stride == 2 && self.pads == [0, 0] && self.kind == PoolKind::Max {
            // What networks halve their maps with: every window lies inside.
            for p in 0..P {
                let at = input.wrapping_add(self.input.at(0, 2 * places.rows[p], 2 * places.columns[p]));
                let below = at.wrapping_add(self.input.row_stride());
                // SAFETY: four pixels of the plane.
                let [a, b, c, d] = unsafe {
                    [at, at.wrapping_add(LANES), below, below.wrapping_add(LANES)].map(|at| s.load(at))
                };
                values[p] = s.maximum(s.maximum(a, b), s.maximum(c, d));
            }
            return values;
        }
        for p in 0..P {
            let rows =
                Self::window(places.rows[p], self.stride, self.pads[0], self.kernel[0], self.input.height());
            let columns = Self::window(
                places.columns[p],
                self.stride,
                self.pads[1],
                self.kernel[1],
                self.input.width(),
            );
            let count = match self.kind {
                PoolKind::AverageWithPads => self.kernel[0] * self.kernel[1],
                _ => rows.len() * columns.len(),
            };
            let max = matches!(self.kind, PoolKind::Max);
            let mut value = s.splat(if max { f32::NEG_INFINITY } else { 0.0 });
            for row in rows {
                for column in columns.clone() {
                    // SAFETY: a pixel of the plane.
                    let pixel = unsafe { s.load(input.wrapping_add(self.input.at(0, row, column))) };
                    value = if max { s.maximum(pixel, value) } else { s.add(value, pixel) };
                }
            }
            values[p] = if max { value } else { s.mul(value, s.splat(1.0 / count as f32)) };
        }
        values
    }
}

local_operator!(Pool);
