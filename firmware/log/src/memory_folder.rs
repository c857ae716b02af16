//! A folder in memory whose power can be cut, and that counts what flash would wear.

use crate::folder::Folder;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

const SECTOR: usize = 512;
/// The unit that a file system writes.
const BLOCK: u64 = 4096;

/// A folder in memory. Clones share it, so that a test can drop a log and open it again.
///
/// [`MemoryFolder::fail_after`] makes it fail as a dying disk does, [`MemoryFolder::full_after`] as a full one;
/// [`MemoryFolder::power_cut`] gives what a real one could hold after the power went.
#[derive(Debug, Clone, Default)]
pub struct MemoryFolder {
    state: Arc<Mutex<State>>,
    /// A writer holds a weak one.
    writer: Arc<()>,
}

/// What was written so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wear {
    /// Bytes handed over.
    pub bytes: u64,
    /// Blocks of 4,096 bytes that a sync of a file had to write.
    pub blocks: u64,
    /// Syncs of files and of the folder.
    pub syncs: u64,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    /// As of the last sync.
    durable: BTreeMap<String, usize>,
    pending: Vec<Naming>,
    fault: Fault,
    changes: u64,
    wear: Wear,
}

#[derive(Debug, Default)]
enum Fault {
    #[default]
    None,
    /// So many changes succeed, and then none.
    FailAfter(u64),
    /// So many writes succeed; later ones write half and say that the disk is full.
    FullAfter(u64),
}

#[derive(Debug, Clone, Default)]
struct File {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Clone)]
enum Naming {
    Make(String, usize),
    Rename(String, String),
    Remove(String),
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) -> io::Result<()> {
        match self {
            Self::Make(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Rename(from, to) => {
                let file = names.remove(from).ok_or(ErrorKind::NotFound)?;
                names.insert(to.clone(), file);
            }
            Self::Remove(name) => {
                names.remove(name).ok_or(ErrorKind::NotFound)?;
            }
        }
        Ok(())
    }
}

impl File {
    fn holding(bytes: Vec<u8>) -> Self {
        Self { durable: bytes.clone(), bytes, pending: Vec::new() }
    }

    /// Writes are torn between sectors, each of which is there or not.
    fn power_cut(&self, random: &mut u64) -> Self {
        let mut bytes = self.durable.clone();
        for change in &self.pending {
            match change {
                Change::Length(len) if flip(random) => bytes.resize(*len, 0),
                Change::Length(_) => {}
                Change::Write(offset, data) => {
                    // Sectors lie on the disk, not in what is written.
                    let mut at = 0;
                    while at < data.len() {
                        let end = (at + SECTOR - (offset + at) % SECTOR).min(data.len());
                        if flip(random) {
                            put(&mut bytes, offset + at, &data[at..end]);
                        }
                        at = end;
                    }
                }
            }
        }
        Self::holding(bytes)
    }
}

impl State {
    fn naming(&mut self, naming: Naming) -> io::Result<()> {
        naming.apply(&mut self.names)?;
        self.pending.push(naming);
        Ok(())
    }

    fn count(&mut self) -> io::Result<()> {
        self.changes += 1;
        match &mut self.fault {
            Fault::FailAfter(0) => Err(io::Error::other("the disk was told to fail")),
            Fault::FailAfter(left) => {
                *left -= 1;
                Ok(())
            }
            Fault::None | Fault::FullAfter(_) => Ok(()),
        }
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        let file = *self.names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(&mut self.files[file])
    }
}

impl MemoryFolder {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A folder that durably holds what `other` holds, and nothing more in common with it.
    #[must_use]
    pub fn copy_of(other: &Self) -> Self {
        let copy = Self::new();
        for (name, bytes) in other.files() {
            copy.put(&name, bytes);
        }
        copy
    }

    /// Every file and what it holds, with every write so far.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        state.names.iter().map(|(name, file)| (name.clone(), state.files[*file].bytes.clone())).collect()
    }

    /// Whether these bytes lie in any file, in one that lost its name too.
    #[must_use]
    pub fn holds(&self, bytes: &[u8]) -> bool {
        let is_there = |held: &[u8]| held.windows(bytes.len()).any(|part| part == bytes);
        self.state().files.iter().any(|file| is_there(&file.bytes) || is_there(&file.durable))
    }

    /// Makes the file `name` durably hold `bytes`, as somebody would who has the card.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        state.files.push(File::holding(bytes));
        let file = state.files.len() - 1;
        state.names.insert(name.to_owned(), file);
        state.durable.insert(name.to_owned(), file);
    }

    /// Takes the file `name` away, as somebody would who has the card.
    pub fn take(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name);
        state.durable.remove(name);
    }

    /// Changes of files and names, and syncs, so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// What was written so far.
    #[must_use]
    pub fn wear(&self) -> Wear {
        self.state().wear
    }

    /// Lets `changes` more succeed; from then on every one fails, until `None`.
    pub fn fail_after(&self, changes: Option<u64>) {
        self.state().fault = changes.map_or(Fault::None, Fault::FailAfter);
    }

    /// Lets `writes` more succeed; from then on each writes half and finds the disk full, until `None`.
    pub fn full_after(&self, writes: Option<u64>) {
        self.state().fault = writes.map_or(Fault::None, Fault::FullAfter);
    }

    /// A new folder with what could be left if the power went now: all that was synced and, chosen by `seed`, the
    /// first few later changes of names (a journal keeps their order) and any part of the later writes to each file.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        let state = self.state();
        let mut names = state.durable.clone();
        let kept = (seed % (state.pending.len() as u64 + 1)) as usize;
        for naming in state.pending.iter().take(kept) {
            // Cannot fail: each change was possible after the earlier ones, and they are all done.
            let _ = naming.apply(&mut names);
        }
        let mut random = seed;
        let files = state.files.iter().map(|file| file.power_cut(&mut random)).collect();
        let state = State { files, durable: names.clone(), names, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), writer: Arc::new(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Folder for MemoryFolder {
    type Lock = Weak<()>;

    fn lock(&self) -> io::Result<Option<Weak<()>>> {
        Ok((Arc::weak_count(&self.writer) == 0).then(|| Arc::downgrade(&self.writer)))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        Ok(self.state().file(name).ok().map(|file| file.bytes.len() as u64))
    }

    fn read(&self, name: &str, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        let Ok(file) = state.file(name) else { return Ok(Vec::new()) };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.bytes.len());
        Ok(file.bytes[start..].iter().take(most).copied().collect())
    }

    fn write(&self, name: &str, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(|_| ErrorKind::FileTooLarge)?;
        let mut state = self.state();
        if !state.names.contains_key(name) {
            state.count()?;
            state.files.push(File::default());
            let file = state.files.len() - 1;
            state.naming(Naming::Make(name.to_owned(), file))?;
        }
        state.count()?;
        let full = match &mut state.fault {
            Fault::FullAfter(0) => true,
            Fault::FullAfter(left) => {
                *left -= 1;
                false
            }
            Fault::None | Fault::FailAfter(_) => false,
        };
        let data = if full { &data[..data.len() / 2] } else { data };
        state.wear.bytes += data.len() as u64;
        let file = state.file(name)?;
        put(&mut file.bytes, offset, data);
        file.pending.push(Change::Write(offset, data.to_vec()));
        if full { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| ErrorKind::FileTooLarge)?;
        let mut state = self.state();
        state.count()?;
        let file = state.file(name)?;
        file.bytes.resize(len, 0);
        file.pending.push(Change::Length(len));
        Ok(())
    }

    fn sync_file(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.count()?;
        let file = state.file(name)?;
        let blocks: BTreeSet<u64> = file
            .pending
            .iter()
            .filter_map(|change| match change {
                Change::Write(offset, data) => Some((*offset as u64, data.len() as u64)),
                Change::Length(_) => None,
            })
            .flat_map(|(offset, length)| offset / BLOCK..(offset + length).div_ceil(BLOCK))
            .collect();
        file.durable.clone_from(&file.bytes);
        file.pending.clear();
        state.wear.blocks += blocks.len() as u64;
        state.wear.syncs += 1;
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.count()?;
        state.naming(Naming::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.count()?;
        state.naming(Naming::Remove(name.to_owned()))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.count()?;
        state.durable = state.names.clone();
        state.pending.clear();
        state.wear.syncs += 1;
        Ok(())
    }
}
