//! Dense convolutions, and fully connected layers as convolutions whose window is the whole map.

mod tile;

use core::ops::Range;

use crate::ahead::Ahead;
use crate::epilogue::{Epilogue, Inputs, head_len};
use crate::error::{ShapeError, check_len};
use crate::finish::Finish;
use crate::gemm::{self, Job, Window};
use crate::isa::Isa;
use crate::map::{Held, LANES, MAX_LEN, Map, Part, Piece, Slab};
use crate::panel::Panel;
use crate::taps::{Taps, on_map};
use crate::weight::Weight;

pub use tile::Tile;

/// A planar image, `[channels][height][width]` f32 without a border: a network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Planar {
    /// Channels, 1 to 4.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Planar {
    /// Values in all; 0 also where they are too many to count.
    #[must_use]
    pub fn len(&self) -> usize {
        let plane = self.height.checked_mul(self.width);
        plane.and_then(|plane| plane.checked_mul(self.channels)).unwrap_or(0)
    }

    /// Whether it holds no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is the same for all rectangles of one run.
struct Run<'a> {
    isa: Isa,
    tile: Tile,
    inputs: Inputs<'a>,
    ahead: &'a Ahead<'a>,
    /// Where weights are widened to before they are read; `None` where they are packed as numbers.
    panel: Option<Panel<'a>>,
    /// Where the first values of the whole input and output would lie: only the slab's rows need be in memory.
    input: *const f32,
    output: *mut f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Blocked(Map),
    Planar(Planar),
}

/// A dense convolution (one group): `out[m] = activation(bias[m] + sum over c, y, x of in * weight)`, with a
/// residual where the epilogue says so. Weights are `[M][C][rows][columns]`, as ONNX has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv {
    source: Source,
    output: Map,
    taps: Taps,
    window: Window,
    epilogue: Epilogue,
}

impl Conv {
    /// A convolution over a blocked map, whose border must be as wide as the padding reads.
    ///
    /// # Errors
    /// When kernel, stride, border, output or residual do not fit (see [`ShapeError`]).
    pub fn new(input: Map, output: Map, taps: Taps, epilogue: Epilogue) -> Result<Self, ShapeError> {
        taps.check_map(&input, &output)?;
        Self::blocked(input, output, taps, epilogue)
    }

    /// A convolution over a planar image, which needs no border: a network's first.
    ///
    /// # Errors
    /// When kernel, stride, output or residual do not fit (see [`ShapeError`]).
    pub fn stem(input: Planar, output: Map, taps: Taps, epilogue: Epilogue) -> Result<Self, ShapeError> {
        if input.is_empty() {
            return Err(ShapeError::EmptyMap);
        }
        if input.len() > MAX_LEN {
            return Err(ShapeError::MapTooLarge);
        }
        taps.check(input.height, input.width, &output)?;
        epilogue.check(&output)?;
        let [rows, columns] = taps.kernel;
        let window = Window {
            planes: input.channels,
            rows,
            columns: 1,
            inner: columns,
            inner_last: columns,
            plane_stride: input.height * input.width,
            row_stride: input.width,
            column_stride: 0,
            tap_weights: columns * LANES,
            row_weights: columns * LANES,
            plane_weights: rows * columns * LANES,
        };
        Self { source: Source::Planar(input), output, taps, window, epilogue }.checked()
    }

    /// A fully connected layer over a whole map, flattened as ONNX flattens `[C][height][width]`; `output` is
    /// 1 x 1. Weights are `[M][C * height * width]`.
    ///
    /// # Errors
    /// When the output is not 1 x 1 or the residual does not fit.
    pub fn dense(input: Map, output: Map, epilogue: Epilogue) -> Result<Self, ShapeError> {
        output.check_pixel()?;
        Self::blocked(input, output, Taps::whole(&input), epilogue)
    }

    fn blocked(input: Map, output: Map, taps: Taps, epilogue: Epilogue) -> Result<Self, ShapeError> {
        epilogue.check(&output)?;
        let window = Window {
            planes: input.blocks(),
            rows: taps.kernel[0],
            columns: taps.kernel[1],
            inner: LANES,
            inner_last: input.channels() - (input.blocks() - 1) * LANES,
            plane_stride: input.plane_stride(),
            row_stride: input.row_stride(),
            column_stride: LANES,
            tap_weights: LANES * LANES,
            row_weights: taps.kernel[1] * LANES * LANES,
            plane_weights: taps.area() * LANES * LANES,
        };
        Self { source: Source::Blocked(input), output, taps, window, epilogue }.checked()
    }

    /// Refuses more than 1 GiB of packed weights: offsets would overflow, and no board has the memory.
    fn checked(self) -> Result<Self, ShapeError> {
        let all = self.window.planes.checked_mul(self.window.plane_weights);
        match all.and_then(|all| all.checked_mul(self.output.blocks())) {
            Some(len) if len <= 4 * MAX_LEN => Ok(self),
            _ => Err(ShapeError::MapTooLarge),
        }
    }

    /// How the output lies.
    #[must_use]
    pub const fn output(&self) -> Map {
        self.output
    }

    /// Whether each pixel of the output is computed from the same pixel of a blocked map of one block.
    #[must_use]
    pub fn is_pointwise(&self) -> bool {
        self.input().is_some_and(|map| map.blocks() == 1) && self.taps == Taps::square(1, 1, 0)
    }

    /// The blocked map that it reads; `None` where it reads a planar image.
    pub(crate) const fn input(&self) -> Option<Map> {
        match self.source {
            Source::Blocked(map) => Some(map),
            Source::Planar(_) => None,
        }
    }

    pub(crate) const fn taps(&self) -> Taps {
        self.taps
    }

    /// The same operator into a map of the same shape of which a strip is in memory.
    pub(crate) const fn into_map(self, output: Map) -> Self {
        Self { output, ..self }
    }

    /// The same operator, which is [pointwise](Self::is_pointwise), between maps of the same shape of which strips are in
    /// memory.
    pub(crate) const fn between(self, input: Map, output: Map) -> Self {
        let window =
            Window { plane_stride: input.plane_stride(), row_stride: input.row_stride(), ..self.window };
        Self { source: Source::Blocked(input), output, window, ..self }
    }

    pub(crate) const fn epilogue(&self) -> Epilogue {
        self.epilogue
    }

    /// Multiply-accumulates of one run over a whole image; what the epilogue computes is not counted.
    #[must_use]
    pub fn macs(&self) -> u64 {
        let pixels = self.output.height() * self.output.width();
        pixels as u64 * (self.output.channels() * self.weights_by_output()) as u64
    }

    /// Values that [`pack`](Self::pack) writes.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        head_len(self.output.blocks()) + self.output.blocks() * self.block_weights()
    }

    /// Values of the weights that [`pack`](Self::pack) reads: M x C x rows x columns.
    #[must_use]
    pub fn weights_len(&self) -> usize {
        self.output.channels() * self.weights_by_output()
    }

    fn channels(&self) -> usize {
        match self.source {
            Source::Blocked(map) => map.channels(),
            Source::Planar(image) => image.channels,
        }
    }

    /// Packed weights of one output block and one block of input channels.
    pub(crate) const fn plane_weights(&self) -> usize {
        self.window.plane_weights
    }

    pub(crate) fn weights_by_output(&self) -> usize {
        self.channels() * self.taps.area()
    }

    /// Packed weights of one output block.
    pub(crate) const fn block_weights(&self) -> usize {
        self.window.planes * self.window.plane_weights
    }

    /// Writes weights, bias (0 where there is none) and PReLU slopes as [`run`](Self::run) reads them:
    /// bias, slopes, then `[out block][in block][row][column][16 in][16 out]`.
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
        self.pack_with(weights, |_, weight| weight.value(), bias, slopes, packed)
    }

    /// As [`pack`](Self::pack), with each weight as `value` makes it of its output channel's number and what `weights`
    /// holds: a product with factors, say.
    ///
    /// # Errors
    /// As [`pack`](Self::pack).
    pub fn pack_with<W: Copy>(
        &self,
        weights: &[W],
        value: impl Fn(usize, W) -> f32,
        bias: Option<&[f32]>,
        slopes: Option<&[f32]>,
        packed: &mut [f32],
    ) -> Result<(), ShapeError> {
        check_len("weights", self.weights_len(), weights.len())?;
        check_len("packed weights", self.packed_len(), packed.len())?;
        let body = self.epilogue.pack(&self.output, bias, slopes, packed)?;
        let taps = self.taps.area();
        let by_output = self.weights_by_output();
        for (m, weights) in weights.chunks_exact(by_output).enumerate() {
            let block = &mut body[m / LANES * self.block_weights()..][..self.block_weights()];
            for (c, weights) in weights.chunks_exact(taps).enumerate() {
                for (tap, weight) in weights.iter().enumerate() {
                    let at = match self.source {
                        Source::Planar(_) => c * taps + tap,
                        Source::Blocked(_) => ((c / LANES) * taps + tap) * LANES + c % LANES,
                    };
                    block[at * LANES + m % LANES] = value(m, *weight);
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
        output: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.run_part(isa, tile, inputs, Part::WHOLE, output)
    }

    /// Computes one part; `output` is its own piece of the buffer, [`Part::range`] of [`Self::output`].
    ///
    /// # Errors
    /// When a slice has not the operator's length.
    pub fn run_part(
        &self,
        isa: Isa,
        tile: Tile,
        inputs: Inputs<'_>,
        part: Part,
        output: &mut [f32],
    ) -> Result<(), ShapeError> {
        let mut piece = part.piece(&self.output, output)?;
        self.run_slabs(isa, tile, inputs, part.slabs(&self.output), &mut piece)
    }

    /// Computes slabs of the output into `piece`.
    pub(crate) fn run_slabs(
        &self,
        isa: Isa,
        tile: Tile,
        inputs: Inputs<'_>,
        slabs: impl Iterator<Item = Slab> + Clone,
        piece: &mut Piece<'_>,
    ) -> Result<(), ShapeError> {
        check_len("packed weights", self.packed_len(), inputs.packed.len())?;
        let tile = tile.fitted(isa);
        let own = self.behind_first_pass(isa, tile, inputs.packed);
        self.run_packed(isa, tile, inputs, None, own, slabs, piece)
    }

    /// As `run_slabs`, with weights that the caller has checked, and `own`, those of them to fetch ahead.
    #[allow(clippy::too_many_arguments, reason = "one loop for weights of either form")]
    pub(crate) fn run_packed(
        &self,
        isa: Isa,
        tile: Tile,
        inputs: Inputs<'_>,
        panel: Option<Panel<'_>>,
        own: &[f32],
        slabs: impl Iterator<Item = Slab> + Clone,
        piece: &mut Piece<'_>,
    ) -> Result<(), ShapeError> {
        let input_len = match self.source {
            Source::Blocked(map) => map.len(),
            Source::Planar(image) => image.len(),
        };
        check_len("input", input_len, inputs.input.len())?;
        self.epilogue.check_residual(inputs.residual)?;
        let tiles = |slab: Slab| {
            let pixels = slab.rows.len() * self.output.width();
            pixels.div_ceil(tile.pixels) * slab.blocks.len().div_ceil(tile.blocks)
        };
        let steps = slabs.clone().map(tiles).sum::<usize>() * self.window.planes;
        let ahead = Ahead::new(own, inputs.next, steps);
        let input = inputs.input.as_ptr();
        for slab in slabs {
            let output = self.output.begin(&slab, piece)?;
            self.run_slab(&Run { isa, tile, inputs, ahead: &ahead, panel, input, output }, &slab);
        }
        Ok(())
    }

    /// Computes a slab into `piece` from the rows of the input in `source`, where it is
    /// [pointwise](Self::is_pointwise).
    pub(crate) fn run_from(
        &self,
        isa: Isa,
        tile: Tile,
        inputs: &Inputs<'_>,
        source: Held<'_>,
        slab: &Slab,
        piece: &mut Piece<'_>,
    ) -> Result<(), ShapeError> {
        let Some(map) = self.input().filter(|_| self.is_pointwise()) else { return Err(ShapeError::Chain) };
        check_len("packed weights", self.packed_len(), inputs.packed.len())?;
        self.epilogue.check_residual(inputs.residual)?;
        let (tile, ahead) = (tile.fitted(isa), Ahead::new(&[], &[], 0));
        let mut rows = slab.rows.clone();
        while !rows.is_empty() {
            // In a strip, rows go on at the beginning of the memory: no rectangle goes over its end.
            let turn = map.turn(rows.start).min(rows.end);
            let input = map.source(&Slab { blocks: 0..1, rows: rows.start..turn }, source)?;
            let part = Slab { blocks: slab.blocks.clone(), rows: rows.start..turn };
            let output = self.output.begin(&part, piece)?;
            let run = Run { isa, tile, inputs: *inputs, ahead: &ahead, panel: None, input, output };
            self.run_slab(&run, &part);
            rows.start = turn;
        }
        Ok(())
    }

    /// The weights to fetch ahead, from the second pass on; empty where that does not help. It helps where weights
    /// are read once, in order, and take more than 256 KiB: a pass over a small map then ends before the CPU itself has
    /// begun to fetch the next pass's weights. Measured on a Zen 3: 7x7 maps of 1024 channels took 5 to 7 % less time.
    fn behind_first_pass<'a>(&self, isa: Isa, tile: Tile, packed: &'a [f32]) -> &'a [f32] {
        let body = packed.get(head_len(self.output.blocks())..).unwrap_or_default();
        let pass = tile.planes.min(self.window.planes) * self.window.plane_weights * tile.blocks;
        let once = tile.strip == usize::MAX && body.len() > 1 << 16 && isa.tight();
        body.get(pass..).filter(|_| once).unwrap_or_default()
    }

    /// Computes a slab in rectangles whose windows have the same taps on the input. Taps beyond a planar image are
    /// left out of the sums; a blocked map has a border of zeros, so that no tap lies beyond it.
    fn run_slab(&self, run: &Run<'_>, slab: &Slab) {
        let columns = 0..self.output.width();
        let Taps { kernel, stride, pads: [top, left, ..] } = self.taps;
        let Source::Planar(image) = self.source else {
            return self.run_area(run, slab, columns, &kernel.map(|side| 0..side));
        };
        let across = |at: usize| on_map(at * stride, left, kernel[1], image.width);
        let down = |at: usize| on_map(at * stride, top, kernel[0], image.height);
        for (rows, taps_down) in alike(slab.rows.clone(), down) {
            let slab = Slab { blocks: slab.blocks.clone(), rows };
            for (columns, taps_across) in alike(columns.clone(), across) {
                self.run_area(run, &slab, columns, &[taps_down.clone(), taps_across]);
            }
        }
    }

    /// Computes the rectangle of the slab's rows and `columns`. `on` are the rows and columns of the kernel that are
    /// summed.
    fn run_area(&self, run: &Run<'_>, slab: &Slab, columns: Range<usize>, on: &[Range<usize>; 2]) {
        let Run { isa, tile, inputs, ahead, panel, input, output } = run;
        let pixels = slab.rows.len() * columns.len();
        let Taps { stride, pads: [top, left, ..], .. } = self.taps;
        let mut window = self.window;
        // Where the window of the output pixel at row 0, column 0 begins, and how far the next ones lie.
        let (input, input_row, input_column) = match self.source {
            Source::Blocked(map) => {
                let origin =
                    map.row_0(0, slab.rows.start).wrapping_sub(top * map.row_stride() + left * LANES);
                (input.wrapping_add(origin), stride * map.row_stride(), stride * LANES)
            }
            Source::Planar(image) => {
                let [down, across] = on;
                (window.rows, window.inner, window.inner_last) = (down.len(), across.len(), across.len());
                let before = top * image.width + left;
                let first = down.start * image.width + across.start;
                let input = input.wrapping_sub(before).wrapping_add(first);
                (input, stride * image.width, stride)
            }
        };
        let skipped = on[0].start * self.window.row_weights + on[1].start * LANES;
        for start in (0..pixels).step_by(tile.strip) {
            let strip = start..pixels.min(start.saturating_add(tile.strip));
            let mut block = slab.blocks.start;
            while block < slab.blocks.end {
                let blocks = match slab.blocks.end - block {
                    4.. if tile.blocks == 4 => 4,
                    2.. if tile.blocks >= 2 => 2,
                    _ => 1,
                };
                let finish = Finish::new(&self.epilogue, &self.output, inputs, block);
                for first in (0..self.window.planes).step_by(tile.planes) {
                    let planes = first..self.window.planes.min(first.saturating_add(tile.planes));
                    let (weights, weights_block) = match panel {
                        Some(panel) => panel.widen(*isa, block..block + blocks, &planes),
                        None => {
                            let at = head_len(self.output.blocks()) + block * self.block_weights();
                            (inputs.packed.as_ptr().wrapping_add(at), self.block_weights())
                        }
                    };
                    let job = Job {
                        window: &window,
                        finish: &finish,
                        planes,
                        input,
                        input_row,
                        input_column,
                        weights: weights.wrapping_add(skipped),
                        weights_block,
                        output: output.wrapping_add(self.output.row_0(block, slab.rows.start)),
                        output_plane: self.output.plane_stride(),
                        output_row: self.output.row_stride(),
                        row: slab.rows.start,
                        column: columns.start,
                        width: columns.len(),
                        pixels: strip.clone(),
                        ahead,
                    };
                    // SAFETY: `new` checked that every window lies within input and border, `run_slab` cut
                    // those that leave an image, `run_slabs` that the slices hold input and slab.
                    #[allow(unsafe_code)]
                    unsafe {
                        gemm::run(*isa, tile.pixels, blocks, &job);
                    }
                }
                block += blocks;
            }
        }
    }

    /// The tile that was fastest for this shape on the machines measured.
    #[must_use]
    pub fn tile(&self, isa: Isa) -> Tile {
        Tile::fastest(isa, &self.window, &self.output)
    }
}

/// Cuts `range` into runs for whose every element `of` gives the same; each with what it gives.
fn alike(
    mut range: Range<usize>,
    of: impl Fn(usize) -> Range<usize>,
) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    core::iter::from_fn(move || {
        let start = range.next()?;
        let first = of(start);
        while !range.is_empty() && of(range.start) == first {
            range.start += 1;
        }
        Some((start..range.start, first))
    })
}
