//! Denials without end, a clock that jumps, and what a day costs the card.

use super::*;
use arcdoor_api::{Content, Link};
use arcdoor_log::{MOST_A_DAY, MOST_OLD_AT_ONCE, Retention, verify};

const DAY_S: u64 = 86_400;

#[test]
fn a_million_denials_leave_every_grant_of_the_last_days_in_place() {
    let (folder, log, key) = create();
    let retention = Retention::DEFAULT;
    let mut log = log.with_retention(retention);
    let days = u64::from(retention.days);
    let (mut grants, mut denials) = (0_u32, 0_u64);
    let (mut recorded, mut counted) = (0, 0);
    while denials < 1_000_000 {
        // Over the whole time that is kept, and a grant every ten minutes.
        let now = at(denials * days * DAY_S / 1_000_000);
        if u64::from(grants) * 600 <= denials * days * DAY_S / 1_000_000 {
            grants += 1;
            log.append(&decision(Verdict::Granted, grants), now, Some(GALLERY)).unwrap().unwrap();
        }
        let record = log.append(&decision(Verdict::Denied, 0), now, Some(GALLERY)).unwrap();
        if record.is_some() {
            recorded += 1
        } else {
            counted += 1
        }
        denials += 1;
    }
    log.close(at(days * DAY_S)).unwrap();
    let (mut found, mut said) = (0, 0);
    for record in records(&folder) {
        match record.content {
            Content::Entry(Entry::Decision { decision: Verdict::Granted, .. }) => found += 1,
            Content::Link(Link::Denials { count, .. }) => said += count,
            _ => {}
        }
    }
    assert_eq!(found, grants);
    assert_eq!((recorded + counted, said), (denials, counted), "no denial is lost from the count");
    assert!(recorded <= (days + 1) * MOST_A_DAY);
    let bytes: usize = folder.files().values().map(Vec::len).sum();
    assert!((bytes as u64) < retention.bytes / 2, "{bytes}");
    assert!(verify(&folder, Some(&key), None).unwrap().is_whole());
}

#[test]
fn what_is_older_than_asked_for_goes_in_time_also_where_nothing_happens() {
    let (folder, log, key) = create();
    let mut log = log.with_retention(Retention { days: 30, ..Retention::DEFAULT });
    for day in 0..20 {
        log.append(&revoked(day as u32), at(day * DAY_S), None).unwrap();
        log.sync().unwrap();
    }
    for day in 20..80 {
        log.tick(at(day * DAY_S)).unwrap();
        log.sync().unwrap();
        assert!(verify(&folder, Some(&key), None).unwrap().is_whole());
        // A week for the segment, a day for the sweep.
        let oldest = subjects(&folder).first().copied();
        assert!(
            oldest.is_none_or(|oldest| u64::from(oldest) + 30 + 8 >= day),
            "day {day}: {oldest:?} is there"
        );
        assert!(day > 45 || subjects(&folder).contains(&19), "day {day}: the newest went too soon");
    }
    assert!(subjects(&folder).is_empty() && folder.files().len() <= 7);
}

#[test]
fn a_clock_that_jumps_takes_away_no_more_than_it_says() {
    let (folder, mut log, key) = create();
    for week in 0..10 {
        log.append(&revoked(week as u32), at(week * 7 * DAY_S), None).unwrap();
    }
    log.sync().unwrap();
    let before = subjects(&folder).len();
    let far = UtcTime::from_unix_s(18_000_000_000).unwrap();
    for now in [far, UtcTime::default(), far, at(0), UtcTime::default()] {
        log.append(&revoked(99), now, None).unwrap();
        log.tick(now).unwrap();
        log.sync().unwrap();
    }
    let gone = before + 5 - subjects(&folder).len();
    assert!(gone <= 3 * MOST_OLD_AT_ONCE, "{gone} are gone");
    assert!(verify(&folder, Some(&key), None).unwrap().is_whole());
}

/// The figure of docs/measurements.md: `cargo test --release --workspace --test log -- --nocapture wears`.
#[test]
fn a_day_of_500_visits_wears_the_card_as_the_page_says() {
    let (folder, mut log, _) = create();
    let day = |log: &mut Log<MemoryFolder>, day: u64| {
        let mut minute = 0;
        // 500 visits between 6 and 22 o'clock; every tenth is denied first. Ticked each minute, synced at once.
        for second in (0..DAY_S).step_by(60) {
            let now = at(day * DAY_S + second);
            log.tick(now).unwrap();
            if (6 * 3_600..22 * 3_600).contains(&second) {
                minute += 1;
                for visit in (minute - 1) * 500 / 960..minute * 500 / 960 {
                    if visit % 10 == 0 {
                        log.append(&decision(Verdict::Denied, 7), now, Some(GALLERY)).unwrap();
                    }
                    log.append(&decision(Verdict::Granted, visit as u32), now, Some(GALLERY)).unwrap();
                    log.sync().unwrap();
                }
            }
        }
    };
    (0..7).for_each(|number| day(&mut log, number));
    let before = folder.wear();
    (7..14).for_each(|number| day(&mut log, number));
    let after = folder.wear();
    let [bytes, blocks, syncs] = [
        (after.bytes - before.bytes) / 7,
        (after.blocks - before.blocks) / 7,
        (after.syncs - before.syncs) / 7,
    ];
    println!("a day of 500 visits: {bytes} bytes, {blocks} blocks of 4,096 bytes, {syncs} syncs");
    assert!(bytes < 200_000 && blocks < 800 && syncs < 800);
}
