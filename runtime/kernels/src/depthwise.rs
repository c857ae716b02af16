//! Depthwise convolution: each channel with its own kernel.
// Reads through pointers that the shared driver checked.
#![allow(unsafe_code)]

use crate::conv::Taps;
use crate::epilogue::{Epilogue, head_len, pack_head};
use crate::error::{ShapeError, check_len};
use crate::finish::Places;
use crate::local::{Local, local_operator};
use crate::map::{LANES, Map};
use crate::simd::Simd;

/// A depthwise convolution: out[c] = activation(bias[c] + sum over y, x of in[c] * weight[c]), with a
/// residual where the epilogue says so. Weights are `[C][1][rows][columns]`, as ONNX has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Depthwise {
    input: Map,
    output: Map,
    kernel: [usize; 2],
    stride: usize,
    pads: [usize; 2],
    epilogue: Epilogue,
}

impl Depthwise {
    /// A depthwise convolution; the input's border must be as wide as the padding reads.
    ///
    /// # Errors
    /// When kernel, stride, border, output or residual do not fit (see [`ShapeError`]).
    pub fn new(input: Map, output: Map, taps: Taps, epilogue: Epilogue) -> Result<Self, ShapeError> {
        taps.check(input.height(), input.width(), &output)?;
        let needed = taps.border(input.height(), input.width(), &output);
        if input.border() < needed {
            return Err(ShapeError::Border { needed });
        }
        Self::checked(input, output, taps.kernel, taps.stride, [taps.pads[0], taps.pads[1]], epilogue)
    }

    /// The kernel is the whole map, of any size; `output` is 1 x 1.
    ///
    /// # Errors
    /// When output or residual do not fit.
    pub fn global(input: Map, output: Map, epilogue: Epilogue) -> Result<Self, ShapeError> {
        if output.height() != 1 || output.width() != 1 {
            return Err(ShapeError::OutputSize { rows: 1, columns: 1 });
        }
        Self::checked(input, output, [input.height(), input.width()], 1, [0, 0], epilogue)
    }

    fn checked(
        input: Map,
        output: Map,
        kernel: [usize; 2],
        stride: usize,
        pads: [usize; 2],
        epilogue: Epilogue,
    ) -> Result<Self, ShapeError> {
        if input.channels() != output.channels() {
            return Err(ShapeError::OutputChannels { channels: input.channels() });
        }
        epilogue.check(&output)?;
        Ok(Self { input, output, kernel, stride, pads, epilogue })
    }

    /// Multiplications and additions of one run.
    #[must_use]
    pub fn macs(&self) -> u64 {
        let pixels = self.output.height() * self.output.width();
        pixels as u64 * (self.output.channels() * self.kernel[0] * self.kernel[1]) as u64
    }

    /// Writes weights, bias (0 where there is none) and PReLU slopes as [`run`](Self::run) reads them:
    /// bias, slopes, then `[block][row][column][16]`.
    ///
    /// # Errors
    /// When a slice has not the operator's length, or slopes and activation disagree.
    pub fn pack(
        &self,
        weights: &[f32],
        bias: Option<&[f32]>,
        slopes: Option<&[f32]>,
        packed: &mut [f32],
    ) -> Result<(), ShapeError> {
        let taps = self.kernel[0] * self.kernel[1];
        let channels = self.output.channels();
        check_len("weights", channels * taps, weights.len())?;
        check_len("packed weights", self.packed_len(), packed.len())?;
        let (head, body) = packed.split_at_mut(head_len(self.output.blocks()));
        pack_head(channels, self.epilogue.activation, bias, slopes, head)?;
        body.fill(0.0);
        for (c, weights) in weights.chunks_exact(taps).enumerate() {
            for (tap, &weight) in weights.iter().enumerate() {
                body[((c / LANES) * taps + tap) * LANES + c % LANES] = weight;
            }
        }
        Ok(())
    }

    /// The sum for P pixels. `rows` and `columns` are the kernel's, so that the compiler sees constants.
    #[inline(always)]
    unsafe fn sum<S: Simd, const P: usize>(
        &self,
        s: S,
        [rows, columns]: [usize; 2],
        input: [*const f32; P],
        weights: *const f32,
        bias: S::V,
    ) -> [S::V; P] {
        let mut sums = [bias; P];
        for row in 0..rows {
            for column in 0..columns {
                let at = row * self.input.row_stride() + column * LANES;
                // SAFETY: `pack` wrote 16 values for each tap; every window lies within the plane.
                unsafe {
                    let weight = s.load(weights.wrapping_add((row * columns + column) * LANES));
                    for p in 0..P {
                        sums[p] = s.fma(s.load(input[p].wrapping_add(at)), weight, sums[p]);
                    }
                }
            }
        }
        sums
    }
}

impl Local for Depthwise {
    fn input(&self) -> Map {
        self.input
    }

    fn output(&self) -> Map {
        self.output
    }

    fn epilogue(&self) -> &Epilogue {
        &self.epilogue
    }

    fn block_weights(&self) -> usize {
        self.kernel[0] * self.kernel[1] * LANES
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
        let origin = self.input.at(0, 0, 0) - self.pads[0] * self.input.row_stride() - self.pads[1] * LANES;
        let mut pixels = [input; P];
        for p in 0..P {
            let row = places.rows[p] * self.stride * self.input.row_stride();
            pixels[p] = input.wrapping_add(origin + row + places.columns[p] * self.stride * LANES);
        }
        // SAFETY: the caller's.
        unsafe {
            match self.kernel {
                [3, 3] => self.sum(s, [3, 3], pixels, weights, bias),
                [5, 5] => self.sum(s, [5, 5], pixels, weights, bias),
                kernel => self.sum(s, kernel, pixels, weights, bias),
            }
        }
    }
}

local_operator!(Depthwise);
