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

    /// As requests and the log write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Passphrase => "passphrase",
            Self::File => "file",
        }
    }
}
