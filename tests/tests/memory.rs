//! Photos that are made to take memory or time: each is decoded in a process of its own, whose memory and time have
//! bounds, and says what it took.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use arcdoor_frame::{ImageLimits, MAX_SCANS, RgbImage, read_image};
use arcdoor_tests::corpus;

/// Names the photo to the process that decodes it.
const PHOTO: &str = "ARCDOOR_TEST_PHOTO";
/// What nobody may go beyond, so that a failure of these tests harms no one.
const ADDRESS_SPACE_KIB: u32 = 3_000_000;
/// The slowest of them takes a second on a machine of its own.
const TIME: Duration = Duration::from_secs(30);

/// Bytes that decoding may take, the file's own aside: 256 MiB up to 16 megapixels, above that 12 a pixel.
const fn allowed(pixels: u64) -> u64 {
    if pixels <= 16_000_000 { 256 << 20 } else { 12 * pixels }
}

/// A value of this process's status, in bytes.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// The other process; a test without anything to do in this one.
#[test]
fn decode_one() {
    let Some(photo) = std::env::var_os(PHOTO) else { return };
    let (before, start) = (status("VmRSS"), Instant::now());
    let mut image = RgbImage::new();
    let end = match read_image(Path::new(&photo), &ImageLimits::default(), &mut image) {
        Ok(()) => format!("read {}x{}", image.width(), image.height()),
        Err(error) => error.to_string(),
    };
    let took = start.elapsed().as_millis();
    println!("\ndecoded {} {took} {end}", status("VmHWM") - before);
}

/// How decoding ended, the bytes that it took beside the file's own, and the time.
fn decode(name: &str, photo: &[u8]) -> (String, u64, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo");
    std::fs::write(&path, photo).unwrap();
    let limit = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec timeout {} \"$0\" \"$@\"", TIME.as_secs());
    let mut command = Command::new("sh");
    command.arg("-c").arg(limit).arg(std::env::current_exe().unwrap());
    command.args(["decode_one", "--exact", "--nocapture"]).env(PHOTO, path);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{name}: {} {said}", output.status);
    let line = said.lines().find_map(|line| line.strip_prefix("decoded ")).unwrap();
    let (bytes, rest) = line.split_once(' ').unwrap();
    let (took, end) = rest.split_once(' ').unwrap();
    let bytes = bytes.parse::<u64>().unwrap().saturating_sub(photo.len() as u64);
    (end.to_owned(), bytes, Duration::from_millis(took.parse().unwrap()))
}

/// That each photo ends as its word says, within the bounds for so many pixels.
fn within_bounds(photos: &[(&str, Vec<u8>, u64, &str)]) {
    let mut report = String::new();
    for (name, photo, pixels, word) in photos {
        let (end, bytes, took) = decode(name, photo);
        let (file, mib) = (photo.len() >> 10, bytes >> 20);
        let _ = writeln!(report, "{name}: a file of {file} KiB took {mib} MiB and {took:?}: {end}");
        assert!(end.contains(word), "{report}");
        assert!(bytes <= allowed(*pixels), "{report}");
    }
    let _ = write!(std::io::stderr(), "{report}");
}

/// So many zeros as a zlib stream (RFC 1950, 1951), a 158th of their size: one literal, then copies of 258 bytes.
fn deflated_zeros(count: usize) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let (mut bits, mut used) = (0_u64, 0);
    // A block with fixed codes, the last one; codes are written from their highest bit on, hence reversed here.
    let mut put = |stream: &mut Vec<u8>, value: u64, length: u32| {
        bits |= value << used;
        used += length;
        while used >= 8 {
            stream.push(bits as u8);
            bits >>= 8;
            used -= 8;
        }
    };
    let zero = (0b0000_1100, 8);
    put(&mut stream, 0b011, 3);
    put(&mut stream, zero.0, zero.1);
    for _ in 0..(count - 1) / 258 {
        put(&mut stream, 0b1010_0011, 13);
    }
    for _ in 0..(count - 1) % 258 {
        put(&mut stream, zero.0, zero.1);
    }
    // The end of the block, and what fills the last byte.
    put(&mut stream, 0, 7 + 7);
    // Adler-32 of zeros.
    stream.extend(((((count % 65_521) as u32) << 16) | 1).to_be_bytes());
    stream
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend(kind);
    chunk.extend(data);
    let crc = !chunk[4..].iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    });
    chunk.extend(crc.to_be_bytes());
    chunk
}

/// How a PNG stores its pixels.
#[derive(Clone, Copy)]
struct Storage {
    depth: u8,
    /// The header's colour type: 0 grey, 2 RGB, 3 palette, 6 RGBA.
    color: u8,
    interlaced: bool,
}

impl Storage {
    const RGB: Self = Self { depth: 8, color: 2, interlaced: false };

    /// Bytes of the rows, each with its filter's byte.
    fn bytes(self, [width, height]: [usize; 2]) -> usize {
        let samples = [1, 0, 3, 1, 2, 0, 4][usize::from(self.color)];
        let rows = |width: usize, height: usize| {
            if width == 0 {
                0
            } else {
                height * (1 + (width * samples * usize::from(self.depth)).div_ceil(8))
            }
        };
        // Adam7's passes: first column and row, and the steps between them (PNG 3, section 8.1).
        let passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ];
        if self.interlaced {
            let part = |side: usize, first: usize, step: usize| side.saturating_sub(first).div_ceil(step);
            passes.iter().map(|&(x, y, dx, dy)| rows(part(width, x, dx), part(height, y, dy))).sum()
        } else {
            rows(width, height)
        }
    }
}

/// A black PNG with more chunks before its image.
fn png(sides: [usize; 2], storage: Storage, more: &[Vec<u8>]) -> Vec<u8> {
    let mut header = Vec::new();
    sides.iter().for_each(|side| header.extend(u32::try_from(*side).unwrap().to_be_bytes()));
    header.extend([storage.depth, storage.color, 0, 0, u8::from(storage.interlaced)]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(chunk(b"IHDR", &header));
    more.iter().for_each(|chunk| png.extend(chunk));
    if storage.color == 3 {
        png.extend(chunk(b"PLTE", &[0; 6]));
        png.extend(chunk(b"tRNS", &[7; 2]));
    }
    png.extend(chunk(b"IDAT", &deflated_zeros(storage.bytes(sides))));
    png.extend(chunk(b"IEND", b""));
    png
}

#[test]
fn chunks_that_unpack_to_hundreds_of_megabytes_are_not_unpacked() {
    let bomb = deflated_zeros(600 << 20);
    let with =
        |kind: &[u8; 4], head: &[u8]| png([64, 64], Storage::RGB, &[chunk(kind, &[head, &bomb].concat())]);
    let texts: Vec<Vec<u8>> = (0..40_000).map(|_| chunk(b"tEXt", b"key\0text")).collect();
    within_bounds(&[
        ("a profile", with(b"iCCP", b"x\0\0"), 0, "read 64x64"),
        ("a compressed text", with(b"zTXt", b"x\0\0"), 0, "read 64x64"),
        ("an international text", with(b"iTXt", b"x\0\x01\0\0\0"), 0, "read 64x64"),
        ("many texts", png([64, 64], Storage::RGB, &texts), 0, "read 64x64"),
        (
            "a long EXIF block",
            png([64, 64], Storage::RGB, &[chunk(b"eXIf", &[0; 40 << 20])]),
            0,
            "limits are exceeded",
        ),
    ]);
}

#[test]
fn large_pngs_take_no_more_than_12_bytes_a_pixel() {
    let (middle, large) = ([4_000, 4_000], [7_000, 7_100]);
    let rgba16 = Storage { depth: 16, color: 6, interlaced: false };
    let interlaced = Storage { interlaced: true, ..rgba16 };
    let palette = Storage { depth: 1, color: 3, interlaced: true };
    // Stored lying, so that it is turned.
    let lying = [chunk(b"eXIf", b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0")];
    within_bounds(&[
        ("16 bits, 16 megapixels", png(middle, rgba16, &[]), 16_000_000, "read 4000x4000"),
        ("16 bits, interlaced", png(middle, interlaced, &[]), 16_000_000, "read 4000x4000"),
        ("16 bits, interlaced, turned", png(large, interlaced, &lying), 49_700_000, "read 7100x7000"),
        ("a palette, turned", png(large, palette, &lying), 49_700_000, "read 7100x7000"),
        ("a palette of 16 bits", png(middle, Storage { depth: 16, ..palette }, &[]), 0, "PNG is damaged"),
        ("60,000 x 60,000", png([60_000, 60_000], Storage { depth: 1, ..palette }, &[]), 0, "60000x60000"),
    ]);
}

fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0xff, marker];
    segment.extend(u16::try_from(payload.len() + 2).unwrap().to_be_bytes());
    segment.extend(payload);
    segment
}

/// A grey (1) or CMYK (4) progressive JPEG without any structure, and so many scans more than it needs. Its Huffman
/// tables have one code, 0, so that every scan's data is zeros: differences of 0, and runs of 16,384 empty blocks.
fn progressive([width, height]: [u16; 2], components: u8, more_scans: usize, app: &[u8]) -> Vec<u8> {
    let blocks = usize::from(width).div_ceil(8) * usize::from(height).div_ceil(8);
    let ids: Vec<u8> = (1..=components).collect();
    let mut frame = vec![8];
    frame.extend(height.to_be_bytes());
    frame.extend(width.to_be_bytes());
    frame.push(components);
    ids.iter().for_each(|id| frame.extend([*id, 0x11, 0]));
    let code = |class: u8, symbol: u8| {
        [&[class, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[symbol]].concat()
    };
    let scan = |ids: &[u8], band: [u8; 3], bits: usize| {
        let mut header = vec![ids.len() as u8];
        ids.iter().for_each(|id| header.extend([*id, 0]));
        header.extend(band);
        [segment(0xda, &header), vec![0; bits.div_ceil(8)]].concat()
    };
    let mut jpeg = vec![0xff, 0xd8];
    jpeg.extend(app);
    jpeg.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
    jpeg.extend(segment(0xc2, &frame));
    jpeg.extend(segment(0xc4, &code(0x00, 0)));
    jpeg.extend(segment(0xc4, &code(0x10, 0xe0)));
    jpeg.extend(scan(&ids, [0, 0, 0], blocks * usize::from(components)));
    for _ in 0..more_scans {
        jpeg.extend(scan(&ids[..1], [1, 63, 0], blocks.div_ceil(16_384) * 15));
    }
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

/// A JPEG with so many segments of one kind before its own.
fn with_segments(count: usize, segment: &[u8]) -> Vec<u8> {
    let jpeg = corpus("image").into_iter().find(|(name, _)| name == "baseline-420.jpg").unwrap().1;
    [&jpeg[..2], &segment.repeat(count), &jpeg[2..]].concat()
}

#[test]
fn segments_of_applications_take_neither_memory_nor_time() {
    let xmp = [&b"http://ns.adobe.com/xmp/extension/\0"[..], &[b'0'; 32], &[0, 0xff, 0xff, 0xff, 0, 0, 0, 0]];
    let profile = segment(0xe2, b"ICC_PROFILE\0\x01\x01x");
    within_bounds(&[
        ("many parts of a profile", with_segments(3_000_000, &profile), 0, "read "),
        ("many parts of extended XMP", with_segments(600_000, &segment(0xe1, &xmp.concat())), 0, "read "),
        ("many comments", with_segments(1_000, &segment(0xfe, &[0; 60_000])), 0, "read "),
    ]);
}

#[test]
fn jpegs_of_many_scans_or_components_take_bounded_memory_and_time() {
    let lying = segment(0xe1, b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
    let (middle, large) = ([4_000, 4_000], [7_000, 7_100]);
    let most = MAX_SCANS - 1;
    within_bounds(&[
        ("32 scans", progressive(middle, 1, most, &[]), 16_000_000, "read 4000x4000"),
        ("33 scans", progressive(middle, 1, most + 1, &[]), 0, "32 scans"),
        ("100,000 scans", progressive(large, 1, 100_000, &[]), 0, "32 scans"),
        ("CMYK, turned", progressive(middle, 4, 0, &lying), 16_000_000, "read 4000x4000"),
        ("CMYK, 32 scans, turned", progressive(large, 4, most, &lying), 49_700_000, "read 7100x7000"),
        ("60,000 x 60,000", progressive([60_000, 60_000], 1, 0, &[]), 0, "60000x60000"),
    ]);
}

#[test]
fn every_photo_of_the_fuzz_corpus_is_read_or_refused_within_the_bounds() {
    for (name, photo) in corpus("image") {
        let (end, bytes, _) = decode(&name, &photo);
        assert!(bytes <= allowed(0), "{name}: {bytes} bytes: {end}");
    }
}
