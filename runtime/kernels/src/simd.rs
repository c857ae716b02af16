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

    fn splat(self, value: f32) -> Self::V;
    /// # Safety
    /// 16 values can be read at `at`.
    unsafe fn load(self, at: *const f32) -> Self::V;
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
