//! The rows of a unit: of length 1, filled up with zeros to whole lanes; and, for the sieve, as bytes. A row of zeros, which
//! stands for no face, stays one: it scores 0 with everybody.

use std::ops::Range;

use anyhow::Result;
use arcdoor_kernels::{LANES, LeftTerms, RightTerms, SIEVE_LEFTS, SIEVE_RIGHTS, pack_lefts, pack_rights};

use crate::trouble::Trouble;
use crate::verify::grid::{STEPS, Step};
use crate::verify::task::Side;

/// What a score in f32 and its bound may err by together. Of 1024 values, a sum errs by 69 roundings of 2^-24 at most
/// (64 fused steps in a lane, 4 additions, the last rounding) times a length of 1: 4.2e-6; the bound's own seven
/// roundings, its lengths and errors taken as f32: 5e-7.
const SLACK: f64 = 1e-5;

/// Rows of length 1, or of zeros.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) dimension: usize,
    pub(crate) values: Vec<f32>,
    raw: Vec<f32>,
}

impl Block {
    /// Reads rows of `side` in place of those that were here.
    pub(crate) fn read(&mut self, side: &Side<'_>, range: Range<usize>, columns: usize) -> Result<()> {
        self.dimension = columns.next_multiple_of(LANES);
        self.values.clear();
        self.append(side, range, columns)
    }

    /// The same with rows that lie apart.
    pub(crate) fn read_some(&mut self, side: &Side<'_>, rows: &[usize], columns: usize) -> Result<()> {
        self.dimension = columns.next_multiple_of(LANES);
        self.values.clear();
        rows.iter().try_for_each(|row| self.append(side, *row..row + 1, columns))
    }

    fn append(&mut self, side: &Side<'_>, range: Range<usize>, columns: usize) -> Result<()> {
        self.raw.resize(range.len() * columns, 0.0);
        side.read(range.clone(), &mut self.raw)?;
        let here = self.values.len();
        self.values.resize(here + range.len() * self.dimension, 0.0);
        let rows = self.raw.chunks_exact(columns).zip(self.values[here..].chunks_exact_mut(self.dimension));
        for (at, (raw, row)) in range.zip(rows) {
            let length = length(raw);
            if length == 0.0 && side.may_miss() {
                continue;
            }
            if length == 0.0 {
                let row = side.source(at);
                let text = format!("row {row} holds only zeros: the model or its input is broken");
                return Err(Trouble::BadInput(text).into());
            }
            let inverse = 1.0 / length;
            row.iter_mut().zip(raw).for_each(|(out, value)| *out = (f64::from(*value) * inverse) as f32);
        }
        Ok(())
    }

    /// One row of another block, in place of those that were here.
    pub(crate) fn copy_row(&mut self, other: &Self, row: usize) {
        self.dimension = other.dimension;
        self.values.clear();
        self.values.extend_from_slice(other.row(row));
    }

    pub(crate) fn rows(&self) -> usize {
        self.values.len() / self.dimension.max(1)
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dimension..(row + 1) * self.dimension]
    }
}

/// In eight sums, which the compiler keeps side by side; their order is fixed.
fn length(row: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let (eights, rest) = row.as_chunks::<8>();
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, value)| *sum += f64::from(*value) * f64::from(*value));
    }
    let rest: f64 = rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    (sums.iter().sum::<f64>() + rest).sqrt()
}

/// A row as bytes: row = scale * bytes + rest.
struct Bytes {
    scale: f64,
    /// Of scale * bytes.
    length: f64,
    /// Of the rest.
    error: f64,
}

/// Bytes near `row`, its largest value at 127. Whole lanes alone.
fn quantise(row: &[f32], out: &mut [i8]) -> Bytes {
    /// Adding it leaves the nearest whole number in the low bits.
    const SHIFT: f32 = 12_582_912.0;
    let largest = row.iter().fold(0.0_f32, |most, value| if value.abs() > most { value.abs() } else { most });
    // As f32, because the sieve takes it so. Any will do for zeros.
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    let inverse = 1.0 / scale;
    // Which byte is taken changes the errors, which are computed, and not whether the bound holds.
    for (value, out) in row.iter().zip(&mut *out) {
        *out =
            ((value * inverse + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()) as i32).clamp(-127, 127) as i8;
    }
    let scale = f64::from(scale);
    let (mut length, mut error) = ([0.0; 8], [0.0; 8]);
    let (values, _) = row.as_chunks::<8>();
    for (values, bytes) in values.iter().zip(out.as_chunks::<8>().0) {
        for lane in 0..8 {
            let (value, stands_for) = (f64::from(values[lane]), scale * f64::from(bytes[lane]));
            length[lane] += stands_for * stands_for;
            error[lane] += (value - stands_for) * (value - stands_for);
        }
    }
    let root = |sums: [f64; 8]| sums.iter().sum::<f64>().sqrt();
    Bytes { scale, length: root(length), error: root(error) }
}

/// Left rows in panels.
#[derive(Debug, Default)]
pub(crate) struct Lefts {
    pub(crate) bytes: Vec<i8>,
    pub(crate) terms: Vec<[LeftTerms; SIEVE_LEFTS]>,
}

impl Lefts {
    /// The rows of `block`, which are to come through from `floor` on.
    pub(crate) fn fill(&mut self, block: &Block, floor: Step) {
        // A score is at the floor when it is rounded there: half a step below it.
        let floor = (f64::from(floor.0) - 0.5) / f64::from(STEPS) - SLACK;
        let dimension = block.dimension;
        let panels = block.rows().div_ceil(SIEVE_LEFTS);
        self.bytes.resize(panels * SIEVE_LEFTS * dimension, 0);
        self.terms.clear();
        let mut rows = vec![0; SIEVE_LEFTS * dimension];
        for (panel, packed) in self.bytes.chunks_exact_mut(SIEVE_LEFTS * dimension).enumerate() {
            let mut terms = [LeftTerms { floor: f32::INFINITY, ..LeftTerms::default() }; SIEVE_LEFTS];
            let first = panel * SIEVE_LEFTS;
            let count = (block.rows() - first).min(SIEVE_LEFTS);
            for (at, row) in rows.chunks_exact_mut(dimension).take(count).enumerate() {
                let found = quantise(block.row(first + at), row);
                terms[at] = LeftTerms {
                    bias: 128 * row.iter().map(|byte| i32::from(*byte)).sum::<i32>(),
                    error: (found.error / found.scale) as f32,
                    length: (1.0 / found.scale) as f32,
                    floor: (floor / found.scale) as f32,
                };
            }
            pack_lefts(dimension, &rows[..count * dimension], packed);
            self.terms.push(terms);
        }
    }
}

/// Right rows in panels.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    pub(crate) bytes: Vec<u8>,
    pub(crate) terms: Vec<RightTerms>,
}

impl Rights {
    /// The rows of `block`.
    pub(crate) fn fill(&mut self, block: &Block) {
        let dimension = block.dimension;
        let panels = block.rows().div_ceil(SIEVE_RIGHTS);
        self.bytes.resize(panels * SIEVE_RIGHTS * dimension, 0);
        self.terms.clear();
        let mut rows = vec![0; SIEVE_RIGHTS * dimension];
        for (panel, packed) in self.bytes.chunks_exact_mut(SIEVE_RIGHTS * dimension).enumerate() {
            let none = [0.0; SIEVE_RIGHTS];
            let mut terms = RightTerms { scale: none, length: none, error: none };
            let first = panel * SIEVE_RIGHTS;
            let count = (block.rows() - first).min(SIEVE_RIGHTS);
            for (at, row) in rows.chunks_exact_mut(dimension).take(count).enumerate() {
                let found = quantise(block.row(first + at), row);
                terms.scale[at] = found.scale as f32;
                terms.length[at] = found.length as f32;
                terms.error[at] = found.error as f32;
            }
            pack_rights(dimension, &rows[..count * dimension], packed);
            self.terms.push(terms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What the sieve rests on: no score lies further from its bytes' than the two errors allow.
        #[test]
        fn bytes_bound_a_score(
            left in proptest::collection::vec(-1.0_f32..1.0, 64),
            right in proptest::collection::vec(-1.0_f32..1.0, 64),
        ) {
            let [mut p, mut q] = [[0_i8; 64]; 2];
            let (a, b) = (quantise(&left, &mut p), quantise(&right, &mut q));
            let exact: f64 = left.iter().zip(&right).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            let dot: i32 = p.iter().zip(&q).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum();
            let near = a.scale * b.scale * f64::from(dot);
            prop_assert!((exact - near).abs() <= a.error * b.length + length(&left) * b.error + 1e-12);
        }
    }
}
