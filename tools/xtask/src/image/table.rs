//! The table of partitions: a master boot record, which every board's firmware reads.
//!
//! Four entries are all that it has, and all that is needed. GPT would want firmware of 2018 or newer on a Raspberry Pi 3,
//! and its second table at the card's end, which no image knows.

use anyhow::{Result, ensure};

use super::layout::{Part, Place, SECTOR};

/// The record's length.
pub(crate) const BYTES: usize = 512;
/// Where the disk's signature stands, by which the kernel is told its root.
const SIGNATURE: usize = 440;
/// Where the four entries begin, of 16 bytes each.
const ENTRIES: usize = 446;
/// Heads, sectors and cylinders that mean: see the sector's number instead.
const NO_CHS: [u8; 3] = [0xfe, 0xff, 0xff];

/// The record for these partitions.
pub(crate) fn write(places: &[Place; 4], signature: u32) -> Result<[u8; BYTES]> {
    let mut record = [0; BYTES];
    record[SIGNATURE..SIGNATURE + 4].copy_from_slice(&signature.to_le_bytes());
    for (place, entry) in places.iter().zip(record[ENTRIES..].chunks_exact_mut(16)) {
        entry[0] = if place.part == Part::Boot { 0x80 } else { 0 };
        entry[1..4].copy_from_slice(&NO_CHS);
        entry[4] = place.part.kind();
        entry[5..8].copy_from_slice(&NO_CHS);
        entry[8..12].copy_from_slice(&u32::try_from(place.start / SECTOR)?.to_le_bytes());
        entry[12..16].copy_from_slice(&u32::try_from(place.length / SECTOR)?.to_le_bytes());
    }
    record[510..].copy_from_slice(&[0x55, 0xaa]);
    Ok(record)
}

/// Refuses a record whose partitions are not ours, overlap, or end behind `bytes`.
pub(crate) fn check(record: &[u8], bytes: u64) -> Result<()> {
    ensure!(
        record.len() >= BYTES && record[510..512] == [0x55, 0xaa],
        "it begins with no table of partitions"
    );
    let mut end = SECTOR;
    for (part, entry) in Part::ALL.into_iter().zip(record[ENTRIES..510].chunks_exact(16)) {
        let number = |at: usize| {
            let sectors = u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
            u64::from(sectors) * SECTOR
        };
        let (start, length) = (number(8), number(12));
        ensure!(entry[4] == part.kind() && length > 0, "partition {} is missing", part.label());
        ensure!(start >= end, "partition {} lies over the one before it", part.label());
        end = start + length;
        ensure!(end <= bytes, "partition {} ends behind the image", part.label());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::layout::Layout;

    #[test]
    fn what_is_written_is_what_a_board_reads() {
        let (layout, places) = (Layout::SMALL, Layout::SMALL.places());
        let record = write(&places, 0x1234_5678).unwrap();
        assert_eq!(record[440..444], [0x78, 0x56, 0x34, 0x12]);
        // The first begins at 16 MiB, sector 32,768; the second behind it.
        assert_eq!(
            record[446..462],
            [0x80, 0xfe, 0xff, 0xff, 0x0c, 0xfe, 0xff, 0xff, 0, 0x80, 0, 0, 0, 0x40, 1, 0]
        );
        assert_eq!(record[470..474], (32_768_u32 + 40 * 2048).to_le_bytes());
        check(&record, layout.bytes()).unwrap();
    }

    #[test]
    fn a_table_that_is_not_ours_is_refused() {
        let record = write(&Layout::SMALL.places(), 1).unwrap();
        let bytes = Layout::SMALL.bytes();
        assert!(check(&record, bytes - 1).unwrap_err().to_string().contains("behind the image"));
        assert!(check(&record[..300], bytes).is_err());
        assert!(check(&[0; BYTES], bytes).is_err());
        let mut overlapping = record;
        overlapping[470] = 0;
        overlapping[471] = 0x80;
        overlapping[472] = 0;
        assert!(check(&overlapping, bytes).unwrap_err().to_string().contains("lies over"));
        let mut swap = record;
        swap[466] = 0x82;
        assert!(check(&swap, bytes).is_err());
    }
}
