//! Whose packs are taken: minisign signatures over the manifest, which holds the sha256 of all else.

use std::fmt;

use minisign_verify::{Error, PublicKey, Signature};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Problem;

/// The signature's file name, beside the manifest.
pub const SIGNATURE_FILE: &str = "pack.toml.minisig";

/// The text is no minisign public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no minisign public key; it is the line that begins with RW in the .pub file")]
pub struct TrustedKeyError(String);

/// The public key of somebody whose packs are taken.
#[derive(Clone)]
pub struct TrustedKey {
    key: PublicKey,
    text: String,
}

impl TrustedKey {
    /// The key in the line that begins with `RW` (56 base64 characters).
    ///
    /// # Errors
    /// When it is no such line.
    pub fn new(text: &str) -> Result<Self, TrustedKeyError> {
        let text = text.trim();
        let key = PublicKey::from_base64(text).map_err(|_| TrustedKeyError(text.to_owned()))?;
        Ok(Self { key, text: text.to_owned() })
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for TrustedKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Serialize for TrustedKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for TrustedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Checks that one of `keys` signed exactly `manifest`. Legacy signatures, which do not hash first, are not taken.
pub(crate) fn verify(manifest: &[u8], signature: &[u8], keys: &[TrustedKey]) -> Result<(), Problem> {
    let text = str::from_utf8(signature).map_err(|_| Problem::Signature)?;
    let signature = Signature::decode(text).map_err(|_| Problem::Signature)?;
    for trusted in keys {
        match trusted.key.verify(manifest, &signature, false) {
            Ok(()) => return Ok(()),
            Err(Error::UnexpectedKeyId) => {}
            Err(_) => return Err(Problem::Signature),
        }
    }
    Err(Problem::UnknownSigner)
}
