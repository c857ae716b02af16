//! How activations lie in memory.

use core::ops::Range;

use crate::error::{ShapeError, check_len};

/// Channels that lie side by side: one pixel of one block is 16 f32, 64 bytes.
pub const LANES: usize = 16;
/// The longest map, in f32 (256 MiB): offsets into it never overflow.
pub const MAX_LEN: usize = 1 << 26;

/// A channel-blocked map of one image: `[block][row][column][LANES]`, with `border` pixels of zeros all
/// round each plane. Channel c is lane `c % LANES` of block `c / LANES`; lanes beyond `channels` hold
/// finite values that mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Map {
    channels: usize,
    height: usize,
    width: usize,
    border: usize,
    /// Rows of a plane that are in memory, border included: all of them but in a strip.
    held: usize,
}

impl Map {
    /// A map of `channels` x `height` x `width` values, its planes framed by `border` pixels.
    ///
    /// # Errors
    /// [`ShapeError::EmptyMap`], [`ShapeError::MapTooLarge`].
    pub const fn new(
        channels: usize,
        height: usize,
        width: usize,
        border: usize,
    ) -> Result<Self, ShapeError> {
        if channels == 0 || height == 0 || width == 0 {
            return Err(ShapeError::EmptyMap);
        }
        // Each bound keeps the products below from overflowing.
        if channels > MAX_LEN || height > MAX_LEN || width > MAX_LEN || border > 1 << 12 {
            return Err(ShapeError::MapTooLarge);
        }
        let rows = (height + 2 * border) as u64;
        let columns = (width + 2 * border) as u64;
        let plane = rows * columns;
        let depth = (channels.div_ceil(LANES) * LANES) as u64;
        if plane > MAX_LEN as u64 || plane * depth > MAX_LEN as u64 {
            return Err(ShapeError::MapTooLarge);
        }
        Ok(Self { channels, height, width, border, held: height + 2 * border })
    }

    /// The same map as a strip, for maps without a border: only `rows` neighbouring rows of each plane are in memory
    /// at a time, and row r takes the place of row r - `rows`.
    pub(crate) const fn strip(self, rows: usize) -> Self {
        Self { held: rows, ..self }
    }

    /// The first row after `row` that lies in memory before it: where a strip begins anew, or after the last row.
    pub(crate) const fn turn(&self, row: usize) -> usize {
        if self.is_strip() { (row / self.held + 1) * self.held } else { self.height }
    }

    const fn is_strip(&self) -> bool {
        self.held < self.height
    }

    /// Channels, without the lanes that fill the last block.
    #[must_use]
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Rows, without the border.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Columns, without the border.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Pixels of zeros on every side of a plane.
    #[must_use]
    pub const fn border(&self) -> usize {
        self.border
    }

    /// Blocks of [`LANES`] channels.
    #[must_use]
    pub const fn blocks(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// Values (f32) from one row of a plane to the next, border included.
    #[must_use]
    pub const fn row_stride(&self) -> usize {
        (self.width + 2 * self.border) * LANES
    }

    /// Values (f32) from one plane to the next, border included.
    #[must_use]
    pub const fn plane_stride(&self) -> usize {
        self.held * self.row_stride()
    }

    /// Values (f32) of the whole map, border and spare lanes included; at most [`MAX_LEN`].
    #[must_use]
    pub const fn len(&self) -> usize {
        self.blocks() * self.plane_stride()
    }

    /// Never: a map has at least one value. (Clippy asks for it beside `len`.)
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Index of the first of the 16 values of the pixel at `row`, `column` of `block`; both count from the first pixel
    /// that is no border.
    #[must_use]
    pub const fn at(&self, block: usize, row: usize, column: usize) -> usize {
        let row = if self.is_strip() { row % self.held } else { row + self.border };
        block * self.plane_stride() + row * self.row_stride() + (column + self.border) * LANES
    }

    /// The index from which row `row` of `block` is `row` times [`row_stride`](Self::row_stride) away: that of row 0,
    /// but in a strip, where it may lie before the first value (the index wraps).
    pub(crate) const fn row_0(&self, block: usize, row: usize) -> usize {
        self.at(block, row, 0).wrapping_sub(row * self.row_stride())
    }

    /// Whether `other` has the same channels, rows and columns; borders may differ.
    #[must_use]
    pub const fn same_shape(&self, other: &Self) -> bool {
        self.channels == other.channels && self.height == other.height && self.width == other.width
    }

    /// That this output is one pixel.
    pub(crate) fn check_pixel(&self) -> Result<(), ShapeError> {
        if self.height == 1 && self.width == 1 {
            Ok(())
        } else {
            Err(ShapeError::OutputSize { rows: 1, columns: 1 })
        }
    }

    /// That this output has the channels of `input`.
    pub(crate) fn check_channels(&self, input: &Self) -> Result<(), ShapeError> {
        let channels = input.channels;
        if self.channels == channels { Ok(()) } else { Err(ShapeError::OutputChannels { channels }) }
    }

    /// A pointer to where the whole map's first value would lie, given the part `held` that is in memory. Checks that
    /// the slab's rows are in that part.
    pub(crate) fn source(&self, slab: &Slab, held: Held<'_>) -> Result<*const f32, ShapeError> {
        self.check_held(slab, held.from, held.values.len())?;
        Ok(held.values.as_ptr().wrapping_sub(held.from))
    }

    /// As [`source`](Self::source), for a slab of an output that is about to be computed; writes the border around it.
    /// Refuses a slab that goes over the end of a strip's memory.
    pub(crate) fn begin(&self, slab: &Slab, piece: &mut Piece<'_>) -> Result<*mut f32, ShapeError> {
        self.check_held(slab, piece.from, piece.values.len())?;
        if self.is_strip() && slab.rows.start % self.held + slab.rows.len() > self.held {
            return Err(rows_in_memory(slab.rows.len(), self.held));
        }
        self.clear_border(slab, piece);
        Ok(piece.values.as_mut_ptr().wrapping_sub(piece.from))
    }

    fn check_held(&self, slab: &Slab, from: usize, len: usize) -> Result<(), ShapeError> {
        let Slab { blocks, rows } = slab;
        if blocks.is_empty() || rows.is_empty() {
            return Ok(());
        }
        if self.is_strip() && rows.len() > self.held {
            return Err(rows_in_memory(rows.len(), self.held));
        }
        let (first, end) = if self.is_strip() {
            (blocks.start * self.plane_stride(), blocks.end * self.plane_stride())
        } else {
            let side = self.border * LANES;
            (
                self.at(blocks.start, rows.start, 0) - side,
                self.at(blocks.end - 1, rows.end - 1, self.width) + side,
            )
        };
        if from <= first && end <= from + len { Ok(()) } else { Err(rows_in_memory(end - first, len)) }
    }

    /// Writes the value 0 into the border around the slab's rows.
    pub(crate) fn clear_border(&self, slab: &Slab, piece: &mut Piece<'_>) {
        if self.border == 0 {
            return;
        }
        let values = &mut *piece.values;
        for block in slab.blocks.clone() {
            let (side, stride) = (self.border * LANES, self.row_stride());
            let first = self.at(block, slab.rows.start, 0) - side - piece.from;
            if slab.rows.start == 0 {
                values[first - self.border * stride..first].fill(0.0);
            }
            for row in 0..slab.rows.len() {
                let at = first + row * stride;
                values[at..at + side].fill(0.0);
                values[at + stride - side..at + stride].fill(0.0);
            }
            if slab.rows.end == self.height {
                let end = first + slab.rows.len() * stride;
                values[end..end + self.border * stride].fill(0.0);
            }
        }
    }
}

fn rows_in_memory(needed: usize, given: usize) -> ShapeError {
    ShapeError::Length { what: "rows in memory", needed, given }
}

/// The part of a map that is in memory: its values from index `from` on.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) from: usize,
}

/// As [`Held`], to be written.
pub(crate) struct Piece<'a> {
    pub(crate) values: &'a mut [f32],
    pub(crate) from: usize,
}

/// One of several equal parts of an operator's output: neighbouring rows of neighbouring planes, which are
/// one run of memory. A value does not depend on the number of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    index: usize,
    parts: usize,
}

/// A rectangle of a map: some rows, the same of each of some planes.
#[derive(Debug, Clone)]
pub(crate) struct Slab {
    pub(crate) blocks: Range<usize>,
    pub(crate) rows: Range<usize>,
}

impl Part {
    /// The whole output as one part.
    pub const WHOLE: Self = Self { index: 0, parts: 1 };

    /// Part `index` (from 0) of `parts`.
    ///
    /// # Errors
    /// [`ShapeError::Part`].
    pub const fn new(index: usize, parts: usize) -> Result<Self, ShapeError> {
        // More parts than this serve nobody, and the product below must not overflow.
        if index < parts && parts <= 1024 {
            Ok(Self { index, parts })
        } else {
            Err(ShapeError::Part { part: index, parts })
        }
    }

    /// The part's first row and the one after its last, counted through all planes. With at least two blocks for each
    /// part, parts are cut between planes.
    fn rows(self, map: &Map) -> Range<usize> {
        let unit = if map.blocks() >= 2 * self.parts { map.height } else { 1 };
        let units = map.blocks() * map.height / unit;
        let at = |index: usize| units * index / self.parts * unit;
        at(self.index)..at(self.index + 1)
    }

    /// The piece of the output's buffer that this part writes, border included; pieces of all parts lie
    /// one after the other and cover the buffer.
    #[must_use]
    pub fn range(self, map: &Map) -> Range<usize> {
        let rows = self.rows(map);
        let at = |row: usize| {
            let (block, row) = (row / map.height, row % map.height);
            let above = if row == 0 { 0 } else { row + map.border };
            block * map.plane_stride() + above * map.row_stride()
        };
        at(rows.start)..at(rows.end).min(map.len())
    }

    /// `values` as the piece of the output that this part writes; checks their number.
    pub(crate) fn piece<'a>(self, map: &Map, values: &'a mut [f32]) -> Result<Piece<'a>, ShapeError> {
        let range = self.range(map);
        check_len("output", range.len(), values.len())?;
        Ok(Piece { values, from: range.start })
    }

    /// The part in rectangles: the last rows of its first plane, then whole planes, then the first rows of its last
    /// plane; of these, those that it has.
    pub(crate) fn slabs(self, map: &Map) -> impl Iterator<Item = Slab> + Clone + use<> {
        let height = map.height;
        let rows = self.rows(map);
        let mut at = rows.start;
        core::iter::from_fn(move || {
            if at >= rows.end {
                return None;
            }
            let (block, row) = (at / height, at % height);
            let whole = (rows.end - at) / height;
            let slab = if row == 0 && whole > 0 {
                Slab { blocks: block..block + whole, rows: 0..height }
            } else {
                let end = (row + rows.end - at).min(height);
                Slab { blocks: block..block + 1, rows: row..end }
            };
            at += slab.blocks.len() * slab.rows.len();
            Some(slab)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_that_cannot_be_held_are_refused() {
        assert_eq!(Map::new(0, 1, 1, 0), Err(ShapeError::EmptyMap));
        assert_eq!(Map::new(usize::MAX, usize::MAX, usize::MAX, 0), Err(ShapeError::MapTooLarge));
        assert_eq!(Map::new(1, 1, 1, usize::MAX), Err(ShapeError::MapTooLarge));
        assert_eq!(Map::new(17, 1 << 13, 1 << 12, 0), Err(ShapeError::MapTooLarge));
        assert_eq!(Map::new(1, 1 << 11, 1 << 11, 0).map(|map| map.len()), Ok(MAX_LEN));
    }

    proptest! {
        #[test]
        fn parts_cover_the_map_once(
            channels in 1_usize..80, height in 1_usize..9, width in 1_usize..9, border in 0_usize..3,
            parts in 1_usize..9,
        ) {
            let map = Map::new(channels, height, width, border).unwrap();
            let mut values = std::vec![1.0; map.len()];
            let mut end = 0;
            for index in 0..parts {
                let part = Part::new(index, parts).unwrap();
                prop_assert_eq!(part.range(&map).start, end);
                end = part.range(&map).end;
                for slab in part.slabs(&map) {
                    let mut piece = part.piece(&map, &mut values[part.range(&map)]).unwrap();
                    map.begin(&slab, &mut piece).unwrap();
                    for block in slab.blocks.clone() {
                        for row in slab.rows.clone() {
                            let at = map.at(block, row, 0);
                            prop_assert!(part.range(&map).contains(&at));
                            for value in &mut values[at..at + width * LANES] {
                                prop_assert_eq!(*value, 1.0);
                                *value = 0.0;
                            }
                        }
                    }
                }
            }
            prop_assert_eq!(end, map.len());
            prop_assert!(values.iter().all(|&value| value == 0.0));
        }
    }
}
