//! A gallery's file.
//!
//! | first byte | what follows |
//! |---|---|
//! | 0 | the file itself |
//! | 1 | changes to a good gallery: offset u24, count u8, bytes |
//! | 2 | records put into a good gallery's whole pages: table u8, key u8, index u8, length u8, bytes |

use arcdoor_core::{Candidates, ModelId, SubjectName, Template};
use arcdoor_gallery::{Disk, Gallery, GalleryKey, KEY_BYTES, MemoryDisk};
use redb::{Builder, ReadableTable as _, TableDefinition};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

#[path = "changes.rs"]
mod changes;
use changes::changed;

const MODEL: ModelId = ModelId::new([7; 16]);
const DIMENSION: usize = 8;
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const SUBJECTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("subjects");
const TEMPLATES: TableDefinition<'_, (u32, u16), &[u8]> = TableDefinition::new("templates");
const IMPOSTORS: TableDefinition<'_, (u32, u16), &[u8]> = TableDefinition::new("impostors");

/// Whatever comes in: an error, or a gallery that answers and can be changed.
pub(crate) fn run(bytes: &[u8]) {
    let file = match bytes.split_first() {
        Some((0, file)) => file.to_vec(),
        Some((1, changes)) => changed::<3>(good().to_vec(), changes),
        Some((2, records)) => match crafted(records) {
            Some(file) => file,
            None => return,
        },
        _ => return,
    };
    use_it(MemoryDisk::holding(file));
}

fn use_it(disk: MemoryDisk) {
    let disk = Watched { disk, asked_too_much: Arc::default() };
    try_it(&disk);
    assert!(!disk.asked_too_much.load(Ordering::Relaxed), "memory is set aside for more than the file holds");
}

fn try_it(disk: &Watched) {
    let Ok(mut gallery) = Gallery::open_on(disk.clone(), &key(), MODEL, DIMENSION) else { return };
    let probe = template(1);
    let mut candidates = Candidates::new();
    let _ = gallery.identify(&probe, &mut candidates);
    let ids: Vec<_> = gallery.iter().map(|subject| subject.id).collect();
    for id in ids {
        let _ = gallery.verify(id, &probe);
        let _ = gallery.revoke(id);
    }
    if let Ok(name) = SubjectName::new("Eve") {
        let _ = gallery.enrol(&name, &[probe], 1);
    }
}

fn key() -> GalleryKey {
    GalleryKey::new(&[9; KEY_BYTES])
}

#[allow(clippy::unwrap_used, reason = "a template of ones")]
fn template(seed: u8) -> Template {
    let values: [f32; DIMENSION] = std::array::from_fn(|i| if i == usize::from(seed) { 9.0 } else { 1.0 });
    Template::new(MODEL, &values).unwrap()
}

/// Three subjects, of whom one was revoked.
#[allow(clippy::unwrap_used, reason = "on a disk that does not fail")]
fn good() -> &'static [u8] {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| {
        let disk = MemoryDisk::new();
        let mut gallery = Gallery::open_on(disk.clone(), &key(), MODEL, DIMENSION).unwrap();
        for (seed, name) in [(1, "Ada"), (2, "Bob"), (3, "Cleo")] {
            gallery.enrol(&SubjectName::new(name).unwrap(), &[template(seed), template(4)], 1).unwrap();
        }
        let gone = gallery.list()[1].id;
        gallery.revoke(gone).unwrap();
        drop(gallery);
        disk.bytes()
    })
}

/// A good gallery, whose header lets its key in, with these records in place of its own.
fn crafted(mut records: &[u8]) -> Option<Vec<u8>> {
    let memory = Memory(Arc::new(Mutex::new(good().to_vec())));
    let database = Builder::new().create_with_backend(memory.clone()).ok()?;
    let transaction = database.begin_write().ok()?;
    while let [table, key, index, count, rest @ ..] = records {
        let (bytes, rest) = rest.split_at(usize::from(*count).min(rest.len()));
        let place = (u32::from(*key), u16::from(*index));
        match table % 7 {
            0 => drop(transaction.open_table(META).ok()?.insert("header", bytes).ok()?),
            1 => drop(transaction.open_table(META).ok()?.insert("gallery", bytes).ok()?),
            2 => drop(transaction.open_table(META).ok()?.insert("hint", bytes).ok()?),
            3 => drop(transaction.open_table(SUBJECTS).ok()?.insert(place.0, bytes).ok()?),
            4 => drop(transaction.open_table(TEMPLATES).ok()?.insert(place, bytes).ok()?),
            5 => drop(transaction.open_table(IMPOSTORS).ok()?.insert(place, bytes).ok()?),
            // A record that is sealed well, and lies where it does not belong.
            _ => {
                let mut templates = transaction.open_table(TEMPLATES).ok()?;
                let sealed = templates.get(place).ok()?.map(|record| record.value().to_vec());
                if let ([key, index, ..], Some(sealed)) = (bytes, sealed) {
                    templates.insert((u32::from(*key), u16::from(*index)), sealed.as_slice()).ok()?;
                }
            }
        }
        records = rest;
    }
    transaction.commit().ok()?;
    drop(database);
    let bytes = memory.0.lock().ok()?;
    Some(bytes.clone())
}

/// The store sets memory aside before it reads.
#[derive(Debug, Clone)]
struct Watched {
    disk: MemoryDisk,
    asked_too_much: Arc<AtomicBool>,
}

impl Disk for Watched {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        // A header is looked for in the shortest file.
        if out.len() as u64 > self.disk.len()?.max(4096) {
            self.asked_too_much.store(true, Ordering::Relaxed);
        }
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(offset, data)
    }
}

/// A disk of redb's whose bytes can be had.
#[derive(Debug, Clone)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        Ok(work(&mut *self.0.lock().map_err(|_| io::ErrorKind::Other)?))
    }
}

impl redb::StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        self.with(|bytes| bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        self.with(|bytes| bytes.get(start..start + out.len()).map(|from| out.copy_from_slice(from)))?
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|bytes| bytes.resize(len as usize, 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = offset as usize;
        self.with(|bytes| bytes[start..start + data.len()].copy_from_slice(data))
    }
}
