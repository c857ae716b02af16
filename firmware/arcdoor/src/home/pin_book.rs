//! Everybody's PIN, hashed (argon2id, RFC 9106), and how often it was wrong: four digits are guessed in an afternoon
//! where nobody counts.

use super::Home;
use super::file::{read_text, replace};
use crate::error::{DoorError, Error};
use arcdoor_core::SubjectId;
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// Largest file, in bytes: some 10,000 people.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Digits of a PIN.
pub const DIGITS: std::ops::RangeInclusive<usize> = 4..=12;
/// Wrong ones of one person after which none is looked at for a while.
pub const MOST_WRONG: u32 = 5;
/// For how long, seconds.
pub const LOCKED_S: u64 = 900;
/// OWASP's least for argon2id (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane. A board of 512 MiB has it free,
/// and takes some tenths of a second.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const HASH_BYTES: usize = 32;

/// What became of a PIN that was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// It is the person's.
    Right,
    /// It is the person's other one: under duress.
    Duress,
    /// It is not, or the person has none.
    Wrong,
    /// It was wrong too often, and was not looked at.
    Locked,
}

/// The file, and what it holds.
#[derive(Debug)]
pub struct PinBook {
    path: PathBuf,
    people: BTreeMap<u32, Person>,
    _held: MutexGuard<'static, ()>,
}

/// One book at a time in this process, which holds the home: what the keypad counts must not write over a PIN that an operator
/// has changed meanwhile, or bring back one that was removed.
static ONE: Mutex<()> = Mutex::new(());

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    pin: Option<Hash>,
    duress: Option<Hash>,
    #[serde(default)]
    wrong: u32,
    /// When it was wrong last, seconds since 1970.
    #[serde(default)]
    since_s: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hash {
    salt: [u8; 16],
    hash: [u8; HASH_BYTES],
}

impl Hash {
    fn new(digits: &str) -> Result<Self, Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)
            .map_err(|error| arcdoor_gallery::GalleryError::NoRandom(error.to_string()))?;
        Ok(Self { hash: hashed(digits, &salt)?, salt })
    }

    fn is_of(&self, digits: &str) -> Result<bool, Error> {
        let other = hashed(digits, &self.salt)?;
        // Every byte is looked at, whichever is the first that differs.
        Ok(self.hash.iter().zip(other).fold(0, |apart, (a, b)| apart | (a ^ b)) == 0)
    }
}

fn hashed(digits: &str, salt: &[u8; 16]) -> Result<[u8; HASH_BYTES], Error> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(HASH_BYTES)).map_err(|_| DoorError::NoHash)?;
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(digits.as_bytes(), salt, &mut hash)
        .map_err(|_| DoorError::NoHash)?;
    Ok(hash)
}

impl PinBook {
    /// Reads what this home holds; nobody else reads or changes it until this is dropped.
    ///
    /// # Errors
    /// When the file is there and cannot be read: nobody's PIN is taken then.
    pub fn read(home: &Home) -> Result<Self, Error> {
        let (path, held) = (home.pins(), ONE.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(text) = read_text(&path, MAX_BYTES)? else {
            return Ok(Self { path, people: BTreeMap::new(), _held: held });
        };
        let people = serde_json::from_str(&text)
            .map_err(|error| Error::BadFile { path: path.clone(), problem: error.to_string() })?;
        Ok(Self { path, people, _held: held })
    }

    /// Gives somebody a PIN, or another one; or the one that says "under duress".
    ///
    /// # Errors
    /// When it is none, both of a person are the same, or the file cannot be written.
    pub fn set(
        &mut self,
        subject: SubjectId,
        digits: &Zeroizing<String>,
        is_duress: bool,
    ) -> Result<(), Error> {
        if !DIGITS.contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(DoorError::NoPin.into());
        }
        let mut person = self.people.get(&subject.0).cloned().unwrap_or_default();
        let other = if is_duress { &person.pin } else { &person.duress };
        if other.as_ref().map(|other| other.is_of(digits)).transpose()?.unwrap_or(false) {
            return Err(DoorError::SamePin.into());
        }
        let hash = Some(Hash::new(digits)?);
        if is_duress {
            person.duress = hash
        } else {
            person.pin = hash
        }
        (person.wrong, person.since_s) = (0, 0);
        self.people.insert(subject.0, person);
        self.write()
    }

    /// Takes somebody's PINs away; whether there were any.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remove(&mut self, subject: SubjectId) -> Result<bool, Error> {
        let had = self.people.remove(&subject.0).is_some();
        if had { self.write().map(|()| true) } else { Ok(false) }
    }

    /// Whether somebody has a PIN.
    #[must_use]
    pub fn has(&self, subject: SubjectId) -> bool {
        self.people.get(&subject.0).is_some_and(|person| person.pin.is_some())
    }

    /// Looks at what somebody entered. Two hashes are made, whichever is right and whether there are two: nobody tells by the
    /// time it takes that there is a PIN for duress, or that it was this one.
    ///
    /// # Errors
    /// When the count of wrong ones cannot be written: then none is taken.
    pub fn enter(&mut self, subject: SubjectId, digits: &str, now_s: u64) -> Result<Entered, Error> {
        let Some(person) = self.people.get_mut(&subject.0) else { return Ok(Entered::Wrong) };
        // A clock that went back ends no lock.
        if now_s.checked_sub(person.since_s).is_some_and(|since| since >= LOCKED_S) {
            person.wrong = 0;
        }
        if person.wrong >= MOST_WRONG {
            return Ok(Entered::Locked);
        }
        // Counted before it is looked at: whoever cuts the power has guessed once.
        (person.wrong, person.since_s) = (person.wrong + 1, now_s);
        self.write()?;
        let person = self.people.entry(subject.0).or_default();
        let is = |hash: &Option<Hash>| match hash {
            Some(hash) => hash.is_of(digits),
            None => hashed(digits, &[0; 16]).map(|_| false),
        };
        let (right, duress) = (is(&person.pin)?, is(&person.duress)?);
        if !right && !duress {
            return Ok(Entered::Wrong);
        }
        person.wrong = 0;
        self.write()?;
        Ok(if duress { Entered::Duress } else { Entered::Right })
    }

    fn write(&self) -> Result<(), Error> {
        let text = serde_json::to_vec(&self.people)
            .map_err(|error| Error::File { path: self.path.clone(), source: error.into() })?;
        if text.len() as u64 > MAX_BYTES {
            return Err(DoorError::PinsFull(self.path.clone()).into());
        }
        replace(&self.path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: SubjectId = SubjectId(1);

    fn digits(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    fn place() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(folder.path().to_owned())).unwrap();
        (folder, home)
    }

    #[test]
    fn a_pin_is_told_from_the_one_under_duress_and_neither_lies_in_the_file() {
        let (_folder, home) = place();
        let mut book = PinBook::read(&home).unwrap();
        book.set(ADA, &digits("271828"), false).unwrap();
        assert!(matches!(book.set(ADA, &digits("271828"), true), Err(Error::Door(DoorError::SamePin))));
        book.set(ADA, &digits("314159"), true).unwrap();
        drop(book);
        let mut book = PinBook::read(&home).unwrap();
        let mut enter = |text: &str| book.enter(ADA, text, 0).unwrap();
        assert_eq!(
            [enter("271828"), enter("314159"), enter("0000")],
            [Entered::Right, Entered::Duress, Entered::Wrong]
        );
        assert_eq!(book.enter(SubjectId(2), "271828", 0).unwrap(), Entered::Wrong);
        let text = std::fs::read_to_string(home.pins()).unwrap();
        assert!(!text.contains("271828") && !text.contains("314159"));
        assert!(book.remove(ADA).unwrap() && !book.has(ADA));
        for wrong in ["123", "1234567890123", "12a4", ""] {
            assert!(
                matches!(book.set(ADA, &digits(wrong), false), Err(Error::Door(DoorError::NoPin))),
                "{wrong}"
            );
        }
    }

    #[test]
    fn guessing_ends_after_five_and_neither_a_restart_nor_a_clock_that_goes_back_helps() {
        let (_folder, home) = place();
        let mut book = PinBook::read(&home).unwrap();
        book.set(ADA, &digits("2718"), false).unwrap();
        for _ in 0..MOST_WRONG {
            assert_eq!(book.enter(ADA, "0000", 1_000).unwrap(), Entered::Wrong);
        }
        drop(book);
        let mut book = PinBook::read(&home).unwrap();
        for now in [1_000, 999 + LOCKED_S, 0] {
            assert_eq!(book.enter(ADA, "2718", now).unwrap(), Entered::Locked, "{now}");
        }
        assert_eq!(book.enter(ADA, "2718", 1_000 + LOCKED_S).unwrap(), Entered::Right);
    }

    #[test]
    fn a_broken_book_is_no_empty_one() {
        let (_folder, home) = place();
        std::fs::write(home.pins(), "{").unwrap();
        assert!(PinBook::read(&home).is_err());
    }
}
