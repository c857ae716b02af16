//! From two photos to a decision: is the person of the second one the person of the first?
//!
//! ```text
//! cargo run --release -p arcdoor-tests --example identify -- PACK ENROLLED.jpg ASKED.jpg
//! ```
//! `PACK` is a pack's folder, such as `models/packs/yunet-sface`. The gallery lies in memory and is gone at the
//! end; a device opens it on a file, under a key that it keeps.

use std::error::Error;
use std::path::Path;

use arcdoor_calib::gallery_threshold;
use arcdoor_core::{Fmr, Millis, SubjectName};
use arcdoor_frame::{ImageLimits, RgbImage, read_image};
use arcdoor_gallery::{Gallery, GalleryKey, MemoryDisk};
use arcdoor_models::Pack;
use arcdoor_pipeline::{GoodView, Policy, Question, Recognizer, Rules, Thresholds};
use arcdoor_vision::{DetectSettings, DetectorKind, RunOptions, Vision};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pack, enrolled, asked] = arguments.as_slice() else { return Err("PACK ENROLLED ASKED".into()) };
    let pack = Pack::open(Path::new(pack))?;
    let vision = Vision::from_pack(&pack, DetectorKind::Yunet, &RunOptions::default())?;
    let mut recognizer = Recognizer::new(vision, DetectSettings::default());
    let (mut image, limits) = (RgbImage::new(), ImageLimits::default());

    // A view that is not good enough says what would help.
    read_image(Path::new(enrolled), &limits, &mut image)?;
    let GoodView { template, quality, .. } =
        recognizer.view(image.view())?.map_err(|reason| reason.text())?;
    println!("enrolled, quality {} of 100", quality.overall());
    let (disk, key) = (MemoryDisk::new(), GalleryKey::generate()?);
    let mut gallery = Gallery::open_on(disk, &key, pack.model_id(), pack.dimension())?;
    gallery.enrol(&SubjectName::new("the first photo's person")?, &[template], 0)?;

    // Of 10,000 comparisons of strangers, one may match; of 100 strangers who stand before this gallery, one.
    let verify = pack.threshold(Fmr::new(1e-4)?)?;
    let identify = gallery_threshold(pack.calibration(), 0.01, gallery.templates())?.threshold;
    let rules = Rules { thresholds: Thresholds::new(verify, identify, verify)?, policy: Policy::still() };

    read_image(Path::new(asked), &limits, &mut image)?;
    let step = recognizer.step(image.view(), &gallery, Question::Identify, &rules, Millis(0))?;
    println!(
        "{:?}, threshold {}, candidates {:?}",
        step.outcome.decision, step.threshold.value, step.candidates
    );
    Ok(())
}
