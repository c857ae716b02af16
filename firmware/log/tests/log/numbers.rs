//! Numbers are names: none is given twice.

use super::*;
use arcdoor_log::{Head, LogError, MAX_LINE_BYTES, verify};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

#[test]
fn a_long_field_costs_no_number_and_restarts_none() {
    let (folder, mut log, key) = create();
    let mut numbers = Vec::new();
    for length in [1, 4_200, 1, MAX_LINE_BYTES, 1, 20_000] {
        match log.append(&exporting(length), at(1), None) {
            Ok(record) => numbers.push(record.unwrap().n),
            Err(error) => assert!(matches!(error, LogError::TooLong { .. }), "{error}"),
        }
        log.sync().unwrap();
        drop(log);
        log = Log::open(folder.clone(), at(2)).unwrap();
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert!(verify(&folder, Some(&key), None).unwrap().is_whole());
}

/// A small log with another state, whose checksum is right: whoever has the card can write one.
fn with_state(change: impl FnOnce(&mut [u8])) -> MemoryFolder {
    let (folder, log, _) = create();
    drop(log);
    let mut state = folder.files()["state"].clone();
    let (text, checksum) = state.split_last_chunk_mut::<32>().unwrap();
    change(text);
    *checksum = Sha256::digest(text).into();
    folder.put("state", state);
    folder
}

/// A log whose newest record is `n`, and is gone.
fn near_the_end(n: u64) -> (MemoryFolder, Log<MemoryFolder>) {
    let folder = with_state(|text| {
        let last = text.len() - 32 - 8;
        text[last - 1] = 1;
        text[last..last + 8].copy_from_slice(&n.to_le_bytes());
    });
    folder.take(&segment(1));
    let log = Log::open(folder.clone(), at(1)).unwrap();
    (folder, log)
}

proptest! {
    #[test]
    fn whatever_a_state_says_nothing_panics(field in 0_usize..6, bytes: [u8; 8], gone: bool) {
        // Epoch, its beginning, segment, offset, whether there is a last record, and its number.
        let (start, length) = [(8, 4), (108, 8), (116, 8), (124, 8), (132, 1), (133, 8)][field];
        for bytes in [bytes, [0xff; 8], [0; 8], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]] {
            let folder = with_state(|text| text[start..start + length].copy_from_slice(&bytes[..length]));
            if gone {
                folder.take(&segment(1));
            }
            let _ = verify(&folder, None, None).unwrap();
            let Ok(mut log) = Log::open(folder.clone(), at(1)) else { continue };
            let _ = log.append(&revoked(1), at(1), None);
            let _ = (log.sync(), log.tick(at(30 * 86_400)), log.note(), log.append(&revoked(1), at(2), None));
            let _ = (log.close(at(3)), verify(&folder, None, None).unwrap());
        }
    }
}

#[test]
fn at_the_end_of_the_numbers_appending_is_refused_and_nothing_panics() {
    for end in [u64::MAX - 2, u64::MAX - 1, u64::MAX] {
        let (folder, mut log) = near_the_end(end);
        let mut taken = Vec::new();
        for _ in 0..4 {
            match log.append(&revoked(1), at(1), None) {
                Ok(record) => taken.push(record.unwrap().n),
                Err(error) => assert!(matches!(error, LogError::Exhausted), "{error}"),
            }
        }
        // One number is the segment's.
        assert_eq!(taken.len() as u64, (u64::MAX - end).saturating_sub(1), "{taken:?}");
        let _ = (log.sync(), log.tick(at(86_400 * 30)), log.note());
        drop(log);
        let mut log = Log::open(folder.clone(), at(2)).unwrap();
        assert!(matches!(log.append(&revoked(1), at(2), None), Err(LogError::Exhausted)));
        let _ = verify(&folder, None, None).unwrap();
        assert_eq!(records(&folder).len() as u64, u64::MAX - end, "it is read as any other");
    }
}

#[test]
fn a_range_and_the_newest_are_read_across_segments() {
    let (folder, mut log, _) = create();
    for n in 0..200 {
        log.append(&exporting(4_000), at(n), None).unwrap();
    }
    log.sync().unwrap();
    assert!(folder.files().len() > 3);
    let numbers =
        |records: Records<'_, MemoryFolder>| records.map(|record| record.unwrap().n).collect::<Vec<_>>();
    let Head { n: last, .. } = log.head();
    let newest = numbers(Records::newest_first(&folder).unwrap());
    assert!(newest.iter().copied().eq((0..=last).rev()));
    for range in [0..=0, 0..=3, 60..=130, 63..=63, last..=u64::MAX, last + 1..=u64::MAX, 0..=last] {
        let read = numbers(Records::range(&folder, range.clone()).unwrap());
        assert!(read.iter().copied().eq(*range.start()..=last.min(*range.end())), "{range:?}: {read:?}");
    }
}
