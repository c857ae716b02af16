//! int8 weights, and the memory where some of them are numbers for a while.
// Reads and writes through pointers that `Coded::run_part` checked.
#![allow(unsafe_code)]

use core::ops::Range;

use crate::isa::Isa;
use crate::map::LANES;
use crate::simd::{Kernel, Simd};

/// Codes, and the memory that they are widened to.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    /// 16 for each output block.
    pub(crate) scales: &'a [f32],
    /// Four in each value: `[out block][in block][row][column][16 in][16 out]`.
    pub(crate) codes: &'a [f32],
    /// Codes of one output block, and of one of its planes.
    pub(crate) block: usize,
    pub(crate) plane: usize,
    /// Room for as many blocks and planes as are widened at a time.
    pub(crate) room: *mut f32,
}

impl Panel<'_> {
    /// Widens the weights of some output blocks and planes. Returns where those of plane 0 of the first block would
    /// lie, and how far the next block's are.
    pub(crate) fn widen(&self, isa: Isa, blocks: Range<usize>, planes: &Range<usize>) -> (*const f32, usize) {
        let len = planes.len() * self.plane;
        for (at, block) in blocks.enumerate() {
            let codes =
                self.codes.as_ptr().cast::<i8>().wrapping_add(block * self.block + planes.start * self.plane);
            let scales = self.scales.as_ptr().wrapping_add(block * LANES);
            let values = self.room.wrapping_add(at * len);
            isa.run(Widen { codes, scales, values, rows: len / LANES });
        }
        (self.room.wrapping_sub(planes.start * self.plane), len)
    }
}

/// `rows` rows of 16 codes, each times the 16 scales.
struct Widen {
    codes: *const i8,
    scales: *const f32,
    values: *mut f32,
    rows: usize,
}

impl Kernel for Widen {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // SAFETY: `Coded::run_part` checked that the packed weights hold scales and codes of every block and plane,
        // and chose a tile whose blocks and planes have room.
        unsafe {
            let scales = s.load(self.scales);
            for row in 0..self.rows {
                let codes = s.load_codes(self.codes.add(row * LANES));
                s.store(self.values.add(row * LANES), s.mul(codes, scales));
            }
        }
    }
}
