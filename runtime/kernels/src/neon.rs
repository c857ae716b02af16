//! NEON of 64-bit Arm. Four rows share each load of the probe.
// Intrinsics that read through pointers, and calls into functions compiled for NEON, are unsafe.
#![allow(unsafe_code)]

use core::arch::aarch64::{
    vaddq_f32, vaddvq_f32, vaddvq_s32, vdupq_n_f32, vdupq_n_s32, vfmaq_f32, vget_low_s8, vld1q_f32, vld1q_s8,
    vmull_high_s8, vmull_s8, vpadalq_s16,
};

const F32_STEP: usize = 8;
const I8_STEP: usize = 16;

/// Proof that the CPU has NEON; made only by asking it, or where the crate is compiled for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neon(());

impl Neon {
    pub(crate) const fn compiled() -> Option<Self> {
        if cfg!(target_feature = "neon") { Some(Self(())) } else { None }
    }

    #[cfg(feature = "std")]
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    pub(crate) fn dot_f32(self, a: &[f32], b: &[f32]) -> f32 {
        // SAFETY: `self` proves NEON.
        unsafe { rows_f32(a, [b])[0] }
    }

    pub(crate) fn dot_i8(self, a: &[i8], b: &[i8]) -> i32 {
        // SAFETY: `self` proves NEON.
        unsafe { rows_i8(a, [b])[0] }
    }

    pub(crate) fn dot_f32_rows(self, probe: &[f32], rows: &[f32], scores: &mut [f32]) {
        let dimension = probe.len();
        let (fours, ones) = scores.as_chunks_mut::<4>();
        let (head, tail) = rows.split_at(fours.len() * 4 * dimension);
        for (scores, rows) in fours.iter_mut().zip(head.chunks_exact(4 * dimension)) {
            // SAFETY: `self` proves NEON.
            *scores = unsafe { rows_f32(probe, quarter(rows, dimension)) };
        }
        for (score, row) in ones.iter_mut().zip(tail.chunks_exact(dimension)) {
            *score = self.dot_f32(probe, row);
        }
    }

    pub(crate) fn dot_i8_rows(self, probe: &[i8], rows: &[i8], sums: &mut [i32]) {
        let dimension = probe.len();
        let (fours, ones) = sums.as_chunks_mut::<4>();
        let (head, tail) = rows.split_at(fours.len() * 4 * dimension);
        for (sums, rows) in fours.iter_mut().zip(head.chunks_exact(4 * dimension)) {
            // SAFETY: `self` proves NEON.
            *sums = unsafe { rows_i8(probe, quarter(rows, dimension)) };
        }
        for (sum, row) in ones.iter_mut().zip(tail.chunks_exact(dimension)) {
            *sum = self.dot_i8(probe, row);
        }
    }
}

fn quarter<T>(rows: &[T], dimension: usize) -> [&[T]; 4] {
    core::array::from_fn(|row| &rows[row * dimension..(row + 1) * dimension])
}

#[target_feature(enable = "neon")]
fn rows_f32<const N: usize>(probe: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let whole = rows.iter().fold(probe.len(), |least, row| least.min(row.len())) / F32_STEP * F32_STEP;
    let mut low = [vdupq_n_f32(0.0); N];
    let mut high = low;
    let mut at = 0;
    while at < whole {
        // SAFETY: `at + 8 <= whole`, which is no more than the length of the probe and of every row.
        unsafe {
            let probe_low = vld1q_f32(probe.as_ptr().add(at));
            let probe_high = vld1q_f32(probe.as_ptr().add(at + 4));
            for row in 0..N {
                let values = rows[row].as_ptr().add(at);
                low[row] = vfmaq_f32(low[row], probe_low, vld1q_f32(values));
                high[row] = vfmaq_f32(high[row], probe_high, vld1q_f32(values.add(4)));
            }
        }
        at += F32_STEP;
    }
    core::array::from_fn(|row| {
        let rest: f32 = probe[whole..].iter().zip(&rows[row][whole..]).map(|(a, b)| a * b).sum();
        vaddvq_f32(vaddq_f32(low[row], high[row])) + rest
    })
}

#[target_feature(enable = "neon")]
fn rows_i8<const N: usize>(probe: &[i8], rows: [&[i8]; N]) -> [i32; N] {
    let whole = rows.iter().fold(probe.len(), |least, row| least.min(row.len())) / I8_STEP * I8_STEP;
    let mut sums = [vdupq_n_s32(0); N];
    let mut at = 0;
    while at < whole {
        // SAFETY: `at + 16 <= whole`, which is no more than the length of the probe and of every row.
        unsafe {
            let probe = vld1q_s8(probe.as_ptr().add(at));
            for row in 0..N {
                let values = vld1q_s8(rows[row].as_ptr().add(at));
                let low = vmull_s8(vget_low_s8(probe), vget_low_s8(values));
                let high = vmull_high_s8(probe, values);
                sums[row] = vpadalq_s16(vpadalq_s16(sums[row], low), high);
            }
        }
        at += I8_STEP;
    }
    core::array::from_fn(|row| {
        vaddvq_s32(sums[row]) + crate::portable::dot_i8(&probe[whole..], &rows[row][whole..])
    })
}
