//! Up-sampling by 2.
// Reads through pointers that the shared driver checked.
#![allow(unsafe_code)]

use crate::epilogue::Epilogue;
use crate::error::{ShapeError, check_len};
use crate::finish::Places;
use crate::local::{Local, local_operator};
use crate::map::Map;
use crate::simd::Simd;

/// Nearest up-sampling by 2 in both directions; with a residual, the sum that feature pyramids need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Upsample2 {
    input: Map,
    output: Map,
    epilogue: Epilogue,
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
        output.check_channels(&input)?;
        epilogue.check(&output)?;
        Ok(Self { input, output, epilogue })
    }

    /// Writes PReLU slopes, where the activation is one; all zeros else.
    ///
    /// # Errors
    /// When a slice has not the operator's length, or slopes and activation disagree.
    pub fn pack(&self, slopes: Option<&[f32]>, packed: &mut [f32]) -> Result<(), ShapeError> {
        check_len("packed weights", self.packed_len(), packed.len())?;
        self.epilogue.pack(&self.output, None, slopes, packed).map(drop)
    }
}

impl Local for Upsample2 {
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
        for p in 0..P {
            let at = self.input.at(0, places.rows[p] / 2, places.columns[p] / 2);
            // SAFETY: a pixel of the plane.
            values[p] = unsafe { s.load(input.wrapping_add(at)) };
        }
        values
    }
}

local_operator!(Upsample2);
