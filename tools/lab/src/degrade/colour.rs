//! The colour of what covers a face.

/// A colour, red first.
pub(crate) type Rgb = [u8; 3];
