//! `arcdoor-lab crop`: photos to aligned crops, by the device's own detection and alignment.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use arcdoor_core::Face;
use arcdoor_frame::{FrameError, RgbImage};
use arcdoor_models::{Alignment, Pack};
use arcdoor_vision::DetectSettings;
use arcdoor_vision::align::TEMPLATE_SIDE;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::crop_set::{self, CropSet, Declaration, JOURNAL, Outcome};
use crate::crops::Crops;
use crate::face_finder::{FaceFinder, detector_parser, nearest_centre, open_pack, with_landmarks};
use crate::input_file::read_text;
use crate::limits::MAX_JOURNAL_BYTES;
use crate::say::say;
use crate::trouble::Trouble;
use crate::workers;
use arcdoor_vision::DetectorKind;

/// Names of each kind that are printed; the journal has all.
const NAMED: usize = 10;

/// Arguments of `crop`.
#[derive(clap::Args)]
pub(crate) struct CropArgs {
    /// The photos (JPEG, PNG): one folder for each person, or all in one folder for unlabelled photos
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Where the crops go, with dataset.toml and the journal crops.tsv; a run that was stopped continues there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The pack whose detector and landmarks are used
    #[arg(long, value_name = "DIR", default_value = "models/packs/yunet-sface")]
    pack: PathBuf,
    #[arg(long, value_parser = detector_parser(), default_value = "yunet")]
    detector: DetectorKind,
    /// Which of several faces with landmarks is taken
    #[arg(long, value_enum, default_value_t = Several::Centre)]
    several: Several,
    /// The least score of a face, 0..=1, for YuNet
    #[arg(long, default_value_t = 0.6)]
    min_score: f32,
    /// The least width of a face, pixels
    #[arg(long, default_value_t = 20)]
    min_face: u32,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
}

/// What to do with a photo of several faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Several {
    /// The face nearest the photo's centre
    Centre,
    /// The largest face
    Largest,
    /// No face: the photo is left out
    Skip,
}

impl Several {
    const fn text(self) -> &'static str {
        match self {
            Self::Centre => "centre",
            Self::Largest => "largest",
            Self::Skip => "skip",
        }
    }
}

/// One photo and the name of its crop.
struct Task {
    photo: String,
    crop: String,
}

pub(crate) fn run(args: &CropArgs) -> Result<()> {
    if !args.images.is_dir() {
        return Err(Trouble::BadInput(format!("{} is no folder", args.images.display())).into());
    }
    let photos = Crops::open(&args.images)?.names().to_vec();
    let labelled = labelled(&photos)?;
    let pack = open_pack(&args.pack).map_err(|error| Trouble::Pack(format!("{error:#}")))?;
    let set = CropSet::open(&args.out, &declaration(args, &pack, labelled))?;
    let tasks: Vec<Task> = tasks(photos).into_iter().filter(|task| !set.has(&task.photo)).collect();
    let set = Mutex::new(set);
    work(args, &pack, &tasks, &set)?;
    report(&set.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Whether the photos lie in folders, one for each person; some of each is a mistake.
fn labelled(photos: &[String]) -> Result<bool> {
    let flat = photos.iter().find(|name| !name.contains('/'));
    match (flat, photos.iter().any(|name| name.contains('/'))) {
        (Some(stray), true) => {
            let text = format!("{stray} lies beside the people's folders: move it into one, or away");
            Err(Trouble::BadInput(text).into())
        }
        (flat, _) => Ok(flat.is_none()),
    }
}

fn declaration(args: &CropArgs, pack: &Pack, labelled: bool) -> Declaration {
    Declaration {
        format: 1,
        alignment: Alignment::Arcface112,
        size: TEMPLATE_SIDE,
        labelled,
        tool: format!("arcdoor-lab {}", env!("CARGO_PKG_VERSION")),
        detector: args.detector.name().to_owned(),
        landmarks_sha256: pack.manifest().detector.sha256.clone(),
        several: args.several.text().to_owned(),
        min_score: args.min_score,
        min_face_px: args.min_face,
    }
}

/// Crops are PNG under the photo's name; where two photos differ in their ending only, the later in order
/// keeps its own in the crop's name.
fn tasks(photos: Vec<String>) -> Vec<Task> {
    let mut taken = HashSet::new();
    let named = |photo: String| {
        let stem = photo.rsplit_once('.').map_or(photo.as_str(), |(stem, _)| stem);
        let mut crop = format!("{stem}.png");
        if !taken.insert(crop.clone()) {
            crop = format!("{photo}.png");
            taken.insert(crop.clone());
        }
        Task { photo, crop }
    };
    photos.into_iter().map(named).collect()
}

/// Every task on as many threads as asked for; the first trouble stops all.
fn work(args: &CropArgs, pack: &Pack, tasks: &[Task], set: &Mutex<CropSet>) -> Result<()> {
    let settings =
        DetectSettings { min_face_px: args.min_face, min_score: args.min_score, ..DetectSettings::default() };
    let dir = set.lock().unwrap_or_else(PoisonError::into_inner).dir().to_path_buf();
    let bar = ProgressBar::new(tasks.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} photos, {per_sec}, {eta} left")?);
    workers::run(args.threads.into(), tasks.len(), |take| {
        let mut finder = FaceFinder::open(pack, args.detector, settings)?;
        while let Some(index) = take() {
            let task = &tasks[index];
            let (outcome, faces) = one(&mut finder, &args.images, &dir, task, args.several)?;
            let crop = if matches!(outcome, Outcome::Cropped | Outcome::Chosen) { &task.crop } else { "" };
            set.lock().unwrap_or_else(PoisonError::into_inner).note(&task.photo, outcome, faces, crop)?;
            bar.inc(1);
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// Crops one photo: what became of it, and how many faces with landmarks it has.
fn one(
    finder: &mut FaceFinder,
    images: &Path,
    dir: &Path,
    task: &Task,
    several: Several,
) -> Result<(Outcome, usize)> {
    let faces: Vec<Face> = match finder.find(&images.join(&task.photo)) {
        Ok(faces) => with_landmarks(faces),
        Err(error) if error.downcast_ref::<FrameError>().is_some() => return Ok((Outcome::Corrupt, 0)),
        Err(error) => return Err(error),
    };
    if faces.len() > 1 && several == Several::Skip {
        return Ok((Outcome::Several, faces.len()));
    }
    let chosen = match several {
        Several::Largest => faces.iter().max_by(|a, b| a.rect.area().total_cmp(&b.rect.area())),
        Several::Centre | Several::Skip => nearest_centre(&faces, finder.size()),
    };
    let Some(landmarks) = chosen.and_then(|face| face.landmarks) else {
        return Ok((Outcome::NoFace, 0));
    };
    let mut crop = RgbImage::with_size(TEMPLATE_SIDE, TEMPLATE_SIDE);
    if finder.crop(&landmarks, &mut crop).is_err() {
        // Landmarks on one point: no crop follows from them.
        return Ok((Outcome::NoFace, faces.len()));
    }
    crop_set::put(dir, &task.crop, &crop)?;
    Ok((if faces.len() > 1 { Outcome::Chosen } else { Outcome::Cropped }, faces.len()))
}

/// Prints the counts, and the photos that gave no crop or a doubtful one.
fn report(set: &CropSet) -> Result<()> {
    let journal = set.dir().join(JOURNAL);
    let text = read_text(&journal, MAX_JOURNAL_BYTES)?;
    let crops = set.count(Outcome::Cropped) + set.count(Outcome::Chosen);
    say!("{}: {crops} crops", set.dir().display())?;
    for (outcome, words) in [
        (Outcome::Chosen, "several faces, one taken"),
        (Outcome::Several, "several faces, left out"),
        (Outcome::NoFace, "no face"),
        (Outcome::Corrupt, "unreadable"),
    ] {
        let count = set.count(outcome);
        if count == 0 {
            continue;
        }
        let is_it = |line: &&str| line.split('\t').nth(1) == Some(outcome.text());
        let names = text.lines().filter(is_it).filter_map(|line| line.split('\t').next());
        let names: Vec<&str> = names.take(NAMED).collect();
        let more = if count > NAMED { format!(", ... (all in {JOURNAL})") } else { String::new() };
        say!("{count} {words}: {}{more}", names.join(", "))?;
    }
    if crops == 0 {
        return Err(Trouble::BadInput("not one photo gave a crop".to_owned()).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_that_differ_in_their_ending_keep_crops_of_their_own() {
        let photos = ["a/1.jpeg", "a/1.jpg", "a/2.png"].map(str::to_owned).to_vec();
        let crops: Vec<String> = tasks(photos).into_iter().map(|task| task.crop).collect();
        assert_eq!(crops, ["a/1.png", "a/1.jpg.png", "a/2.png"]);
    }

    #[test]
    fn folders_of_people_and_flat_folders_are_told_apart() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(labelled(&names(&["a/1.jpg", "b/1.jpg"])).unwrap());
        assert!(!labelled(&names(&["1.jpg"])).unwrap());
        assert_eq!(Trouble::code_of(&labelled(&names(&["1.jpg", "a/1.jpg"])).unwrap_err()), 3);
    }
}
