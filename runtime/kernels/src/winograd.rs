//! Winograd's form of 3x3 convolutions with stride 1 (Lavin and Gray, arXiv:1509.09308): fewer
//! multiplications for deep layers, more memory for weights, sums that round differently.

mod transform;

use crate::ahead::Ahead;
use crate::conv::Tile;
use crate::epilogue::{Epilogue, Inputs, head_len};
use crate::error::{ShapeError, check_len};
use crate::finish::Finish;
use crate::gemm::{Job, Window, run};
use crate::isa::Isa;
use crate::map::{LANES, MAX_LEN, Map, Part, Slab};
use crate::taps::Taps;
use crate::weight::Weight;
use transform::{FromSquares, ToSquares, weights_square};

/// The square of output pixels that is computed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Square {
    /// F(2x2, 3x3): a direct sum's multiplications divided by 2.25; 1.8 times the weights' memory.
    Two,
    /// F(4x4, 3x3): a direct sum's multiplications divided by 4; 4 times the weights' memory; rounding errors some ten
    /// times those of the direct sum.
    Four,
}

impl Square {
    /// Output pixels along one side: M of F(M x M, 3x3).
    const fn side(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Products for each square and pair of channels.
    const fn products(self) -> usize {
        (self.side() + 2) * (self.side() + 2)
    }
}

/// A dense 3x3 convolution with stride 1. As [`Conv`](crate::Conv), but its values differ in their last bits, and it
/// needs scratch memory. Its values depend neither on the number of parts nor on the tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Winograd {
    square: Square,
    input: Map,
    output: Map,
    pads: [usize; 2],
    epilogue: Epilogue,
}

/// Blocks of output channels whose products are in scratch memory at the same time.
const BLOCKS: usize = 2;

impl Winograd {
    /// A convolution over a blocked map, whose border must be as wide as the padding reads.
    ///
    /// # Errors
    /// When the kernel is not 3x3 with stride 1, or border, output or residual do not fit.
    pub fn new(
        square: Square,
        input: Map,
        output: Map,
        taps: Taps,
        epilogue: Epilogue,
    ) -> Result<Self, ShapeError> {
        if taps.kernel != [3, 3] {
            return Err(ShapeError::Kernel { rows: taps.kernel[0], columns: taps.kernel[1] });
        }
        if taps.stride != 1 {
            return Err(ShapeError::Stride { stride: taps.stride });
        }
        taps.check_map(&input, &output)?;
        epilogue.check(&output)?;
        let pairs = input.blocks() as u64 * output.blocks() as u64;
        if pairs * (square.products() * LANES * LANES) as u64 > 4 * MAX_LEN as u64 {
            return Err(ShapeError::MapTooLarge);
        }
        Ok(Self { square, input, output, pads: [taps.pads[0], taps.pads[1]], epilogue })
    }

    /// The square for a convolution of this shape; `None` where the direct sum is faster, or the only way. The choice
    /// comes from measurements with weights that were read from memory: on small maps the larger weights of
    /// [`Square::Four`] take longer than its multiplications save.
    #[must_use]
    pub fn suggest(input: &Map, output: &Map, taps: Taps) -> Option<Square> {
        let fits = taps.kernel == [3, 3] && taps.stride == 1 && input.blocks().min(output.blocks()) >= 2;
        match output.height() * output.width() {
            400.. if fits => Some(Square::Four),
            30.. if fits => Some(Square::Two),
            _ => None,
        }
    }

    /// How the output lies.
    #[must_use]
    pub const fn output(&self) -> Map {
        self.output
    }

    /// Multiply-accumulates of the direct sum that this replaces, for one image.
    #[must_use]
    pub fn macs(&self) -> u64 {
        let pixels = self.output.height() * self.output.width();
        pixels as u64 * (self.output.channels() * self.input.channels() * 9) as u64
    }

    /// What one image takes instead: multiply-accumulates, counted for whole blocks of channels, and transforms,
    /// counted in pixels of one block, of the input and of the output together.
    #[must_use]
    pub fn work(&self) -> [u64; 2] {
        let [rows, columns] = self.squares();
        let products = (rows * columns * self.square.products()) as u64;
        let (from, to) = (self.input.blocks() as u64, self.output.blocks() as u64);
        [products * from * to * (LANES * LANES) as u64, products * (from + to)]
    }

    /// Values that [`pack`](Self::pack) writes.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        head_len(self.output.blocks()) + self.output.blocks() * self.block_weights()
    }

    const fn block_weights(&self) -> usize {
        self.square.products() * self.input.blocks() * LANES * LANES
    }

    /// Values of scratch memory that each run, and each part of one, needs; what it holds means nothing.
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        self.square.products() * self.strip() * LANES * (self.input.blocks() + BLOCKS)
    }

    fn squares(&self) -> [usize; 2] {
        let side = self.square.side();
        [self.output.height().div_ceil(side), self.output.width().div_ceil(side)]
    }

    /// How many squares are transformed before their products are computed. Weights of more than 1 MiB are read once
    /// for all squares, or for at least 84; with smaller ones, squares are few enough that their products stay in a
    /// second cache (512 KiB).
    fn strip(&self) -> usize {
        let [rows, columns] = self.squares();
        let all = rows * columns;
        let near = (1 << 17) / (self.square.products() * LANES * (self.input.blocks() + BLOCKS));
        if self.output.blocks() * self.block_weights() > 1 << 18 {
            all.min(near.max(84))
        } else {
            all.min((near / 14).max(1) * 14)
        }
    }

    /// Writes transformed weights, bias (0 where there is none) and PReLU slopes as [`run`](Self::run) reads
    /// them. Weights are `[M][C][3][3]`.
    ///
    /// # Errors
    /// When a slice has not the operator's length, or slopes and activation disagree.
    pub fn pack<W: Weight>(
        &self,
        weights: &[W],
        bias: Option<&[f32]>,
        slopes: Option<&[f32]>,
        packed: &mut [f32],
    ) -> Result<(), ShapeError> {
        let (channels, outputs) = (self.input.channels(), self.output.channels());
        check_len("weights", outputs * channels * 9, weights.len())?;
        check_len("packed weights", self.packed_len(), packed.len())?;
        let body = self.epilogue.pack(&self.output, bias, slopes, packed)?;
        let (products, depth) = (self.square.products(), self.input.blocks() * LANES);
        for (m, weights) in weights.chunks_exact(channels * 9).enumerate() {
            let block = &mut body[m / LANES * self.block_weights()..][..self.block_weights()];
            for (c, kernel) in weights.as_chunks::<9>().0.iter().enumerate() {
                let square = weights_square(self.square, &kernel.map(W::value));
                for (product, &value) in square.iter().take(products).enumerate() {
                    block[(product * depth + c) * LANES + m % LANES] = value;
                }
            }
        }
        Ok(())
    }

    /// Computes the whole output, border included.
    ///
    /// # Errors
    /// When a slice has not the operator's length.
    pub fn run(
        &self,
        isa: Isa,
        tile: Tile,
        inputs: Inputs<'_>,
        scratch: &mut [f32],
        output: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.run_part(isa, tile, inputs, Part::WHOLE, scratch, output)
    }

    /// Computes one part with scratch memory of its own; `output` is its own piece of the buffer,
    /// [`Part::range`] of [`Self::output`].
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
        check_len("input", self.input.len(), inputs.input.len())?;
        check_len("packed weights", self.packed_len(), inputs.packed.len())?;
        check_len("scratch", self.scratch_len(), scratch.len())?;
        self.epilogue.check_residual(inputs.residual)?;
        let mut piece = part.piece(&self.output, output)?;
        let tile = tile.fitted(isa);
        for slab in part.slabs(&self.output) {
            let base = self.output.begin(&slab, &mut piece)?;
            let [_, columns] = self.squares();
            let side = self.square.side();
            let end = slab.rows.end.div_ceil(side) * columns;
            let mut start = slab.rows.start / side * columns;
            while start < end {
                let squares = start..end.min(start + self.strip());
                start = squares.end;
                self.run_strip(isa, tile, &inputs, &slab, squares, scratch, base);
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "one caller; the loops' state has no name of its own")]
    fn run_strip(
        &self,
        isa: Isa,
        tile: Tile,
        inputs: &Inputs<'_>,
        slab: &Slab,
        squares: core::ops::Range<usize>,
        scratch: &mut [f32],
        output: *mut f32,
    ) {
        let (count, planes) = (squares.len(), self.input.blocks());
        let [_, columns] = self.squares();
        let (transformed, products) = scratch.split_at_mut(self.square.products() * planes * count * LANES);
        let to = ToSquares {
            input: inputs.input,
            map: self.input,
            pads: self.pads,
            columns,
            squares: squares.clone(),
            output: transformed,
        };
        to.dispatch(isa, self.square);
        let mut block = slab.blocks.start;
        while block < slab.blocks.end {
            let blocks = (slab.blocks.end - block).min(tile.blocks).min(BLOCKS);
            self.multiply(isa, tile, inputs, [block, blocks, count], transformed, products);
            for b in 0..blocks {
                let from = FromSquares {
                    products: &products[b * count * LANES..],
                    product_stride: blocks * count * LANES,
                    map: self.output,
                    columns,
                    squares: squares.clone(),
                    rows: slab.rows.clone(),
                    finish: Finish::new(&self.epilogue, &self.output, inputs, block + b),
                    output: output.wrapping_add(self.output.at(block + b, 0, 0)),
                };
                from.dispatch(isa, self.square);
            }
            block += blocks;
        }
    }

    /// `[product][block][square][16]` = the sum over input channels, for each place in a square.
    fn multiply(
        &self,
        isa: Isa,
        tile: Tile,
        inputs: &Inputs<'_>,
        [block, blocks, count]: [usize; 3],
        transformed: &[f32],
        products: &mut [f32],
    ) {
        let planes = self.input.blocks();
        let window = Window {
            planes,
            rows: 1,
            columns: 1,
            inner: LANES,
            inner_last: self.input.channels() - (planes - 1) * LANES,
            plane_stride: count * LANES,
            row_stride: 0,
            column_stride: 0,
            tap_weights: LANES * LANES,
            row_weights: LANES * LANES,
            plane_weights: LANES * LANES,
        };
        let finish = Finish::plain();
        let weights = head_len(self.output.blocks()) + block * self.block_weights();
        for product in 0..self.square.products() {
            let input = &transformed[product * planes * count * LANES..][..planes * count * LANES];
            let weights = &inputs.packed[weights + product * planes * LANES * LANES..];
            let output = &mut products[product * blocks * count * LANES..][..blocks * count * LANES];
            let job = Job {
                window: &window,
                finish: &finish,
                planes: 0..planes,
                input: input.as_ptr(),
                input_row: 0,
                input_column: LANES,
                weights: weights.as_ptr(),
                weights_block: self.block_weights(),
                output: output.as_mut_ptr(),
                output_plane: count * LANES,
                output_row: 0,
                row: 0,
                column: 0,
                width: count,
                pixels: 0..count,
                ahead: &Ahead::new(&[], &[], 1),
            };
            // SAFETY: the slices hold the planes' squares, and the packed weights `blocks` blocks from
            // `block` on.
            #[allow(unsafe_code)]
            unsafe {
                run(isa, tile.pixels, blocks, &job);
            }
        }
    }
}
