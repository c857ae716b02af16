//! The keys of the epochs, and the first of them, which is kept off the card.
//!
//! Forward security after Bellare and Yee, "Forward-Security in Private-Key Cryptography" (CT-RSA 2003): each epoch's
//! key is a pseudorandom function of the one before, and the old one is erased. All functions are HMAC with SHA-256
//! (RFC 2104).

use crate::error::LogError;
use arcdoor_api::LogHash;
use ed25519_dalek::SigningKey;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Bytes of every key.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of a record's code: HMAC with SHA-256, the first half (RFC 2104, section 5).
pub(crate) const MAC_BYTES: usize = 16;
/// The most epochs that a log has: at one an hour, 1,900 years. It bounds the work of deriving a key.
pub const MAX_EPOCHS: u32 = 1 << 24;

const TEXT: &str = "arcdoor-log-1";
const GROUP: usize = 8;

fn hmac(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
    // A short key stands before zeros, to the length of a block of SHA-256: RFC 2104, section 2.
    let mut block = Zeroizing::new([0; 64]);
    block[..KEY_BYTES].copy_from_slice(key);
    let block: &[u8; 64] = &block;
    let mut mac = Hmac::<Sha256>::new(block.into());
    parts.iter().for_each(|part| mac.update(part));
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// The key of one epoch. Wiped from memory when it is dropped.
#[derive(Clone)]
pub(crate) struct EpochKey(Zeroizing<[u8; KEY_BYTES]>);

impl EpochKey {
    pub(crate) fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key of the next epoch, from which this one cannot be had.
    pub(crate) fn next(&self) -> Self {
        Self(hmac(&self.0, &[b"arcdoor log next epoch 1"]))
    }

    /// The code of a record's text `body` that stands after the head `before`.
    pub(crate) fn mac(&self, before: &LogHash, body: &[u8]) -> [u8; MAC_BYTES] {
        let key = hmac(&self.0, &[b"arcdoor log record 1"]);
        let whole = hmac(&key, &[before.bytes(), body]);
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&whole[..MAC_BYTES]);
        mac
    }
}

/// A key stays out of logs.
impl fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EpochKey(..)")
    }
}

/// The key from which every epoch's key follows. It never lies on the card: [`crate::Log::create`] hands it out once.
/// Whoever holds it can check the whole log, and could forge one: keep it with somebody who does not hold the board.
///
/// Its text, 8 groups of 8 hexadecimal digits between `arcdoor-log-1` and a checksum, is made to be copied by hand.
#[derive(Clone)]
pub struct VerificationKey(EpochKey);

/// A text that is no verification key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Another form.
    #[error(
        "a log's verification key is {TEXT}, then 9 groups of 8 hexadecimal digits, with hyphens between"
    )]
    Form,
    /// A digit is wrong.
    #[error("the verification key's checksum is wrong: a digit was miscopied")]
    Checksum,
}

impl VerificationKey {
    /// A new one, from the system's random numbers.
    pub(crate) fn generate() -> Result<Self, LogError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| LogError::NoRandom(error.to_string()))?;
        Ok(Self(EpochKey(bytes)))
    }

    /// Which log it is of.
    #[must_use]
    pub fn log(&self) -> LogHash {
        LogHash::new(*hmac(self.0.bytes(), &[b"arcdoor log identity 1"]))
    }

    /// The key that signs the log's notes.
    pub(crate) fn signer(&self) -> SigningKey {
        SigningKey::from_bytes(&hmac(self.0.bytes(), &[b"arcdoor log notes 1"]))
    }

    /// The key of `epoch`, from 1; none beyond [`MAX_EPOCHS`].
    pub(crate) fn epoch(&self, epoch: u32) -> Option<EpochKey> {
        (1..=MAX_EPOCHS).contains(&epoch).then(|| (0..epoch).fold(self.0.clone(), |key, _| key.next()))
    }

    fn checksum(&self) -> [u8; GROUP / 2] {
        let digest = Sha256::new().chain_update(TEXT).chain_update(self.0.bytes()).finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

impl fmt::Display for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TEXT)?;
        for group in self.0.bytes().chunks(GROUP / 2).chain([&self.checksum()[..]]) {
            f.write_str("-")?;
            group.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationKey(..)")
    }
}

impl FromStr for VerificationKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        let groups = text.trim().strip_prefix(TEXT).ok_or(KeyTextError::Form)?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES + GROUP / 2]);
        let mut places = bytes.chunks_mut(GROUP / 2);
        for group in groups.strip_prefix('-').ok_or(KeyTextError::Form)?.split('-') {
            let place = places.next().ok_or(KeyTextError::Form)?;
            if group.len() != GROUP || !group.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(KeyTextError::Form);
            }
            let value = u32::from_str_radix(group, 16).map_err(|_| KeyTextError::Form)?;
            place.copy_from_slice(&value.to_be_bytes());
        }
        if places.next().is_some() {
            return Err(KeyTextError::Form);
        }
        let (key, checksum) = bytes.split_first_chunk().ok_or(KeyTextError::Form)?;
        let key = Self(EpochKey::new(key));
        if key.checksum() == *checksum { Ok(key) } else { Err(KeyTextError::Checksum) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miscopied_key_is_told_from_a_wrong_one() {
        let key = VerificationKey::generate().unwrap();
        let text = key.to_string();
        let read: VerificationKey =
            format!(" {} \n", text.to_uppercase().replace("ARCDOOR-LOG", "arcdoor-log")).parse().unwrap();
        assert_eq!(read.0.bytes(), key.0.bytes());
        for at in TEXT.len() + 1..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(changed.parse::<VerificationKey>().is_err(), "{at}");
            assert!(text[..at].parse::<VerificationKey>().is_err(), "{at}");
        }
        assert!(matches!(format!("{text}-00000000").parse::<VerificationKey>(), Err(KeyTextError::Form)));
    }

    #[test]
    fn no_epoch_has_the_key_of_another() {
        let key = VerificationKey::generate().unwrap();
        assert!(key.epoch(0).is_none() && key.epoch(MAX_EPOCHS + 1).is_none());
        let third = key.epoch(3).unwrap();
        assert_eq!(key.epoch(2).unwrap().next().bytes(), third.bytes());
        let mac = |epoch: u32| key.epoch(epoch).unwrap().mac(&LogHash::default(), b"body");
        assert_ne!(mac(1), mac(2));
        assert!(!format!("{key:?} {third:?}").contains(&key.to_string()[14..22]));
    }
}
