//! The log before this one.

use super::*;
use arcdoor_api::{Content, Link};
use arcdoor_log::{TakenOver, verify};
use std::io::Cursor;

fn line(n: u64, subject: u32) -> String {
    format!("{{\"n\":{n},\"at\":\"2026-11-28T05:31:24.25Z\",\"event\":\"revoked\",\"subject\":{subject}}}\n")
}

fn taken(folder: &MemoryFolder) -> Vec<(u64, u32)> {
    let pair = |record: &Record| record.legacy.then(|| (record.n, record.subject().unwrap().0));
    records(folder).iter().filter_map(pair).collect()
}

#[test]
fn an_older_log_is_taken_over_once_with_its_numbers_and_without_its_faults() {
    let (folder, mut log, key) = create();
    let old = [line(1, 1), line(2, 2), line(5, 3), "{\"n\":6,\"at\":\"20".to_owned()].concat();
    // It began anew at 1, and somebody wrote a number that would use up all others.
    let new = [
        line(6, 4),
        line(1, 5),
        line(2, 6),
        line(u64::MAX, 7),
        "x".repeat(50_000),
        "\n".to_owned(),
        line(9, 8),
    ];
    let files = || [Cursor::new(old.clone()), Cursor::new(new.concat())];
    let done = TakenOver { records: 8, unreadable: 2 };
    assert_eq!(log.take_over(files(), at(1)).unwrap(), done);
    let numbers = [(1, 1), (2, 2), (5, 3), (6, 4), (7, 5), (8, 6), (9, 7), (10, 8)];
    assert_eq!(taken(&folder), numbers);
    let last = records(&folder).pop().unwrap();
    assert_eq!(last.content, Content::Link(Link::TakenOver { records: 8, unreadable: 2 }));
    assert_eq!(log.take_over(files(), at(2)).unwrap(), done, "a second time does nothing");
    assert_eq!(taken(&folder).len(), 8);
    assert!(verify(&folder, Some(&key), None).unwrap().is_whole());
    assert!(verify(&folder, None, None).unwrap().is_whole());
    assert_eq!(log.append(&revoked(1), at(3), None).unwrap().unwrap().n, 12);
}

#[test]
fn a_power_cut_while_an_older_log_is_taken_over_loses_and_doubles_nothing() {
    let old: String = (1..=1_500).map(|n| line(n, n as u32)).collect();
    for changes in 0.. {
        let (folder, mut log, key) = create();
        folder.fail_after(Some(changes));
        let done = log.take_over([Cursor::new(old.clone())], at(1)).is_ok();
        for seed in 0..4 {
            let cut = folder.power_cut(seed);
            let mut log = Log::open(cut.clone(), at(2)).unwrap();
            assert_eq!(log.take_over([Cursor::new(old.clone())], at(2)).unwrap().records, 1_500);
            assert!(taken(&cut).iter().map(|(_, subject)| *subject).eq(1..=1_500), "{changes}, {seed}");
            assert!(verify(&cut, Some(&key), None).unwrap().is_whole());
        }
        if done {
            break;
        }
    }
}
