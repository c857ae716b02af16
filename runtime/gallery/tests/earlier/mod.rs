//! Galleries that earlier versions wrote, of 16 values, under the key of ones, by the embedder of ones.
//!
//! A file holds its length, then every 64 bytes that are not all zero, after their number.

use arcdoor_gallery::MemoryDisk;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, StorageBackend as _, TableDefinition};

fn expanded(packed: &[u8]) -> MemoryDisk {
    let (length, lines) = packed.split_first_chunk::<4>().unwrap();
    let mut bytes = vec![0; u32::from_le_bytes(*length) as usize];
    for line in lines.chunks_exact(4 + 64) {
        let (number, line) = line.split_first_chunk::<4>().unwrap();
        let at = 64 * u32::from_le_bytes(*number) as usize;
        bytes[at..at + 64].copy_from_slice(line);
    }
    MemoryDisk::holding(bytes)
}

/// Ada (1) with one template, Bob (3) with two, somebody who was taken for Bob; subject 2 was revoked.
pub(crate) fn format_3() -> MemoryDisk {
    expanded(include_bytes!("../data/format-3.gallery"))
}

/// Ada (1) as she was enrolled, Bob (2) issued anew twice, Cid (3) revoked, Dee (4) issued anew once and
/// given a view and an impostor after that. Written by the last code that wrote this format (586c31a).
pub(crate) fn format_4() -> MemoryDisk {
    expanded(include_bytes!("../data/format-4.gallery"))
}

/// Every record as it lies there. Each writing seals with a new nonce: the same bytes were not written again.
pub(crate) fn records(disk: &MemoryDisk) -> Vec<Vec<u8>> {
    let (bytes, copy) = (disk.bytes(), InMemoryBackend::new());
    copy.set_len(bytes.len() as u64).unwrap();
    copy.write(0, &bytes).unwrap();
    let database = Database::builder().create_with_backend(copy).unwrap();
    let read = database.begin_read().unwrap();
    let mut records = Vec::new();
    let meta = read.open_table(TableDefinition::<&str, &[u8]>::new("meta")).unwrap();
    records.extend(meta.iter().unwrap().map(|entry| entry.unwrap().1.value().to_vec()));
    let subjects = read.open_table(TableDefinition::<u32, &[u8]>::new("subjects")).unwrap();
    records.extend(subjects.iter().unwrap().map(|entry| entry.unwrap().1.value().to_vec()));
    for name in ["templates", "impostors"] {
        let table = read.open_table(TableDefinition::<(u32, u16), &[u8]>::new(name)).unwrap();
        records.extend(table.iter().unwrap().map(|entry| entry.unwrap().1.value().to_vec()));
    }
    records
}
