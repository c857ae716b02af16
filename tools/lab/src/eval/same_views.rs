//! How near two frames of one view score, and two photos of one person: from which score on a view shows nothing new.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use arcdoor_frame::{ImageLimits, RgbImage, read_image};
use arcdoor_models::Pack;

use crate::alter::{lit, moved};
use crate::eval::second_looks::{Room, photos, quantile};
use crate::eval::set::lfw;
use crate::eval::set::people;
use crate::eval::set::set::Set;
use crate::eval::set::templates::PathArgs;
use crate::say::say;
use crate::workers;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The photos, one folder for each person
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The list whose photos are looked at, such as pairsDevTrain.txt
    #[arg(long, value_name = "FILE")]
    pairs: PathBuf,
    /// So many photos, and so many pairs of one person, evenly spread
    #[arg(long, default_value_t = 300)]
    most: usize,
    #[command(flatten)]
    path: PathArgs,
}

/// What is done to a photo: turned by degrees, scaled, moved by pixels, other brightness, noise.
const COPIES: [(&str, f64, f64, f64, f32, f32); 6] = [
    ("a copy, a little brighter", 0.0, 1.0, 0.0, 1.05, 0.0),
    ("a copy at 3/4 of its size", 0.0, 0.75, 0.0, 1.0, 0.0),
    ("noise of 3 levels", 0.0, 1.0, 0.3, 1.0, 3.0),
    ("moved by 2 pixels, noise", 0.0, 1.0, 2.0, 1.0, 3.0),
    ("turned by 1 degree, 2 % nearer, noise", 1.0, 1.02, 1.0, 1.02, 3.0),
    ("turned by 5 degrees, 10 % nearer, brighter, noise", 5.0, 1.1, 3.0, 1.15, 4.0),
];

pub(crate) fn run(args: Args) -> Result<()> {
    let pack = args.path.open_pack()?;
    let set = people::read(&args.images)?;
    let pairs = lfw::pairs(&set, &args.pairs)?;
    let chosen = photos(&set, &pairs, args.most)?;
    let copies =
        scores(&args, &pack, chosen.len(), |room, index, kind| copy(room, chosen[index], index, kind))?;
    let same: Vec<_> = pairs.iter().filter(|pair| pair.same).collect();
    let step = same.len().div_ceil(args.most).max(1);
    let same: Vec<_> = same.into_iter().step_by(step).collect();
    let genuine = scores(&args, &pack, same.len(), |room, index, kind| match kind {
        0 => pair(room, &set, [same[index].a, same[index].b]),
        _ => Ok(None),
    })?;
    say!("| | scores | 0.5 % | 5 % | 50 % | 95 % | 99.5 % |\n|---|---|---|---|---|---|---|")?;
    for ((name, ..), scores) in COPIES.iter().zip(&copies) {
        line(name, scores)?;
    }
    line("another photo of the person", &genuine[0])
}

/// Sorted scores, for each of [`COPIES`].
fn scores(
    args: &Args,
    pack: &Pack,
    count: usize,
    score: impl Fn(&mut Room, usize, usize) -> Result<Option<f32>> + Sync,
) -> Result<Vec<Vec<f32>>> {
    let all = Mutex::new(vec![Vec::new(); COPIES.len()]);
    workers::run(args.path.threads, count, |take| {
        let mut room = Room::open(pack, args.path.detector, args.path.detect_settings())?;
        while let Some(index) = take() {
            for kind in 0..COPIES.len() {
                let found = score(&mut room, index, kind)?;
                all.lock().unwrap_or_else(PoisonError::into_inner)[kind].extend(found);
            }
        }
        Ok(())
    })?;
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.iter_mut().for_each(|scores| scores.sort_by(f32::total_cmp));
    Ok(all)
}

fn read(path: &Path) -> Result<RgbImage> {
    let mut photo = RgbImage::new();
    read_image(path, &ImageLimits::default(), &mut photo)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(photo)
}

/// A photo's score against a copy of it.
fn copy(room: &mut Room, path: &Path, index: usize, kind: usize) -> Result<Option<f32>> {
    let photo = read(path)?;
    let (_, degrees, scale, by, brightness, noise) = COPIES[kind];
    let copy = moved(photo.view(), degrees, scale, [by, by / 2.0]);
    let copy = lit(copy.view(), brightness, noise, index as u32);
    let (Some((.., a)), Some((.., b))) = (room.face(photo.view())?, room.face(copy.view())?) else {
        return Ok(None);
    };
    Ok(Some(a.score(&b)?.0))
}

/// Two photos' score.
fn pair(room: &mut Room, set: &Set, samples: [usize; 2]) -> Result<Option<f32>> {
    let [Some(a), Some(b)] = samples.map(|index| set.samples[index].photo()) else { return Ok(None) };
    let (Some((.., a)), Some((.., b))) = (room.face(read(a)?.view())?, room.face(read(b)?.view())?) else {
        return Ok(None);
    };
    Ok(Some(a.score(&b)?.0))
}

fn line(name: &str, scores: &[f32]) -> Result<()> {
    let [a, b, c, d, e] = [0.005, 0.05, 0.5, 0.95, 0.995].map(|share| quantile(scores, share));
    Ok(say!("| {name} | {} | {a:.3} | {b:.3} | {c:.3} | {d:.3} | {e:.3} |", scores.len())?)
}
