//! The state: what the log must know to go on, in one small file. It holds the present epoch's key, so it is rewritten
//! when an epoch begins, and only then; the records that came after are found by reading them.
//!
//! The file is replaced so that no instant is without a state, and none keeps the old key for longer than it must:
//! the new state is written beside the old one and synced; the old one is overwritten with zeros and synced; the new
//! one takes its name. Flash moves blocks about: a copy of the old key that no program reaches may stay for a while.

use crate::chain::{Chain, Place};
use crate::error::{LogError, io_error};
use crate::folder::Folder;
use crate::key::{EpochKey, KEY_BYTES};
use arcdoor_api::{LogHash, UtcTime};
use sha2::{Digest as _, Sha256};
use std::io;
use zeroize::Zeroizing;

const NAME: &str = "state";
/// Where the next state is written.
const NEXT: &str = "state.next";
const MAGIC: [u8; 8] = *b"ADLOGST1";
const BYTES: usize = 8 + 4 + KEY_BYTES + KEY_BYTES + 32 + 8 + 8 + 8 + 1 + 8 + 32 + 32;

/// Which log it is, and a place in it: its key, its head, and where in the files it lies.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Which log it is; see [`VerificationKey::log`](crate::VerificationKey::log).
    pub(crate) log: LogHash,
    /// The seed of the key that signs notes.
    pub(crate) signer: EpochKey,
    pub(crate) chain: Chain,
    /// When the epoch began, in whole seconds.
    pub(crate) began: UtcTime,
    /// The segment that the place lies in.
    pub(crate) segment: u64,
    /// How far into it, in bytes.
    pub(crate) offset: u64,
}

/// What lies under the state's name.
#[derive(Debug)]
pub(crate) enum Found {
    None,
    Damaged,
    State(Box<State>),
}

impl State {
    fn write(&self) -> Zeroizing<Vec<u8>> {
        let Place { last, head, epoch } = self.chain.place;
        // Never grown: a copy that is left behind would not be wiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES));
        bytes.extend(MAGIC);
        bytes.extend(epoch.to_le_bytes());
        bytes.extend(self.chain.key.bytes());
        bytes.extend(self.signer.bytes());
        bytes.extend(self.log.bytes());
        bytes.extend(self.began.unix_s().to_le_bytes());
        bytes.extend(self.segment.to_le_bytes());
        bytes.extend(self.offset.to_le_bytes());
        bytes.push(u8::from(last.is_some()));
        bytes.extend(last.unwrap_or(0).to_le_bytes());
        bytes.extend(head.bytes());
        let checksum: [u8; 32] = Sha256::digest(bytes.as_slice()).into();
        bytes.extend(checksum);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (text, checksum) = bytes.split_last_chunk::<32>()?;
        if bytes.len() != BYTES || *checksum != <[u8; 32]>::from(Sha256::digest(text)) {
            return None;
        }
        let mut rest = text.strip_prefix(&MAGIC)?;
        let epoch = u32::from_le_bytes(take(&mut rest)?);
        let key = EpochKey::new(&take(&mut rest)?);
        let signer = EpochKey::new(&take(&mut rest)?);
        let log = LogHash::new(take(&mut rest)?);
        let began = UtcTime::from_unix_s(u64::from_le_bytes(take(&mut rest)?))?;
        let segment = u64::from_le_bytes(take(&mut rest)?);
        let offset = u64::from_le_bytes(take(&mut rest)?);
        let [has_last] = take(&mut rest)?;
        let last = u64::from_le_bytes(take(&mut rest)?);
        let head = LogHash::new(take(&mut rest)?);
        let place = Place { last: (has_last == 1).then_some(last), head, epoch };
        Some(Self { log, signer, chain: Chain { place, key }, began, segment, offset })
    }

    /// Reads the state, and where it was being replaced, the next one; changes nothing.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn find(folder: &impl Folder) -> Result<Found, LogError> {
        let mut found = Found::None;
        for name in [NAME, NEXT] {
            let bytes = folder.read(name, 0, BYTES + 1).map(Zeroizing::new).map_err(io_error("reading"))?;
            if let Some(state) = Self::parse(&bytes) {
                return Ok(Found::State(Box::new(state)));
            }
            if !bytes.is_empty() && name == NAME {
                found = Found::Damaged;
            }
        }
        Ok(found)
    }

    /// Replaces the state, durably, and erases the old one.
    ///
    /// # Errors
    /// When the disk fails or is full; the old or the new state is then found.
    pub(crate) fn save(&self, folder: &impl Folder) -> Result<(), LogError> {
        let failed = io_error("writing the state of");
        if is_state(folder, NEXT)? && !is_state(folder, NAME)? {
            take_name(folder).map_err(&failed)?;
        }
        folder
            .write(NEXT, 0, &self.write())
            .and_then(|()| folder.set_len(NEXT, BYTES as u64))
            .and_then(|()| folder.sync_file(NEXT))
            .and_then(|()| folder.sync())
            .map_err(&failed)?;
        take_name(folder).map_err(&failed)
    }

    /// Whether no earlier [`State::save`] was interrupted.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn is_settled(folder: &impl Folder) -> Result<bool, LogError> {
        Ok(folder.len(NEXT).map_err(io_error("reading"))?.is_none())
    }
}

/// Makes the next state, which is durable already, the state, and erases the old one.
fn take_name(folder: &impl Folder) -> io::Result<()> {
    if folder.len(NAME)?.is_some() {
        folder.write(NAME, 0, &[0; BYTES])?;
        folder.sync_file(NAME)?;
    }
    folder.rename(NEXT, NAME)?;
    folder.sync()
}

fn is_state(folder: &impl Folder, name: &str) -> Result<bool, LogError> {
    let bytes = folder.read(name, 0, BYTES + 1).map(Zeroizing::new).map_err(io_error("reading"))?;
    Ok(State::parse(&bytes).is_some())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_folder::MemoryFolder;

    fn state(epoch: u32) -> State {
        State {
            log: LogHash::new([0xa1; 32]),
            signer: EpochKey::new(&[0xa2; 32]),
            chain: Chain {
                place: Place {
                    last: epoch.checked_sub(1).map(u64::from),
                    head: LogHash::new([0xa3; 32]),
                    epoch,
                },
                key: EpochKey::new(&[epoch as u8; 32]),
            },
            began: UtcTime::from_unix_s(1_795_843_884).unwrap(),
            segment: 4,
            offset: 5,
        }
    }

    fn epoch(folder: &MemoryFolder) -> Option<u32> {
        match State::find(folder).unwrap() {
            Found::State(state) => Some(state.chain.place.epoch),
            Found::None | Found::Damaged => None,
        }
    }

    #[test]
    fn no_changed_or_missing_byte_is_taken_for_a_state() {
        let bytes = state(7).write();
        assert_eq!(State::parse(&bytes).unwrap().write(), bytes);
        assert_eq!((bytes.len(), bytes.capacity()), (BYTES, BYTES), "a copy was left behind");
        for at in 0..BYTES {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            assert!(State::parse(&changed).is_none() && State::parse(&bytes[..at]).is_none(), "{at}");
        }
    }

    /// At every operation, and of every cut again.
    #[test]
    fn no_power_cut_is_without_a_state_and_no_saved_one_keeps_the_key_before() {
        let old = MemoryFolder::new();
        state(1).save(&old).unwrap();
        for changes in 0.. {
            let folder = MemoryFolder::copy_of(&old);
            folder.fail_after(Some(changes));
            let done = state(2).save(&folder).is_ok();
            for seed in 0..64 {
                let cut = folder.power_cut(seed);
                assert!(matches!(epoch(&cut), Some(1 | 2)), "after {changes}, seed {seed}");
                state(3).save(&cut).unwrap();
                assert_eq!(epoch(&cut), Some(3));
                assert_eq!(cut.files().len(), 1);
                assert!(!cut.holds(&[1; 32][..]), "the key before lies there, after {changes}, seed {seed}");
            }
            if done {
                folder.fail_after(None);
                state(3).save(&folder).unwrap();
                assert!(!folder.holds(&[1; 32][..]) && !folder.holds(&[2; 32][..]));
                break;
            }
        }
    }
}
