//! Exit codes.

/// Done, or granted.
pub const DONE: u8 = 0;
/// No match, denied, or try again.
pub const REFUSED: u8 = 1;
/// Wrong usage.
pub const USAGE: u8 = 2;
/// Bad input.
pub const INPUT: u8 = 3;
/// Pack, gallery or log refused.
pub const PACK: u8 = 4;
/// Device or file trouble.
pub const DEVICE: u8 = 5;
