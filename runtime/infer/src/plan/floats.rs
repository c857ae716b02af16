//! f32 buffers that start where cache lines start.

use std::ops::Range;

/// Values of one cache line of 64 bytes, the alignment with which kernels are fastest.
const LINE: usize = 16;

/// A buffer of zeros, at a 64-byte boundary; it never moves.
#[derive(Debug)]
pub(super) struct Floats {
    values: Box<[f32]>,
    used: Range<usize>,
}

impl Floats {
    pub(super) fn new(len: usize) -> Self {
        let values = vec![0.0; len + LINE - 1].into_boxed_slice();
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE - 1);
        Self { values, used: start..start + len }
    }

    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    pub(super) fn all(&self) -> &[f32] {
        &self.values[self.used.clone()]
    }

    pub(super) fn all_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.used.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_at_a_boundary() {
        for len in [0, 1, 16, 1000] {
            let mut floats = Floats::new(len);
            assert_eq!((floats.len(), floats.all().len()), (len, len));
            assert_eq!(floats.all_mut().as_ptr() as usize % 64, 0);
        }
    }
}
