//! Where the gallery's key comes from.

use serde::{Deserialize, Serialize};

/// Where the gallery's key comes from, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// A systemd credential; sealed by the board's TPM where it was encrypted so.
    Credential,
    /// A passphrase.
    Passphrase,
    /// A file beside the gallery: whoever takes the card has both.
    File,
}

impl KeySource {
    /// Every source, the strongest first.
    pub const ALL: [Self; 3] = [Self::Credential, Self::Passphrase, Self::File];

    /// Whether a key from here is kept at least as well as one from `other`.
    #[must_use]
    pub const fn is_as_strong_as(self, other: Self) -> bool {
        self as u8 <= other as u8
    }

    /// The source of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// The source's name in requests and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Passphrase => "passphrase",
            Self::File => "file",
        }
    }
}
