//! What a command answers, on standard output: `println!` and `print!` would panic where nobody reads on.

use std::io::{ErrorKind, Write, stdout};

/// Prints a line.
///
/// # Errors
/// What writing it brings; for a reader that went away see [`is_unread`].
macro_rules! say {
    ($($arg:tt)*) => {
        $crate::say::write(format_args!("{}\n", format_args!($($arg)*)))
    };
}
pub(crate) use say;

/// Prints without an end of line; see [`say`].
macro_rules! say_on {
    ($($arg:tt)*) => {
        $crate::say::write(format_args!($($arg)*))
    };
}
pub(crate) use say_on;

pub(crate) fn write(text: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    stdout().write_fmt(text)
}

/// Whether a command ended because nobody reads its answer on, as of `arcdoor-lab bench profile | head`: no fault.
pub(crate) fn is_unread(error: &anyhow::Error) -> bool {
    let closed = |error: &std::io::Error| error.kind() == ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(closed))
}
