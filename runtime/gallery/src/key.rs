//! The key of a gallery, and what is derived from it.

use crate::error::GalleryError;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a gallery's key.
pub const KEY_BYTES: usize = 32;
/// Random bytes that each gallery begins with.
pub(crate) const SALT_BYTES: usize = 16;
/// Bytes that tell a wrong key from a damaged gallery; they say nothing of the key itself.
pub(crate) const CHECK_BYTES: usize = 16;

/// What is derived from a key for one gallery.
pub(crate) struct Derived {
    /// Lies open in the gallery's first record.
    pub(crate) check: [u8; CHECK_BYTES],
    /// The seed of the rotation.
    pub(crate) transform: Zeroizing<[u8; KEY_BYTES]>,
    /// The key of every sealed record.
    pub(crate) records: Zeroizing<[u8; KEY_BYTES]>,
}

pub(crate) fn fill_random(out: &mut [u8]) -> Result<(), GalleryError> {
    getrandom::fill(out).map_err(|error| GalleryError::NoRandom(error.to_string()))
}

/// The secret that opens a gallery. Wiped from memory when it is dropped.
#[derive(Clone)]
pub struct GalleryKey(Zeroizing<[u8; KEY_BYTES]>);

impl GalleryKey {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// When the system has none.
    pub fn generate() -> Result<Self, GalleryError> {
        let mut key = Self(Zeroizing::default());
        fill_random(&mut *key.0)?;
        Ok(key)
    }

    /// A key that was kept somewhere. It must be uniformly random, or come from a password hash.
    #[must_use]
    pub fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The key, to keep it somewhere.
    #[must_use]
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// What follows from this key for the gallery of `salt` (HKDF with SHA-256, RFC 5869).
    pub(crate) fn derive(&self, salt: &[u8; SALT_BYTES]) -> Derived {
        let mut derived = Derived {
            check: [0; CHECK_BYTES],
            transform: Zeroizing::default(),
            records: Zeroizing::default(),
        };
        self.expand(salt, b"arcdoor gallery check 1", &mut derived.check);
        self.expand(salt, b"arcdoor gallery transform 1", derived.transform.as_mut_slice());
        self.expand(salt, b"arcdoor gallery records 1", derived.records.as_mut_slice());
        derived
    }

    /// In the gallery of `salt` that has format 4, the seed of every subject's own transform.
    pub(crate) fn issues(&self, salt: &[u8; SALT_BYTES]) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        self.expand(salt, b"arcdoor gallery issues 1", seed.as_mut_slice());
        seed
    }

    fn expand(&self, salt: &[u8; SALT_BYTES], purpose: &[u8], out: &mut [u8]) {
        let done = Hkdf::<Sha256>::new(Some(salt), self.0.as_slice()).expand(purpose, out);
        debug_assert!(done.is_ok(), "8160 bytes can be had, and 32 are asked for");
    }
}

/// A key stays out of logs.
impl std::fmt::Debug for GalleryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GalleryKey(..)")
    }
}
