//! Frame after frame without a face, or with a stranger's: a grant before is still in the log, and files stay within
//! their limits.

use super::device::Device;
use super::ground::{Ground, link, text};
use super::people::{PEOPLE, People, is_grant};
use super::random::Random;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};
use flate2::{Compression, Crc, write::ZlibEncoder};

/// Frames of one flood, at most.
const MOST_FRAMES: usize = 600;
/// Of a stranger among them: each is work for all networks.
const MOST_STRANGERS: usize = 60;
/// By how much the log may grow: docs/limits.md has 60 denials at once, each of at most 1 KiB; the rest are counted.
const MOST_GROWTH_BYTES: u64 = 64 << 10;
/// The gallery of three people.
const MOST_OTHER_BYTES: u64 = 4 << 20;

/// One home, one grant, one flood.
pub(super) fn round(ground: &Ground, random: &mut Random) -> Result<()> {
    let device = Device::prepared(ground)?;
    device.call(&["run", "--replay", &text(&ground.frames(PEOPLE[0].name))])?.expect(&[0])?;
    let before = grants(&device)?;
    ensure!(before > 0, "a grant is not in the log");
    let log = bytes(&device.home().join("log"))?;
    let flood = device.dir().join("flood");
    fill(&flood, ground, random)?;
    device.call(&["run", "--replay", &text(&flood)])?.expect(&[0])?;
    let after = grants(&device)?;
    ensure!(
        after == before,
        "{before} grants were in the log, and after a flood of others' frames there are {after}"
    );
    let growth = bytes(&device.home().join("log"))?.saturating_sub(log);
    ensure!(growth <= MOST_GROWTH_BYTES, "the log grew by {growth} bytes");
    sizes(device.home())?;
    People::base().observe(&device)?;
    device.clear()
}

fn grants(device: &Device<'_>) -> Result<usize> {
    let end = device.call(&["log", "--json", "-n", "1000000"])?;
    end.expect(&[0])?;
    Ok(end.lines()?.iter().filter(|line| is_grant(line)).count())
}

fn fill(folder: &Path, ground: &Ground, random: &mut Random) -> Result<()> {
    fs::create_dir(folder)?;
    let noise = folder.join("0000.png");
    write_noise(&noise, random)?;
    let (frames, strangers) = (1 + random.below(MOST_FRAMES), random.below(MOST_STRANGERS));
    for frame in 1..frames {
        link(&noise, &folder.join(format!("{frame:04}.png")))?;
    }
    for frame in 0..strangers {
        link(&ground.photos.join(PEOPLE[2].photo), &folder.join(format!("{:04}-stranger.png", frame * 10)))?;
    }
    Ok(())
}

/// Of the files of a folder, together.
fn bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

fn sizes(home: &Path) -> Result<()> {
    for entry in fs::read_dir(home)? {
        let entry = entry?;
        let bytes = entry.metadata()?.len();
        ensure!(
            bytes <= MOST_OTHER_BYTES,
            "{} has {bytes} bytes, more than {MOST_OTHER_BYTES}",
            entry.path().display()
        );
    }
    Ok(())
}

/// A grey image without a face.
fn write_noise(path: &Path, random: &mut Random) -> Result<()> {
    const SIDE: u32 = 64;
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..SIDE {
        // No filter, then the row's pixels.
        rows.write_all(&[0])?;
        (0..SIDE).try_for_each(|_| rows.write_all(&[random.byte()]))?;
    }
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let side = SIDE.to_be_bytes();
    // 8 bits, grey, deflate, no filter of the whole, not interlaced.
    chunk(&mut png, *b"IHDR", &[&side[..], &side, &[8, 0, 0, 0, 0]].concat())?;
    chunk(&mut png, *b"IDAT", &rows.finish()?)?;
    chunk(&mut png, *b"IEND", &[])?;
    Ok(fs::write(path, png)?)
}

fn chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) -> Result<()> {
    let named = [&kind, data].concat();
    let mut sum = Crc::new();
    sum.update(&named);
    png.extend(u32::try_from(data.len())?.to_be_bytes());
    png.extend(named);
    png.extend(sum.sum().to_be_bytes());
    Ok(())
}
