//! Lines of JSON that are taken elsewhere: a changed byte is found, at its line, and the log's key signs the whole.
//!
//! Each line's last field is SHA-256 over the hash before it and its own text before that field, so that the first line
//! that does not fit is the one that was changed, moved, or stands where one was removed. The last line holds the
//! signature (Ed25519) over all hashes before it. Whoever changes a line can compute every hash anew, but not sign: see
//! whose signature it is.

use crate::error::LogError;
use crate::folder::Folder;
use crate::key::VerificationKey;
use crate::note::{origin, verifier};
use crate::state::{Found, State};
use arcdoor_api::LogHash;
use base64ct::{Base64, Encoding as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest sealed text that is read, bytes.
pub const MAX_SEALED_BYTES: usize = 64 << 10;
const FIELD: &str = ",\"sha256\":\"";
const END: &str = "\"}";
const DIGITS: usize = 64;
/// What a signature is over, so that it can be taken for none of a note.
const CONTEXT: &str = "arcdoor-sealed-1";

/// What is wrong with a sealed text, at its first such line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is longer than any that is written.
    #[error("it is longer than {MAX_SEALED_BYTES} bytes: no capsule is")]
    TooLong,
    /// A line is not what was written.
    #[error("this line was changed, moved or cut, or the line before it was removed: ask for the file again")]
    Changed(usize),
    /// The end is missing.
    #[error("this line is missing or cut: the end of the file is gone; ask for it again")]
    Cut(usize),
    /// The signature is no signature of this text.
    #[error("the signature is of another text: somebody put this file together")]
    Signature(usize),
}

impl SealError {
    /// The line, from 1; of a text that is too long, the first.
    #[must_use]
    pub const fn line(self) -> usize {
        match self {
            Self::TooLong => 1,
            Self::Changed(line) | Self::Cut(line) | Self::Signature(line) => line,
        }
    }
}

/// The key that signs what a log hands out.
#[derive(Debug)]
pub struct Signer {
    log: LogHash,
    key: SigningKey,
}

impl Signer {
    /// The key of the log in `folder`; needs no lock. `None` where there is no log, or its state is damaged.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn find(folder: &impl Folder) -> Result<Option<Self>, LogError> {
        Ok(match State::find(folder)? {
            Found::State(state) => {
                Some(Self { log: state.log, key: SigningKey::from_bytes(state.signer.bytes()) })
            }
            Found::None | Found::Damaged => None,
        })
    }

    /// The key that a log's verification key leads to.
    #[must_use]
    pub fn of(key: &VerificationKey) -> Self {
        Self { log: key.log(), key: key.signer() }
    }
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    sealed: Signed,
    /// The line's own hash.
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "checked as bytes before")]
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// Lines before this one.
    lines: usize,
    signature: Option<By>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    origin: String,
    key: String,
    signature: String,
}

/// A text that is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its lines, each without what seals it.
    pub lines: Vec<String>,
    /// Who signed it, as the line that other programs take to check notes of that log with; none: nobody.
    pub signer: Option<String>,
}

impl Sealed {
    /// Seals lines, each of which is one JSON object with a field at least.
    #[must_use]
    pub fn write<'a>(lines: impl IntoIterator<Item = &'a str>, signer: Option<&Signer>) -> String {
        let (mut text, mut hash, mut count) = (String::new(), [0; 32], 0);
        for line in lines {
            push(&mut text, &mut hash, line);
            count += 1;
        }
        let signature = signer.map(|signer| By {
            origin: origin(&signer.log),
            key: Base64::encode_string(signer.key.verifying_key().as_bytes()),
            signature: Base64::encode_string(&signer.key.sign(&message(&hash)).to_bytes()),
        });
        let end = End { sealed: Signed { lines: count, signature }, sha256: String::new() };
        // Text and numbers: there is nothing in it that is no JSON.
        push(&mut text, &mut hash, &serde_json::to_string(&end).unwrap_or_default());
        text
    }

    /// Reads what [`Sealed::write`] wrote.
    ///
    /// # Errors
    /// What is wrong with it, at its first such line.
    pub fn read(text: &[u8]) -> Result<Self, SealError> {
        if text.len() > MAX_SEALED_BYTES {
            return Err(SealError::TooLong);
        }
        let (mut hash, mut before, mut lines) = ([0; 32], [0; 32], Vec::new());
        let mut whole = text.split_inclusive(|byte| *byte == b'\n');
        for line in whole.by_ref() {
            let changed = SealError::Changed(lines.len() + 1);
            let line = line.strip_suffix(b"\n").ok_or(SealError::Cut(lines.len() + 1))?;
            before = hash;
            let body = line.len().checked_sub(FIELD.len() + DIGITS + END.len()).ok_or(changed)?;
            let (body, suffix) = line.split_at(body);
            hash = after(&before, body);
            if suffix != suffix_of(&hash).as_bytes() {
                return Err(changed);
            }
            let body = str::from_utf8(body).map_err(|_| changed)?;
            lines.push(format!("{body}}}"));
        }
        let number = lines.len();
        let end: End = lines
            .pop()
            .and_then(|line| serde_json::from_str(&line).ok())
            .ok_or(SealError::Cut(number + 1))?;
        if end.sealed.lines != lines.len() {
            return Err(SealError::Changed(number));
        }
        let signer = match end.sealed.signature {
            Some(by) => Some(by.check(&before).ok_or(SealError::Signature(number))?),
            None => None,
        };
        Ok(Self { lines, signer })
    }
}

impl By {
    /// Who signed, where this is a signature over this hash.
    fn check(&self, hash: &[u8; 32]) -> Option<String> {
        let key: [u8; 32] = Base64::decode_vec(&self.key).ok()?.try_into().ok()?;
        let key = VerifyingKey::from_bytes(&key).ok()?;
        let signature = Base64::decode_vec(&self.signature).ok()?.try_into().ok()?;
        key.verify_strict(&message(hash), &Signature::from_bytes(&signature)).ok()?;
        Some(verifier(&self.origin, &key))
    }
}

fn message(hash: &[u8; 32]) -> Vec<u8> {
    [CONTEXT.as_bytes(), hash].concat()
}

fn after(before: &[u8; 32], body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(before).chain_update(body).finalize().into()
}

fn suffix_of(hash: &[u8; 32]) -> String {
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{FIELD}{digits}{END}")
}

fn push(text: &mut String, hash: &mut [u8; 32], line: &str) {
    let body = line.strip_suffix('}').unwrap_or(line);
    *hash = after(hash, body.as_bytes());
    text.push_str(body);
    text.push_str(&suffix_of(hash));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINES: [&str; 3] = ["{\"a\":1}", "{\"b\":{\"c\":2}}", "{\"d\":[]}"];

    fn signer(seed: u8) -> Signer {
        Signer { log: LogHash::new([seed; 32]), key: SigningKey::from_bytes(&[seed; 32]) }
    }

    #[test]
    fn lines_are_read_as_they_were_written_with_and_without_a_signature() {
        let unsigned = Sealed::read(Sealed::write(LINES, None).as_bytes()).unwrap();
        assert_eq!((unsigned.lines, unsigned.signer), (LINES.map(str::to_owned).to_vec(), None));
        let signed = Sealed::read(Sealed::write(LINES, Some(&signer(7))).as_bytes()).unwrap();
        assert!(signed.signer.unwrap().starts_with("arcdoor-log/0707070707070707+"));
    }

    #[test]
    fn a_changed_byte_or_a_removed_line_is_named() {
        let text = Sealed::write(LINES, Some(&signer(7)));
        for at in 0..text.len() {
            let line = 1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
            for flip in [1, 0x80] {
                let mut changed = text.clone().into_bytes();
                changed[at] ^= flip;
                assert_eq!(Sealed::read(&changed).unwrap_err().line(), line, "byte {at}");
            }
            assert!(Sealed::read(&text.as_bytes()[..at]).is_err(), "cut at {at}");
        }
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for gone in 0..lines.len() {
            let rest = [&lines[..gone], &lines[gone + 1..]].concat().concat();
            assert_eq!(Sealed::read(rest.as_bytes()).unwrap_err().line(), gone + 1);
        }
    }

    #[test]
    fn a_signature_of_another_text_is_no_signature() {
        let (text, other) = (
            Sealed::write(LINES, Some(&signer(7))),
            Sealed::write(LINES.into_iter().skip(1), Some(&signer(7))),
        );
        let sealed = |text: &str| Sealed::read(text.as_bytes()).unwrap();
        let end = text.lines().last().unwrap().split_once(FIELD).unwrap().0.to_owned() + "}";
        // Every hash is right, as whoever puts a file together can make it.
        let (mut forged, mut hash) = (String::new(), [0; 32]);
        for line in sealed(&other).lines.iter().chain([&LINES[0].to_owned(), &end]) {
            push(&mut forged, &mut hash, line);
        }
        assert_eq!(Sealed::read(forged.as_bytes()), Err(SealError::Signature(4)));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_sealed_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..300), line in ".{0,80}") {
            let _ = Sealed::read(&bytes);
            let (mut text, mut hash) = (String::new(), [0; 32]);
            push(&mut text, &mut hash, &line);
            prop_assert!(Sealed::read(text.as_bytes()).is_err(), "a line whose hash is right is no whole text");
        }
    }
}
