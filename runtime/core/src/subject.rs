//! Enrolled people.

use crate::limits::MAX_NAME_BYTES;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// A subject's number in its gallery; never used again after the subject was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubjectId(pub u32);

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Why a text is no subject name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubjectNameError {
    /// Empty, or only spaces.
    #[error("the name is empty: give the person's name, such as \"Ada Lovelace\"")]
    Empty,
    /// More UTF-8 bytes than a gallery keeps.
    #[error("the name is longer than {MAX_NAME_BYTES} bytes: shorten it")]
    TooLong,
    /// A control character, which could forge lines in the log or the terminal.
    #[error("the name holds a control character: use printable characters only")]
    Control,
}

/// A subject's name: 1..=64 bytes of UTF-8, no control characters, no space at either end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SubjectName(heapless::String<MAX_NAME_BYTES>);

impl SubjectName {
    /// Checks `text`, taking away spaces at both ends.
    ///
    /// # Errors
    /// When nothing is left, the name is too long, or it holds a control character.
    pub fn new(text: &str) -> Result<Self, SubjectNameError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SubjectNameError::Empty);
        }
        if text.chars().any(is_unprintable) {
            return Err(SubjectNameError::Control);
        }
        heapless::String::try_from(text).map(Self).map_err(|_| SubjectNameError::TooLong)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and the invisible marks that reverse or hide text.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for SubjectName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = heapless::String::<MAX_NAME_BYTES>::deserialize(deserializer)?;
        Self::new(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn names_are_trimmed_and_checked() {
        assert_eq!(SubjectName::new("  Ada ").map(|n| n.as_str().len()), Ok(3));
        assert_eq!(SubjectName::new(" \t"), Err(SubjectNameError::Empty));
        assert_eq!(SubjectName::new("a\u{1b}[2Jb"), Err(SubjectNameError::Control));
        assert_eq!(SubjectName::new("a\u{202e}b"), Err(SubjectNameError::Control));
        assert_eq!(SubjectName::new(&"é".repeat(33)), Err(SubjectNameError::TooLong));
        assert!(SubjectName::new(&"é".repeat(32)).is_ok());
    }
}
