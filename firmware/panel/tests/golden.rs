//! Screens are what they were: sheets to look at, compared pixel by pixel, and a checksum of every state.
//!
//! `ARCDOOR_GOLDEN=write cargo test --release -p arcdoor-panel --test golden` writes them anew; look at the sheets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use arcdoor_core::RetryReason;
use arcdoor_panel::{Alarm, DenyAdvice, Fault, Language, Light, Percent, Style, UiState, View};
use common::Canvas;
use common::states::{SIZES, enrolment, shuffled, size, states};
use embedded_graphics::pixelcolor::{IntoStorage, Rgb888};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Pixels between the screens of a sheet.
const GAP: usize = 8;

/// A sheet's pixels, R, G, B.
struct Sheet {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Sheet {
    fn of(screens: &[Canvas], columns: usize) -> Self {
        let (w, h) = (screens[0].width as usize, screens[0].height as usize);
        let rows = screens.len().div_ceil(columns);
        let (width, height) = (columns * (w + GAP) + GAP, rows * (h + GAP) + GAP);
        let mut bytes = vec![0x80; width * height * 3];
        for (at, screen) in screens.iter().enumerate() {
            let (x, y) = (GAP + at % columns * (w + GAP), GAP + at / columns * (h + GAP));
            let pixels: Vec<u8> = screen.bytes().collect();
            for (row, line) in pixels.chunks_exact(w * 3).enumerate() {
                let start = ((y + row) * width + x) * 3;
                bytes[start..start + w * 3].copy_from_slice(line);
            }
        }
        Self { width, height, bytes }
    }

    fn write(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::io::BufWriter::new(fs::File::create(path).unwrap());
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_deflate_compression(png::DeflateCompression::Level(9));
        encoder.set_filter(png::Filter::NoFilter);
        encoder.write_header().unwrap().write_image_data(&self.bytes).unwrap();
    }

    fn read(path: &Path) -> Option<Self> {
        let file = std::io::BufReader::new(fs::File::open(path).ok()?);
        let mut reader = png::Decoder::new(file).read_info().ok()?;
        let mut bytes = vec![0; reader.output_buffer_size()?];
        let frame = reader.next_frame(&mut bytes).ok()?;
        Some(Self { width: frame.width as usize, height: frame.height as usize, bytes })
    }
}

/// What a panel shows on most days, and one of each kind.
fn shown() -> [UiState; 12] {
    [
        UiState::Idle,
        UiState::Approach(RetryReason::Covered),
        UiState::Granted,
        UiState::Denied(DenyAdvice::TryAgain),
        UiState::Pin { order: shuffled(), entered: 4 },
        UiState::Alarm(Alarm::Forced),
        UiState::Approach(RetryReason::TooFar),
        UiState::Approach(RetryReason::LightFromBehind),
        enrolment(View::Left, 2, None),
        UiState::Alarm(Alarm::HeldOpenWarning),
        UiState::Fault(Fault::Camera),
        UiState::Update(Percent::new(62).unwrap()),
    ]
}

fn rewrite() -> bool {
    std::env::var_os("ARCDOOR_GOLDEN").is_some_and(|value| value == "write")
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// Where what differs is written to.
fn differs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("panel").join(name)
}

fn check(name: &str, sheet: &Sheet) {
    let kept = golden(name);
    if rewrite() {
        return sheet.write(&kept);
    }
    let same = Sheet::read(&kept)
        .is_some_and(|old| (old.width, old.height, &old.bytes) == (sheet.width, sheet.height, &sheet.bytes));
    if !same {
        sheet.write(&differs(name));
        panic!(
            "{} and {} differ; the head of golden.rs says how to keep it",
            kept.display(),
            differs(name).display()
        );
    }
}

#[test]
fn no_screen_changes_unseen() {
    // Few, so that the repository stays small; the checksums below know all others.
    let sheets = [
        (SIZES[0], Language::German, Light::Night, 12, 4),
        (SIZES[1], Language::Korean, Light::Day, 6, 6),
        (SIZES[2], Language::English, Light::Day, 6, 3),
        (SIZES[3], Language::Korean, Light::Night, 1, 1),
    ];
    for (dimensions, language, light, count, columns) in sheets {
        let style = Style { language, light };
        let screens: Vec<Canvas> =
            shown()[..count].iter().map(|state| Canvas::screen(state, style, size(dimensions))).collect();
        let name = format!("{}x{}-{light:?}.png", dimensions.0, dimensions.1).to_lowercase();
        check(&name, &Sheet::of(&screens, columns));
    }
}

/// FNV-1a, 64 bits, a pixel at a time.
fn checksum(pixels: &[Rgb888], start: u64) -> u64 {
    pixels
        .iter()
        .fold(start, |sum, colour| (sum ^ u64::from(colour.into_storage())).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn no_state_changes_unseen_in_any_language_size_and_light() {
    let mut lines = String::new();
    for (name, state) in states() {
        let mut sum = 0xcbf2_9ce4_8422_2325;
        for dimensions in SIZES {
            for language in Language::ALL {
                for light in Light::ALL {
                    let screen = Canvas::screen(&state, Style { language, light }, size(dimensions));
                    sum = checksum(&screen.pixels, sum);
                }
            }
        }
        writeln!(lines, "{sum:016x} {name}").unwrap();
    }
    let kept = golden("states.txt");
    if rewrite() {
        return fs::write(kept, lines).unwrap();
    }
    let old = fs::read_to_string(&kept).unwrap_or_default();
    let changed: Vec<&str> = lines.lines().filter(|line| !old.lines().any(|old| old == *line)).collect();
    assert!(
        old == lines,
        "these states look otherwise; the head of golden.rs says how to keep them: {changed:#?}"
    );
}
