//! How much memory a decoded protobuf file will take, found by a walk over its bytes that allocates nothing.
//!
//! An empty message takes two bytes in a file and some two hundred in memory, so a file's length bounds nothing.

use super::fields::{Wire, fields};
use crate::error::InferError;
use crate::limits::MAX_FIELDS;

/// Most levels of messages within messages; plain networks have six.
const MAX_DEPTH: usize = 16;

/// The messages of ONNX that hold messages.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    Shape,
    Sparse,
    Annotation,
    Training,
    Function,
}

impl Kind {
    /// The kind of message that a field of bytes holds; `None` where nothing within it needs counting.
    const fn of(self, field: u64) -> Option<Self> {
        Some(match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) | (Self::Training, 1 | 2) => Self::Graph,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::Sparse, 1 | 2) => Self::Tensor,
            (Self::Graph, 11..=13) | (Self::Function, 12) => Self::Value,
            (Self::Value, 2) | (Self::Attribute, 14 | 15) | (Self::Type, 4 | 5 | 9) => Self::Type,
            (Self::Type, 1 | 8) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::Sparse,
            (Self::Graph, 14) => Self::Annotation,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            // Plain bytes, or a message of two numbers or texts, whose memory the count of this field covers.
            _ => return None,
        })
    }

    /// Whether a field with a length is a list of integers, which grow eightfold in memory.
    const fn is_packed(self, field: u64) -> bool {
        matches!((self, field), (Self::Tensor, 1 | 5 | 7 | 11) | (Self::Attribute, 8))
    }
}

/// Checks that the file is made of whole fields, at most [`MAX_FIELDS`] of them, in at most [`MAX_DEPTH`] levels.
pub(crate) fn check(file: &[u8]) -> Result<(), InferError> {
    let mut left = MAX_FIELDS;
    walk(file, Kind::Model, MAX_DEPTH, &mut left)
}

fn walk(bytes: &[u8], kind: Kind, depth: usize, left: &mut usize) -> Result<(), InferError> {
    for field in fields(bytes) {
        spend(left, 1)?;
        let field = field.ok_or_else(broken)?;
        let Wire::Bytes(payload) = field.value else { continue };
        if kind.is_packed(field.number) {
            spend(left, payload.len())?;
        }
        match kind.of(field.number) {
            None => {}
            Some(_) if depth == 0 => return Err(InferError::TooMuch { what: "levels", most: MAX_DEPTH }),
            Some(inner) => walk(payload, inner, depth - 1, left)?,
        }
    }
    Ok(())
}

fn spend(left: &mut usize, fields: usize) -> Result<(), InferError> {
    *left = left.checked_sub(fields).ok_or(InferError::TooMuch { what: "fields", most: MAX_FIELDS })?;
    Ok(())
}

fn broken() -> InferError {
    InferError::NotOnnx("it ends within a field, or holds one of an unknown type".to_owned())
}
