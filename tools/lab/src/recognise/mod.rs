//! `arcdoor-lab recognisability`: what a pack needs to know embeddings that unlike faces share.
//!
//! People's faces are damaged at random, family by family. For each family one head is fitted that tells its embeddings
//! from those of faces as they came; one more goes by the embedding's length alone. Each head's limits lie where a share of
//! the undamaged faces falls short, such that all heads together refuse what [`RECOGNITION`] and [`ENROLMENT`] allow. The
//! limits are taken on people whom the head was not fitted on. The same faces give the directions in which damaged faces
//! agree more than others.

mod digits;
mod fit;
mod limits;
mod samples;
mod shared;
mod subject;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use arcdoor_models::{Doubt, RECOGNITION_GATE, RecognisabilityHead, RecognisabilityTable, SharedDirections};
use serde::Serialize;

use self::digits::short;
use self::fit::{Head, fit};
use self::limits::{Limits, limits};
use self::samples::{Samples, collect};
use self::shared::shared;
use self::subject::Subject;
use crate::degrade::Family;
use crate::eval::set::templates::PathArgs;
use crate::eval::set::{lfw, people};
use crate::say::say;

/// Shares of undamaged faces that may be refused. At recognition less than 0.01, since limits that are chosen on the same
/// faces look better on them than on others.
const RECOGNITION: f64 = 0.0075;
const ENROLMENT: f64 = 0.050;
/// The value of a head at the limits, as the gates of `arcdoor-vision` have it.
const AT_RECOGNITION: f64 = RECOGNITION_GATE as f64;
const AT_ENROLMENT: f64 = 40.0;
/// Parts that people are divided into: limits are taken on each with heads that were fitted on the others.
const FOLDS: usize = 4;

/// Arguments of `recognisability`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The photos, one folder for each person
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Only people of these pairs are used, such as pairsDevTrain.txt [default: all]
    #[arg(long, value_name = "FILE")]
    choose: Option<PathBuf>,
    /// Damaged faces of each person, over all families in turn
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(16..=1000))]
    damaged: u16,
    /// Shared directions
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=64))]
    directions: u16,
    /// How much the shared directions may add to a score, as a share of what all others make of it, 0..=1, of a face that shows
    /// clearly
    #[arg(long, default_value_t = 0.7)]
    allowance: f32,
    /// The recognisability below which less is allowed, above 20 and up to 100
    #[arg(long, value_name = "VALUE", default_value_t = 80.0)]
    doubt_below: f32,
    /// What is allowed at a recognisability of 20, where recognition's gate ends: -1 to the whole allowance
    #[arg(long, value_name = "ALLOWANCE", default_value_t = 0.0, allow_negative_numbers = true)]
    doubtful: f32,
    /// Also writes without-FAMILY.toml: tables as if nobody had thought of a family, for `eval degraded --without`
    #[arg(long)]
    each_without: bool,
    /// What the photos are, for the table [default: the folder]
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// Where recognisability.toml goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    path: PathArgs,
}

/// The table as a recipe has it.
#[derive(Serialize)]
struct Section {
    recognisability: RecognisabilityTable,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let pack = args.path.open_pack()?;
    let set = people::read(&args.images)?;
    let chosen = match &args.choose {
        Some(list) => set.subjects_of(&lfw::pairs(&set, list)?),
        None => (0..set.subjects.len()).collect(),
    };
    ensure!(chosen.len() >= 10 * FOLDS, "{} people are too few: take at least {}", chosen.len(), 10 * FOLDS);
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let samples = collect(&pack, &args.path, &set, &chosen, usize::from(args.damaged))?;
    let data = args.data.clone().unwrap_or_else(|| args.images.display().to_string());
    write(args, "recognisability.toml", table(args, &samples, &data, |_| true)?)?;
    for left_out in Family::ALL.into_iter().filter(|_| args.each_without) {
        let without = table(args, &samples, &data, |family| !family.is_kin(left_out))?;
        write(args, &without_file(left_out), without)?;
    }
    Ok(())
}

/// The name of a table that does not know this family.
pub(crate) fn without_file(family: Family) -> String {
    format!("without-{}.toml", family.name())
}

fn write(args: &Args, name: &str, table: RecognisabilityTable) -> Result<()> {
    let path = args.out.join(name);
    fs::write(&path, toml::to_string(&Section { recognisability: table })?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(say!("written: {}", path.display())?)
}

/// The table of the families that `is_known` says.
fn table(
    args: &Args,
    samples: &Samples,
    data: &str,
    is_known: impl Fn(Family) -> bool + Copy,
) -> Result<RecognisabilityTable> {
    let subjects: Vec<Subject> = Subject::all(is_known).collect();
    let mut unseen = vec![Vec::new(); subjects.len()];
    for fold in 0..FOLDS {
        let is_fitted = |person: usize| person % FOLDS != fold;
        for (values, subject) in unseen.iter_mut().zip(&subjects) {
            let head = fit(samples, *subject, is_fitted)?;
            let held = samples.clean.iter().filter(|face| !is_fitted(face.person));
            values.extend(held.map(|face| head.value(&face.embedding)));
        }
        eprintln!("fitted {} of {}", fold + 1, FOLDS + 1);
    }
    let weights: Vec<f64> = subjects.iter().map(|subject| subject.weight()).collect();
    let (recognition, enrolment) =
        (limits(&unseen, &weights, RECOGNITION), limits(&unseen, &weights, ENROLMENT));
    let mut heads = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let head = fit(samples, *subject, |_| true)?;
        heads.push(scaled(*subject, &head, recognition.least[index], enrolment.least[index]));
    }
    for (name, Limits { refused, .. }) in [("recognition", &recognition), ("enrolment", &enrolment)] {
        say!("{name}: {:.2} % of undamaged faces refused", 100.0 * refused)?;
    }
    let damaged: usize = samples.damaged.iter().map(Vec::len).sum();
    let data = format!(
        "{data}: {} faces of {} people, and {damaged} damaged ones; {:.2} % of the undamaged are refused at recognition, \
         {:.2} % at enrolment",
        samples.clean.len(),
        samples.people,
        100.0 * recognition.refused,
        100.0 * enrolment.refused,
    );
    let directions = shared(samples, is_known, usize::from(args.directions))?;
    let doubt = Some(Doubt { below: args.doubt_below, allowance: args.doubtful });
    let shared = SharedDirections { allowance: args.allowance, doubt, directions };
    Ok(RecognisabilityTable { data, heads, shared: Some(shared) })
}

/// A head whose value is 20 at the first limit and 40 at the second, to five digits.
fn scaled(subject: Subject, head: &Head, recognition: f64, enrolment: f64) -> RecognisabilityHead {
    // Limits that coincide would make a step of the scale.
    let gap = (enrolment - recognition).max(0.05);
    let slope = (AT_ENROLMENT - AT_RECOGNITION) / gap;
    RecognisabilityHead {
        name: subject.name().to_owned(),
        advice: subject.advice(),
        bias: short(AT_RECOGNITION + slope * (head.bias - recognition)),
        norm: short(slope * head.norm),
        direction: head.direction.iter().map(|weight| short(slope * weight)).collect(),
    }
}
