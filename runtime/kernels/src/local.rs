//! Operators that compute each block from the same block: depthwise convolution, pools, up-sampling,
//! elementwise steps. An operator says what a tile of pixels is before the epilogue; the rest is here.
// Reads and writes through pointers that `run_slab` checked.
#![allow(unsafe_code)]

use core::ops::Range;

use crate::epilogue::{Epilogue, Inputs, head_len};
use crate::error::{ShapeError, check_len};
use crate::finish::{Finish, Places, Walk};
use crate::isa::Isa;
use crate::map::{Held, LANES, Map, Part, Piece, Slab};
use crate::simd::{Kernel, Simd};

/// Pixels of a tile. Each takes two registers of AVX2, which has 16; more pixels leave too few for the rest.
const PIXELS: usize = 4;

/// What every local operator has: input and output, maps of the same channels, and its epilogue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Through {
    pub(crate) input: Map,
    pub(crate) output: Map,
    pub(crate) epilogue: Epilogue,
}

impl Through {
    pub(crate) fn new(input: Map, output: Map, epilogue: Epilogue) -> Result<Self, ShapeError> {
        output.check_channels(&input)?;
        epilogue.check(&output)?;
        Ok(Self { input, output, epilogue })
    }
}

pub(crate) trait Local: Copy {
    fn through(&self) -> &Through;
    /// Packed weights of one block, in values; bias and slopes are not among them.
    fn block_weights(&self) -> usize {
        0
    }
    /// The rows of the input that these rows of the output are computed from.
    fn rows_under(&self, rows: &Range<usize>) -> Range<usize>;
    /// The values of P pixels of one block before the epilogue; sums start from `bias`.
    ///
    /// # Safety
    /// `input` is the block's plane, border included, whose rows under the tile are in memory; `weights` its packed
    /// values.
    unsafe fn tile<S: Simd, const P: usize>(
        &self,
        s: S,
        input: *const f32,
        weights: *const f32,
        bias: S::V,
        places: &Places<P>,
    ) -> [S::V; P];
}

pub(crate) fn packed_len(operator: &impl Local) -> usize {
    let blocks = operator.through().output.blocks();
    head_len(blocks) + blocks * operator.block_weights()
}

pub(crate) fn run_local<L: Local>(
    operator: &L,
    isa: Isa,
    inputs: Inputs<'_>,
    part: Part,
    output: &mut [f32],
) -> Result<(), ShapeError> {
    let Through { input, output: map, .. } = operator.through();
    check_len("input", input.len(), inputs.input.len())?;
    let mut piece = part.piece(map, output)?;
    let source = Held { values: inputs.input, from: 0 };
    part.slabs(map).try_for_each(|slab| run_slab(operator, isa, &inputs, source, &slab, &mut piece))
}

/// Computes a slab into `piece` from the rows of the input in `source`.
pub(crate) fn run_slab<L: Local>(
    operator: &L,
    isa: Isa,
    inputs: &Inputs<'_>,
    source: Held<'_>,
    slab: &Slab,
    piece: &mut Piece<'_>,
) -> Result<(), ShapeError> {
    let Through { input: from, output: map, epilogue } = operator.through();
    check_len("packed weights", packed_len(operator), inputs.packed.len())?;
    epilogue.check_residual(inputs.residual)?;
    let read = Slab { blocks: slab.blocks.clone(), rows: operator.rows_under(&slab.rows) };
    let input = from.source(&read, source)?;
    let output = map.begin(slab, piece)?;
    isa.run(Planes { operator, inputs, input, slab, output });
    Ok(())
}

struct Planes<'a, L> {
    operator: &'a L,
    inputs: &'a Inputs<'a>,
    /// Where the first values of the whole input and output maps would lie: only the slab's rows need be in memory.
    input: *const f32,
    slab: &'a Slab,
    output: *mut f32,
}

impl<L: Local> Kernel for Planes<'_, L> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let map = self.operator.through().output;
        let pixels = self.slab.rows.len() * map.width();
        let middle = pixels / PIXELS * PIXELS;
        for block in self.slab.blocks.clone() {
            self.tiles::<S, PIXELS>(s, block, 0..middle);
            self.tiles::<S, 1>(s, block, middle..pixels);
        }
    }
}

impl<L: Local> Planes<'_, L> {
    #[inline(always)]
    fn tiles<S: Simd, const P: usize>(&self, s: S, block: usize, pixels: Range<usize>) {
        let operator = self.operator;
        let Through { input: from, output: map, epilogue } = operator.through();
        let finish = Finish::new(epilogue, map, self.inputs, block);
        let input = self.input.wrapping_add(block * from.plane_stride());
        let weights = head_len(map.blocks()) + block * operator.block_weights();
        let weights = self.inputs.packed.as_ptr().wrapping_add(weights);
        let output = self.output.wrapping_add(map.row_0(block, self.slab.rows.start));
        // SAFETY: the block's bias.
        let bias = unsafe { s.load(finish.bias) };
        let mut walk = Walk::new(self.slab.rows.start, 0, map.width(), pixels.start);
        for _ in 0..pixels.len() / P {
            let places = walk.take::<P>();
            let mut at = [output; P];
            for p in 0..P {
                at[p] = output.wrapping_add(places.rows[p] * map.row_stride() + places.columns[p] * LANES);
            }
            // SAFETY: `run_slab` checked the slices' lengths, `new` the operator's windows.
            unsafe {
                let values = operator.tile(s, input, weights, bias, &places);
                let mut sums = [[bias]; P];
                for p in 0..P {
                    sums[p][0] = values[p];
                }
                finish.apply(s, &places, &at, 0, sums);
            }
        }
    }
}

/// The public methods of a [`Local`] operator: `output`, `packed_len`, `run` and `run_part`.
macro_rules! local_operator {
    // For operators without weights: also a `pack` that takes slopes alone.
    ($name:ident, slopes alone) => {
        crate::local::local_operator!($name);

        impl $name {
            /// Writes PReLU slopes, where the activation is one; all zeros else.
            ///
            /// # Errors
            /// When a slice has not the operator's length, or slopes and activation disagree.
            pub fn pack(&self, slopes: Option<&[f32]>, packed: &mut [f32]) -> Result<(), ShapeError> {
                crate::error::check_len("packed weights", self.packed_len(), packed.len())?;
                self.through.epilogue.pack(&self.through.output, None, slopes, packed).map(drop)
            }
        }
    };
    ($name:ident) => {
        impl $name {
            /// How the output lies.
            #[must_use]
            pub const fn output(&self) -> Map {
                self.through.output
            }

            /// Values that `pack` writes.
            #[must_use]
            pub fn packed_len(&self) -> usize {
                crate::local::packed_len(self)
            }

            /// Computes the whole output, border included.
            ///
            /// # Errors
            /// When a slice has not the operator's length.
            pub fn run(
                &self,
                isa: crate::Isa,
                inputs: crate::Inputs<'_>,
                output: &mut [f32],
            ) -> Result<(), ShapeError> {
                self.run_part(isa, inputs, crate::Part::WHOLE, output)
            }

            /// Computes one part; `output` is its own piece of the buffer, [`Part::range`](crate::Part::range)
            /// of the output's map.
            ///
            /// # Errors
            /// When a slice has not the operator's length.
            pub fn run_part(
                &self,
                isa: crate::Isa,
                inputs: crate::Inputs<'_>,
                part: crate::Part,
                output: &mut [f32],
            ) -> Result<(), ShapeError> {
                crate::local::run_local(self, isa, inputs, part, output)
            }
        }
    };
}
pub(crate) use local_operator;
