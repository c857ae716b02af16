//! Weights as their owner holds them.

/// A weight that can be packed.
pub trait Weight: Copy {
    /// Its value.
    fn value(self) -> f32;
}

impl Weight for f32 {
    fn value(self) -> f32 {
        self
    }
}

/// As a file holds it: little-endian, at any address.
impl Weight for [u8; 4] {
    fn value(self) -> f32 {
        f32::from_le_bytes(self)
    }
}
