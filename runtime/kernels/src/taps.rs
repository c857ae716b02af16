//! Kernel, stride and padding: which input pixels an output pixel is computed from.

use core::ops::Range;

use crate::error::ShapeError;
use crate::map::Map;

/// Most rows or columns of a convolution's kernel.
pub const MAX_KERNEL: usize = 7;

/// Kernel, stride and padding of a convolution or a pool, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Taps {
    /// Rows and columns of the kernel, 1 to [`MAX_KERNEL`].
    pub kernel: [usize; 2],
    /// Input pixels from the window of one output pixel to the next, down and across alike, 1 to 4.
    pub stride: usize,
    /// Zeros above, left of, below and right of the input.
    pub pads: [usize; 4],
}

impl Taps {
    /// A square kernel, padded alike on all sides.
    #[must_use]
    pub const fn square(kernel: usize, stride: usize, pad: usize) -> Self {
        Self { kernel: [kernel; 2], stride, pads: [pad; 4] }
    }

    /// Output rows and columns for an input of `height` x `width`.
    ///
    /// # Errors
    /// [`ShapeError::Kernel`], [`ShapeError::Stride`]; [`ShapeError::EmptyMap`] where the kernel is larger
    /// than the padded input.
    pub fn output_size(&self, height: usize, width: usize) -> Result<[usize; 2], ShapeError> {
        let [rows, columns] = self.kernel;
        if !(1..=MAX_KERNEL).contains(&rows) || !(1..=MAX_KERNEL).contains(&columns) {
            return Err(ShapeError::Kernel { rows, columns });
        }
        if !(1..=4).contains(&self.stride) {
            return Err(ShapeError::Stride { stride: self.stride });
        }
        let [top, left, bottom, right] = self.pads;
        let size = |length: usize, before: usize, after: usize, kernel: usize| {
            let padded = length.checked_add(before)?.checked_add(after)?;
            padded.checked_sub(kernel).map(|rest| rest / self.stride + 1)
        };
        match (size(height, top, bottom, rows), size(width, left, right, columns)) {
            (Some(rows), Some(columns)) => Ok([rows, columns]),
            _ => Err(ShapeError::EmptyMap),
        }
    }

    /// The one window that covers the whole map.
    pub(crate) const fn whole(input: &Map) -> Self {
        Self { kernel: [input.height(), input.width()], stride: 1, pads: [0; 4] }
    }

    /// Rows times columns of the kernel.
    pub(crate) const fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Pixels of border that an input map needs on each side; `input` and `output` are rows and columns.
    #[must_use]
    pub fn border(&self, input: [usize; 2], output: [usize; 2]) -> usize {
        let beyond = |side: usize| {
            let read = output[side].saturating_sub(1) * self.stride + self.kernel[side];
            read.saturating_sub(input[side] + self.pads[side])
        };
        self.pads[0].max(self.pads[1]).max(beyond(0)).max(beyond(1))
    }

    /// The rows of an input of `height` rows that these rows of the output are computed from.
    pub(crate) fn rows_under(&self, rows: &Range<usize>, height: usize) -> Range<usize> {
        let top = self.pads[0];
        let start = (rows.start * self.stride).saturating_sub(top).min(height);
        let last = rows.end.saturating_sub(1) * self.stride + self.kernel[0];
        start..last.saturating_sub(top).clamp(start, height)
    }

    /// That `output` is what the kernel makes of a blocked map, whose border is as wide as the padding reads.
    pub(crate) fn check_map(&self, input: &Map, output: &Map) -> Result<(), ShapeError> {
        self.check(input.height(), input.width(), output)?;
        let needed = self.border([input.height(), input.width()], [output.height(), output.width()]);
        if input.border() < needed { Err(ShapeError::Border { needed }) } else { Ok(()) }
    }

    pub(crate) fn check(&self, height: usize, width: usize, output: &Map) -> Result<(), ShapeError> {
        let [rows, columns] = self.output_size(height, width)?;
        if output.height() != rows || output.width() != columns {
            return Err(ShapeError::OutputSize { rows, columns });
        }
        Ok(())
    }
}

/// The taps of a window that lie on the map, along one side: the window begins at `start` of the padded map and has
/// `length` taps, the map has `size` pixels and `pad` pixels of padding before them.
#[inline(always)]
pub(crate) fn on_map(start: usize, pad: usize, length: usize, size: usize) -> Range<usize> {
    let first = pad.saturating_sub(start).min(length);
    first..(size + pad).saturating_sub(start).clamp(first, length)
}
