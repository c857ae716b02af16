//! What may be wrong with the header of an npy file.

/// Longest header: NumPy writes 128 bytes for a table.
pub(crate) const MAX_HEADER_BYTES: usize = 4096;

/// What is wrong with an npy header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NpyFault {
    /// A version that NumPy does not write.
    #[error("versions 1.0, 2.0 and 3.0 are read: save it anew with numpy.save")]
    Version,
    /// Longer than any that NumPy writes for a table.
    #[error("a header of more than {MAX_HEADER_BYTES} bytes: this is no table of features")]
    Long,
    /// Cut off, or not the dictionary that NumPy writes.
    #[error("not {{'descr': ..., 'fortran_order': ..., 'shape': ...}} as numpy.save writes it")]
    Dictionary,
    /// Neither f32 nor f64, or big-endian.
    #[error("'<f4' and '<f8' are read: save features.astype('<f4')")]
    Type,
    /// Column by column.
    #[error("columns lie one after the other: save numpy.ascontiguousarray(features)")]
    Fortran,
    /// Not rows and columns.
    #[error("two dimensions are read, rows and values: reshape it")]
    Shape,
}
