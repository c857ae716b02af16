//! A folder in memory whose power can be cut.

use crate::disk::Disk;
use crate::error::GalleryError;
use crate::file_disk::io_error;
use crate::folder::Folder;
use crate::memory_disk::{Budget, MemoryDisk};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Names = BTreeMap<String, MemoryDisk>;

/// A folder of [`MemoryDisk`]s, with the same two faults: [`MemoryFolder::fail_after`] counts the changes of
/// all its files and names together, and [`MemoryFolder::power_cut`] gives what could be left of it. Clones
/// share it. It has no locks.
#[derive(Debug, Clone, Default)]
pub struct MemoryFolder(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    names: Names,
    /// As of the last sync.
    durable: Names,
    pending: Vec<Change>,
    budget: Budget,
}

#[derive(Debug, Clone)]
enum Change {
    Make(String, MemoryDisk),
    Rename(String, String),
    Link(String, String),
    Remove(String),
}

impl Change {
    fn apply(self, names: &mut Names) -> io::Result<()> {
        match self {
            Self::Make(name, disk) => {
                names.insert(name, disk);
            }
            Self::Rename(from, to) => {
                let disk = names.remove(&from).ok_or(ErrorKind::NotFound)?;
                names.insert(to, disk);
            }
            Self::Link(from, to) => {
                let disk = names.get(&from).cloned().ok_or(ErrorKind::NotFound)?;
                if names.contains_key(&to) {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                names.insert(to, disk);
            }
            Self::Remove(name) => {
                names.remove(&name).ok_or(ErrorKind::NotFound)?;
            }
        }
        Ok(())
    }
}

impl State {
    fn change(&mut self, change: Change) -> io::Result<()> {
        self.budget.count()?;
        let before = match &change {
            Change::Rename(_, name) | Change::Remove(name) => self.names.get(name).cloned(),
            Change::Make(..) | Change::Link(..) => None,
        };
        change.clone().apply(&mut self.names)?;
        self.pending.push(change);
        if let Some(disk) = before.filter(|disk| !self.names.values().any(|other| other.is(disk))) {
            disk.unnamed();
        }
        Ok(())
    }
}

impl MemoryFolder {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `changes` more succeed; from then on every one fails, until `None`.
    pub fn fail_after(&self, changes: Option<u64>) {
        self.state().budget.fail_after(changes);
    }

    /// Lets `changes` more succeed; the one behind them fails, and those behind that succeed again.
    pub fn fail_once_after(&self, changes: u64) {
        self.state().budget.fail_once_after(changes);
    }

    /// A new folder with what could be left if the power went now: all that was synced and, chosen by
    /// `seed`, the first few later changes of names (a journal keeps their order) and any part of the later
    /// writes to each file.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        let state = self.state();
        let mut names = state.durable.clone();
        let kept = (seed % (state.pending.len() as u64 + 1)) as usize;
        for change in state.pending.iter().take(kept) {
            // Cannot fail: each change was possible after the earlier ones, and they are all done.
            let _ = change.clone().apply(&mut names);
        }
        let budget = Budget::default();
        // A file of two names stays one.
        let mut cut: Vec<(MemoryDisk, MemoryDisk)> = Vec::new();
        for disk in names.values_mut() {
            let known = cut.iter().find(|(whole, _)| whole.is(disk)).map(|(_, cut)| cut.clone());
            let now = known.unwrap_or_else(|| disk.power_cut(seed).counted_by(budget.clone()));
            cut.push((std::mem::replace(disk, now.clone()), now));
        }
        Self(Arc::new(Mutex::new(State { durable: names.clone(), names, pending: Vec::new(), budget })))
    }

    /// Leaves so many free blocks of 4 KiB: from then on, what needs more of them fails as on a full disk, until
    /// `None`. Holes take none; what is cut or loses its last name gives its blocks back.
    pub fn set_free(&self, blocks: Option<usize>) {
        self.state().budget.set_free(blocks);
    }

    /// The names that there are.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Folder for MemoryFolder {
    type Disk = MemoryDisk;

    fn exists(&self, name: &str) -> bool {
        self.state().names.contains_key(name)
    }

    fn open(&self, name: &str, create: bool) -> Result<MemoryDisk, GalleryError> {
        let mut state = self.state();
        if let Some(disk) = state.names.get(name) {
            return Ok(disk.clone());
        }
        if !create {
            return Err(io_error("opening")(ErrorKind::NotFound.into()));
        }
        let disk = MemoryDisk::new().counted_by(state.budget.clone());
        state.change(Change::Make(name.to_owned(), disk.clone())).map_err(io_error("opening"))?;
        Ok(disk)
    }

    fn open_read(&self, name: &str) -> Result<MemoryDisk, GalleryError> {
        self.open(name, false)
    }

    fn make(&self, name: &str) -> Result<MemoryDisk, GalleryError> {
        if self.exists(name) {
            return Err(io_error("opening")(ErrorKind::AlreadyExists.into()));
        }
        self.open(name, true)
    }

    fn peek(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let Some(disk) = self.state().names.get(name).cloned() else { return Ok(None) };
        let mut bytes = vec![0; max.min(disk.len()? as usize)];
        disk.read(0, &mut bytes)?;
        Ok(Some(bytes))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state().change(Change::Rename(from.to_owned(), to.to_owned()))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.state().change(Change::Link(from.to_owned(), to.to_owned()))
    }

    fn same(&self, one: &str, other: &str) -> io::Result<bool> {
        let state = self.state();
        let disk = |name| state.names.get(name).ok_or(io::Error::from(ErrorKind::NotFound));
        Ok(disk(one)?.is(disk(other)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state().change(Change::Remove(name.to_owned()))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.budget.count()?;
        state.durable = state.names.clone();
        state.pending.clear();
        Ok(())
    }
}
