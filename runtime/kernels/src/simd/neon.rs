//! Four registers of NEON to 16 lanes.
// Intrinsics that read through pointers, and calls into functions compiled for NEON, are unsafe.
#![allow(unsafe_code)]

use core::arch::aarch64::{
    float32x4_t, vaddq_f32, vbslq_f32, vcltzq_f32, vcvtq_f32_s32, vdivq_f32, vdupq_n_f32, vfmaq_f32,
    vfmaq_laneq_f32, vget_low_s8, vget_low_s16, vld1q_f32, vld1q_s8, vmaxq_f32, vminq_f32, vmovl_high_s8,
    vmovl_high_s16, vmovl_s8, vmovl_s16, vmulq_f32, vst1q_f32,
};

use super::{Kernel, Simd};
use crate::map::LANES;
use crate::neon::Neon;

#[derive(Clone, Copy)]
pub(crate) struct Quad(float32x4_t, float32x4_t, float32x4_t, float32x4_t);

impl Quad {
    #[inline(always)]
    fn zip(self, b: Self, of: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> Self {
        Self(of(self.0, b.0), of(self.1, b.1), of(self.2, b.2), of(self.3, b.3))
    }
}

impl Neon {
    pub(crate) fn run<K: Kernel>(self, kernel: K) {
        // SAFETY: `self` proves NEON.
        unsafe { run(self, kernel) }
    }
}

/// A function for each kernel, as the other sets have by their features: all in one would be spilled alike, and
/// `cargo xtask bench mca` finds loops by their functions' names.
#[inline(never)]
#[target_feature(enable = "neon")]
fn run<K: Kernel>(simd: Neon, kernel: K) {
    kernel.run(simd);
}

// SAFETY of every intrinsic below: `self` proves NEON; pointers are the caller's.
impl Simd for Neon {
    type V = Quad;
    // 20 registers of sums, four values of each pixel in five, and 16 weights in four: a sixth pixel has no room.
    const SUMS: usize = 5;
    const PICKS: bool = true;
    const FETCHES: bool = false;

    #[inline(always)]
    fn splat(self, value: f32) -> Quad {
        let v = unsafe { vdupq_n_f32(value) };
        Quad(v, v, v, v)
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> Quad {
        unsafe { Quad(vld1q_f32(at), vld1q_f32(at.add(4)), vld1q_f32(at.add(8)), vld1q_f32(at.add(12))) }
    }

    #[inline(always)]
    unsafe fn load_codes(self, at: *const i8) -> Quad {
        unsafe {
            let bytes = vld1q_s8(at);
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
            Quad(
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                vcvtq_f32_s32(vmovl_high_s16(low)),
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                vcvtq_f32_s32(vmovl_high_s16(high)),
            )
        }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32, v: Quad) {
        unsafe {
            vst1q_f32(at, v.0);
            vst1q_f32(at.add(4), v.1);
            vst1q_f32(at.add(8), v.2);
            vst1q_f32(at.add(12), v.3);
        }
    }

    /// Stable Rust has no such instruction here.
    #[inline(always)]
    fn fetch(self, _at: *const f32) {}

    #[inline(always)]
    fn fma(self, a: Quad, b: Quad, sum: Quad) -> Quad {
        unsafe {
            Quad(
                vfmaq_f32(sum.0, a.0, b.0),
                vfmaq_f32(sum.1, a.1, b.1),
                vfmaq_f32(sum.2, a.2, b.2),
                vfmaq_f32(sum.3, a.3, b.3),
            )
        }
    }

    #[inline(always)]
    fn add(self, a: Quad, b: Quad) -> Quad {
        a.zip(b, |a, b| unsafe { vaddq_f32(a, b) })
    }

    #[inline(always)]
    fn mul(self, a: Quad, b: Quad) -> Quad {
        a.zip(b, |a, b| unsafe { vmulq_f32(a, b) })
    }

    #[inline(always)]
    fn div(self, a: Quad, b: Quad) -> Quad {
        a.zip(b, |a, b| unsafe { vdivq_f32(a, b) })
    }

    #[inline(always)]
    fn at_least(self, value: Quad, bound: Quad) -> Quad {
        value.zip(bound, |value, bound| unsafe { vmaxq_f32(value, bound) })
    }

    #[inline(always)]
    fn at_most(self, value: Quad, bound: Quad) -> Quad {
        value.zip(bound, |value, bound| unsafe { vminq_f32(value, bound) })
    }

    #[inline(always)]
    fn maximum(self, a: Quad, b: Quad) -> Quad {
        self.at_least(a, b)
    }

    #[inline(always)]
    fn prelu(self, value: Quad, slope: Quad) -> Quad {
        let scaled = self.mul(value, slope);
        let choose = |value, scaled| unsafe { vbslq_f32(vcltzq_f32(value), scaled, value) };
        value.zip(scaled, choose)
    }

    #[inline(always)]
    unsafe fn four_steps<const P: usize, const B: usize>(
        self,
        x: &[*const f32; P],
        weights: *const f32,
        block: usize,
        sums: &mut [[Quad; B]; P],
    ) {
        unsafe {
            let x = core::array::from_fn(|p| vld1q_f32(x[p]));
            step::<0, P, B>(&x, weights, block, sums);
            step::<1, P, B>(&x, weights.add(LANES), block, sums);
            step::<2, P, B>(&x, weights.add(2 * LANES), block, sums);
            step::<3, P, B>(&x, weights.add(3 * LANES), block, sums);
        }
    }
}

/// Value `K` of four of each pixel times 16 weights of each block. Half of a block's weights are loaded at a time: an
/// in-order core multiplies by one half while it waits for the other.
///
/// # Safety
/// The CPU has NEON; 16 values can be read at `weights` and at each block's distance from it.
#[inline(always)]
unsafe fn step<const K: i32, const P: usize, const B: usize>(
    x: &[float32x4_t; P],
    weights: *const f32,
    block: usize,
    sums: &mut [[Quad; B]; P],
) {
    for b in 0..B {
        unsafe {
            let at = weights.add(b * block);
            let (w0, w1) = (vld1q_f32(at), vld1q_f32(at.add(4)));
            for p in 0..P {
                let Quad(s0, s1, ..) = &mut sums[p][b];
                *s0 = vfmaq_laneq_f32::<K>(*s0, w0, x[p]);
                *s1 = vfmaq_laneq_f32::<K>(*s1, w1, x[p]);
            }
            let (w2, w3) = (vld1q_f32(at.add(8)), vld1q_f32(at.add(12)));
            for p in 0..P {
                let Quad(_, _, s2, s3) = &mut sums[p][b];
                *s2 = vfmaq_laneq_f32::<K>(*s2, w2, x[p]);
                *s3 = vfmaq_laneq_f32::<K>(*s3, w3, x[p]);
            }
        }
    }
}
