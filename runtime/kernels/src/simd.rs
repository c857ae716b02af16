//! Sixteen lanes of f32 in each instruction set's registers; every kernel is written once over them.
//!
//! A kernel is a [`Kernel`], run by [`Isa::run`](crate::Isa) inside a function that is compiled for the
//! instruction set; whatever it calls there is `inline(always)`, else it would be compiled without.
// Loads and stores through pointers.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod portable;

use crate::map::LANES;

/// A piece of work that is compiled for each instruction set.
pub(crate) trait Kernel {
    fn run<S: Simd>(self, simd: S);
}

/// Proof of an instruction set, and its operations on 16 lanes.
pub(crate) trait Simd: Copy {
    /// 16 f32, in as many registers as they take.
    type V: Copy;
    /// How many sums of 16 lanes fit into the registers at once, beside the operands of one multiplication.
    const SUMS: usize;
    /// Whether registers are so few that counting and branching around each multiplication takes time that shows. Then
    /// the 16 multiplications of a block are written out without a loop, weights are fetched a pass ahead, and tiles
    /// leave registers free. Measured on a Zen 3 (AVX2): 1x1 convolutions took 5 to 15 % less time. The other sets
    /// gained nothing, or were not measured.
    const TIGHT: bool = false;
    /// Whether a value in a register can be a factor of others without being spread over a register of its own first. Then
    /// [`four_steps`](Self::four_steps) takes fewer instructions than four steps.
    const PICKS: bool = false;
    /// Whether [`fetch`](Self::fetch) does anything.
    const FETCHES: bool = true;

    fn splat(self, value: f32) -> Self::V;
    /// # Safety
    /// 16 values can be read at `at`.
    unsafe fn load(self, at: *const f32) -> Self::V;
    /// Sixteen int8 as numbers.
    ///
    /// # Safety
    /// 16 bytes can be read at `at`.
    unsafe fn load_codes(self, at: *const i8) -> Self::V;
    /// # Safety
    /// 16 values can be written at `at`.
    unsafe fn store(self, at: *mut f32, v: Self::V);
    /// Hints that the cache line at `at` will be read soon. Any address may be given: nothing is read.
    fn fetch(self, at: *const f32);
    /// `a * b + sum`, rounded once where the instruction set has such an instruction, else twice.
    fn fma(self, a: Self::V, b: Self::V, sum: Self::V) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// In each lane the greater of the two; NaN where `value` is NaN. `bound` is no NaN.
    fn at_least(self, value: Self::V, bound: Self::V) -> Self::V;
    /// In each lane the lesser of the two; NaN where `value` is NaN. `bound` is no NaN.
    fn at_most(self, value: Self::V, bound: Self::V) -> Self::V;
    /// In each lane the greater of the two; NaN where either is NaN.
    fn maximum(self, a: Self::V, b: Self::V) -> Self::V;
    /// `value * slope` where the value is below 0, else the value (NaN included). `slope` is finite.
    fn prelu(self, value: Self::V, slope: Self::V) -> Self::V;

    /// To the sums of each pixel p, block by block, the products of the four values from `x[p]` on, one after the other,
    /// and of 16 weights each: those of the first block lie at `weights`, those of the next `block` values behind.
    ///
    /// # Safety
    /// 4 values can be read at each of `x`, and 64 at `weights` and at each block's distance from it.
    #[inline(always)]
    unsafe fn four_steps<const P: usize, const B: usize>(
        self,
        x: &[*const f32; P],
        weights: *const f32,
        block: usize,
        sums: &mut [[Self::V; B]; P],
    ) {
        for k in 0..4 {
            for b in 0..B {
                // SAFETY: as the caller's.
                unsafe {
                    let w = self.load(weights.add(b * block + k * LANES));
                    for p in 0..P {
                        sums[p][b] = self.fma(self.splat(*x[p].add(k)), w, sums[p][b]);
                    }
                }
            }
        }
    }

    /// In lane i the sum of the lanes of `v[i]`, for the first `count`: the upper half is added to the lower, four times.
    #[inline(always)]
    fn sum_lanes(self, v: &[Self::V; LANES], count: usize) -> Self::V {
        let mut sums = [0.0; LANES];
        for i in 0..count {
            let mut lanes = [0.0_f32; LANES];
            // SAFETY: 16 values can be written.
            unsafe { self.store(lanes.as_mut_ptr(), v[i]) }
            for half in [8, 4, 2, 1] {
                for lane in 0..half {
                    lanes[lane] += lanes[lane + half];
                }
            }
            sums[i] = lanes[0];
        }
        // SAFETY: 16 values can be read.
        unsafe { self.load(sums.as_ptr()) }
    }
}

/// The logistic function: a rational minimax fit of it less one half, as in tract, so that both round
/// alike; within 5e-7, NaN stays NaN.
#[allow(clippy::excessive_precision, clippy::unreadable_literal, reason = "tract's digits")]
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    const LIMIT: f32 = 14.5;
    const ODD: [f32; 7] = [
        -4.433153405e-18,
        1.169974371e-14,
        -1.875289645e-11,
        4.257889523e-8,
        0.00004811817576,
        0.008163842030,
        0.2499999971,
    ];
    const EVEN: [f32; 4] = [3.922935744e-6, 0.001524872358, 0.1159886749, 1.0];
    let x = s.at_most(s.at_least(x, s.splat(-LIMIT)), s.splat(LIMIT));
    let square = s.mul(x, x);
    let mut p = s.splat(ODD[0]);
    for &coefficient in &ODD[1..] {
        p = s.fma(square, p, s.splat(coefficient));
    }
    let mut q = s.splat(EVEN[0]);
    for &coefficient in &EVEN[1..] {
        q = s.fma(square, q, s.splat(coefficient));
    }
    s.add(s.div(s.mul(p, x), q), s.splat(0.5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use std::vec;
    use std::vec::Vec;

    /// Four steps of P pixels and B blocks.
    struct Steps<'a, const P: usize, const B: usize> {
        x: &'a [f32],
        weights: &'a [f32],
        sums: &'a mut [f32],
    }

    impl<const P: usize, const B: usize> Kernel for Steps<'_, P, B> {
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let x = core::array::from_fn(|p| self.x[4 * p..4 * (p + 1)].as_ptr());
            let mut sums = [[s.splat(0.25); B]; P];
            // SAFETY: P times 4 values, B times 64 weights, P times B times 16 sums.
            unsafe {
                s.four_steps(&x, self.weights.as_ptr(), 4 * LANES, &mut sums);
                for (at, sum) in sums.iter().flatten().enumerate() {
                    s.store(self.sums[at * LANES..(at + 1) * LANES].as_mut_ptr(), *sum);
                }
            }
        }
    }

    /// The sums of fused multiply-adds one after the other, and those of an instruction set.
    fn both<const P: usize, const B: usize>(isa: Isa) -> [Vec<f32>; 2] {
        // Values whose products do not fit into f32, so that another order or another rounding shows.
        let value = |at: usize| ((at * 2_654_435 % 16_777_213) as f32 / 16_777_213.0 - 0.5) * 1.000_001;
        let (x, weights): (Vec<_>, Vec<_>) =
            ((0..4 * P).map(value).collect(), (0..4 * LANES * B).map(|at| value(at + 999)).collect());
        let mut sums = [vec![0.0; P * B * LANES], vec![0.0; P * B * LANES]];
        let [expected, got] = &mut sums;
        portable::Lanes::<true>.run(Steps::<P, B> { x: &x, weights: &weights, sums: expected });
        isa.run(Steps::<P, B> { x: &x, weights: &weights, sums: got });
        sums
    }

    #[test]
    fn four_steps_at_once_give_the_bits_of_four_steps() {
        let isas = [
            Isa::compiled(),
            #[cfg(feature = "std")]
            Isa::detect(),
        ];
        for isa in isas {
            for [expected, got] in [both::<5, 1>(isa), both::<2, 2>(isa), both::<1, 4>(isa)] {
                // The portable code rounds twice.
                assert!(expected == got || isa == Isa::portable(), "{isa}");
            }
        }
    }
}
