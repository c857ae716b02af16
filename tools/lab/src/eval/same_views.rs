//! How near two frames of one view score, and two photos of one person: from which score on a view shows nothing new.

use std::path::{Path, PathBuf};

use anyhow::Result;
use arcdoor_calib::Random;
use arcdoor_frame::RgbImage;

use crate::degrade::photo::{lit, moved};
use crate::eval::second_looks::photos;
use crate::eval::set::lfw;
use crate::eval::set::people;
use crate::eval::set::set::{Pair, Set};
use crate::eval::set::templates::PathArgs;
use crate::face_finder::{FaceFinder, read_photo};
use crate::say::say;
use crate::stats::quantile;
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
    let open = || args.path.finder(&pack);
    let copied = |finder: &mut FaceFinder, index: usize| copies(finder, chosen[index], index);
    let copied = workers::each(args.path.threads, chosen.len(), "photos", open, copied)?;
    let same: Vec<_> = pairs.iter().filter(|pair| pair.same).collect();
    let step = same.len().div_ceil(args.most).max(1);
    let same: Vec<_> = same.into_iter().step_by(step).collect();
    let genuine = |finder: &mut FaceFinder, index: usize| pair(finder, &set, *same[index]);
    let genuine = workers::each(args.path.threads, same.len(), "pairs", open, genuine)?;
    say!("| | scores | 0.5 % | 5 % | 50 % | 95 % | 99.5 % |\n|---|---|---|---|---|---|---|")?;
    for (kind, (name, ..)) in COPIES.iter().enumerate() {
        line(name, copied.iter().filter_map(|scores| scores[kind]))?;
    }
    line("another photo of the person", genuine.into_iter().flatten())
}

/// A photo's score against each of its [`COPIES`]; none where enrolment takes one of the two not.
fn copies(finder: &mut FaceFinder, path: &Path, index: usize) -> Result<[Option<f64>; COPIES.len()]> {
    let (mut photo, mut scores) = (RgbImage::new(), [None; COPIES.len()]);
    read_photo(path, &mut photo)?;
    let Some((_, own)) = finder.enrolled(photo.view())? else { return Ok(scores) };
    let mut random = Random(index as u64);
    for ((_, degrees, scale, by, brightness, noise), score) in COPIES.into_iter().zip(&mut scores) {
        let copy = moved(photo.view(), degrees, scale, [by, by / 2.0]);
        let copy = lit(copy.view(), brightness, noise, &mut random);
        if let Some((_, template)) = finder.enrolled(copy.view())? {
            *score = Some(f64::from(own.cosine(&template)?.0));
        }
    }
    Ok(scores)
}

/// The score of a pair; none where enrolment takes one of the two not.
fn pair(finder: &mut FaceFinder, set: &Set, Pair { a, b, .. }: Pair) -> Result<Option<f64>> {
    let mut templates = Vec::new();
    for path in [a, b].into_iter().filter_map(|index| set.samples[index].photo()) {
        let mut photo = RgbImage::new();
        read_photo(path, &mut photo)?;
        templates.extend(finder.enrolled(photo.view())?.map(|(_, template)| template));
    }
    match &templates[..] {
        [a, b] => Ok(Some(f64::from(a.cosine(b)?.0))),
        _ => Ok(None),
    }
}

fn line(name: &str, scores: impl Iterator<Item = f64>) -> Result<()> {
    let scores: Vec<f64> = scores.collect();
    let [a, b, c, d, e] =
        [0.005, 0.05, 0.5, 0.95, 0.995].map(|share| quantile(&scores, share).unwrap_or_default());
    Ok(say!("| {name} | {} | {a:.3} | {b:.3} | {c:.3} | {d:.3} | {e:.3} |", scores.len())?)
}
