//! What is asked of an image.

use std::path::PathBuf;

/// Where an image's system comes from.
pub(crate) struct Wishes {
    /// A folder in the place of Debian's packages: no network, and everything small.
    pub(crate) small: Option<PathBuf>,
    /// Debian's release.
    pub(crate) suite: String,
    /// The loader, and its SHA-256.
    pub(crate) loader: Option<(PathBuf, String)>,
    /// Where the image goes.
    pub(crate) out: Option<PathBuf>,
    /// The program, where it is built already.
    pub(crate) program: Option<PathBuf>,
}
