//! Every bound that more than one room relies on.

/// Largest embedding dimension a template can hold.
pub const MAX_DIMENSION: usize = 512;
/// Faces kept of one frame, best detection score first.
pub const MAX_FACES: usize = 32;
/// Candidates in a candidate list.
pub const MAX_CANDIDATES: usize = 5;
/// Bytes of UTF-8 in a subject's name.
pub const MAX_NAME_BYTES: usize = 64;
/// Templates that one subject may hold.
pub const MAX_TEMPLATES_PER_SUBJECT: usize = 16;
/// Templates of others that may deny being one subject.
pub const MAX_IMPOSTORS_PER_SUBJECT: usize = 16;
/// Rows of a calibration table.
pub const MAX_CALIBRATION_ROWS: usize = 32;
