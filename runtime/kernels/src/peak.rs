//! The most multiply-adds that a core can do: what benches compare operators with.

use crate::isa::Isa;
use crate::map::LANES;
use crate::simd::{Kernel, Simd};

/// Independent sums of 16 lanes of a step: with registers of fewer lanes, enough to hide the latency of a fused
/// multiply-add. Where a register holds all 16, twice as many are needed (two units, 4 cycles: 8), and two steps are
/// done as one.
const CHAINS: usize = 6;

/// Fused multiply-adds of one step of [`multiply_adds`].
pub const PEAK_MACS: u64 = (CHAINS * LANES) as u64;

struct Peak<'a> {
    steps: usize,
    sum: &'a mut f32,
}

impl Kernel for Peak<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        if S::SUMS >= 2 * CHAINS {
            self.chains::<S, { 2 * CHAINS }>(s, 2);
        } else {
            self.chains::<S, CHAINS>(s, 1);
        }
    }
}

impl Peak<'_> {
    #[inline(always)]
    fn chains<S: Simd, const N: usize>(self, s: S, at_once: usize) {
        let (factor, term) = (s.splat(0.5), s.splat(1.0));
        let mut sums = [s.splat(1.0); N];
        for _ in 0..self.steps.div_ceil(at_once) {
            for sum in &mut sums {
                *sum = s.fma(*sum, factor, term);
            }
        }
        let mut out = [0.0; LANES];
        let all = sums.into_iter().reduce(|a, b| s.add(a, b)).unwrap_or(term);
        // SAFETY: 16 values can be written.
        #[allow(unsafe_code)]
        unsafe {
            s.store(out.as_mut_ptr(), all);
        }
        *self.sum = out.iter().sum();
    }
}

/// `steps` (an even number) times [`PEAK_MACS`] multiply-adds in registers alone; what comes out depends on all of them.
#[must_use]
pub fn multiply_adds(isa: Isa, steps: usize) -> f32 {
    let mut sum = 0.0;
    isa.run(Peak { steps, sum: &mut sum });
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chain_is_computed() {
        // From 1, x = x / 2 + 1 goes to 2 and reaches it in f32.
        assert_eq!(multiply_adds(Isa::portable(), 100), 2.0 * PEAK_MACS as f32);
        assert_eq!(multiply_adds(Isa::portable(), 1), 1.5 * PEAK_MACS as f32);
        // Instructions with more registers run twice as many chains, half as often: 1.5 in each after one step, 1.75 after two.
        #[cfg(feature = "std")]
        {
            let expected = if Isa::detect().sums() >= 2 * CHAINS { 2.0 * 1.5 } else { 1.75 };
            assert_eq!(multiply_adds(Isa::detect(), 2), expected * PEAK_MACS as f32);
        }
    }
}
