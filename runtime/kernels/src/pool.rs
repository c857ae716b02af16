//! Pools over windows or the whole map.
// Reads through pointers that the shared driver checked.
#![allow(unsafe_code)]

use core::ops::Range;

use crate::epilogue::Epilogue;
use crate::error::ShapeError;
use crate::finish::Places;
use crate::local::{Local, Through, local_operator};
use crate::map::{LANES, Map};
use crate::simd::Simd;
use crate::taps::Taps;

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
    through: Through,
    taps: Taps,
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
        Self::checked(kind, input, output, taps, epilogue)
    }

    /// The window is the whole map; `output` is 1 x 1.
    ///
    /// # Errors
    /// When output or residual do not fit.
    pub fn global(kind: PoolKind, input: Map, output: Map, epilogue: Epilogue) -> Result<Self, ShapeError> {
        output.check_pixel()?;
        Self::checked(kind, input, output, Taps::whole(&input), epilogue)
    }

    fn checked(
        kind: PoolKind,
        input: Map,
        output: Map,
        taps: Taps,
        epilogue: Epilogue,
    ) -> Result<Self, ShapeError> {
        Ok(Self { kind, through: Through::new(input, output, epilogue)?, taps })
    }

    pub(crate) const fn input(&self) -> Map {
        self.through.input
    }

    pub(crate) const fn taps(&self) -> Taps {
        self.taps
    }

    pub(crate) const fn epilogue(&self) -> Epilogue {
        self.through.epilogue
    }

    /// The same operator between maps of the same shape that have another border, or of which strips are in memory.
    pub(crate) const fn between(self, input: Map, output: Map) -> Self {
        Self { through: Through { input, output, ..self.through }, ..self }
    }

    /// The pixels of a window that lie on the map, along one side of it.
    #[inline(always)]
    fn window(at: usize, stride: usize, pad: usize, kernel: usize, length: usize) -> Range<usize> {
        let start = at * stride;
        start.saturating_sub(pad)..(start + kernel - pad).min(length)
    }
}

impl Local for Pool {
    fn through(&self) -> &Through {
        &self.through
    }

    fn rows_under(&self, rows: &Range<usize>) -> Range<usize> {
        self.taps.rows_under(rows, self.through.input.height())
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
        let Taps { kernel, stride, pads: [top, left, ..] } = self.taps;
        let input_map = &self.through.input;
        let mut values = [bias; P];
        if self.taps == Taps::square(2, 2, 0) && self.kind == PoolKind::Max {
            // The pool with which most networks halve their maps: no window leaves the map.
            for p in 0..P {
                let [at, below] = [0, 1].map(|row| {
                    input.wrapping_add(input_map.at(0, 2 * places.rows[p] + row, 2 * places.columns[p]))
                });
                // SAFETY: four pixels of the plane.
                let [a, b, c, d] = unsafe {
                    [at, at.wrapping_add(LANES), below, below.wrapping_add(LANES)].map(|at| s.load(at))
                };
                values[p] = s.maximum(s.maximum(a, b), s.maximum(c, d));
            }
            return values;
        }
        for p in 0..P {
            let rows = Self::window(places.rows[p], stride, top, kernel[0], input_map.height());
            let columns = Self::window(places.columns[p], stride, left, kernel[1], input_map.width());
            let count = match self.kind {
                PoolKind::AverageWithPads => self.taps.area(),
                _ => rows.len() * columns.len(),
            };
            let max = matches!(self.kind, PoolKind::Max);
            let mut value = s.splat(if max { f32::NEG_INFINITY } else { 0.0 });
            for row in rows {
                for column in columns.clone() {
                    // SAFETY: a pixel of the plane.
                    let pixel = unsafe { s.load(input.wrapping_add(input_map.at(0, row, column))) };
                    value = if max { s.maximum(pixel, value) } else { s.add(value, pixel) };
                }
            }
            values[p] = if max { value } else { s.mul(value, s.splat(1.0 / count as f32)) };
        }
        values
    }
}

local_operator!(Pool, slopes alone);
