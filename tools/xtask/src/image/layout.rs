//! Where everything lies on a card.

use anyhow::{Result, ensure};

/// Bytes of a sector, in which tables of partitions count.
pub(crate) const SECTOR: u64 = 512;
/// Bytes of a MiB.
pub(crate) const MIB: u64 = 1024 * 1024;
/// Where the first partition begins: U-Boot of Rockchip's boards lies before it.
pub(crate) const FIRST: u64 = 16 * MIB;
/// Where Rockchip's boot ROM looks for a loader (sector 64).
pub(crate) const LOADER: u64 = 64 * SECTOR;
/// The largest image.
pub(crate) const MAX_BYTES: u64 = 16 * 1024 * MIB;

/// What a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// FAT: what the board's firmware reads, and what the installer lays there before the first start.
    Boot,
    /// The system, read-only.
    SlotA,
    /// Room for the next system.
    SlotB,
    /// All that is written; grows to the card's end at the first start.
    Data,
}

impl Part {
    pub(crate) const ALL: [Self; 4] = [Self::Boot, Self::SlotA, Self::SlotB, Self::Data];

    /// Its type in a table: FAT32 with LBA, or Linux.
    pub(crate) const fn kind(self) -> u8 {
        match self {
            Self::Boot => 0x0c,
            _ => 0x83,
        }
    }

    /// Its label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Boot => "ARCDOOR",
            Self::SlotA => "arcdoor-a",
            Self::SlotB => "arcdoor-b",
            Self::Data => "arcdoor-data",
        }
    }
}

/// A partition's place, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) part: Part,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// How large each partition is, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) boot: u64,
    pub(crate) slot: u64,
    pub(crate) data: u64,
}

impl Layout {
    /// What ships: a card of 2 GB holds it.
    pub(crate) const FULL: Self = Self { boot: 128, slot: 768, data: 64 };
    /// For tests: everything as small as its file system may be.
    pub(crate) const SMALL: Self = Self { boot: 40, slot: 16, data: 16 };

    /// Every partition, one behind the other.
    pub(crate) fn places(self) -> [Place; 4] {
        let mut start = FIRST;
        Part::ALL.map(|part| {
            let length = MIB
                * match part {
                    Part::Boot => self.boot,
                    Part::SlotA | Part::SlotB => self.slot,
                    Part::Data => self.data,
                };
            let place = Place { part, start, length };
            start += length;
            place
        })
    }

    /// The image's length in bytes.
    pub(crate) fn bytes(self) -> u64 {
        self.places().iter().map(|place| place.length).sum::<u64>() + FIRST
    }

    /// Refuses what no card holds.
    pub(crate) fn check(self) -> Result<()> {
        ensure!(self.bytes() <= MAX_BYTES, "an image of {} MiB is larger than any card", self.bytes() / MIB);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_follow_each_other_and_no_byte_is_in_two() {
        for layout in [Layout::FULL, Layout::SMALL] {
            let places = layout.places();
            assert!(places.windows(2).all(|two| two[0].start + two[0].length == two[1].start));
            assert_eq!(places[3].start + places[3].length, layout.bytes());
            assert!(layout.bytes() < 2_000_000_000, "a card of 2 GB holds it");
            layout.check().unwrap();
        }
        assert!(Layout { data: 1 << 20, ..Layout::FULL }.check().is_err());
    }
}
