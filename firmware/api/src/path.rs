//! A path in an answer.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use arcdoor_core::EscapedBytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path as answers carry it: any path can be said, though JSON is text alone. Bytes that are no UTF-8 become U+FFFD
/// there; so what must find the file again, as the log must, takes paths that are text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(PathBuf);

impl FilePath {
    /// The path.
    #[must_use]
    pub fn into_inner(self) -> PathBuf {
        self.0
    }
}

impl From<PathBuf> for FilePath {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl From<&Path> for FilePath {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Deref for FilePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        EscapedBytes(self.0.as_os_str().as_encoded_bytes()).fmt(f)
    }
}

impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string_lossy())
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PathBuf::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_no_text_is_said_all_the_same() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let odd = FilePath::from(Path::new(OsStr::from_bytes(b"/a/\xff.png")));
        assert_eq!(serde_json::to_string(&odd).unwrap(), "\"/a/\u{fffd}.png\"");
        let plain: FilePath = serde_json::from_str("\"/a/b.png\"").unwrap();
        assert_eq!(
            (plain.to_string(), plain.into_inner()),
            ("/a/b.png".to_owned(), PathBuf::from("/a/b.png"))
        );
    }
}
