//! One buffer for all maps: those that never live at the same time share memory.

use std::ops::Range;

/// When a map is needed, counted in steps, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// Values; a multiple of 16 keeps every map at a 64-byte boundary.
    pub(super) len: usize,
    /// The step that writes it.
    pub(super) from: usize,
    /// The last step that reads it.
    pub(super) until: usize,
}

impl Life {
    const fn meets(&self, other: &Self) -> bool {
        self.from <= other.until && other.from <= self.until
    }
}

/// Where each map lies, and how long the buffer is; `None` where that overflows. The longest maps are
/// placed first, each as low as the maps that live beside it allow: near the least possible, not always it.
pub(super) fn place(lives: &[Life]) -> Option<(Vec<Range<usize>>, usize)> {
    let mut longest: Vec<usize> = (0..lives.len()).collect();
    longest.sort_by_key(|&index| std::cmp::Reverse(lives[index].len));
    let mut places = vec![0..0; lives.len()];
    let mut total = 0;
    for (rank, &index) in longest.iter().enumerate() {
        let beside = longest[..rank].iter().filter(|&&other| lives[other].meets(&lives[index]));
        let mut taken: Vec<Range<usize>> = beside.map(|&other| places[other].clone()).collect();
        taken.sort_by_key(|range| range.start);
        let mut start = 0_usize;
        for range in taken {
            if start.checked_add(lives[index].len)? <= range.start {
                break;
            }
            start = start.max(range.end);
        }
        let end = start.checked_add(lives[index].len)?;
        places[index] = start..end;
        total = total.max(end);
    }
    Some((places, total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chain_shares_memory_though_not_always_the_least() {
        let chain = |lens: &[usize]| {
            let life = |(i, &len)| Life { len, from: i, until: i + 1 };
            place(&lens.iter().enumerate().map(life).collect::<Vec<_>>()).unwrap().1
        };
        assert_eq!(chain(&[64, 32, 64, 32, 64, 32]), 96);
        // The least is 80, for the two neighbours 32 and 48. Placing the longest first leaves no gap for the 16
        // between.
        assert_eq!(chain(&[16, 32, 48, 16, 32, 48]), 96);
    }

    #[test]
    fn what_overflows_is_refused() {
        let life = Life { len: usize::MAX, from: 0, until: 1 };
        assert_eq!(place(&[life, life]), None);
    }

    proptest! {
        #[test]
        fn maps_that_live_together_never_overlap(
            drawn in proptest::collection::vec((1_usize..9, 0_usize..20, 0_usize..9), 1..30),
        ) {
            let lives: Vec<Life> = drawn
                .iter()
                .map(|&(len, from, more)| Life { len: len * 16, from, until: from + more })
                .collect();
            let (places, total) = place(&lives).unwrap();
            for (i, a) in places.iter().enumerate() {
                prop_assert_eq!(a.len(), lives[i].len);
                prop_assert!(a.end <= total);
                for (j, b) in places.iter().enumerate().skip(i + 1) {
                    prop_assert!(!lives[i].meets(&lives[j]) || a.end <= b.start || b.end <= a.start);
                }
            }
        }
    }
}
