//! The log's head as a signed note, for whoever keeps it elsewhere.
//!
//! The form is that of [C2SP signed-note](https://c2sp.org/signed-note), as golang.org/x/mod/sumdb/note reads it: three
//! lines (origin, number of the newest record, the head in Base64), an empty one, and a signature (Ed25519). The number
//! is a record's name, not a tree's size: this is a chain, and no tlog checkpoint.

use crate::head::Head;
use crate::key::VerificationKey;
use arcdoor_api::LogHash;
use base64ct::{Base64, Encoding as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

const ORIGIN: &str = "arcdoor-log/";
/// The longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 4096;
const ED25519: u8 = 1;
const ID_BYTES: usize = 4;
const SIGNATURE_BYTES: usize = 64;
/// An em dash and a space.
const DASH: &str = "\u{2014} ";

/// A head of a log, signed by the log's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    head: Head,
    signature: [u8; SIGNATURE_BYTES],
    signer_id: [u8; ID_BYTES],
}

/// A text that is no note of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no note of a log: it is three lines (origin, number, hash), an empty one, and one with the signature, \
     as `arcdoor` wrote it"
)]
pub struct NoNote;

impl Note {
    pub(crate) fn sign(log: LogHash, head: Head, signer: &SigningKey) -> Self {
        let text = format!("{}\n{}\n{}\n", origin(&log), head.n, Base64::encode_string(head.hash.bytes()));
        let signature = signer.sign(text.as_bytes()).to_bytes();
        let signer_id = signer_id(&origin(&log), &signer.verifying_key());
        Self { text, head, signature, signer_id }
    }

    /// The head that it was made of.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Whether it says that it is of this log; the signature is not checked.
    #[must_use]
    pub fn is_of(&self, log: &LogHash) -> bool {
        self.origin() == origin(log)
    }

    /// Whether this key signed it, under the name of its origin.
    pub(crate) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        self.signer_id == signer_id(self.origin(), key)
            && key.verify_strict(self.text.as_bytes(), &Signature::from_bytes(&self.signature)).is_ok()
    }

    fn origin(&self) -> &str {
        self.text.lines().next().unwrap_or("")
    }
}

pub(crate) fn origin(log: &LogHash) -> String {
    format!("{ORIGIN}{}", &log.to_string()[..16])
}

fn signer_id(name: &str, key: &VerifyingKey) -> [u8; ID_BYTES] {
    let digest = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(key.as_bytes());
    let digest = digest.finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

impl VerificationKey {
    /// The line that other programs (`sumdb/note`) take to check the log's notes with: name, hash of the key, and the
    /// key. It is no secret.
    #[must_use]
    pub fn note_verifier(&self) -> String {
        verifier(&origin(&self.log()), &self.signer().verifying_key())
    }
}

/// See [`VerificationKey::note_verifier`].
pub(crate) fn verifier(origin: &str, key: &VerifyingKey) -> String {
    let id: String = signer_id(origin, key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{origin}+{id}+{}", Base64::encode_string(&[&[ED25519], &key.as_bytes()[..]].concat()))
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature: Vec<u8> = [&self.signer_id[..], &self.signature].concat();
        writeln!(f, "{}\n{DASH}{} {}", self.text, self.origin(), Base64::encode_string(&signature))
    }
}

impl FromStr for Note {
    type Err = NoNote;

    fn from_str(note: &str) -> Result<Self, NoNote> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoNote);
        }
        let (text, signatures) = note.split_once("\n\n").ok_or(NoNote)?;
        let mut lines = text.split('\n');
        let [origin, n, hash] = [(); 3].map(|()| lines.next().unwrap_or(""));
        let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+');
        if lines.next().is_some() || !origin.starts_with(ORIGIN) || !is_plain(origin) {
            return Err(NoNote);
        }
        let number: u64 = n.parse().map_err(|_| NoNote)?;
        let hash = Base64::decode_vec(hash).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NoNote)?;
        // Others may have signed it too.
        let own = format!("{DASH}{origin} ");
        let signature = signatures.lines().find_map(|line| line.strip_prefix(&own)).ok_or(NoNote)?;
        let signature = Base64::decode_vec(signature).map_err(|_| NoNote)?;
        let (signer_id, signature) = signature.split_first_chunk().ok_or(NoNote)?;
        let signature = signature.try_into().map_err(|_| NoNote)?;
        if number.to_string() != n || !signatures.ends_with('\n') {
            return Err(NoNote);
        }
        let head = Head { n: number, hash: LogHash::new(hash) };
        Ok(Self { text: format!("{text}\n"), head, signature, signer_id: *signer_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note() -> (Note, SigningKey) {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let head = Head { n: 4_711, hash: LogHash::new([9; 32]) };
        (Note::sign(LogHash::new([0xab; 32]), head, &signer), signer)
    }

    #[test]
    fn a_note_is_read_as_it_was_written_whoever_signed_it_too() {
        let (note, signer) = note();
        let text = note.to_string();
        assert!(text.starts_with("arcdoor-log/abababababababab\n4711\nCQkJ"), "{text}");
        let witnessed = format!("{text}\u{2014} witness.example/w abcdefgh\n");
        for text in [&text, &witnessed] {
            let read: Note = text.parse().unwrap();
            assert_eq!(read, note);
            assert!(read.is_signed_by(&signer.verifying_key()) && read.is_of(&LogHash::new([0xab; 32])));
        }
        assert!(!note.is_signed_by(&SigningKey::from_bytes(&[8; 32]).verifying_key()));
    }

    #[test]
    fn no_changed_byte_of_a_note_goes_unseen() {
        let (note, signer) = note();
        let text = note.to_string();
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let read = String::from_utf8(changed).ok().and_then(|text| text.parse::<Note>().ok());
            assert!(!read.is_some_and(|note| note.is_signed_by(&signer.verifying_key())), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_a_note_or_none(text in ".{0,300}") {
            let _ = text.parse::<Note>();
        }
    }
}
