//! ONNX files within bounds: what is read of one before tract is asked, for running it (`source`) and for rewriting it
//! (`rewrite`).
//!
//! | module | holds |
//! |---|---|
//! | `fields` | fields of a protocol buffer, borrowed |
//! | `wire` | how much memory a file's fields will take |
//! | `node` | attributes and declared types |
//! | `coded` | weights as int8 with scales |
//! | `forms` | what is refused because of how it is written, by name |
//! | `checks` | everything else that a file may ask for, and decoding what passes |

pub(crate) mod checks;
pub(crate) mod coded;
pub(crate) mod fields;
pub(crate) mod forms;
pub(crate) mod node;
mod wire;
