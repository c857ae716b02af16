//! From plain values into blocked maps and back.
// Loads and stores through pointers to an array.
#![allow(unsafe_code)]

use core::ops::Range;

use crate::error::{ShapeError, check_len};
use crate::isa::Isa;
use crate::map::{LANES, Map, Part};
use crate::simd::{Kernel, Simd, sigmoid};

/// Writes a planar `[channels][height][width]` image into a blocked map, border and spare lanes zeroed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    output: Map,
}

impl Block {
    /// Writes into maps like `output`.
    #[must_use]
    pub const fn new(output: Map) -> Self {
        Self { output }
    }

    /// Writes `input`, channels x height x width values, into `output`.
    ///
    /// # Errors
    /// When a slice has not the map's length.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), ShapeError> {
        let map = &self.output;
        let plane = map.height() * map.width();
        check_len("input", map.channels() * plane, input.len())?;
        let mut piece = Part::WHOLE.piece(map, output)?;
        for slab in Part::WHOLE.slabs(map) {
            map.clear_border(&slab, &mut piece);
        }
        for block in 0..map.blocks() {
            for row in 0..map.height() {
                let at = map.at(block, row, 0);
                let pixels = &mut output[at..at + map.width() * LANES];
                for lane in 0..LANES {
                    let channel = block * LANES + lane;
                    let values = input.get(channel * plane + row * map.width()..);
                    for (column, pixel) in pixels.chunks_exact_mut(LANES).enumerate() {
                        // The lanes beyond the last channel are 0.
                        pixel[lane] = values.and_then(|values| values.get(column)).copied().unwrap_or(0.0);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The order of plain values, the last axis fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `[channels][height][width]`.
    Planar,
    /// `[height][width][channels]`: what detection heads transpose to.
    Interleaved,
}

/// Reads channels of a blocked map out into plain values.
#[derive(Debug, Clone, PartialEq)]
pub struct Unblock {
    input: Map,
    order: Order,
    channels: Range<usize>,
    sigmoid: bool,
}

impl Unblock {
    /// Reads all channels of maps like `input`, in this order.
    #[must_use]
    pub const fn new(input: Map, order: Order) -> Self {
        Self { input, order, channels: 0..input.channels(), sigmoid: false }
    }

    /// Some channels of a map that several outputs share, through the logistic function where `sigmoid` says so.
    ///
    /// # Errors
    /// [`ShapeError::EmptyMap`] for no channels, or channels beyond the last.
    pub fn channels(
        input: Map,
        order: Order,
        channels: Range<usize>,
        sigmoid: bool,
    ) -> Result<Self, ShapeError> {
        if channels.is_empty() || channels.end > input.channels() {
            return Err(ShapeError::EmptyMap);
        }
        Ok(Self { input, order, channels, sigmoid })
    }

    /// Values that [`run`](Self::run) writes: channels x height x width.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.channels.len() * self.input.height() * self.input.width()
    }

    /// Writes the map `input` out as [`output_len`](Self::output_len) plain values.
    ///
    /// # Errors
    /// When a slice has not the map's length.
    pub fn run(&self, isa: Isa, input: &[f32], output: &mut [f32]) -> Result<(), ShapeError> {
        let map = &self.input;
        check_len("input", map.len(), input.len())?;
        check_len("output", self.output_len(), output.len())?;
        let (first, channels, plane) = (self.channels.start, self.channels.len(), map.height() * map.width());
        for block in first / LANES..self.channels.end.div_ceil(LANES) {
            let lanes = first.max(block * LANES)..self.channels.end.min((block + 1) * LANES);
            let lane = lanes.start - block * LANES;
            for row in 0..map.height() {
                let at = map.at(block, row, 0);
                let pixels = input[at..at + map.width() * LANES].chunks_exact(LANES);
                let start = row * map.width();
                match self.order {
                    Order::Interleaved if channels == 1 => {
                        let values = &mut output[start..start + map.width()];
                        pixels.zip(values).for_each(|(pixel, value)| *value = pixel[lane]);
                    }
                    // Boxes have 4 values and five landmarks 10: copies of constant length are faster.
                    Order::Interleaved if lanes.len() == channels && [4, 10].contains(&channels) => {
                        let values = &mut output[start * channels..][..map.width() * channels];
                        match channels {
                            4 => copy::<4>(pixels, lane, values),
                            _ => copy::<10>(pixels, lane, values),
                        }
                    }
                    Order::Interleaved => {
                        let rows = output[start * channels..].chunks_exact_mut(channels);
                        for (pixel, values) in pixels.zip(rows) {
                            values[lanes.start - first..lanes.end - first]
                                .copy_from_slice(&pixel[lane..lane + lanes.len()]);
                        }
                    }
                    Order::Planar => {
                        for channel in lanes.clone() {
                            let start = (channel - first) * plane + start;
                            let values = &mut output[start..start + map.width()];
                            let lane = channel - block * LANES;
                            pixels.clone().zip(values).for_each(|(pixel, value)| *value = pixel[lane]);
                        }
                    }
                }
            }
        }
        if self.sigmoid {
            isa.run(Logistic(output));
        }
        Ok(())
    }
}

/// Copies N lanes of each pixel, from `lane` on, one pixel after the other.
fn copy<'a, const N: usize>(pixels: impl Iterator<Item = &'a [f32]>, lane: usize, values: &mut [f32]) {
    for (pixel, values) in pixels.zip(values.as_chunks_mut::<N>().0) {
        if let Some(lanes) = pixel[lane..].first_chunk() {
            *values = *lanes;
        }
    }
}

/// The logistic function of each value.
struct Logistic<'a>(&'a mut [f32]);

impl Kernel for Logistic<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for values in self.0.chunks_mut(LANES) {
            let mut lanes = [0.0; LANES];
            lanes[..values.len()].copy_from_slice(values);
            // SAFETY: 16 values.
            unsafe { s.store(lanes.as_mut_ptr(), sigmoid(s, s.load(lanes.as_ptr()))) };
            values.copy_from_slice(&lanes[..values.len()]);
        }
    }
}
