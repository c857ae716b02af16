//! Chains of steps that run band by band, so that what they hand on stays in a near cache: a few rows of each
//! map between them are held, and the rows that the next band reads again are moved to the front.

use std::ops::Range;

use arcdoor_kernels::{Map, ShapeError, Taps};

/// Rows of a map beyond which nothing runs band by band: fitting the bands takes time that grows with them, and
/// no door's picture has as many.
const MOST_ROWS: usize = 4096;

/// Which steps run band by band: data, so that a board may name its own. In bytes, but `rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bands {
    /// A map between two steps from this size on is handed on band by band.
    pub from: usize,
    /// What is held of all maps of a chain together: a share of the second cache.
    pub held: usize,
    /// The heaviest weights of a step that each band reads again.
    pub weights: usize,
    /// Least rows of a chain's output in a band: shorter bands cost more calls than they save memory.
    pub rows: usize,
}

impl Default for Bands {
    /// Nothing: on an x86-64 core with 1 MiB and 32 MiB of caches whole maps were as fast or faster at every limit
    /// tried. Where memory is slow and small, `bench profile` takes the limits to try.
    fn default() -> Self {
        Self { from: usize::MAX, held: 64 << 10, weights: 160 << 10, rows: 8 }
    }
}

/// Values that are moved at once.
const PIECE: usize = 256;

/// How the rows of a step's output follow from those of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// Rows of a window, from one window to the next, and above and below the input.
    kernel: usize,
    stride: usize,
    top: usize,
    bottom: usize,
    /// Rows of the output.
    height: usize,
}

impl Link {
    /// `None` where rows are read again out of order, or windows lie in the padding alone.
    pub(super) fn new(taps: Taps, height: usize) -> Option<Self> {
        let [top, _, bottom, _] = taps.pads;
        let link = Self { kernel: taps.kernel[0], stride: taps.stride, top, bottom, height };
        (link.kernel >= link.stride + top && link.kernel > top + bottom).then_some(link)
    }

    /// Rows of the output.
    pub(super) const fn height(self) -> usize {
        self.height
    }

    /// Rows of the input that a view of it holds for the output's `rows`: padding comes from its border.
    pub(super) fn input(self, rows: &Range<usize>) -> Range<usize> {
        let first = rows.start * self.stride;
        first..first + (rows.len() - 1) * self.stride + self.kernel - self.top - self.bottom
    }

    /// Rows of the input of which the output's first `end` rows need all.
    const fn needs(self, end: usize) -> usize {
        (end - 1) * self.stride + self.kernel - self.top
    }
}

/// How far a step of a chain has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Rows of its output that this band makes.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The row that lies first in the held map, and by how many rows that moved for this band.
    pub(super) base: usize,
    moved: usize,
}

/// Consecutive steps, each of which reads what the one before makes.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) steps: Range<usize>,
    pub(super) links: Vec<Link>,
    /// Rows of the last step's output in a band.
    band: usize,
}

impl Chain {
    /// Plans the next band; `false` where all is done.
    pub(super) fn advance(&self, progress: &mut [Progress]) -> bool {
        let (Some(last), Some(link)) = (self.links.len().checked_sub(1), self.links.last()) else {
            return false;
        };
        if progress[last].to == link.height {
            return false;
        }
        for index in (0..=last).rev() {
            let from = progress[index].to;
            let (base, to) = if index == last {
                (0, (from + self.band).min(link.height))
            } else {
                let (reader, reads) = (self.links[index + 1], progress[index + 1]);
                let needed = if reads.to > reads.from { reader.needs(reads.to) } else { from };
                (reads.from * reader.stride, needed.clamp(from, self.links[index].height))
            };
            let moved = base - progress[index].base.min(base);
            progress[index] = Progress { from, to, base, moved };
        }
        true
    }

    /// A chain with bands as high as `bands` allows, and what is held of the `maps` between its steps. `None`
    /// where not even the least band fits.
    pub(super) fn fit(
        steps: Range<usize>,
        links: Vec<Link>,
        maps: &[Map],
        bands: Bands,
    ) -> Option<(Self, Vec<Map>)> {
        let mut best = None;
        let height = links.last()?.height;
        if height > MOST_ROWS {
            return None;
        }
        let mut chain = Self { steps, links, band: bands.rows.clamp(1, height) };
        while chain.band <= height {
            let held = chain.held(maps)?;
            if held.iter().map(|map| 4 * map.len()).sum::<usize>() > bands.held {
                break;
            }
            best = Some((chain.clone(), held));
            chain.band += 1;
        }
        // Bands as equal as can be.
        let (mut chain, _) = best?;
        chain.band = height.div_ceil(height.div_ceil(chain.band));
        let held = chain.held(maps)?;
        Some((chain, held))
    }

    /// What has to be held of each map between the steps.
    fn held(&self, maps: &[Map]) -> Option<Vec<Map>> {
        let mut progress = vec![Progress::default(); self.links.len()];
        let mut heights = vec![1; self.links.len() - 1];
        while self.advance(&mut progress) {
            for (index, height) in heights.iter_mut().enumerate() {
                let (made, reads) = (progress[index], progress[index + 1]);
                let seen = if reads.to > reads.from {
                    self.links[index + 1].input(&(reads.from..reads.to)).end
                } else {
                    0
                };
                *height = (*height).max(made.to.max(seen).saturating_sub(made.base));
            }
        }
        let map =
            |(map, height): (&Map, usize)| Map::new(map.channels(), height, map.width(), map.border()).ok();
        maps.iter().zip(heights).map(map).collect()
    }
}

impl Progress {
    /// Moves the rows of a held map that are still read to its front.
    pub(super) fn keep(self, map: &Map, values: &mut [f32]) {
        if self.moved == 0 {
            return;
        }
        let row = map.row_stride();
        let start = self.moved * row;
        // With the border below, which means something once the last row is made.
        let kept = (self.from + 2 * map.border()).saturating_sub(self.base) * row;
        for block in 0..map.blocks() {
            let plane = values.get_mut(block * map.plane_stride()..).unwrap_or_default();
            // In short pieces: one long move may be made past the caches.
            for at in (0..kept).step_by(PIECE) {
                plane.copy_within(start + at..start + kept.min(at + PIECE), at);
            }
        }
    }

    /// The rows that this band makes as a part of a whole map of `height` rows.
    pub(super) fn of_whole(self, map: &Map) -> Result<(Map, Range<usize>), ShapeError> {
        map.rows(self.from..self.to, [self.from == 0, self.to == map.height()])
    }

    /// The same of a held map; `height` are the rows of the whole.
    pub(super) fn of_held(self, map: &Map, height: usize) -> Result<(Map, Range<usize>), ShapeError> {
        map.rows(self.from - self.base..self.to - self.base, [self.from == 0, self.to == height])
    }
}
