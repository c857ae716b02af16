//! A picture that asks for more than the limits is refused by its header. Alone in its file, since it reads
//! how much memory this process ever had.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::io::Write as _;

use arcdoor_frame::{FrameError, ImageLimits, RgbImage, decode};
use arcdoor_tests::corpus;

/// The most memory that this process had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_picture_of_60000_by_60000_costs_no_memory() {
    let inputs = corpus("image");
    let find = |name: &str| inputs.iter().find(|(found, _)| found == name).unwrap().1.clone();
    // Followed by the beginning of its pixels, so that nothing but the size is wrong so far.
    let png = [&find("huge.png")[..], b"\0\0\0\0IDAT\x35\xaf\x06\x1e"].concat();
    let mut jpeg = find("baseline-420.jpg");
    let sof = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    for (kind, bytes) in [("PNG", png), ("JPEG", jpeg)] {
        let before = peak();
        let refused = decode(&bytes, &ImageLimits::default(), &mut RgbImage::new()).unwrap_err();
        let grown = peak() - before;
        assert!(matches!(refused, FrameError::TooLarge { width: 60_000, height: 60_000, .. }), "{refused}");
        let _ = writeln!(std::io::stderr(), "a {kind} of 60,000 x 60,000: {grown} KiB until it was refused");
        assert!(grown < 4096, "{kind}: {grown} KiB");
    }
}
