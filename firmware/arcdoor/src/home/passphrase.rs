//! A passphrase, and a gallery's key from it: argon2id (RFC 9106), with its parameters as the gallery's hint.

use crate::error::Error;
use arcdoor_gallery::{GalleryKey, KEY_BYTES};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

/// The fewest characters that a new passphrase may have.
pub const LEAST_CHARS: usize = 12;
/// Longest passphrase, in bytes.
pub const MAX_BYTES: u64 = 1024;
const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
/// RFC 9106's second recommended option, for devices with little memory: 64 MiB, 3 passes; one lane,
/// since a board's other cores have work.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// What a hint may ask for: a crafted file must not take the board's memory.
const MOST_MEMORY_KIB: u32 = 512 * 1024;
const MOST_PASSES: u32 = 16;

/// What somebody typed, or keeps in a file; overwritten in memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase that is to open something; its length is not checked.
    #[must_use]
    pub const fn given(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// A new passphrase that something is to be sealed with.
    ///
    /// # Errors
    /// When it has fewer than 12 characters.
    pub fn new(text: Zeroizing<String>) -> Result<Self, Error> {
        if text.chars().count() < LEAST_CHARS {
            return Err(Error::ShortPassphrase { least: LEAST_CHARS });
        }
        Ok(Self(text))
    }

    /// What was typed.
    #[must_use]
    pub fn into_inner(self) -> Zeroizing<String> {
        self.0
    }

    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// How a key is made from a passphrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kdf {
    memory_kib: u32,
    passes: u32,
    salt: [u8; SALT_BYTES],
}

impl Kdf {
    /// Today's parameters and a new salt.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn fresh() -> Result<Self, Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)
            .map_err(|error| arcdoor_gallery::GalleryError::NoRandom(error.to_string()))?;
        Ok(Self { memory_kib: MEMORY_KIB, passes: PASSES, salt })
    }

    /// What lies open in the gallery: version u8, memory in KiB u32, passes u32, salt 16; little-endian.
    #[must_use]
    pub fn to_hint(&self) -> Vec<u8> {
        [&[VERSION][..], &self.memory_kib.to_le_bytes(), &self.passes.to_le_bytes(), &self.salt].concat()
    }

    /// The parameters of a hint.
    ///
    /// # Errors
    /// When it is none of ours, or asks for more than a board has.
    pub fn from_hint(hint: &[u8]) -> Result<Self, Error> {
        let parse = || {
            let (&[version], rest) = hint.split_first_chunk::<1>()?;
            let (memory, rest) = rest.split_first_chunk::<4>()?;
            let (passes, salt) = rest.split_first_chunk::<4>()?;
            let (memory_kib, passes) = (u32::from_le_bytes(*memory), u32::from_le_bytes(*passes));
            let bounded = (8..=MOST_MEMORY_KIB).contains(&memory_kib) && (1..=MOST_PASSES).contains(&passes);
            let salt = salt.try_into().ok()?;
            (version == VERSION && bounded).then_some(Self { memory_kib, passes, salt })
        };
        parse().ok_or(Error::Hint)
    }

    /// The key of a passphrase. Takes some tenths of a second and `memory_kib` of memory, on purpose.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn key(&self, passphrase: &Passphrase) -> Result<GalleryKey, Error> {
        let params =
            Params::new(self.memory_kib, self.passes, 1, Some(KEY_BYTES)).map_err(|_| Error::Hint)?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.0.as_bytes(), &self.salt, &mut *key)
            .map_err(|_| Error::Hint)?;
        Ok(GalleryKey::new(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_makes_the_same_key_again_and_another_passphrase_does_not() {
        let kdf = Kdf { memory_kib: 64, passes: 1, salt: [3; SALT_BYTES] };
        let key = |kdf: &Kdf, text: &str| {
            kdf.key(&Passphrase::given(Zeroizing::new(text.to_owned()))).unwrap().bytes().to_owned()
        };
        let again = Kdf::from_hint(&kdf.to_hint()).unwrap();
        assert_eq!(again, kdf);
        assert_eq!(key(&again, "correct horse"), key(&kdf, "correct horse"));
        assert_ne!(key(&again, "correct horsf"), key(&kdf, "correct horse"));
        assert_ne!(Kdf::fresh().unwrap().salt, Kdf::fresh().unwrap().salt);
    }

    #[test]
    fn crafted_hints_are_refused() {
        let good = Kdf::fresh().unwrap().to_hint();
        for length in 0..good.len() {
            assert!(Kdf::from_hint(&good[..length]).is_err());
        }
        for (at, byte) in [(0, 9), (4, 0xff), (8, 0xff)] {
            let mut crafted = good.clone();
            crafted[at] = byte;
            assert!(Kdf::from_hint(&crafted).is_err(), "byte {at}");
        }
        assert!(Kdf::from_hint(&[&good[..], b"x"].concat()).is_err());
    }
}
