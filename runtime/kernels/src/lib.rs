//! Blocked convolutions and dot products for AVX-512, AVX2, NEON and portable CPUs.
//!
//! `no_std`, no dependencies, no allocation. The caller finds the instruction set once ([`Isa::detect`]
//! with the feature `std`, else [`Isa::compiled`]) and passes it to each call; an [`Isa`] exists only where
//! its instructions do, so every public function is safe.
//!
//! Activations lie channel-blocked ([`Map`]). An operator is a checked value, made once; it packs its
//! weights once; its `run` computes bias, activation and residual ([`Epilogue`]) with the sums, writes the
//! border's zeros, and refuses slices of another length. A value depends neither on [`Tile`] nor on the
//! number of [`Part`]s. AVX-512, AVX2 and NEON give convolutions the same bits; the portable code rounds
//! after the multiplication and again after the addition, where they round once.
//!
//! | module | holds |
//! |---|---|
//! | `isa` | [`Isa`]: which instructions may be used |
//! | `map` | [`Map`]: how activations lie; [`Part`]: a piece of an output for one thread |
//! | `epilogue`, `finish` | what follows the sums, residual and activation: its description, and its code |
//! | `ahead` | fetching what is read next into the cache while an operator computes |
//! | `error` | [`ShapeError`]: why an operator was refused |
//! | `conv` | [`Conv`]: dense convolutions, fully connected layers; [`Tile`]: how loops are cut |
//! | `taps` | [`Taps`]: kernel, stride and padding |
//! | `coded`, `panel` | [`Coded`]: the same with int8 weights; the memory where they are widened |
//! | `winograd` | [`Winograd`]: 3x3 with fewer multiplications |
//! | `chain` | [`Chain`]: a dense convolution and what follows it within each channel, some rows at a time |
//! | `gemm` | the loop that sums in registers, which `conv` and `winograd` share |
//! | `depthwise` | [`Depthwise`] |
//! | `local` | the loop under `pool`, `upsample` and `elementwise` |
//! | `layout` | [`Block`], [`Unblock`]: from plain values and back |
//! | `weight` | [`Weight`]: a number, or the bytes of one |
//! | `dot` | one pair, or one probe against many contiguous rows |
//! | `scores` | many rows against many, the same bits on every set |
//! | `sieve` | which of many rows against many may reach a score, by int8 (AVX-512 VNNI) |
//! | `peak` | the most multiply-adds that a set can do, for benches |
//! | `simd` | 16 lanes in each instruction set's registers; kernels are written once over them |
//! | `avx2`, `neon`, `portable` | the dot products |
//!
//! # Checks beyond `cargo test`
//! The tests compare every operator, instruction set, tile and number of parts with plain f64 loops. Slower
//! than `cargo test`, each a command:
//! ```text
//! cargo xtask check equal --cases 20000   # 20,000 random cases of each: a fuzzer
//! cargo xtask check neon                  # the NEON code, emulated
//! cargo xtask check miri                  # the portable code, on smaller shapes
//! cargo xtask check asan                  # the SIMD code under AddressSanitizer
//! ```
#![no_std]
#![allow(
    clippy::needless_range_loop,
    reason = "counted loops over arrays become registers; iterators were slower"
)]

#[cfg(any(feature = "std", test))]
extern crate std;

mod ahead;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod chain;
mod coded;
mod conv;
mod depthwise;
mod dot;
mod elementwise;
mod epilogue;
mod error;
mod finish;
mod gemm;
mod isa;
mod layout;
mod local;
mod map;
#[cfg(target_arch = "aarch64")]
mod neon;
mod panel;
mod peak;
mod pool;
mod portable;
mod scores;
mod sieve;
mod simd;
mod taps;
mod upsample;
mod weight;
mod winograd;

pub use chain::{Behind, Chain, MAX_BEHIND};
pub use coded::Coded;
pub use conv::{Conv, Planar, Tile};
pub use depthwise::Depthwise;
pub use dot::{MAX_I8_LEN, dot_f32, dot_f32_rows, dot_i8, dot_i8_rows};
pub use elementwise::Elementwise;
pub use epilogue::{Activation, Epilogue, Inputs, Residual};
pub use error::ShapeError;
pub use isa::Isa;
pub use layout::{Block, Order, Unblock};
pub use map::{LANES, MAX_LEN, Map, Part};
pub use peak::{PEAK_MACS, multiply_adds};
pub use pool::{Pool, PoolKind};
pub use scores::{Affine, scores, scores_picked};
pub use sieve::{
    LeftTerms, MAX_SIEVE_LEN, RightTerms, SIEVE_LEFTS, SIEVE_RIGHTS, Sieve, pack_lefts, pack_rights, sieve,
};
pub use taps::{MAX_KERNEL, Taps};
pub use upsample::Upsample2;
pub use weight::Weight;
pub use winograd::{Square, Winograd};
