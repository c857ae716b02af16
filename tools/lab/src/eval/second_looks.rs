//! What a second look at a face refuses: photos as they are, which it should take, and such as were spoilt.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use arcdoor_calib::Share;
use arcdoor_core::{Fmr, RetryReason, Score};
use arcdoor_frame::RgbImage;
use arcdoor_models::Pack;
use arcdoor_vision::{Frontal, SecondLook};

use crate::degrade::Damage;
use crate::degrade::photo::{covered, misplaced, moved};
use crate::eval::set::lfw;
use crate::eval::set::people;
use crate::eval::set::set::{Pair, Set};
use crate::eval::set::templates::PathArgs;
use crate::face_finder::{FaceFinder, read_photo};
use crate::say::say_on;
use crate::stats::quantile;
use crate::workers;

/// The false match rate whose threshold a template must reach against that of the photo as it is, or counts as wrong.
const FMR: f64 = 1e-4;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The photos, one folder for each person
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The list whose photos are reported on, such as pairsDevTest.txt
    #[arg(long, value_name = "FILE")]
    pairs: PathBuf,
    /// The list whose photos the limit is chosen on [default: pairsDevTrain.txt beside --pairs]
    #[arg(long, value_name = "FILE")]
    choose: Option<PathBuf>,
    /// So many photos of each list, evenly spread over it
    #[arg(long, default_value_t = 400)]
    most: usize,
    #[command(flatten)]
    path: PathArgs,
}

/// What is done to a photo before it is enrolled.
#[derive(Debug, Clone, Copy)]
enum Way {
    AsIs,
    Turned(f64),
    Covered(Damage),
    /// Landmarks moved by so many eye distances, or drawn so many times as large.
    Misplaced {
        eyes: f32,
        scale: f32,
    },
}

const WAYS: [(&str, Way); 12] = [
    ("as it is", Way::AsIs),
    ("turned by 30 degrees", Way::Turned(30.0)),
    ("turned by 45", Way::Turned(45.0)),
    ("turned by 90", Way::Turned(90.0)),
    ("turned by 180", Way::Turned(180.0)),
    ("half covered", Way::Covered(Damage::Block([120; 3], [-10.0, -20.0, 66.0, 150.0]))),
    ("mask", Way::Covered(Damage::Mask([170, 200, 220], 0.0))),
    ("sunglasses", Way::Covered(Damage::Glasses([12; 3], 15.0, 11.0))),
    ("landmarks off by 0.15", Way::Misplaced { eyes: 0.15, scale: 1.0 }),
    ("landmarks off by 0.3", Way::Misplaced { eyes: 0.3, scale: 1.0 }),
    ("landmarks at 0.7", Way::Misplaced { eyes: 0.0, scale: 0.7 }),
    ("landmarks at 1.4", Way::Misplaced { eyes: 0.0, scale: 1.4 }),
];

/// A face that the gate of enrolment takes.
struct Enrolled {
    way: usize,
    look: SecondLook,
    /// Whether its template matches that of the photo as it is.
    matches: bool,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let pack = args.path.open_pack()?;
    let set = people::read(&args.images)?;
    let choose = args.choose.clone().unwrap_or_else(|| args.pairs.with_file_name("pairsDevTrain.txt"));
    let chosen = photos(&set, &lfw::pairs(&set, &choose)?, args.most)?;
    let reported = photos(&set, &lfw::pairs(&set, &args.pairs)?, args.most)?;
    let clean = enrolled(&args, &pack, &chosen, &WAYS[..1])?;
    let spoilt = enrolled(&args, &pack, &reported, &WAYS)?;
    Ok(say_on!("{}{}", limits(&clean, chosen.len()), table(&spoilt, reported.len()))?)
}

/// At most so many of the photos that these pairs name, evenly spread.
pub(crate) fn photos<'a>(set: &'a Set, pairs: &[Pair], most: usize) -> Result<Vec<&'a Path>> {
    let mut named: Vec<usize> = pairs.iter().flat_map(|pair| [pair.a, pair.b]).collect();
    named.sort_unstable();
    named.dedup();
    ensure!(most > 0 && !named.is_empty(), "no photo to look at");
    let step = named.len().div_ceil(most);
    Ok(named.iter().step_by(step).filter_map(|&index| set.samples[index].photo()).collect())
}

fn enrolled(args: &Args, pack: &Pack, photos: &[&Path], ways: &[(&str, Way)]) -> Result<Vec<Enrolled>> {
    let threshold = pack.threshold(Fmr::new(FMR)?)?;
    let admits = |score| threshold.admits(score);
    let spoilt = |finder: &mut FaceFinder, index: usize| spoilt(finder, photos[index], index, ways, admits);
    let open = || args.path.finder(pack);
    Ok(workers::each(args.path.threads, photos.len(), "photos", open, spoilt)?
        .into_iter()
        .flatten()
        .collect())
}

/// What enrolment's gate takes of a photo, spoilt in each way.
fn spoilt(
    finder: &mut FaceFinder,
    path: &Path,
    index: usize,
    ways: &[(&str, Way)],
    admits: impl Fn(Score) -> bool,
) -> Result<Vec<Enrolled>> {
    let mut photo = RgbImage::new();
    read_photo(path, &mut photo)?;
    let Some((marks, own)) = finder.enrolled(photo.view())? else { return Ok(Vec::new()) };
    let mut enrolled = Vec::new();
    for (way, (_, what)) in ways.iter().enumerate() {
        let altered = match *what {
            Way::AsIs | Way::Misplaced { .. } => None,
            Way::Turned(degrees) => Some(moved(photo.view(), degrees, 1.0, [0.0; 2])),
            Way::Covered(cover) => covered(photo.view(), &marks, cover),
        };
        let image = altered.as_ref().unwrap_or(&photo).view();
        let found = match *what {
            Way::AsIs => Some((marks, own.clone())),
            Way::Misplaced { eyes, scale } => {
                // Another direction for each photo.
                let beside = misplaced(&marks, eyes, index as f32 * 2.4, scale);
                Some((beside, finder.vision().embed(image, &beside)?))
            }
            Way::Turned(_) | Way::Covered(_) => finder.enrolled(image)?,
        };
        let Some((marks, template)) = found else { continue };
        let look = finder.vision().second_look(image, &marks)?;
        enrolled.push(Enrolled { way, look, matches: admits(own.score(&template)?) });
    }
    Ok(enrolled)
}

fn limits(clean: &[Enrolled], photos: usize) -> String {
    let off: Vec<f64> = clean.iter().filter_map(|face| face.look.off).map(f64::from).collect();
    let at = |share| quantile(&off, share).unwrap_or_default();
    let frontal = clean.iter().filter(|face| face.look.frontal != Frontal::NotSeen).count();
    format!(
        "# Second looks\n\nTo choose on: {photos} photos, {} pass the gate of enrolment. Landmarks are found again in {}, \
         off by 50 % {:.3}, 95 % {:.3}, 99 % {:.3}, 99.5 % {:.3}, most {:.3} eye distances; SeetaFace finds {frontal}.\n\n",
        clean.len(),
        off.len(),
        at(0.5),
        at(0.95),
        at(0.99),
        at(0.995),
        at(1.0),
    )
}

fn table(faces: &[Enrolled], photos: usize) -> String {
    let mut out = format!(
        "To report on: {photos} photos. Of what the gate of enrolment takes, refused by the landmarks, by SeetaFace, by \
         either; wrong: the template does not match that of the photo as it is (FMR {FMR:e}).\n\n\
         | photo | taken | landmarks | SeetaFace | either | wrong | of these refused | right ones refused |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for (way, (name, _)) in WAYS.iter().enumerate() {
        let of: Vec<&Enrolled> = faces.iter().filter(|face| face.way == way).collect();
        let refused = |faces: &[&Enrolled], by: fn(&SecondLook) -> bool| match faces.len() {
            0 => "none".to_owned(),
            count => Share::of(faces.iter().filter(|face| by(&face.look)).count(), count).percent(),
        };
        let (wrong, right): (Vec<_>, Vec<_>) = of.iter().partition(|face| !face.matches);
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            of.len(),
            refused(&of, |look| look.check() == Err(RetryReason::HoldUpright)),
            refused(&of, |look| look.frontal == Frontal::NotSeen),
            refused(&of, either),
            wrong.len(),
            refused(&wrong, either),
            refused(&right, either),
        );
    }
    out
}

fn either(look: &SecondLook) -> bool {
    look.check().is_err()
}
