//! Why an operator was refused.

use core::fmt;

/// A shape that no operator here computes, or a slice that does not fit its operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShapeError {
    /// A map without channels, rows or columns.
    EmptyMap,
    /// A map longer than [`MAX_LEN`](crate::MAX_LEN) values.
    MapTooLarge,
    /// A kernel of no taps, or of more rows or columns than the operator takes.
    Kernel {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        columns: usize,
    },
    /// A stride of 0, or beyond 4.
    Stride {
        /// The stride asked for.
        stride: usize,
    },
    /// The output's rows or columns are not those that kernel, stride and padding give.
    OutputSize {
        /// Rows that the operator gives.
        rows: usize,
        /// Columns that the operator gives.
        columns: usize,
    },
    /// The output's channels are not the input's.
    OutputChannels {
        /// Channels that the operator gives.
        channels: usize,
    },
    /// The input's border is narrower than what the padding reads.
    Border {
        /// Pixels of border that the operator reads.
        needed: usize,
    },
    /// The residual map has not the output's channels, rows and columns.
    Residual,
    /// An operator with a residual was run without one, or the other way round.
    ResidualMissing,
    /// A slice of the wrong length.
    Length {
        /// Which slice.
        what: &'static str,
        /// Values that the operator needs.
        needed: usize,
        /// Values that it was given.
        given: usize,
    },
    /// A PReLU without slopes, or slopes without a PReLU.
    Slopes,
    /// Operators that cannot follow one another within a chain.
    Chain,
    /// A part beyond the number of parts.
    Part {
        /// The part asked for.
        part: usize,
        /// The number of parts.
        parts: usize,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::EmptyMap => f.write_str("a map needs at least one channel, row and column"),
            Self::MapTooLarge => write!(f, "a map holds at most {} values", crate::MAX_LEN),
            Self::Kernel { rows, columns } => write!(f, "no kernel of {rows} x {columns} here"),
            Self::Stride { stride } => write!(f, "no stride of {stride} here: 1 to 4"),
            Self::OutputSize { rows, columns } => write!(f, "the output is {rows} x {columns}"),
            Self::OutputChannels { channels } => write!(f, "the output has {channels} channels"),
            Self::Border { needed } => write!(f, "the input needs a border of {needed} pixels"),
            Self::Residual => f.write_str("the residual needs the output's channels, rows and columns"),
            Self::ResidualMissing => f.write_str("a residual is given where, and only where, one is added"),
            Self::Length { what, needed, given } => {
                write!(f, "{what}: {needed} values are needed, {given} were given")
            }
            Self::Slopes => f.write_str("slopes are given where, and only where, the activation is PReLU"),
            Self::Chain => f.write_str(
                "a chain is a convolution that one or two operators follow; each must read what the operator before it \
                 makes, as a map without a border, and only the last may add a residual",
            ),
            Self::Part { part, parts } => write!(f, "no part {part} of {parts}"),
        }
    }
}

impl core::error::Error for ShapeError {}

/// Refuses a slice that has not the `needed` number of values.
pub(crate) fn check_len(what: &'static str, needed: usize, given: usize) -> Result<(), ShapeError> {
    if needed == given { Ok(()) } else { Err(ShapeError::Length { what, needed, given }) }
}
