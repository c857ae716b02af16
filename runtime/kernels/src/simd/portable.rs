//! Arrays: right everywhere, and what the others are tested against.

use super::Simd;
use crate::map::LANES;

/// Arrays of 16 values; with `FUSED`, multiply-adds round once, as those of every instruction set do: slow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lanes<const FUSED: bool>;

pub(crate) type Portable = Lanes<false>;

/// `a * b + c`, rounded once. The product is exact in f64; the sum is rounded to odd there, and f64 has more than twice
/// the bits of f32 and two, so that the second rounding gives what one alone would (Boldo and Melquiond, 2008).
fn fused(a: f32, b: f32, c: f32) -> f32 {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    // What the addition lost, exactly (Knuth's two-sum).
    let back = sum - product;
    let lost = (product - (sum - back)) + (c - back);
    let bits = sum.to_bits();
    if lost == 0.0 || bits & 1 == 1 || !sum.is_finite() {
        return sum as f32;
    }
    let away = (lost > 0.0) == (sum > 0.0);
    f64::from_bits(if away { bits + 1 } else { bits - 1 }) as f32
}

impl<const FUSED: bool> Lanes<FUSED> {
    pub(crate) fn run<K: super::Kernel>(self, kernel: K) {
        kernel.run(self);
    }
}

#[inline(always)]
fn lanes(of: impl Fn(usize) -> f32) -> [f32; LANES] {
    let mut v = [0.0; LANES];
    for (lane, value) in v.iter_mut().enumerate() {
        *value = of(lane);
    }
    v
}

// Reads and writes through the kernels' pointers.
#[allow(unsafe_code)]
impl<const FUSED: bool> Simd for Lanes<FUSED> {
    type V = [f32; LANES];
    const SUMS: usize = 4;
    // As AVX2 has it, so that Miri, which runs only the portable code, sees the code paths that AVX2 runs.
    const TIGHT: bool = true;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [value; LANES]
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> Self::V {
        // SAFETY: the caller's 16 values, as an array of the same alignment.
        unsafe { at.cast::<Self::V>().read() }
    }

    #[inline(always)]
    unsafe fn load_codes(self, at: *const i8) -> Self::V {
        // SAFETY: the caller's 16 bytes.
        let codes = unsafe { at.cast::<[i8; LANES]>().read() };
        lanes(|lane| f32::from(codes[lane]))
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32, v: Self::V) {
        // SAFETY: the caller's 16 values, as an array of the same alignment.
        unsafe { at.cast::<Self::V>().write(v) }
    }

    #[inline(always)]
    fn fetch(self, _at: *const f32) {}

    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, sum: Self::V) -> Self::V {
        lanes(|lane| if FUSED { fused(a[lane], b[lane], sum[lane]) } else { a[lane] * b[lane] + sum[lane] })
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        lanes(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        lanes(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        lanes(|lane| a[lane] / b[lane])
    }

    #[inline(always)]
    fn at_least(self, value: Self::V, bound: Self::V) -> Self::V {
        lanes(|lane| if value[lane] < bound[lane] { bound[lane] } else { value[lane] })
    }

    #[inline(always)]
    fn at_most(self, value: Self::V, bound: Self::V) -> Self::V {
        lanes(|lane| if value[lane] > bound[lane] { bound[lane] } else { value[lane] })
    }

    #[inline(always)]
    fn maximum(self, a: Self::V, b: Self::V) -> Self::V {
        lanes(|lane| if a[lane] > b[lane] || a[lane].is_nan() { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    fn prelu(self, value: Self::V, slope: Self::V) -> Self::V {
        lanes(|lane| if value[lane] < 0.0 { value[lane] * slope[lane] } else { value[lane] })
    }
}
