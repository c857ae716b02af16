//! What the whole-system tests share: a pack and photos, where this machine has them, and what is built on them.
//!
//! `cargo xtask test` fetches both first, so nothing skips there.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod paste;
mod people;
mod pipeline;

use std::path::{Path, PathBuf};

use arcdoor::daemon::{Clock, SystemClock, feed};
use arcdoor::home::lock::HomeLock;
use arcdoor::request::{Begun, Secrets, begin};
use arcdoor::{Device, Error, Home, Options, Outcome};
use arcdoor_api::{Access, Request, Response};
use arcdoor_core::SubjectName;
use arcdoor_frame::{ImageLimits, Orientation, Resizer, RgbImage, Turn, read_image, write_png};
pub use paste::paste;
pub use people::people;
pub use pipeline::Pipeline;

/// The pack's folder and the demo's photos.
pub struct Real {
    /// `models/packs/yunet-sface`.
    pub pack: PathBuf,
    photos: PathBuf,
}

impl Real {
    /// `None` where `ARCDOOR_SKIP_PHOTOS=1` asks for it; else a missing pack or photo is a failure.
    #[must_use]
    pub fn find() -> Option<Self> {
        let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/packs/yunet-sface");
        let photos = std::env::var_os("ARCDOOR_DEMO_PHOTOS").map(PathBuf::from).unwrap_or_default();
        if pack.join("pack.toml").is_file() && photos.join("obama.jpg").is_file() {
            return Some(Self { pack, photos });
        }
        assert!(
            std::env::var_os("ARCDOOR_SKIP_PHOTOS").is_some_and(|skip| skip == "1"),
            "no pack in {} or no photos in ARCDOOR_DEMO_PHOTOS: run `cargo xtask test`, which sets both up, or set \
             ARCDOOR_SKIP_PHOTOS=1 to skip these tests",
            pack.display()
        );
        println!("skipped: ARCDOOR_SKIP_PHOTOS=1, and there is no pack in {} or no photos", pack.display());
        None
    }

    /// One of the demo's photos.
    #[must_use]
    pub fn photo(&self, name: &str) -> PathBuf {
        self.photos.join(name)
    }

    /// Five frames of one man that an enrolment takes as different views.
    #[must_use]
    pub fn views(&self) -> [RgbImage; 5] {
        // Mirrored or not, with the light from one side.
        let lit = |name, mirror, tenths| {
            let mut frame = self.frame(name, 0);
            Orientation { mirror, turn: Turn::None }.apply(&mut frame, &mut RgbImage::new());
            for row in frame.data_mut().chunks_exact_mut(320 * 3) {
                row[..160 * 3].iter_mut().for_each(|value| *value = (u16::from(*value) * tenths / 10) as u8);
            }
            frame
        };
        let [one, two] = ["obama.jpg", "obama2.jpg"];
        [lit(one, false, 10), lit(two, false, 10), lit(one, true, 4), lit(two, false, 4), lit(two, true, 5)]
    }

    /// A part of a photo around its subject's head, as a 320 x 320 frame; `dx` moves the view, in pixels of
    /// the photo.
    #[must_use]
    pub fn frame(&self, name: &str, dx: u32) -> RgbImage {
        let mut image = RgbImage::new();
        read_image(&self.photo(name), &ImageLimits::default(), &mut image).unwrap();
        // All of these are portraits with the head in the upper half.
        let side = image.width() - 20;
        let part = image.view().crop(dx, 0, side, side).unwrap();
        let mut frame = RgbImage::with_size(320, 320);
        Resizer::new().resize(part, &mut frame).unwrap();
        frame
    }

    /// The man of `obama.jpg` for six frames, nobody for three, another man for seven.
    #[must_use]
    pub fn visit(&self) -> Vec<RgbImage> {
        let mut frames: Vec<_> = (0..6).map(|i| self.frame("obama2.jpg", i * 3)).collect();
        frames.extend((0..3).map(|_| RgbImage::with_size(320, 320)));
        frames.extend((0..7).map(|i| self.frame("biden.jpg", i * 3)));
        frames
    }
}

/// The name of the man of `obama.jpg`.
#[must_use]
pub fn barack() -> SubjectName {
    SubjectName::new("Barack").unwrap()
}

/// A device on a pack that need not be signed.
#[must_use]
pub fn device(home: &Path, pack: &Path) -> Device {
    let options = Options {
        pack: Some(pack.display().to_string()),
        detector: None,
        engine: None,
        allow_unsigned_pack: true,
        key_source: None,
    };
    let home = Home::resolve(Some(home.to_owned())).unwrap();
    let hold = HomeLock::take(&home, Access::Write).unwrap();
    if !home.settings().exists() {
        // Frames of a folder come as fast as the machine is: nobody stays for a time. The pipeline tests that.
        std::fs::write(home.settings(), "policy.intent.required = false\n").unwrap();
    }
    Device::open(home, hold, options, None).unwrap()
}

/// Carries a request out, and says how it ended and what was answered.
pub fn ask(device: &mut Device, request: &Request) -> (Result<Outcome, Error>, Vec<Response>) {
    let (clock, mut answers) = (SystemClock::start(), Vec::new());
    let mut reply = |response: &Response| {
        answers.push(response.clone());
        Ok(())
    };
    let begun = begin(device, request, &Secrets::default(), clock.now(), &mut reply);
    let outcome = begun.and_then(|begun| match (begun, request.feed()) {
        (Begun::Frames(stepper), Some(from)) => feed(device, from, stepper, &clock, &mut reply),
        (Begun::Over(outcome), _) => Ok(outcome),
        (Begun::Frames(_), None) => unreachable!("who needs frames names a feed"),
    });
    (outcome, answers)
}

/// The device's binary as it was last built; `cargo xtask test` builds it first.
#[must_use]
pub fn binary() -> PathBuf {
    built("arcdoor")
}

/// A binary as it was last built.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    let binary = folder.join(name);
    assert!(binary.is_file(), "build it first: cargo build --release --workspace --bins");
    binary
}

/// The inputs that the fuzz targets begin with, and those that were findings once.
#[must_use]
pub fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(&path).unwrap())
    };
    let mut inputs: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap().path())).collect();
    inputs.sort();
    inputs
}

/// Writes frames as a folder that replays in this order.
pub fn write_frames(folder: &Path, frames: &[RgbImage]) {
    std::fs::create_dir_all(folder).unwrap();
    for (index, frame) in frames.iter().enumerate() {
        write_png(&folder.join(format!("{index:04}.png")), frame.view()).unwrap();
    }
}
