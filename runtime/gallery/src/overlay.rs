//! A disk that is only read: what is written to it stays in memory, and is gone with it.

use crate::disk::Disk;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that are kept in one piece, redb's page size.
const PIECE: u64 = 4096;

/// A disk below, never written, and over it the changes of whoever opened it: a database writes while it is opened,
/// and a backup on read-only media is to be opened all the same.
#[derive(Debug)]
pub(crate) struct Overlay<D> {
    below: D,
    above: Mutex<Above>,
}

#[derive(Debug)]
struct Above {
    len: u64,
    /// How much of the disk below still shows: a disk that was cut and grew again shows zeros.
    shown: u64,
    pieces: BTreeMap<u64, Box<[u8]>>,
}

impl<D: Disk> Overlay<D> {
    /// Over `below`, which must not change meanwhile.
    ///
    /// # Errors
    /// When its length cannot be had.
    pub(crate) fn new(below: D) -> io::Result<Self> {
        let len = below.len()?;
        Ok(Self { below, above: Mutex::new(Above { len, shown: len, pieces: BTreeMap::new() }) })
    }

    fn above(&self) -> MutexGuard<'_, Above> {
        self.above.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Piece `index` as it lies below.
    fn piece_below(&self, above: &Above, index: u64) -> io::Result<Box<[u8]>> {
        let mut piece = vec![0; PIECE as usize].into_boxed_slice();
        let start = index * PIECE;
        let len = above.shown.saturating_sub(start).min(PIECE);
        if len > 0 {
            self.below.read(start, &mut piece[..len as usize])?;
        }
        Ok(piece)
    }
}

/// The part of `offset..offset + len` that lies in each piece: the piece, where in it, and how many bytes.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + len as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        (at < end).then(|| {
            let (index, within) = (at / PIECE, at % PIECE);
            let part = (PIECE - within).min(end - at);
            at += part;
            (index, within as usize, part as usize)
        })
    })
}

fn end(offset: u64, len: usize) -> io::Result<u64> {
    Ok(offset.checked_add(len as u64).ok_or(io::ErrorKind::FileTooLarge)?)
}

impl<D: Disk> Disk for Overlay<D> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.above().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let above = self.above();
        if end(offset, out.len())? > above.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        for (index, within, part) in parts(offset, out.len()) {
            let out = &mut out[done..done + part];
            match above.pieces.get(&index) {
                Some(piece) => out.copy_from_slice(&piece[within..within + part]),
                None => out.copy_from_slice(&self.piece_below(&above, index)?[within..within + part]),
            }
            done += part;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut above = self.above();
        if len < above.len {
            above.pieces.split_off(&len.div_ceil(PIECE));
            above.shown = above.shown.min(len);
            let (index, within) = (len / PIECE, (len % PIECE) as usize);
            if let Some(piece) = above.pieces.get_mut(&index) {
                piece[within..].fill(0);
            }
        }
        above.len = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut above = self.above();
        above.len = above.len.max(end(offset, data.len())?);
        let mut done = 0;
        for (index, within, part) in parts(offset, data.len()) {
            let mut piece = match above.pieces.remove(&index) {
                Some(piece) => piece,
                None => self.piece_below(&above, index)?,
            };
            piece[within..within + part].copy_from_slice(&data[done..done + part]);
            above.pieces.insert(index, piece);
            done += part;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_disk::MemoryDisk;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Act {
        Write(u64, Vec<u8>),
        Length(u64),
        Read(u64, usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        let at = 0_u64..20_000;
        prop_oneof![
            (at.clone(), vec(any::<u8>(), 0..9000)).prop_map(|(at, data)| Act::Write(at, data)),
            at.clone().prop_map(Act::Length),
            (at, 0_usize..9000).prop_map(|(at, len)| Act::Read(at, len)),
        ]
    }

    proptest! {
        /// Whatever is done to it, it reads as a disk that was written, and the disk below stays as it was.
        #[test]
        fn an_overlay_is_a_disk_and_what_lies_below_never_changes(
            bytes in vec(any::<u8>(), 0..12_000),
            acts in vec(act(), 0..20),
        ) {
            let (below, twin) = (MemoryDisk::holding(bytes.clone()), MemoryDisk::holding(bytes.clone()));
            let over = Overlay::new(below.clone()).unwrap();
            for act in acts {
                match act {
                    Act::Write(at, data) => {
                        over.write(at, &data).unwrap();
                        twin.write(at, &data).unwrap();
                    }
                    Act::Length(len) => {
                        over.set_len(len).unwrap();
                        twin.set_len(len).unwrap();
                    }
                    Act::Read(at, len) => {
                        let (mut one, mut other) = (vec![0; len], vec![0; len]);
                        let read = (over.read(at, &mut one).is_ok(), twin.read(at, &mut other).is_ok());
                        prop_assert_eq!(read.0, read.1);
                        prop_assert_eq!(one, other);
                    }
                }
                prop_assert_eq!(over.len().unwrap(), twin.len().unwrap());
            }
            let mut all = vec![0; over.len().unwrap() as usize];
            over.read(0, &mut all).unwrap();
            prop_assert_eq!(all, twin.bytes());
            prop_assert_eq!(below.bytes(), bytes);
        }
    }
}
