//! Between blocked maps and plain ones.

use crate::error::{ShapeError, check_len};
use crate::isa::Isa;
use crate::map::{LANES, Map, Part};

/// Writes a planar `[channels][height][width]` image into a blocked map, border and spare lanes zeroed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    output: Map,
}

impl Block {
    /// Into a map like `output`.
    #[must_use]
    pub const fn new(output: Map) -> Self {
        Self { output }
    }

    /// # Errors
    /// When a slice has not the map's length.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), ShapeError> {
        let map = &self.output;
        let plane = map.height() * map.width();
        check_len("input", map.channels() * plane, input.len())?;
        check_len("output", map.len(), output.len())?;
        map.clear_border(Part::WHOLE, output);
        for block in 0..map.blocks() {
            for row in 0..map.height() {
                let at = map.at(block, row, 0);
                let pixels = &mut output[at..at + map.width() * LANES];
                for lane in 0..LANES {
                    let channel = block * LANES + lane;
                    let values = input.get(channel * plane + row * map.width()..);
                    for (column, pixel) in pixels.chunks_exact_mut(LANES).enumerate() {
                        // Beyond the last channel there is nothing: 0.
                        pixel[lane] = values.and_then(|values| values.get(column)).copied().unwrap_or(0.0);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The order of plain values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `[channels][height][width]`.
    Planar,
    /// `[height][width][channels]`: what detection heads transpose to.
    Interleaved,
}

/// Reads a blocked map out into plain values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unblock {
    input: Map,
    order: Order,
}

impl Unblock {
    /// Out of a map like `input`. An activation belongs into the epilogue of the step before.
    #[must_use]
    pub const fn new(input: Map, order: Order) -> Self {
        Self { input, order }
    }

    /// Values that [`run`](Self::run) writes: channels x height x width.
    #[must_use]
    pub const fn output_len(&self) -> usize {
        self.input.channels() * self.input.height() * self.input.width()
    }

    /// # Errors
    /// When a slice has not the map's length.
    pub fn run(&self, _isa: Isa, input: &[f32], output: &mut [f32]) -> Result<(), ShapeError> {
        let map = &self.input;
        check_len("input", map.len(), input.len())?;
        check_len("output", self.output_len(), output.len())?;
        let (channels, plane) = (map.channels(), map.height() * map.width());
        for block in 0..map.blocks() {
            let lanes = LANES.min(channels - block * LANES);
            for row in 0..map.height() {
                let at = map.at(block, row, 0);
                let pixels = input[at..at + map.width() * LANES].chunks_exact(LANES);
                let first = row * map.width();
                match self.order {
                    Order::Interleaved => {
                        let rows = output[first * channels..].chunks_exact_mut(channels);
                        for (pixel, values) in pixels.zip(rows) {
                            values[block * LANES..block * LANES + lanes].copy_from_slice(&pixel[..lanes]);
                        }
                    }
                    Order::Planar => {
                        for lane in 0..lanes {
                            let start = (block * LANES + lane) * plane + first;
                            let values = &mut output[start..start + map.width()];
                            for (pixel, value) in pixels.clone().zip(values) {
                                *value = pixel[lane];
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
