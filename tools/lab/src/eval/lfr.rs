//! The Lightweight Face Recognition challenge of ICCV 2019 (LFR2019): both tracks, light and large. Everybody is
//! compared with everybody, distractors with people; ranking is by the true accepts at one false accept rate.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{FeatureList, LabelList};
use arcdoor_vision::DetectorKind;

use crate::eval::counted::{self, FARS, HELD};
use crate::eval::lfr_features::{self, Shown, Written};
use crate::eval::lfr_track::Track;
use crate::eval::origin::maker;
use crate::eval::out;
use crate::eval::report::curves::Curves;
use crate::eval::report::rate::Rate;
use crate::eval::report::report::{Data, Maker, Noted, Report};
use crate::eval::report::run::Run;
use crate::eval::report::table::Table;
use crate::face_finder::{detector_parser, open_pack};
use crate::gate;
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;
use crate::say::say;
use crate::trouble::Trouble;
use crate::verify::rows::{RowFile, Rows};
use crate::verify::task::Task;
use crate::verify::{Partial, Settings, Sieving, resume, run as count};

/// Rows without a face that a report names.
const SUCH_AS: usize = 10;
/// How many of the highest impostors a report names.
const NAMED: usize = 30;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Aligned crops of 112x112 below this folder, or with --photos whole ones: a file each, or a folder of frames for each
    /// video
    #[arg(long, value_name = "DIR", required_unless_present = "features")]
    images: Option<PathBuf>,
    /// Find and align the faces of --images first, as the product does; who is not found is a failure to acquire
    #[arg(long, requires = "images")]
    photos: bool,
    /// What finds them
    #[arg(long, value_parser = detector_parser(), default_value = "yunet", requires = "photos")]
    detector: DetectorKind,
    /// Whose rows the features are: a photo or a video's folder each line [default: filelist.txt in --images]
    #[arg(long, value_name = "FILE", required_unless_present = "images")]
    list: Option<PathBuf>,
    /// A feature file (LFR's or npy). With --images it is written, as the organisers take it, and read back
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// Whose each row is: a subject each line, - for a distractor [default: the first folder of each name in the list]
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// What makes the features of --images; its limits are checked
    #[arg(long, value_name = "DIR", default_value = "models/packs/yunet-sface")]
    pack: PathBuf,
    /// The large tracks' limits, 30 GFLOPs, instead of the light ones'
    #[arg(long)]
    large: bool,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Let bytes sift the pairs (AVX-512 VNNI): counts are the same from this false accept rate down, and missing above
    #[arg(long, value_name = "FAR")]
    int8_from: Option<f64>,
    /// Count only this part of the work, such as 2/8; needs --counts
    #[arg(long, value_name = "I/N", value_parser = shard, requires = "counts")]
    shard: Option<(usize, usize)>,
    /// Where counts are kept: a run that was stopped goes on from there
    #[arg(long, value_name = "FILE")]
    counts: Option<PathBuf>,
    /// Counts of shards, from their --counts: they are added, and nothing is counted but what is missing
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "shard")]
    merge: Vec<PathBuf>,
    /// The features are generated: the report says so
    #[arg(long)]
    generated: bool,
    /// Where report.json goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// `I/N`, I from 1.
fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts =
        text.split_once('/').and_then(|(i, n)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
    match parts {
        Some((shard, of)) if (1..=of).contains(&shard) && of <= 100_000 => Ok((shard - 1, of)),
        _ => Err("a part I of N is written I/N, I from 1 to N".to_owned()),
    }
}

pub(crate) fn run(track: Track, args: &Args) -> Result<()> {
    let began = Instant::now();
    let bad = |text: String| Trouble::BadInput(text);
    let list_file = match (&args.list, &args.images) {
        (Some(list), _) => list.clone(),
        (None, Some(images)) => images.join("filelist.txt"),
        (None, None) => return Err(bad("neither --list nor --images".to_owned()).into()),
    };
    let named = |cause: &dyn std::fmt::Display| bad(format!("{}: {cause}", list_file.display()));
    let text = read_text(&list_file, MAX_LIST_BYTES).map_err(|cause| bad(format!("{cause:#}")))?;
    let list = FeatureList::parse(&text, track == Track::Video).map_err(|cause| named(&cause))?;
    let labels = labels(args, &list)?;
    if labels.labels().len() != list.names().len() {
        let (labels, names) = (labels.labels().len(), list.names().len());
        return Err(
            bad(format!("{labels} lines of labels to {names} lines of {}", list_file.display())).into()
        );
    }
    let (features, maker, written) = features(track, args, &list)?;
    let rows = RowFile::open(&features)?.missing_some();
    list.check(rows.count()).map_err(|cause| named(&cause))?;

    let data = counted::sha256(&features)?;
    let counts = counts(args, &rows, &labels, &data)?;
    let task = Task::within(&rows, &labels)?;
    if counts.missing() > 0 {
        say!(
            "{} of {} units counted; --merge adds the others",
            counts.done.len() - counts.missing(),
            counts.done.len()
        )?;
        return Ok(());
    }
    let mut lists = std::collections::BTreeMap::new();
    for (role, file) in
        std::iter::once(("list", &list_file)).chain(args.labels.as_ref().map(|file| ("labels", file)))
    {
        lists.insert(role.to_owned(), counted::sha256(file)?);
    }
    let (tar_at_far, eer) = counted::by_far(&task, &counts, &FARS)?;
    let data = Data {
        name: format!(
            "LFR2019, {}",
            match track {
                Track::Image => "images",
                Track::Video => "videos",
            }
        ),
        sha256: data,
        lists,
        media: rows.count() as u64,
        subjects: Some(labels.subjects() as u64),
        genuine: task.genuine(),
        impostors: counted::impostors(&counts),
        is_generated: args.generated,
    };
    let missing = rows.missing()?;
    let fta = Rate::of(missing.len() as u64, rows.count() as u64);
    let run = Run::of(began.elapsed().as_secs_f64(), usize::from(args.threads));
    let report = Report {
        made_by: maker,
        tar_at_far,
        eer,
        tables: vec![highest(&counts, &list)],
        noted: [noted(&rows, &labels), not_found(&missing, &list, &written)].concat(),
        limits: limits(args, track, &counts),
        ..Report::new(track.name(), data, fta, run)
    };
    let curves = Curves {
        operating: vec![counted::curve(track.name(), &counts)],
        histograms: counted::histogram(track.name(), &counts).into_iter().collect(),
        cmc: Vec::new(),
    };
    out::write(&args.out, report, &curves)
}

fn counts(args: &Args, rows: &RowFile, labels: &LabelList, data: &str) -> Result<Partial> {
    let bad = |cause: anyhow::Error| Trouble::BadInput(format!("{cause:#}"));
    let task = Task::within(rows, labels).map_err(bad)?;
    let hash = arcdoor_models::sha256_hex(format!("{:?}", labels.labels()).as_bytes());
    let mut settings = Settings::new(usize::from(args.threads), format!("{data} {hash}"));
    settings.kept = NAMED;
    settings.sieving = args.int8_from.map_or(Sieving::Off, Sieving::FromFar);
    settings.shard = args.shard.unwrap_or((0, 1));
    settings.state.clone_from(&args.counts);
    ensure!(args.int8_from.is_none_or(|far| far > 0.0 && far < 1.0), "--int8-from lies between 0 and 1");
    if args.merge.is_empty() {
        return count(&task, &settings);
    }
    resume(&task, &settings, args.merge.iter().map(|path| Ok((path.clone(), Partial::read(path)?))))
}

/// The feature file, what made it, where something did, and what went missing on the way.
fn features(track: Track, args: &Args, list: &FeatureList) -> Result<(PathBuf, Option<Maker>, Written)> {
    let Some(images) = &args.images else {
        let features = args.features.clone().context("neither --features nor --images")?;
        return Ok((features, None, Written::default()));
    };
    let pack = open_pack(&args.pack).map_err(|cause| Trouble::Pack(format!("{cause:#}")))?;
    let file = args.features.clone().unwrap_or_else(|| args.out.join("features.bin"));
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let kept = gate::summary(&pack, args.large)?;
    say!("{kept}")?;
    let shown = if args.photos { Shown::Photos(args.detector) } else { Shown::Crops };
    let written = lfr_features::write((track, shown), &pack, list, images, usize::from(args.threads), &file)?;
    let mut maker = maker(&pack, args.detector)?;
    if shown == Shown::Crops {
        maker.detector = "none: aligned crops".to_owned();
    }
    Ok((file, Some(maker), written))
}

fn labels(args: &Args, list: &FeatureList) -> Result<LabelList> {
    let bad = |text: String| Trouble::BadInput(text);
    let Some(file) = &args.labels else {
        let folder = |name: &'_ String| name.split_once('/').map(|(folder, _)| folder.to_owned());
        let folders: Vec<Option<String>> = list.names().iter().map(folder).collect();
        let found = LabelList::of(folders.iter().map(Option::as_deref));
        return found.map_err(|_| bad("no name in the list has a folder: give --labels".to_owned()).into());
    };
    let text = read_text(file, MAX_LIST_BYTES).map_err(|cause| bad(format!("{cause:#}")))?;
    LabelList::parse(&text).map_err(|cause| bad(format!("{}: {cause}", file.display())).into())
}

/// The highest impostors: what is worth a look.
fn highest(counts: &Partial, list: &FeatureList) -> Table {
    let name = |row: u32| list.names().get(row as usize).cloned().unwrap_or_default();
    let rows = counts.highest.iter().flat_map(|highest| highest.hits());
    Table {
        title: "Highest impostors".to_owned(),
        note: "Of two subjects, or of a subject and a distractor.".to_owned(),
        head: ["score", "one", "other"].map(str::to_owned).to_vec(),
        rows: rows
            .map(|hit| vec![format!("{:.6}", hit.score.value()), name(hit.left), name(hit.right)])
            .collect(),
    }
}

fn noted(rows: &RowFile, labels: &LabelList) -> Vec<Noted> {
    let mut count = vec![0_u64; labels.subjects()];
    labels.labels().iter().flatten().for_each(|subject| count[*subject as usize] += 1);
    let distractors = rows.count() as u64 - count.iter().sum::<u64>();
    let single = count.iter().filter(|count| **count == 1).count() as u64;
    let noted = |what: &str, count| Noted { what: what.to_owned(), count, such_as: Vec::new() };
    let all = [
        noted("distractors, which are compared with people and not with one another", distractors),
        noted("subjects with one row: they have impostors alone", single),
        noted("rows of the subject that has most", count.iter().copied().max().unwrap_or_default()),
    ];
    all.into_iter().filter(|noted| noted.count > 0).collect()
}

/// In whom no face was found.
fn not_found(missing: &[usize], list: &FeatureList, written: &Written) -> Vec<Noted> {
    let name =
        |row: &usize| format!("line {}: {}", row + 1, list.names().get(*row).map_or("", String::as_str));
    let rows = Noted {
        what: "rows of zeros, in which no face was found: they score 0 with everybody and count as errors"
            .to_owned(),
        count: missing.len() as u64,
        such_as: missing.iter().take(SUCH_AS).map(name).collect(),
    };
    let frames = Noted {
        what: "frames in which no face was found; the others stand for their video".to_owned(),
        count: written.frames_without_face,
        such_as: Vec::new(),
    };
    [rows, frames].into_iter().filter(|noted| noted.count > 0).collect()
}

fn limits(args: &Args, track: Track, counts: &Partial) -> Vec<String> {
    let guessed =
        args.labels.is_none().then(|| "Whose a row is, the first folder of its name says.".to_owned());
    let sifted = counts.floor.map(|floor| {
        format!(
            "Bytes sifted the pairs: {} impostors below {:.6} are counted together, in no histogram and no curve.",
            counts.below,
            floor.value()
        )
    });
    let mut limits = vec![
        format!("LFR2019 ranks entries by TAR at FAR {:e}.", track.far()),
        "The organisers hold the test set's labels: what is said here is of the labels that were given."
            .to_owned(),
        "A score is the cosine, rounded to 2^-18; counts of those are exact.".to_owned(),
        HELD.to_owned(),
    ];
    limits.extend(guessed);
    limits.extend(sifted);
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!(shard("1/8"), Ok((0, 8)));
        assert_eq!(shard("8/8"), Ok((7, 8)));
        for wrong in ["0/8", "9/8", "1", "1/", "/1", "-1/8", "1/0"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }
}
