//! Numbers are names: none is given twice.

use super::*;
use arcdoor_log::{Head, LogError, MAX_LINE_BYTES, verify};

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

/// A log whose newest record is `n`, made by taking over a record that has it: nothing else leaps.
fn near_the_end(n: u64) -> (MemoryFolder, Log<MemoryFolder>) {
    let (folder, log, _) = create();
    drop(log);
    // By hand: the state's last number, and its checksum.
    use sha2::{Digest as _, Sha256};
    let mut state = folder.files()["state"].clone();
    let length = state.len();
    let last = length - 32 - 32 - 8;
    state[last - 1] = 1;
    state[last..last + 8].copy_from_slice(&n.to_le_bytes());
    let checksum: [u8; 32] = Sha256::digest(&state[..length - 32]).into();
    state[length - 32..].copy_from_slice(&checksum);
    folder.put("state", state);
    folder.take(&segment(1));
    let log = Log::open(folder.clone(), at(1)).unwrap();
    (folder, log)
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
