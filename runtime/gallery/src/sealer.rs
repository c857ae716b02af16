//! Records under XChaCha20-Poly1305: 24 random bytes of nonce, the ciphertext, 16 bytes of tag.
//!
//! A nonce is drawn for every record; at 192 bits, drawing the same one twice is out of the question. The
//! record's place is authenticated with it, so that records cannot change places.

use crate::error::GalleryError;
use crate::key::{KEY_BYTES, fill_random};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;

/// Seals and opens records.
pub(crate) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Seals `contents` for `place`.
    pub(crate) fn seal(&self, place: &[u8], contents: &[u8]) -> Result<Vec<u8>, GalleryError> {
        let mut nonce = [0; NONCE_BYTES];
        fill_random(&mut nonce)?;
        let payload = Payload { msg: contents, aad: place };
        // Only a message of 256 GiB cannot be sealed.
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).map_err(|_| GalleryError::Full)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for `place`; `None` where anything else lies there.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: rest, aad: place };
        self.0.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_place_open_a_record() {
        let sealer = Sealer::new(&[1; KEY_BYTES]);
        let sealed = sealer.seal(b"subject 1", b"Ada").unwrap();
        assert_eq!(**sealer.open(b"subject 1", &sealed).unwrap(), *b"Ada");
        assert!(sealer.open(b"subject 2", &sealed).is_none());
        assert!(Sealer::new(&[2; KEY_BYTES]).open(b"subject 1", &sealed).is_none());
        assert_ne!(sealed, sealer.seal(b"subject 1", b"Ada").unwrap(), "a nonce was used twice");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer.open(b"subject 1", &changed).is_none(), "byte {at}");
            assert!(sealer.open(b"subject 1", &sealed[..at]).is_none(), "cut to {at}");
        }
    }
}
