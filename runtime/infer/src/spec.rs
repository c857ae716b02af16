//! What a caller gives when it loads a network.

use crate::error::InferError;
use crate::limits::{MAX_ELEMENTS, MAX_OUTPUTS};

/// What the caller wants of a graph.
#[derive(Debug, Clone, Copy)]
pub struct NetSpec<'a> {
    /// Input shape: batch, channels, height, width. It replaces the shape that the file declares.
    pub input: [usize; 4],
    /// The outputs, by name, in the order in which [`Session::output`](crate::Session::output) numbers them.
    pub outputs: &'a [&'a str],
}

impl NetSpec<'_> {
    /// Checks that both are within bounds.
    pub(crate) fn check(&self) -> Result<(), InferError> {
        let elements = self.input.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        if !elements.is_some_and(|n| (1..=MAX_ELEMENTS).contains(&n)) {
            return Err(InferError::InputShape(self.input));
        }
        if !(1..=MAX_OUTPUTS).contains(&self.outputs.len()) {
            return Err(InferError::OutputCount(self.outputs.len()));
        }
        Ok(())
    }
}

/// The files of a network.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The ONNX file.
    pub onnx: &'a [u8],
    /// What [`write_graphs`](crate::write_graphs) made of it: the plan starts from this where it is there, and tract
    /// is left out. Like the ONNX file, it says what the network does: its origin must be known.
    pub graphs: Option<&'a [u8]>,
}

impl<'a> From<&'a [u8]> for Files<'a> {
    fn from(onnx: &'a [u8]) -> Self {
        Self { onnx, graphs: None }
    }
}

impl<'a> From<&'a Vec<u8>> for Files<'a> {
    fn from(onnx: &'a Vec<u8>) -> Self {
        Self::from(&**onnx)
    }
}
