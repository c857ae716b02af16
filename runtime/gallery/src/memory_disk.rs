//! A disk in memory whose power can be cut.

use crate::disk::Disk;
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 512;
/// The unit in which a file system gives space to a file, in bytes.
const BLOCK: usize = 4096;

/// A disk in memory. Clones share the bytes, so that a test can drop a gallery and open it again.
///
/// [`MemoryDisk::fail_after`] makes it fail as a full or dying disk does; [`MemoryDisk::power_cut`]
/// gives what a real one could hold after the power went.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// With every write so far, synced or not.
    bytes: Vec<u8>,
    /// As of the last sync.
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// Which blocks were written; the others are holes.
    blocks: BTreeSet<usize>,
    budget: Budget,
}

/// How many changes (writes, lengths, syncs) still succeed. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budget(Arc<Mutex<Count>>);

#[derive(Debug, Default)]
struct Count {
    /// None: all succeed.
    left: Option<u64>,
    /// Whether one failure is all.
    fails_once: bool,
    changes: u64,
    /// Blocks that are free. None: as many as anybody wants.
    free: Option<usize>,
}

impl Budget {
    pub(crate) fn fail_after(&self, changes: Option<u64>) {
        let mut count = self.state();
        (count.left, count.fails_once) = (changes, false);
    }

    pub(crate) fn fail_once_after(&self, changes: u64) {
        let mut count = self.state();
        (count.left, count.fails_once) = (Some(changes), true);
    }

    pub(crate) fn count(&self) -> io::Result<()> {
        let mut count = self.state();
        count.changes += 1;
        match &mut count.left {
            Some(0) => {
                if count.fails_once {
                    count.left = None;
                }
                Err(io::Error::other("the disk was told to fail"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(crate) fn set_free(&self, blocks: Option<usize>) {
        self.state().free = blocks;
    }

    fn take(&self, blocks: usize) -> io::Result<()> {
        if let Some(free) = &mut self.state().free {
            *free = free.checked_sub(blocks).ok_or(io::ErrorKind::StorageFull)?;
        }
        Ok(())
    }

    fn give_back(&self, blocks: usize) {
        if let Some(free) = &mut self.state().free {
            *free += blocks;
        }
    }

    fn state(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that durably holds `bytes`.
    #[must_use]
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { durable: bytes.clone(), bytes, ..State::default() })))
    }

    /// The bytes with every write so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Writes, changes of length and syncs so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state().budget.state().changes
    }

    /// Lets `changes` more of them succeed; from then on every one fails, until `None`.
    pub fn fail_after(&self, changes: Option<u64>) {
        self.state().budget.fail_after(changes);
    }

    /// A new disk with what could be left if the power went now: all that was synced and, chosen by
    /// `seed`, any part of the later changes, writes torn between sectors of 512 bytes.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        let state = self.state();
        let mut bytes = state.durable.clone();
        let mut random = seed;
        for change in &state.pending {
            match change {
                Change::Length(len) if flip(&mut random) => bytes.resize(*len, 0),
                Change::Length(_) => {}
                Change::Write(offset, data) => {
                    for (index, sector) in data.chunks(SECTOR).enumerate() {
                        if flip(&mut random) {
                            put(&mut bytes, offset + index * SECTOR, sector);
                        }
                    }
                }
            }
        }
        Self::holding(bytes)
    }

    /// The file lost its last name.
    pub(crate) fn unnamed(&self) {
        let mut state = self.state();
        state.budget.give_back(state.blocks.len());
        state.blocks.clear();
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn counted_by(self, budget: Budget) -> Self {
        self.state().budget = budget;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Splitmix64, one bit of it.
fn flip(random: &mut u64) -> bool {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *random;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) & 1 == 1
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

fn range(offset: u64, len: usize) -> io::Result<(usize, usize)> {
    let start = usize::try_from(offset).map_err(io::Error::other)?;
    Ok((start, start.checked_add(len).ok_or(io::ErrorKind::FileTooLarge)?))
}

impl Disk for MemoryDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (start, end) = range(offset, out.len())?;
        let state = self.state();
        out.copy_from_slice(state.bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (len, _) = range(len, 0)?;
        let mut state = self.state();
        state.budget.count()?;
        let cut = state.blocks.split_off(&len.div_ceil(BLOCK));
        state.budget.give_back(cut.len());
        state.bytes.resize(len, 0);
        state.pending.push(Change::Length(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.budget.count()?;
        state.durable = state.bytes.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (start, _) = range(offset, data.len())?;
        let mut state = self.state();
        state.budget.count()?;
        let blocks = start / BLOCK..(start + data.len()).div_ceil(BLOCK);
        let new: Vec<_> = blocks.filter(|block| !state.blocks.contains(block)).collect();
        state.budget.take(new.len())?;
        state.blocks.extend(new);
        put(&mut state.bytes, start, data);
        state.pending.push(Change::Write(start, data.to_vec()));
        Ok(())
    }
}
