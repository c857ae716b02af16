//! Dot products for AVX2, NEON and portable CPUs.
//!
//! `no_std`. The caller finds the instruction set once ([`Isa::detect`] with the feature `std`, else
//! [`Isa::compiled`]) and passes it to each call; an [`Isa`] exists only where its instructions do, so
//! every public function is safe.
//!
//! | module | holds |
//! |---|---|
//! | `isa` | [`Isa`]: which instructions may be used |
//! | `dot` | the public functions: one pair, or one probe against many contiguous rows |
//! | `portable` | the reference, written so that the compiler can vectorise it |
//! | `avx2`, `neon` | the same with intrinsics; the only unsafe code of the recognition path |
#![no_std]

#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(target_arch = "x86_64")]
mod avx2;
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
mod pool;
mod portable;
mod simd;
mod upsample;
mod winograd;

pub use conv::{Conv, MAX_KERNEL, Planar, Taps, Tile};
pub use depthwise::Depthwise;
pub use dot::{MAX_I8_LEN, dot_f32, dot_f32_rows, dot_i8, dot_i8_rows};
pub use elementwise::Elementwise;
pub use epilogue::{Activation, Epilogue, Inputs, Residual};
pub use error::ShapeError;
pub use isa::Isa;
pub use layout::{Block, Order, Unblock};
pub use map::{LANES, MAX_LEN, Map, Part};
pub use pool::{Pool, PoolKind};
pub use upsample::Upsample2;
pub use winograd::{Square, Winograd};
