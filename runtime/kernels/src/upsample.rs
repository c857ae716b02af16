//! Up-sampling by 2.
// Reads through pointers that the shared driver checked.
#![allow(unsafe_code)]

use core::ops::Range;

use crate::epilogue::Epilogue;
use crate::error::ShapeError;
use crate::finish::Places;
use crate::local::{Local, Through, local_operator};
use crate::map::Map;
use crate::simd::Simd;

/// Nearest up-sampling by 2 in both directions; with a residual, the sum that feature pyramids need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Upsample2 {
    through: Through,
}

impl Upsample2 {
    /// `output` has twice the rows and columns of `input`.
    ///
    /// # Errors
    /// When output or residual do not fit.
    pub fn new(input: Map, output: Map, epilogue: Epilogue) -> Result<Self, ShapeError> {
        if output.height() != 2 * input.height() || output.width() != 2 * input.width() {
            return Err(ShapeError::OutputSize { rows: 2 * input.height(), columns: 2 * input.width() });
        }
        Ok(Self { through: Through::new(input, output, epilogue)? })
    }
}

impl Local for Upsample2 {
    fn through(&self) -> &Through {
        &self.through
    }

    fn rows_under(&self, rows: &Range<usize>) -> Range<usize> {
        rows.start / 2..rows.end.div_ceil(2)
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
        for p in 0..P {
            let at = self.through.input.at(0, places.rows[p] / 2, places.columns[p] / 2);
            // SAFETY: a pixel of the plane.
            values[p] = unsafe { s.load(input.wrapping_add(at)) };
        }
        values
    }
}

local_operator!(Upsample2, slopes alone);
