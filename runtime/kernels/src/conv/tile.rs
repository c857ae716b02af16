//! How an operator's loops are cut into tiles: data, so that a board may have its own (see arcdoor-infer's `Tuning`).

use crate::gemm::Window;
use crate::isa::Isa;
use crate::map::{LANES, Map};

/// How a convolution's loops are cut. Every tile gives the same values, bit for bit; only time differs.
/// A tile beyond what the instruction set's registers hold is cut down to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Output pixels summed in registers at once, 1 to 14.
    pub pixels: usize,
    /// Blocks of output channels summed in registers at once: 1, 2 or 4.
    pub blocks: usize,
    /// Input planes in one pass, so that their weights stay in the nearest cache.
    pub planes: usize,
    /// Output pixels in one strip, through which every block of output channels is computed before the
    /// next strip.
    pub strip: usize,
}

impl Tile {
    pub(super) fn fastest(isa: Isa, window: &Window, output: &Map) -> Self {
        let sums = isa.sums();
        let weights = window.planes * window.plane_weights * output.blocks();
        if output.height() * output.width() == 1 {
            // All the time goes into reading the weights from memory, once: four blocks are four streams side by side.
            return Self { pixels: 1, blocks: 4, planes: usize::MAX, strip: 1 };
        }
        let short = window.rows * window.columns == 1 || window.inner < LANES;
        if sums >= 24 && short {
            return Self::short(window, output.blocks(), weights);
        }
        if window.inner < LANES && isa.tight() {
            // Windows of a planar image overlap, and what they share is kept in registers as well: with 6 pixels AVX2
            // runs out of them. Without strips, tiles run along whole rows.
            return Self { pixels: 4, blocks: 1, planes: usize::MAX, strip: usize::MAX };
        }
        let blocks = if sums > 14 && output.blocks() > 1 { 2 } else { 1 };
        // The weights of one pass stay in half of a nearest cache of 32 KiB.
        let planes = 4096 / (window.plane_weights * blocks);
        // Weights that fit into a quarter of a second cache of 1 MiB are read again for each strip, so that
        // the strip's input stays near; heavier ones are read once.
        let strip = if weights <= 1 << 16 { 16 * sums / blocks } else { usize::MAX };
        Self { pixels: sums / blocks, blocks, planes: planes.max(1), strip }
    }

    /// The tile for short sums, where storing takes a good part of the time, on sets with at least 24 sums in
    /// registers. Several blocks share each pixel's values, and all outputs of a strip are written while its inputs
    /// are in a near cache. The numbers are those that were fastest on a Zen 4 (AVX-512); tiles that fill every
    /// register were slower.
    fn short(window: &Window, blocks: usize, weights: usize) -> Self {
        let strip = match (weights, window.planes) {
            (0..=0x4000, 5..) => 24,
            (0x4001..=0x1_0000, _) => 96,
            _ => usize::MAX,
        };
        let (pixels, blocks) = match blocks {
            n if n.is_multiple_of(4) && window.planes > 4 => (6, 4),
            n if n.is_multiple_of(4) => (4, 4),
            1 => (10, 1),
            _ if window.inner < LANES => (6, 2),
            _ => (8, 2),
        };
        Self { pixels, blocks, planes: usize::MAX, strip }
    }

    /// The sizes worth trying, `[pixels, blocks]`: those that fill at least half of the registers of `isa`.
    pub fn sizes(isa: Isa) -> impl Iterator<Item = [usize; 2]> {
        [1, 2, 4].into_iter().flat_map(move |blocks| {
            let most = Self { pixels: usize::MAX, blocks, planes: 1, strip: 1 }.fitted(isa);
            let least = if most.blocks == blocks { most.pixels.div_ceil(2) } else { usize::MAX };
            (least..=most.pixels).map(move |pixels| [pixels, blocks])
        })
    }

    /// This tile within the registers of `isa`.
    pub(crate) fn fitted(self, isa: Isa) -> Self {
        let sums = isa.sums();
        let blocks = match self.blocks {
            4.. if sums >= 4 => 4,
            2.. if sums >= 2 => 2,
            _ => 1,
        };
        let pixels = self.pixels.clamp(1, (sums / blocks).min(if blocks == 4 { 6 } else { 14 }));
        Self { pixels, blocks, planes: self.planes.max(1), strip: self.strip.max(1) }
    }
}
