//! What can be wrong with a pack.

use std::path::PathBuf;

use arcdoor_core::CalibrationError;

use crate::role::Role;

/// One thing that is wrong with a pack; `arcdoor pack check` lists all of them.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The folder or a file in it cannot be read.
    #[error("{file}: cannot be read: {cause}")]
    Unreadable {
        /// Name in the pack.
        file: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// A file is larger than its limit.
    #[error("{file}: larger than the {limit} bytes that are accepted")]
    TooLarge {
        /// Name in the pack.
        file: String,
        /// Limit in bytes.
        limit: u64,
    },
    /// Not a regular file.
    #[error("{file}: is no regular file")]
    NotAFile {
        /// Name in the pack.
        file: String,
    },
    /// The archive cannot be read.
    #[error("is no pack's archive (a plain tar file): {0}")]
    Archive(std::io::Error),
    /// The archive cannot be written.
    #[error("its archive cannot be written: {0}")]
    Unwritten(std::io::Error),
    /// An entry of the archive that no pack has.
    #[error("{entry:?}: {problem}; an archive holds a pack's files and nothing else")]
    Entry {
        /// The entry's path in the archive.
        entry: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The manifest is no TOML of the expected form.
    #[error("pack.toml: {0}")]
    Manifest(String),
    /// A section for a network that nothing here would run.
    #[error("[{0}]: this arcdoor runs no network of that name; remove the section, or take a newer arcdoor")]
    Role(String),
    /// A network that was asked for and that the pack does not have.
    #[error("[{}]: the pack has no such network; take another pack", .0.name())]
    NoNetwork(Role),
    /// A file name that could leave the folder.
    #[error("{field}: {file:?} is no plain file name; a pack's files lie in its own folder")]
    FileName {
        /// The network's role, as in the manifest.
        field: &'static str,
        /// The name that the manifest gives.
        file: String,
    },
    /// There is no signature where one is wanted.
    #[error(
        "pack.toml.minisig: missing; a pack must be signed by a key of `trusted_keys` in settings.toml: take a \
         signed one, sign it with `arcdoor-lab pack sign`, or allow unsigned packs on purpose \
         (--allow-unsigned-pack, or allow_unsigned_packs = true)"
    )]
    Unsigned,
    /// Signed by somebody else.
    #[error("pack.toml.minisig: signed by a key that is not among `trusted_keys` in settings.toml")]
    UnknownSigner,
    /// The signature is not over this manifest.
    #[error("pack.toml.minisig: does not fit pack.toml; one of them was changed")]
    Signature,
    /// The bytes are not those that the manifest promises.
    #[error("{file}: changed: its sha256 is {found}, the manifest says {expected}")]
    Changed {
        /// Name in the pack.
        file: String,
        /// The sha256 of the bytes that are there.
        found: String,
        /// The sha256 that the manifest gives.
        expected: String,
    },
    /// A value of the manifest is out of its range.
    #[error("{field}: {problem}")]
    Value {
        /// Where in the manifest.
        field: String,
        /// What is wrong, with the accepted range.
        problem: String,
    },
    /// The calibration is no usable table.
    #[error("calibration: {0}")]
    Calibration(CalibrationError),
}

/// Why a pack is refused, whole.
#[derive(Debug, thiserror::Error)]
#[error("the pack {} is refused: {problem}", dir.display())]
pub struct PackError {
    /// The pack's folder.
    pub dir: PathBuf,
    /// The first thing that is wrong.
    pub problem: Problem,
}
