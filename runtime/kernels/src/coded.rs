//! Dense convolutions whose weights stay int8 in memory: a quarter of the bytes to hold and to read.

use crate::conv::{Conv, Tile};
use crate::epilogue::{Inputs, head_len};
use crate::error::{ShapeError, check_len};
use crate::isa::Isa;
use crate::map::{LANES, Map, Part};
use crate::panel::Panel;

/// Most values that are widened at a time: 128 KiB, a quarter of a small second cache.
const MOST: usize = 1 << 15;
/// Codes that lie in one packed value.
const IN_VALUE: usize = size_of::<f32>();

/// A [`Conv`] over a blocked map whose weights are packed as int8 codes, with one scale for each output channel. The
/// codes of some output blocks are widened to numbers in scratch memory, read there for every pixel, and so on: its
/// values are those of the convolution with the weights `code * scale`, bit for bit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coded {
    conv: Conv,
}

impl Coded {
    /// # Errors
    /// [`ShapeError::MapTooLarge`] where one block of the window's weights is beyond 32,768 values, or the convolution
    /// reads a planar image.
    pub fn new(conv: Conv) -> Result<Self, ShapeError> {
        let fits = conv.input().is_some() && conv.plane_weights() <= MOST;
        if fits { Ok(Self { conv }) } else { Err(ShapeError::MapTooLarge) }
    }

    /// How the output lies.
    #[must_use]
    pub const fn output(&self) -> Map {
        self.conv.output()
    }

    /// Multiply-accumulates of one run over a whole image.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.conv.macs()
    }

    /// Values that [`pack`](Self::pack) writes; four codes lie in each of most of them.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        let blocks = self.output().blocks();
        self.codes_at() + blocks * self.conv.block_weights() / IN_VALUE
    }

    /// Where the scales begin that lie between bias and slopes and the codes.
    fn scales_at(&self) -> usize {
        head_len(self.output().blocks())
    }

    fn codes_at(&self) -> usize {
        self.scales_at() + self.output().blocks() * LANES
    }

    /// Values of scratch memory that each run, and each part of one, needs; what it holds means nothing.
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        MOST.min(self.conv.block_weights() * self.output().blocks().min(4))
    }

    /// Writes bias (0 where there is none), PReLU slopes, the output channels' scales and the codes as
    /// [`run_part`](Self::run_part) reads them. Codes are `[M][C][rows][columns]`, an i8 in each byte; `scales` one for
    /// each of M.
    ///
    /// # Errors
    /// When a slice has not the operator's length, or slopes and activation disagree.
    pub fn pack(
        &self,
        codes: &[u8],
        scales: &[f32],
        bias: Option<&[f32]>,
        slopes: Option<&[f32]>,
        packed: &mut [f32],
    ) -> Result<(), ShapeError> {
        let conv = &self.conv;
        check_len("weights", conv.weights_len(), codes.len())?;
        check_len("scales", conv.output().channels(), scales.len())?;
        check_len("packed weights", self.packed_len(), packed.len())?;
        let body = conv.epilogue().pack(&conv.output(), bias, slopes, packed)?;
        let (padded, body) = body.split_at_mut(conv.output().blocks() * LANES);
        padded[..scales.len()].copy_from_slice(scales);
        let (taps, by_output) = (conv.taps().area(), conv.weights_by_output());
        for (m, codes) in codes.chunks_exact(by_output).enumerate() {
            let block = m / LANES * conv.block_weights();
            for (c, codes) in codes.chunks_exact(taps).enumerate() {
                for (tap, &code) in codes.iter().enumerate() {
                    let row = (c / LANES * taps + tap) * LANES + c % LANES;
                    let at = block + row * LANES + m % LANES;
                    let value = &mut body[at / IN_VALUE];
                    let mut bytes = value.to_bits().to_le_bytes();
                    bytes[at % IN_VALUE] = code;
                    *value = f32::from_bits(u32::from_le_bytes(bytes));
                }
            }
        }
        Ok(())
    }

    /// Computes one part with scratch memory of its own; `output` is its own piece of the buffer, [`Part::range`] of
    /// [`Self::output`].
    ///
    /// # Errors
    /// When a slice has not the operator's length.
    pub fn run_part(
        &self,
        isa: Isa,
        tile: Tile,
        inputs: Inputs<'_>,
        part: Part,
        scratch: &mut [f32],
        output: &mut [f32],
    ) -> Result<(), ShapeError> {
        check_len("packed weights", self.packed_len(), inputs.packed.len())?;
        check_len("scratch", self.scratch_len(), scratch.len())?;
        let panel = Panel {
            scales: &inputs.packed[self.scales_at()..self.codes_at()],
            codes: &inputs.packed[self.codes_at()..],
            block: self.conv.block_weights(),
            plane: self.conv.plane_weights(),
            room: scratch.as_mut_ptr(),
        };
        let output_map = self.output();
        let mut piece = part.piece(&output_map, output)?;
        let slabs = part.slabs(&output_map);
        let tile = self.cut(tile.fitted(isa));
        self.conv.run_packed(isa, tile, inputs, Some(panel), &[], slabs, &mut piece)
    }

    /// The tile whose blocks and planes have room in scratch memory; without strips, so that each code is widened once.
    fn cut(&self, tile: Tile) -> Tile {
        let (plane, room) = (self.conv.plane_weights(), self.scratch_len());
        let mut blocks = tile.blocks.min(self.output().blocks());
        while blocks > 1 && blocks * plane > room {
            blocks /= 2;
        }
        Tile { blocks, planes: tile.planes.min(room / (blocks * plane)), strip: usize::MAX, ..tile }
    }
}
