//! `arcdoor-lab calibrate`: scores to the calibration table of a pack.

mod data;
mod report;
mod rows;
mod score_file;
mod tracks;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use arcdoor_calib::{Comparison, Impostors};
use arcdoor_core::{Fmr, Template};
use arcdoor_models::CalibrationTable;
use serde::Serialize;

use self::data::{Data, Grouped};
use self::report::report;
use self::rows::{Choice, Made, choose};
use self::score_file::Scores;
use self::tracks::Agreement;
use crate::eval::by_group::Groups;
use crate::eval::groups::{self, MAX_CROPS};
use crate::eval::set::set::{Sample, Set};
use crate::eval::set::templates::{PathArgs, score};
use crate::eval::set::tracks::Tracks;
use crate::eval::set::{self, lfw, people};
use crate::face_finder::calibrated;
use crate::say::say_on;
use crate::trouble::Trouble;

/// Most agreements that are counted in one run.
const MAX_AGREEMENTS: usize = 16;

/// Arguments of `calibrate`.
#[derive(clap::Args)]
pub(crate) struct CalibrateArgs {
    /// The photos, one folder for each person; all their pairs are compared
    #[arg(long, value_name = "DIR", required_unless_present_any = ["scores", "tracks"], conflicts_with = "scores")]
    images: Option<PathBuf>,
    /// Only people of these pairs give the thresholds, such as pairsDevTrain.txt [default: all]
    #[arg(long, value_name = "FILE", requires = "images")]
    choose: Option<PathBuf>,
    /// People of these pairs are reported on, and must be others, such as pairsDevTest.txt
    #[arg(long, value_name = "FILE", requires = "choose")]
    report: Option<PathBuf>,
    /// Scores instead of photos: JSON lines {"score": F, "genuine": BOOL, "people": ["A", "B"]}
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// Suspected mislabels among the impostor pairs: left out, counted, and shown beside
    #[arg(long, value_name = "FILE", requires = "images")]
    suspects: Option<PathBuf>,
    /// The suspects' score from which on they are left out
    #[arg(long, default_value_t = 0.6)]
    suspects_above: f32,
    /// Whose group people are of, a name, a tab and the group in each line: every rate holds within the worst group. Names
    /// of --images' folders or of --scores' people; with --group-crops of crops, whose names may say the group, as
    /// UTKFace's do
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    /// The people of --groups as aligned 112x112 crops, each of another person, in place of those of --images
    #[arg(long, value_name = "ZIP_OR_DIR", requires_all = ["groups", "images"])]
    group_crops: Option<PathBuf>,
    /// Frames in order, PERSON/TRACK/FRAME.jpg: what k of n frames grant at the thresholds, or without --images and
    /// --scores at those of the pack
    #[arg(long, value_name = "DIR")]
    tracks: Option<PathBuf>,
    /// Frames of each track that are read, from its first on
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..), requires = "tracks")]
    frames: u16,
    /// How many frames of how many must agree, such as 3/5
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1/1,2/3,3/5",
        value_name = "K/N",
        requires = "tracks"
    )]
    agree: Vec<Agreement>,
    /// False match rates, highest first
    #[arg(long, value_delimiter = ',', default_values_t = [1e-4, 1e-5])]
    targets: Vec<f64>,
    /// Targets below what the data can count come from a fit of the highest scores, and are marked so
    #[arg(long, conflicts_with = "groups")]
    tail_fit: bool,
    /// What the scores are of, for the table [default: the folder or file]
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// Where calibration.toml and calibration.md go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    path: PathArgs,
}

/// The table as a recipe has it.
#[derive(Serialize)]
struct Section<'a> {
    calibration: &'a CalibrationTable,
}

pub(crate) fn run(args: CalibrateArgs) -> Result<()> {
    ensure!((1..=32).contains(&args.targets.len()), "a table has 1 to 32 targets");
    ensure!(args.agree.len() <= MAX_AGREEMENTS, "--agree takes {MAX_AGREEMENTS} of K/N at most");
    let mut targets = Vec::new();
    for target in &args.targets {
        targets.push(Fmr::new(*target).context("--targets")?);
    }
    ensure!(targets.windows(2).all(|pair| pair[0] > pair[1]), "--targets fall, such as 1e-4,1e-5");
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let frames = args.tracks.as_ref().map(|dir| set::tracks::read(dir, args.frames.into())).transpose()?;
    if args.images.is_none() && args.scores.is_none() {
        return at_the_pack(&args, frames.as_ref());
    }
    let data = gather(&args)?;
    let made = choose(&targets, &data, args.tail_fit)?;
    let mut text = report(&data, &made, args.suspects_above);
    if let Some(frames) = &frames {
        let thresholds: Vec<f32> = made.iter().filter_map(Made::threshold).collect();
        tracks::measure(&args.path, &args.path.open_pack()?, frames, &thresholds, &args.agree)?
            .write(&mut text);
    }
    say_on!("{text}")?;
    fs::write(args.out.join("calibration.md"), &text)?;
    let refused: Vec<String> = made.iter().filter_map(Made::refusal).collect();
    if !refused.is_empty() {
        bail!("no table was written:\n  {}", refused.join("\n  "));
    }
    let table = table(&data, &made, &args)?;
    fs::write(args.out.join("calibration.toml"), toml::to_string(&Section { calibration: &table })?)?;
    eprintln!("written: calibration.toml, calibration.md in {}", args.out.display());
    Ok(())
}

/// What tracks say of the thresholds that the pack has.
fn at_the_pack(args: &CalibrateArgs, frames: Option<&Tracks>) -> Result<()> {
    let Some(frames) = frames else { bail!("name --images, --scores or --tracks") };
    if args.groups.is_some() {
        return Err(Trouble::BadInput("--groups goes with --images or --scores".to_owned()).into());
    }
    let pack = args.path.open_pack()?;
    calibrated(&pack)?;
    let thresholds: Vec<f32> = pack.calibration().rows().iter().map(|row| row.threshold).collect();
    let mut text = format!("# The thresholds of {}\n", pack.name());
    tracks::measure(&args.path, &pack, frames, &thresholds, &args.agree)?.write(&mut text);
    say_on!("{text}")?;
    fs::write(args.out.join("tracks.md"), &text)?;
    eprintln!("written: tracks.md in {}", args.out.display());
    Ok(())
}

fn gather(args: &CalibrateArgs) -> Result<Data> {
    let mut data = match (&args.images, &args.scores) {
        (Some(images), _) => of_photos(args, &people::read(images)?)?,
        (None, Some(file)) => {
            let text = args.data.clone().unwrap_or_else(|| file.display().to_string());
            Data {
                chosen: score_file::read(file)?,
                suspects: Vec::new(),
                reported: None,
                text,
                grouped: None,
            }
        }
        (None, None) => bail!("name --images or --scores"),
    };
    let (genuine, impostors) = (data.chosen.genuine.len(), data.chosen.impostors.len());
    ensure!(
        genuine > 0 && impostors > 0,
        "{genuine} genuine and {impostors} impostor scores: both are needed"
    );
    data.grouped = args.groups.as_ref().map(|list| grouped(args, list, &data.chosen)).transpose()?;
    Ok(data)
}

/// The people whose groups are known: those that the thresholds are chosen on, or those of crops of their own.
fn grouped(args: &CalibrateArgs, list: &Path, chosen: &Scores) -> Result<Grouped> {
    let groups = Groups::read(list)?;
    let text = list.display().to_string();
    let Some(crops) = &args.group_crops else {
        let of = groups.of(&chosen.people);
        if of.iter().all(Option::is_none) {
            return Err(Trouble::BadInput(format!("{text} names nobody of those who are compared")).into());
        }
        let genuine = |(person, score): &(u32, f32)| Comparison { score: *score, people: [*person; 2] };
        let genuine = chosen.genuine.iter().map(genuine).collect();
        return Ok(Grouped { groups, of, impostors: chosen.impostors.comparisons().to_vec(), genuine, text });
    };
    let names: Vec<String> = groups.people.iter().map(|(name, _)| name.clone()).collect();
    if names.len() > MAX_CROPS {
        let text = format!("{text}: {} crops; at most {MAX_CROPS} are compared", names.len());
        return Err(Trouble::BadInput(text).into());
    }
    let pack = args.path.open_pack()?;
    let looks = groups::looks(crops, &pack, &names, args.path.threads, || args.path.finder(&pack))?;
    let templates: Vec<Template> = looks.into_iter().map(|look| look.template).collect();
    let impostors = groups::pairs(names.len(), &groups::scores(&templates)?).collect();
    let of = groups.people.iter().map(|(_, group)| Some(*group)).collect();
    Ok(Grouped { groups, of, impostors, genuine: Vec::new(), text })
}

fn of_photos(args: &CalibrateArgs, set: &Set) -> Result<Data> {
    let pack = args.path.open_pack()?;
    let people = |list: &PathBuf| Ok::<_, anyhow::Error>(set.subjects_of(&lfw::pairs(set, list)?));
    let choosers = args.choose.as_ref().map(people).transpose()?;
    let reported = args.report.as_ref().map(people).transpose()?;
    if let (Some(choosers), Some(reported)) = (&choosers, &reported) {
        let both = choosers.intersection(reported).count();
        ensure!(both == 0, "{both} people are in both lists: a report on them proves nothing");
    }
    let suspects = match &args.suspects {
        Some(list) => lfw::suspects(set, list, args.suspects_above)?,
        None => HashSet::new(),
    };
    let templates = args.path.templates(&pack, set)?;
    let choosers = choosers.unwrap_or_else(|| (0..set.subjects.len()).collect());
    let (chosen, left_out) = compare(set, &templates, &choosers, &suspects)?;
    let reported = match reported {
        Some(people) => {
            let (scores, left_out) = compare(set, &templates, &people, &suspects)?;
            Some((scores, left_out.len()))
        }
        None => None,
    };
    let is_chosen = |sample: &&Sample| sample.subject.is_some_and(|subject| choosers.contains(&subject));
    let shots = set.samples.iter().filter(is_chosen).count();
    let what = args
        .data
        .clone()
        .unwrap_or_else(|| args.images.iter().map(|dir| dir.display().to_string()).collect());
    let (people, tone) = (choosers.len(), args.path.tone());
    let text = format!("{what}: all pairs of {shots} photos of {people} people, pack {}{tone}", pack.name());
    Ok(Data { chosen, suspects: left_out, reported, text, grouped: None })
}

/// All pairs of photos of some people; suspects apart. Who has no template matches nobody, and counts.
fn compare(
    set: &Set,
    templates: &[Option<Template>],
    people: &BTreeSet<usize>,
    suspects: &HashSet<(usize, usize)>,
) -> Result<(Scores, Vec<Comparison>)> {
    // Numbered from 0: the bootstrap draws from all numbers.
    let mut numbers = vec![None; set.subjects.len()];
    people.iter().enumerate().for_each(|(number, person)| numbers[*person] = Some(number as u32));
    let numbered = set.samples.iter().enumerate();
    let shots: Vec<(usize, u32)> =
        numbered.filter_map(|(at, sample)| Some((at, numbers[sample.subject?]?))).collect();
    let (mut genuine, mut left_out) = (Vec::new(), Vec::new());
    let mut impostors = Vec::with_capacity(shots.len() * shots.len() / 2);
    for (index, &(a, p)) in shots.iter().enumerate() {
        for &(b, q) in &shots[index + 1..] {
            let score = score(&templates[a], &templates[b])?;
            let comparison = Comparison { score, people: [p, q] };
            if p == q {
                genuine.push((p, score));
            } else if suspects.contains(&(a.min(b), a.max(b))) {
                left_out.push(comparison);
            } else {
                impostors.push(comparison);
            }
        }
    }
    let people: Vec<String> = people.iter().map(|person| set.subjects[*person].clone()).collect();
    Ok((Scores { genuine, impostors: Impostors::new(impostors, people.len()), people }, left_out))
}

fn table(data: &Data, made: &[Made], args: &CalibrateArgs) -> Result<CalibrationTable> {
    let rows = made.iter().filter_map(Made::row).collect();
    let fits = made.iter().find_map(|made| match &made.choice {
        Choice::Fitted { text, .. } => Some(text.clone()),
        _ => None,
    });
    let over = if !data.chosen.people.is_empty() {
        "the wider of Clopper-Pearson (as if comparisons were independent) and a bootstrap over people (500 \
         rounds; comparisons of one person depend on each other)"
    } else {
        "Clopper-Pearson as if comparisons were independent; who is compared is not known, so that true \
         intervals are wider"
    };
    let worst = data.grouped.as_ref().map_or(String::new(), |grouped| {
        let groups = grouped.known().count();
        format!(
            "; each rate holds among everybody and within the worst of {groups} groups ({})",
            grouped.text
        )
    });
    let table = CalibrationTable {
        data: data.text.clone(),
        genuine: data.chosen.genuine.len() as u64,
        impostor: data.chosen.impostors.len() as u64,
        protocol: Some(format!(
            "arcdoor-lab calibrate; scores, one photo against one; 95 % intervals: {over}{worst}"
        )),
        // UTC; the first ten characters are the day.
        date: Some(jiff::Timestamp::now().to_string().chars().take(10).collect()),
        suspects_left_out: data.suspects.len() as u64,
        tail_fit: fits,
        rows,
    };
    ensure!(args.targets.len() == table.rows.len(), "a target has no row");
    // What a device would refuse is not written.
    let ids = (arcdoor_core::ModelId::new([0; 16]), arcdoor_core::CalibrationId::new([0; 16]));
    arcdoor_core::Calibration::new(ids.0, ids.1, &table.rows).context("the rows are no calibration")?;
    Ok(table)
}
