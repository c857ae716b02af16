//! Steps of single values: affine, activation, sums of two maps.
// Reads through pointers that the shared driver checked.
#![allow(unsafe_code)]

use core::ops::Range;

use crate::epilogue::{Activation, Epilogue, Residual};
use crate::error::{ShapeError, check_len};
use crate::finish::Places;
use crate::local::{Local, Through, local_operator};
use crate::map::{LANES, Map};
use crate::simd::Simd;

/// `scale[c] * x + bias[c]`, or x alone, with the epilogue: a BatchNorm that no convolution could take, an
/// activation, the sum of two maps, a map copied into another border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Elementwise {
    through: Through,
    scaled: bool,
}

impl Elementwise {
    /// The epilogue alone.
    ///
    /// # Errors
    /// When output or residual have another shape than the input.
    pub fn new(input: Map, output: Map, epilogue: Epilogue) -> Result<Self, ShapeError> {
        if output.height() != input.height() || output.width() != input.width() {
            return Err(ShapeError::OutputSize { rows: input.height(), columns: input.width() });
        }
        Ok(Self { through: Through::new(input, output, epilogue)?, scaled: false })
    }

    /// A scale and a bias by channel first.
    ///
    /// # Errors
    /// When output or residual have another shape than the input.
    pub fn affine(input: Map, output: Map, epilogue: Epilogue) -> Result<Self, ShapeError> {
        Ok(Self { scaled: true, ..Self::new(input, output, epilogue)? })
    }

    /// The sum of the input and a second map like `second`, then the activation.
    ///
    /// # Errors
    /// When a map has another shape than the input.
    pub fn add(input: Map, second: Map, output: Map, activation: Activation) -> Result<Self, ShapeError> {
        let residual = Residual::BeforeActivation(second);
        Self::new(input, output, Epilogue { activation, residual })
    }

    /// Writes scale (1 where there is none), bias (0 where there is none) and PReLU slopes. Without
    /// [`affine`](Self::affine) neither scale nor bias may be given.
    ///
    /// # Errors
    /// When a slice has not the operator's length, or slopes and activation disagree.
    pub fn pack(
        &self,
        scale: Option<&[f32]>,
        bias: Option<&[f32]>,
        slopes: Option<&[f32]>,
        packed: &mut [f32],
    ) -> Result<(), ShapeError> {
        check_len("packed weights", self.packed_len(), packed.len())?;
        let Through { output, epilogue, .. } = &self.through;
        if !self.scaled {
            for (what, values) in [("scale", scale), ("bias", bias)] {
                check_len(what, 0, values.map_or(0, <[f32]>::len))?;
            }
            return epilogue.pack(output, None, slopes, packed).map(drop);
        }
        let scales = epilogue.pack(output, bias, slopes, packed)?;
        scales.fill(1.0);
        if let Some(scale) = scale {
            check_len("scale", output.channels(), scale.len())?;
            scales[..output.channels()].copy_from_slice(scale);
        }
        Ok(())
    }
}

impl Local for Elementwise {
    fn through(&self) -> &Through {
        &self.through
    }

    fn block_weights(&self) -> usize {
        if self.scaled { LANES } else { 0 }
    }

    fn rows_under(&self, rows: &Range<usize>) -> Range<usize> {
        rows.clone()
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize>(
        &self,
        s: S,
        input: *const f32,
        weights: *const f32,
        bias: S::V,
        places: &Places<P>,
    ) -> [S::V; P] {
        let mut values = [bias; P];
        for p in 0..P {
            let at = self.through.input.at(0, places.rows[p], places.columns[p]);
            // SAFETY: a pixel of the plane, and the block's scale where there is one.
            values[p] = unsafe {
                let value = s.load(input.wrapping_add(at));
                if self.scaled { s.fma(value, s.load(weights), bias) } else { value }
            };
        }
        values
    }
}

local_operator!(Elementwise);
