//! Rows of equal length, one after the other, each on a 64-byte boundary.

use zeroize::{DefaultIsZeroes, Zeroize as _};

const LINE_BYTES: usize = 64;

/// Contiguous rows; a row of `dimension` values is followed by zeros up to `stride`.
#[derive(Debug)]
pub(crate) struct Rows<T: DefaultIsZeroes> {
    values: Vec<T>,
    start: usize,
    stride: usize,
    count: usize,
}

impl<T: DefaultIsZeroes> Rows<T> {
    /// Values of `T` in a cache line.
    const LINE: usize = LINE_BYTES / size_of::<T>();

    pub(crate) fn new(dimension: usize) -> Self {
        let stride = dimension.next_multiple_of(Self::LINE);
        Self { values: Vec::new(), start: 0, stride, count: 0 }
    }

    pub(crate) const fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.count * self.stride * size_of::<T>()
    }

    /// All rows, `stride` values each.
    pub(crate) fn all(&self) -> &[T] {
        &self.values[self.start..self.start + self.count * self.stride]
    }

    pub(crate) fn row(&self, index: usize) -> &[T] {
        &self.all()[index * self.stride..(index + 1) * self.stride]
    }

    /// Makes room for `count` rows in all.
    pub(crate) fn reserve(&mut self, count: usize) {
        let needed = count * self.stride + Self::LINE;
        if needed <= self.values.len() {
            return;
        }
        let mut values = vec![T::default(); needed];
        let misaligned = values.as_ptr().addr() % LINE_BYTES / size_of::<T>();
        let start = (Self::LINE - misaligned) % Self::LINE;
        values[start..start + self.count * self.stride].copy_from_slice(self.all());
        self.values.as_mut_slice().zeroize();
        self.values = values;
        self.start = start;
    }

    /// Adds a row of at most `stride` values.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = T>) {
        if (self.count + 1) * self.stride + Self::LINE > self.values.len() {
            self.reserve((self.count * 2).max(64));
        }
        let at = self.start + self.count * self.stride;
        self.count += 1;
        for (place, value) in self.values[at..at + self.stride].iter_mut().zip(row) {
            *place = value;
        }
    }

    /// Takes a row away; the last row moves to its place, and what is freed is overwritten by zeros.
    pub(crate) fn swap_remove(&mut self, index: usize) {
        let last = self.start + (self.count - 1) * self.stride;
        let at = self.start + index * self.stride;
        self.values.copy_within(last..last + self.stride, at);
        self.values[last..last + self.stride].zeroize();
        self.count -= 1;
    }
}

impl<T: DefaultIsZeroes> Drop for Rows<T> {
    fn drop(&mut self) {
        self.values.as_mut_slice().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stay_aligned_and_whole_while_they_grow_and_shrink() {
        let mut rows = Rows::<f32>::new(5);
        for index in 0..200 {
            rows.push([index as f32; 5]);
        }
        assert_eq!(rows.all().as_ptr().addr() % LINE_BYTES, 0);
        assert_eq!(rows.row(150)[..6], [150.0, 150.0, 150.0, 150.0, 150.0, 0.0]);
        rows.swap_remove(150);
        rows.swap_remove(198);
        assert_eq!(rows.row(150)[0], 199.0);
        assert_eq!(rows.all().len(), 198 * 16);
        assert!(!rows.values.contains(&198.0), "a removed row was left in memory");
    }
}
