//! A dense convolution and what follows it within each block of channels, some rows at a time: the rows between wait
//! in a strip that stays in the cache, where whole maps would go to memory and come back.

use core::ops::Range;

use crate::ahead;
use crate::conv::{Conv, Tile};
use crate::depthwise::Depthwise;
use crate::epilogue::{Epilogue, Inputs, Residual};
use crate::error::{ShapeError, check_len};
use crate::isa::Isa;
use crate::local;
use crate::map::{Held, Map, Part, Piece, Slab};
use crate::pool::Pool;
use crate::taps::Taps;

/// Most operators behind the convolution.
pub const MAX_BEHIND: usize = 3;

/// An operator behind the convolution: it computes each block of channels from the same block of its input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Behind {
    /// A depthwise convolution.
    Depthwise(Depthwise),
    /// A dense convolution that is [`Conv::is_pointwise`] within one block.
    Pointwise(Conv, Tile),
    /// A pool.
    Pool(Pool),
}

impl Behind {
    const fn maps(&self) -> [Map; 2] {
        match self {
            Self::Depthwise(op) => [op.input(), op.output()],
            // One that reads a planar image is no chain's: `Chain::new`.
            Self::Pointwise(op, _) => match op.input() {
                Some(input) => [input, op.output()],
                None => [op.output(); 2],
            },
            Self::Pool(op) => [op.input(), op.output()],
        }
    }

    const fn epilogue(&self) -> Epilogue {
        match self {
            Self::Depthwise(op) => op.epilogue(),
            Self::Pointwise(op, _) => op.epilogue(),
            Self::Pool(op) => op.epilogue(),
        }
    }

    const fn taps(&self) -> Taps {
        match self {
            Self::Depthwise(op) => op.taps(),
            Self::Pointwise(op, _) => op.taps(),
            Self::Pool(op) => op.taps(),
        }
    }

    /// The same operator between maps of the same shape that have another border, or of which strips are in memory.
    const fn between(&self, input: Map, output: Map) -> Self {
        match self {
            Self::Depthwise(op) => Self::Depthwise(op.between(input, output)),
            Self::Pointwise(op, tile) => Self::Pointwise(op.between(input, output), *tile),
            Self::Pool(op) => Self::Pool(op.between(input, output)),
        }
    }

    fn macs(&self) -> u64 {
        match self {
            Self::Depthwise(op) => op.macs(),
            Self::Pointwise(op, _) => op.macs(),
            Self::Pool(_) => 0,
        }
    }

    fn packed_len(&self) -> usize {
        match self {
            Self::Depthwise(op) => op.packed_len(),
            Self::Pointwise(op, _) => op.packed_len(),
            Self::Pool(op) => op.packed_len(),
        }
    }

    fn rows_under(&self, rows: &Range<usize>) -> Range<usize> {
        let [input, _] = self.maps();
        self.taps().rows_under(rows, input.height())
    }

    fn run_slab(
        &self,
        isa: Isa,
        inputs: &Inputs<'_>,
        source: Held<'_>,
        slab: &Slab,
        piece: &mut Piece<'_>,
    ) -> Result<(), ShapeError> {
        match self {
            Self::Depthwise(op) => op.run_slab(isa, inputs, source, slab, piece),
            Self::Pointwise(op, tile) => op.run_from(isa, *tile, inputs, source, slab, piece),
            Self::Pool(op) => local::run_slab(op, isa, inputs, source, slab, piece),
        }
    }
}

/// A dense convolution and up to [`MAX_BEHIND`] operators behind it. The last alone may add a residual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chain {
    head: Conv,
    /// The first `count` of these are the chain's; the others fill the array. Of each one's input, a strip is in
    /// memory.
    behind: [Behind; MAX_BEHIND],
    count: usize,
    /// Rows of the output that are computed at a time.
    rows: usize,
}

impl Chain {
    /// `head` and then `behind`, each made for whole maps; the maps between them must have no border. As many rows of
    /// the output are computed at a time as need strips of at most `room` values together, and at least one. No result
    /// depends on `room`.
    ///
    /// # Errors
    /// [`ShapeError::Chain`] where there is no operator behind, or too many, where a map is not what the operator
    /// before makes, has a border, where a residual is added before the last, or a dense convolution behind is not
    /// pointwise within one block.
    pub fn new(head: Conv, behind: &[Behind], room: usize) -> Result<Self, ShapeError> {
        let (Some(&first), 1..=MAX_BEHIND) = (behind.first(), behind.len()) else {
            return Err(ShapeError::Chain);
        };
        let is_local = |one: &Behind| match one {
            Behind::Pointwise(op, _) => op.is_pointwise() && op.output().blocks() == 1,
            Behind::Depthwise(_) | Behind::Pool(_) => true,
        };
        if !behind.iter().all(is_local) {
            return Err(ShapeError::Chain);
        }
        let (mut map, mut epilogue) = (head.output(), head.epilogue());
        for one in behind {
            let [input, output] = one.maps();
            if input != map || map.border() > 0 || epilogue.residual != Residual::None {
                return Err(ShapeError::Chain);
            }
            (map, epilogue) = (output, one.epilogue());
        }
        let mut chain = Self { head, behind: [first; MAX_BEHIND], count: behind.len(), rows: 1 };
        chain.behind[..behind.len()].copy_from_slice(behind);
        chain.cut(room);
        Ok(chain)
    }

    fn behind(&self) -> &[Behind] {
        &self.behind[..self.count]
    }

    /// The maps between the operators, as strips of the height that computing `rows` rows of the output at a time
    /// needs.
    fn strips(&self, rows: usize) -> [Map; MAX_BEHIND] {
        let mut strips = [self.head.output(); MAX_BEHIND];
        let mut rows = rows;
        for (one, strip) in self.behind().iter().zip(&mut strips).rev() {
            let [map, _] = one.maps();
            rows = ((rows - 1) * one.taps().stride + one.taps().kernel[0]).min(map.height());
            *strip = map.strip(rows);
        }
        strips
    }

    /// Chooses how many rows are computed at a time, and makes strips of the maps between the operators.
    fn cut(&mut self, room: usize) {
        let len = |strips: &[Map]| strips.iter().map(Map::len).sum::<usize>();
        while self.rows < self.output().height() && len(&self.strips(self.rows + 1)[..self.count]) <= room {
            self.rows += 1;
        }
        let strips = self.strips(self.rows);
        self.head = self.head.into_map(strips[0]);
        let last = self.output();
        for (at, one) in self.behind[..self.count].iter_mut().enumerate() {
            let output = if at + 1 == self.count { last } else { strips[at + 1] };
            *one = one.between(strips[at], output);
        }
    }

    /// How the output lies.
    #[must_use]
    pub fn output(&self) -> Map {
        let [_, output] = self.behind[self.count - 1].maps();
        output
    }

    /// Multiply-accumulates of all its convolutions in one run over a whole image.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.head.macs() + self.behind().iter().map(Behind::macs).sum::<u64>()
    }

    /// Values that the operators' own `pack`s write, one after the other.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        self.head.packed_len() + self.behind().iter().map(Behind::packed_len).sum::<usize>()
    }

    /// Values of scratch memory that each run, and each part of one, needs; what it holds means nothing.
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        self.behind().iter().map(|one| one.maps()[0].len()).sum()
    }

    /// Computes one part with scratch memory of its own; `output` is its own piece of the buffer,
    /// [`Part::range`] of [`Self::output`]. The tile is the head's, the residual the last operator's.
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
        let output_map = self.output();
        let mut piece = part.piece(&output_map, output)?;
        let run = Run { isa, tile, inputs };
        for slab in part.slabs(&output_map) {
            let bands = slab.rows.len().div_ceil(self.rows);
            let next = &inputs.next[..inputs.next.len().min(ahead::MOST)];
            let mut next = next.chunks(next.len().div_ceil(bands).max(1));
            let mut made = [const { 0..0 }; MAX_BEHIND];
            for start in slab.rows.clone().step_by(self.rows) {
                let rows = start..slab.rows.end.min(start + self.rows);
                let band = Slab { blocks: slab.blocks.clone(), rows };
                let run = Run { inputs: Inputs { next: next.next().unwrap_or_default(), ..inputs }, ..run };
                self.band(run, &mut made, scratch, &band, &mut piece)?;
            }
        }
        Ok(())
    }

    /// Computes the rows `band` of the output, and before them those rows of each strip that they need and that are
    /// not in it yet. `made` are the rows that each strip holds.
    fn band(
        &self,
        run: Run<'_>,
        made: &mut [Range<usize>; MAX_BEHIND],
        scratch: &mut [f32],
        band: &Slab,
        piece: &mut Piece<'_>,
    ) -> Result<(), ShapeError> {
        let mut needed = [const { 0..0 }; MAX_BEHIND];
        let mut rows = band.rows.clone();
        for (one, needed) in self.behind().iter().zip(&mut needed).rev() {
            rows = one.rows_under(&rows);
            *needed = rows.clone();
        }
        let Run { isa, tile, inputs } = run;
        let (packed, mut rest) = inputs.packed.split_at(self.head.packed_len());
        let strip_map = self.head.output();
        let (mut strip, mut scratch) = scratch.split_at_mut(strip_map.len());
        let head = Inputs { packed, residual: None, ..inputs };
        let missing = advance(&strip_map, &band.blocks, &mut made[0], &needed[0]);
        let from = band.blocks.start * strip_map.plane_stride();
        self.head.run_slabs(isa, tile, head, missing, &mut Piece { values: strip, from })?;
        for (at, one) in self.behind().iter().enumerate() {
            let [input, output] = one.maps();
            let source = Held { values: strip, from: band.blocks.start * input.plane_stride() };
            let (packed, after) = rest.split_at(one.packed_len());
            rest = after;
            let inputs = Inputs { packed, input: &[], residual: None, next: &[] };
            if at + 1 == self.count {
                let inputs = Inputs { residual: run.inputs.residual, ..inputs };
                return one.run_slab(isa, &inputs, source, band, piece);
            }
            let (target, after) = scratch.split_at_mut(output.len());
            let from = band.blocks.start * output.plane_stride();
            for slab in advance(&output, &band.blocks, &mut made[at + 1], &needed[at + 1]) {
                one.run_slab(isa, &inputs, source, &slab, &mut Piece { values: target, from })?;
            }
            (strip, scratch) = (target, after);
        }
        Ok(())
    }
}

/// What all bands of a run share.
#[derive(Clone, Copy)]
struct Run<'a> {
    isa: Isa,
    tile: Tile,
    inputs: Inputs<'a>,
}

/// Moves a strip on to the rows that are needed. Returns those that have yet to be computed, as one slab or two: a
/// slab does not go over the strip's end in memory, where its rows go on at its beginning.
fn advance(
    map: &Map,
    blocks: &Range<usize>,
    made: &mut Range<usize>,
    needed: &Range<usize>,
) -> impl Iterator<Item = Slab> + Clone + use<> {
    let missing = made.end.max(needed.start)..needed.end;
    *made = needed.start..made.end.max(needed.end);
    let (turn, blocks) = (map.turn(missing.start).min(missing.end), blocks.clone());
    [missing.start..turn, turn..missing.end]
        .into_iter()
        .filter(|rows| !rows.is_empty())
        .map(move |rows| Slab { blocks: blocks.clone(), rows })
}
