//! Weights as numbers, or as bytes of a file that is never copied into numbers.

/// One weight of an operator, in whatever form its owner holds it; packing reads the numbers.
pub trait Weight: Copy {
    /// The weight as a number.
    fn value(self) -> f32;
}

impl Weight for f32 {
    fn value(self) -> f32 {
        self
    }
}

/// As ONNX files hold it: a little-endian f32, at any address.
impl Weight for [u8; 4] {
    fn value(self) -> f32 {
        f32::from_le_bytes(self)
    }
}

/// An int8, as ONNX files hold it: a code, which times its scale is the weight.
impl Weight for [u8; 1] {
    fn value(self) -> f32 {
        f32::from(i8::from_le_bytes(self))
    }
}
