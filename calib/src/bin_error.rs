//! Why bytes are no verification set.

/// Why bytes are no verification set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BinFileError {
    /// Something that only executing it would tell the meaning of.
    #[error(
        "the opcode {name} at byte {offset} is not read: a pickle is parsed here, never executed; write the images anew as \
             bytes(image)"
    )]
    Opcode {
        /// Python's name of it, such as `GLOBAL`, or its byte.
        name: String,
        /// Where it stands.
        offset: usize,
    },
    /// The file ends within an opcode, or without `STOP`.
    #[error("the file ends at byte {offset}, within what it began: fetch it again")]
    TooShort {
        /// Its length.
        offset: usize,
    },
    /// Bytes after `STOP`.
    #[error("bytes after the end of the pickle, from byte {offset} on")]
    TooLong {
        /// The first of them.
        offset: usize,
    },
    /// An opcode without what it needs on the stack or in the memo.
    #[error("the opcode {name} at byte {offset} finds not what it needs: the file is broken")]
    Broken {
        /// Python's name of it.
        name: &'static str,
        /// Where it stands.
        offset: usize,
    },
    /// More than is read.
    #[error("more than {limit} {what} at byte {offset}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// As many are read.
        limit: usize,
        /// Where it became too many.
        offset: usize,
    },
    /// The pickle holds something else than a set.
    #[error("not a pair of a list of images and a list of flags")]
    Form,
    /// Two images belong to each flag.
    #[error("{images} images for {flags} pairs: two belong to each")]
    Count {
        /// How many images.
        images: usize,
        /// How many flags.
        flags: usize,
    },
}
