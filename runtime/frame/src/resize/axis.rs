//! Which source pixels make a target pixel, along one axis.

use std::ops::Range;

/// Weights are multiples of one over this, so that those of a target pixel add up to one exactly.
const ONE: f64 = 65_536.0;

/// The source pixels of one target pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// The first of them.
    first: u32,
    /// Where their weights begin in [`Axis`]'s `weights`; they end where the next span's begin.
    weights: u32,
}

/// The weights of every target pixel along one axis: a triangle as wide as two target pixels (two source
/// pixels where the image grows), cut at the edges.
#[derive(Debug, Default)]
pub(super) struct Axis {
    from: u32,
    to: u32,
    spans: Vec<Span>,
    weights: Vec<f32>,
}

impl Axis {
    /// Makes room, so that [`fit`](Self::fit) allocates nothing for sides up to these.
    pub(super) fn reserve(&mut self, from: u32, to: u32) {
        // A span is at most 2 * max(from / to, 1) + 2 pixels long.
        let (from, to) = (from as usize, to as usize);
        self.spans.reserve((to + 1).saturating_sub(self.spans.len()));
        self.weights.reserve((2 * from + 4 * to).saturating_sub(self.weights.len()));
    }

    /// Computes the weights from `from` to `to` pixels, each at least 1, unless they were computed last.
    pub(super) fn fit(&mut self, from: u32, to: u32) {
        if (self.from, self.to) == (from, to) {
            return;
        }
        self.reserve(from, to);
        self.spans.clear();
        self.weights.clear();
        for target in 0..to {
            self.push(from, to, target);
        }
        self.spans.push(Span { first: 0, weights: self.weights.len() as u32 });
        (self.from, self.to) = (from, to);
    }

    fn push(&mut self, from: u32, to: u32, target: u32) {
        let scale = f64::from(from) / f64::from(to);
        let radius = scale.max(1.0);
        let centre = (f64::from(target) + 0.5) * scale;
        let first = (centre - radius).max(0.0) as u32;
        let end = ((centre + radius).ceil() as u32).min(from);
        let height = |x: u32| (1.0 - ((f64::from(x) + 0.5 - centre) / radius).abs()).max(0.0);
        let sum: f64 = (first..end).map(height).sum();
        let mut span = Span { first, weights: self.weights.len() as u32 };
        // Rounding the running sum, not each weight, keeps the whole exact.
        let (mut until, mut taken) = (0.0, 0.0);
        for x in first..end {
            until += height(x) / sum;
            let weight = (until * ONE).round() - taken;
            taken += weight;
            if weight > 0.0 {
                self.weights.push((weight / ONE) as f32);
            } else if self.weights.len() == span.weights as usize {
                span.first = x + 1;
            } else {
                self.weights.push(0.0);
            }
        }
        while self.weights.last() == Some(&0.0) {
            self.weights.pop();
        }
        self.spans.push(span);
    }

    /// For each target pixel its first source pixel, and the weights of that one and those that follow it:
    /// multiples of 1 / 65,536 whose sum is 1.
    pub(super) fn spans(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.spans.windows(2).map(|pair| {
            let weights: Range<usize> = pair[0].weights as usize..pair[1].weights as usize;
            (pair[0].first as usize, &self.weights[weights])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quarter_takes_eight_pixels_and_the_same_size_one() {
        let mut axis = Axis::default();
        axis.fit(32, 8);
        let (first, weights) = axis.spans().nth(3).unwrap();
        let expected = [1.0, 3.0, 5.0, 7.0, 7.0, 5.0, 3.0, 1.0].map(|v: f32| v / 32.0);
        assert_eq!((first, weights), (10, &expected[..]));
        axis.fit(5, 5);
        assert!(axis.spans().enumerate().all(|(i, span)| span == (i, &[1.0][..])));
    }

    proptest! {
        #[test]
        fn weights_lie_within_the_source_and_add_up_to_one(
            from in 1_u32..700, to in 1_u32..700, other in 1_u32..700
        ) {
            let mut axis = Axis::default();
            axis.reserve(from.max(other), to.max(other));
            let room = (axis.spans.capacity(), axis.weights.capacity());
            for (from, to) in [(from, to), (other, to), (from, other)] {
                axis.fit(from, to);
                prop_assert_eq!(axis.spans().count(), to as usize);
                for (first, weights) in axis.spans() {
                    prop_assert!(!weights.is_empty() && first + weights.len() <= from as usize);
                    prop_assert_eq!(weights.iter().map(|&w| f64::from(w)).sum::<f64>(), 1.0);
                    prop_assert!(weights.iter().all(|&w| w >= 0.0));
                }
            }
            prop_assert_eq!((axis.spans.capacity(), axis.weights.capacity()), room);
        }
    }
}
