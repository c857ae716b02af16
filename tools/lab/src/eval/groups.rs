//! `arcdoor-lab eval groups`: how often people of labelled groups are taken for each other.
//!
//! Protocol: every crop shows another person, so that each pair of crops is an impostor comparison. Crops are aligned already.
//! Labels are those in the files' names, as UTKFace has them: they are the source's guesses of age, gender and race. Rates are
//! counted at the thresholds of the pack's counted rows, within each group and across each two, and each group's is set against
//! the mean of all. Pairs that score very high may be one person twice: they are named, and rates stand with and without them.
//! Without them a rate is a floor, since real false matches may be among them.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{Comparison, Impostors};
use arcdoor_core::{QualityPart, Template};
use arcdoor_frame::RgbImage;
use arcdoor_models::Pack;
use arcdoor_vision::align::TEMPLATE_SIDE;
use arcdoor_vision::recognisability::recognise;
use arcdoor_vision::{DetectSettings, DetectorKind, QualityGate};
use serde::Serialize;

use crate::crops::Crops;
use crate::eval::by_group::{accepted, between};
use crate::eval::label::{GROUPS, Label};
use crate::eval::report::by_group::max_over_min;
use crate::face_finder::{FaceFinder, calibrated, open_pack};
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;
use crate::say::say_on;
use crate::trouble::Trouble;
use crate::workers;

/// Most crops that are compared, each with each: 50,000,000 pairs, some 800 MB.
pub(crate) const MAX_CROPS: usize = 10_000;

/// Arguments of `eval groups`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Aligned 112x112 crops, each of another person: a folder or a zip file. Names begin AGE_GENDER_GROUP_, as in UTKFace
    #[arg(long, value_name = "ZIP_OR_DIR")]
    crops: PathBuf,
    /// The crops to compare, a name a line, such as tools/trainer/configs/utkface-held-out.txt
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    #[arg(long, value_name = "DIR", default_value = "models/packs/yunet-sface")]
    pack: PathBuf,
    /// The score above which a pair is suspected to be one person twice
    #[arg(long, value_name = "SCORE", default_value_t = 0.6)]
    suspects_above: f32,
    /// Leave out crops that recognition's gate refuses, by any part of quality
    #[arg(long)]
    gated: bool,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// Where groups.json and groups.md go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// One way to part people into classes.
struct Axis {
    name: &'static str,
    classes: &'static [&'static str],
    /// The number of a person's class.
    class: fn(&Label) -> usize,
}

const AXES: [Axis; 4] = [
    Axis { name: "Everybody", classes: &["everybody"], class: |_| 0 },
    Axis { name: "By group code", classes: &GROUPS, class: |label| label.group.into() },
    Axis { name: "By gender code", classes: &["gender 0", "gender 1"], class: |label| label.gender.into() },
    Axis {
        name: "By age",
        classes: &["0-12", "13-29", "30-59", "60 and above"],
        class: |label| [13, 30, 60].iter().filter(|from| label.age >= **from).count(),
    },
];

/// What groups.json holds.
#[derive(Serialize)]
struct Report {
    pack: String,
    model_id: String,
    labels: &'static str,
    crops: usize,
    /// Whether crops that recognition's gate refuses are left out.
    gated: bool,
    pairs: usize,
    points: Vec<Point>,
    suspects_above: f32,
    /// Pairs that may be one person twice, highest score first.
    suspects: Vec<(String, String, f32)>,
    parted: Vec<Parted>,
}

/// A counted row of the pack's calibration.
#[derive(Debug, Clone, Copy, Serialize)]
struct Point {
    fmr: f64,
    threshold: f32,
}

/// Everybody, parted in one way.
#[derive(Serialize)]
struct Parted {
    by: &'static str,
    people: Vec<Class>,
    cells: Vec<Cell>,
    /// One for each point.
    differentials: Vec<[Differential; 2]>,
}

/// The people of a class.
#[derive(Debug, Serialize)]
struct Class {
    name: &'static str,
    listed: usize,
    /// By recognition's gate.
    refused: usize,
}

/// Two classes, or one with itself, of whom there are pairs.
#[derive(Serialize)]
struct Cell {
    between: [&'static str; 2],
    pairs: usize,
    suspects: usize,
    /// For each point: of all pairs, and without the suspects.
    rates: Vec<[Rate; 2]>,
}

impl Cell {
    fn is_within(&self) -> bool {
        self.between[0] == self.between[1]
    }
}

/// A false match rate with its 95 % interval: the wider of Clopper-Pearson's and of a bootstrap over people.
#[derive(Debug, Clone, Copy, Serialize)]
struct Rate {
    hits: usize,
    value: f64,
    low: f64,
    high: f64,
}

/// The classes' rates within themselves, beside each other.
#[derive(Debug, Serialize)]
struct Differential {
    /// Over the classes, each alike.
    mean: f64,
    worst: &'static str,
    /// The worst class's rate over the mean; none where nobody matched.
    worst_over_mean: Option<f64>,
    /// The worst class's rate over the best one's; none where a class has no match.
    max_over_min: Option<f64>,
}

/// Who is compared, and each pair's score.
struct Compared {
    names: Vec<String>,
    labels: Vec<Label>,
    /// Of (1, 0), (2, 0), (2, 1), (3, 0), ...
    scores: Vec<f32>,
}

/// Runs the protocol and prints its tables.
pub(crate) fn run(args: Args) -> Result<()> {
    let pack = open_pack(&args.pack)?;
    calibrated(&pack)?;
    let text = read_text(&args.list, MAX_LIST_BYTES)?;
    let names = listed(&text).with_context(|| args.list.display().to_string())?;
    let labels = names.iter().map(|name| Label::of(name)).collect::<Result<Vec<_>, _>>()?;
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let finder = || FaceFinder::open(&pack, DetectorKind::Yunet, DetectSettings::default());
    let made = looks(&args.crops, &pack, &names, args.threads.into(), finder)?;
    let taken: Vec<bool> = made.iter().map(|look| look.is_taken).collect();
    let mut compared = Compared { names: Vec::new(), labels: Vec::new(), scores: Vec::new() };
    let mut templates = Vec::new();
    for ((name, label), look) in names.iter().zip(&labels).zip(made) {
        if look.is_taken || !args.gated {
            compared.names.push(name.clone());
            compared.labels.push(*label);
            templates.push(look.template);
        }
    }
    compared.scores = scores(&templates)?;
    let rows = pack.calibration().counted();
    let points = rows.rows().iter().map(|row| Point { fmr: row.fmr.get(), threshold: row.threshold });
    let points: Vec<Point> = points.collect();
    let report = Report {
        pack: pack.name().to_owned(),
        model_id: pack.model_id().to_string(),
        labels: "of the files' names: the source's guesses",
        crops: compared.names.len(),
        gated: args.gated,
        pairs: compared.scores.len(),
        suspects_above: args.suspects_above,
        suspects: compared.above(args.suspects_above),
        parted: parted(&compared, (&labels, &taken), &points, args.suspects_above, args.threads.into())?,
        points,
    };
    let text = markdown(&report)?;
    say_on!("{text}")?;
    fs::write(args.out.join("groups.md"), &text)?;
    fs::write(args.out.join("groups.json"), serde_json::to_vec(&report)?)?;
    eprintln!("written: groups.md, groups.json in {}", args.out.display());
    Ok(())
}

/// The names of a list; each once.
fn listed(text: &str) -> Result<Vec<String>, Trouble> {
    let mut seen = HashSet::new();
    let names: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
        return Err(Trouble::BadInput(format!("{twice} is listed twice")));
    }
    if !(2..=MAX_CROPS).contains(&names.len()) {
        return Err(Trouble::BadInput(format!("{} names; 2 to {MAX_CROPS} are compared", names.len())));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// A crop's template, and whether recognition's gate takes it.
pub(crate) struct Look {
    pub(crate) template: Template,
    is_taken: bool,
}

/// Of the crops `names` of a folder or .zip; a thread asks `finder` for its own.
pub(crate) fn looks(
    from: &Path,
    pack: &Pack,
    names: &[String],
    threads: usize,
    finder: impl Fn() -> Result<FaceFinder> + Sync,
) -> Result<Vec<Look>> {
    let open = || Ok((Crops::open(from)?, finder()?, RgbImage::new()));
    let (gate, table) = (QualityGate::recognise(), pack.manifest().recognisability.as_ref());
    let least = gate.least.part(QualityPart::Recognisability).unwrap_or_default();
    let look = |(crops, finder, image): &mut (Crops, FaceFinder, RgbImage), index: usize| {
        let name: &String = &names[index];
        crops.read(name, image).with_context(|| format!("cannot read {name}"))?;
        let size = (image.width(), image.height());
        ensure!(size == (TEMPLATE_SIDE, TEMPLATE_SIDE), "{name}: an aligned crop is 112x112, not {size:?}");
        finder.take_tone(image);
        let judged = finder.judge(image)?;
        let is_recognisable = table.is_none_or(|table| recognise(table, &judged.embedding).value >= least);
        let is_taken = is_recognisable && gate.check(&judged.assessment).is_ok();
        Ok(Look { template: judged.template, is_taken })
    };
    workers::each(threads, names.len(), "crops", open, look)
}

/// Every pair of so many crops, each of another person: the later first. `scores` as [`scores`] has them.
pub(crate) fn pairs(crops: usize, scores: &[f32]) -> impl Iterator<Item = Comparison> {
    let both = (0..crops as u32).flat_map(|a| (0..a).map(move |b| [a, b]));
    both.zip(scores).map(|(people, score)| Comparison { score: *score, people })
}

/// Of (1, 0), (2, 0), (2, 1), (3, 0), ...
pub(crate) fn scores(templates: &[Template]) -> Result<Vec<f32>> {
    let mut scores = Vec::with_capacity(templates.len() * templates.len().saturating_sub(1) / 2);
    for (place, a) in templates.iter().enumerate() {
        for b in &templates[..place] {
            scores.push(a.score(b)?.0);
        }
    }
    Ok(scores)
}

impl Compared {
    /// Every pair, the later first; a person is a crop.
    fn pairs(&self) -> impl Iterator<Item = Comparison> {
        pairs(self.names.len(), &self.scores)
    }

    /// Pairs with a score above `limit`, by name, highest first.
    fn above(&self, limit: f32) -> Vec<(String, String, f32)> {
        let mut above: Vec<_> = self.pairs().filter(|pair| pair.score > limit).collect();
        above.sort_by(|one, other| other.score.total_cmp(&one.score));
        let name = |number: u32| self.names[number as usize].clone();
        let named = |Comparison { score, people: [a, b] }: Comparison| (name(b), name(a), score);
        above.into_iter().map(named).collect()
    }
}

/// Rates by every axis, and of everybody listed whom the gate takes; `suspects_above` is the score above which a pair is not
/// counted in the second of two rates.
fn parted(
    compared: &Compared,
    (listed, taken): (&[Label], &[bool]),
    points: &[Point],
    suspects_above: f32,
    threads: usize,
) -> Result<Vec<Parted>> {
    let mut parted = Vec::new();
    for Axis { name, classes, class } in &AXES {
        let of: Vec<Option<usize>> = compared.labels.iter().map(class).map(Some).collect();
        let cells = cells(classes.len());
        let made = |(): &mut (), index: usize| {
            let [a, b] = cells[index];
            Ok(cell([classes[a], classes[b]], between(compared.pairs(), &of, [a, b]), points, suspects_above))
        };
        let mut cells = workers::each(threads, cells.len(), name, || Ok(()), made)?;
        cells.retain(|cell| cell.pairs > 0);
        let people = |number: usize| {
            let of: Vec<bool> =
                listed.iter().zip(taken).filter(|(l, _)| class(l) == number).map(|(_, t)| *t).collect();
            let refused = of.iter().filter(|is_taken| !**is_taken).count();
            Class { name: classes[number], listed: of.len(), refused }
        };
        let differentials =
            (0..points.len()).map(|point| [0, 1].map(|kind| differential(&cells, point, kind)));
        parted.push(Parted {
            by: name,
            people: (0..classes.len()).map(people).collect(),
            differentials: differentials.collect(),
            cells,
        });
    }
    Ok(parted)
}

/// Each class with itself and with those after it.
fn cells(classes: usize) -> Vec<[usize; 2]> {
    (0..classes).flat_map(|a| (a..classes).map(move |b| [a, b])).collect()
}

fn cell(
    between: [&'static str; 2],
    (pairs, people): (Vec<Comparison>, usize),
    points: &[Point],
    suspects_above: f32,
) -> Cell {
    let thresholds: Vec<f32> = points.iter().map(|point| point.threshold).collect();
    let kept = pairs.iter().filter(|pair| pair.score <= suspects_above).copied().collect::<Vec<_>>();
    let (all, suspects) = (pairs.len(), pairs.len() - kept.len());
    let with = rates(&Impostors::new(pairs, people), &thresholds);
    let without =
        if suspects == 0 { with.clone() } else { rates(&Impostors::new(kept, people), &thresholds) };
    let rates = with.into_iter().zip(without).map(|(with, without)| [with, without]).collect();
    Cell { between, pairs: all, suspects, rates }
}

fn rates(impostors: &Impostors, thresholds: &[f32]) -> Vec<Rate> {
    let rate = |counted: arcdoor_calib::Counted| {
        let rate = accepted(&counted, impostors.len());
        Rate { hits: counted.hits, value: rate.value.unwrap_or_default(), low: rate.low, high: rate.high }
    };
    impostors.counted(thresholds).into_iter().map(rate).collect()
}

/// The classes within themselves, at one point; `kind` 0 with the suspects, 1 without.
fn differential(cells: &[Cell], point: usize, kind: usize) -> Differential {
    let rate = |cell: &&Cell| cell.rates[point][kind].value;
    let within: Vec<&Cell> = cells.iter().filter(|cell| cell.is_within()).collect();
    let mean = within.iter().map(rate).sum::<f64>() / within.len().max(1) as f64;
    let max_over_min = max_over_min(within.iter().map(rate));
    let worst = within.into_iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
    Differential {
        mean,
        worst: worst.map_or("nobody", |cell| cell.between[0]),
        worst_over_mean: worst.filter(|_| mean > 0.0).map(|cell| rate(&cell) / mean),
        max_over_min,
    }
}

fn markdown(report: &Report) -> Result<String> {
    let Report { pack, crops, pairs, suspects, suspects_above, .. } = report;
    let quality = if report.gated {
        "crops that recognition's gate refuses are left out"
    } else {
        "no part of quality refuses any"
    };
    let mut out = format!(
        "# By labelled group: {pack}\n\n{crops} crops, each taken for another person, {pairs} impostor pairs; {quality}. Ages \
         and codes are those in the files' names: the source's guesses. FMR at the thresholds of the pack's counted rows; 95 % \
         intervals, the wider of Clopper-Pearson's and of a bootstrap over people. {} pairs score above {suspects_above} and are \
         suspected to be one person twice (groups.json names them): each rate with them, then without. Without them it is a \
         floor.\n",
        suspects.len()
    );
    for parted in &report.parted {
        let counted = |class: &Class| format!("{}: {} ({})", class.name, class.listed, class.refused);
        let people: Vec<String> =
            parted.people.iter().filter(|class| class.listed > 0).map(counted).collect();
        write!(
            out,
            "\n## {}\n\nPeople listed (refused by recognition's gate): {}.\n\n| between | pairs | suspects |",
            parted.by,
            people.join(", ")
        )?;
        for Point { fmr, threshold } in &report.points {
            write!(out, " FMR at {threshold:.3}, for {fmr:e} | without suspects |")?;
        }
        writeln!(out, "\n|---|---|---{}", "|---|---".repeat(report.points.len()) + "|")?;
        for cell in &parted.cells {
            let [a, b] = cell.between;
            let between = if cell.is_within() { a.to_owned() } else { format!("{a} and {b}") };
            write!(out, "| {between} | {} | {} |", cell.pairs, cell.suspects)?;
            for [with, without] in &cell.rates {
                write!(out, " {} | {} |", said(with), said(without))?;
            }
            out.push('\n');
        }
        if parted.people.len() > 1 {
            worst(&mut out, parted)?;
        }
    }
    Ok(out)
}

/// The line that sets the worst class against the mean.
fn worst(out: &mut String, parted: &Parted) -> Result<()> {
    let ratio =
        |Differential { worst, worst_over_mean, mean, max_over_min }: &Differential| match worst_over_mean {
            Some(ratio) => {
                let least =
                    max_over_min.map_or(String::new(), |ratio| format!(", {ratio:.1} times the least"));
                format!("{worst}, {ratio:.1} times the mean of {mean:.1e}{least}")
            }
            None => "nobody matched".to_owned(),
        };
    write!(out, "| **the worst within** | | |")?;
    for [with, without] in &parted.differentials {
        write!(out, " {} | {} |", ratio(with), ratio(without))?;
    }
    out.push('\n');
    Ok(())
}

fn said(rate: &Rate) -> String {
    let number = |value: f64| if value == 0.0 { "0".to_owned() } else { format!("{value:.1e}") };
    format!("{} [{}, {}]", number(rate.value), number(rate.low), number(rate.high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_calib::Random;
    use arcdoor_core::ModelId;

    /// 40 people of each group, none like another but those of group 3, who have much in common; `twice` adds the first person
    /// again.
    fn compared(twice: bool) -> Compared {
        let mut random = Random(1);
        let mut person = |group: usize| {
            let mut values: [f32; 64] = std::array::from_fn(|_| random.signed());
            if group == 3 {
                values[0] += 5.0;
            }
            Template::new(ModelId::new([1; 16]), &values).unwrap()
        };
        let mut made = Vec::new();
        for number in 0..200 {
            let (age, gender, group) = (14 + number % 60, number % 2, number % 5);
            made.push((format!("set/{age}_{gender}_{group}_{number}.jpg"), person(group)));
        }
        if twice {
            made.push(("set/14_0_0_again.jpg".to_owned(), made[0].1.clone()));
        }
        let (names, templates): (Vec<String>, Vec<Template>) = made.into_iter().unzip();
        let labels = names.iter().map(|name| Label::of(name).unwrap()).collect();
        Compared { scores: scores(&templates).unwrap(), names, labels }
    }

    const POINT: Point = Point { fmr: 1e-2, threshold: 0.45 };

    fn parted(compared: &Compared, suspects_above: f32, threads: usize) -> Vec<Parted> {
        let taken: Vec<bool> = (0..compared.labels.len()).map(|place| place != 8).collect();
        super::parted(compared, (&compared.labels, &taken), &[POINT], suspects_above, threads).unwrap()
    }

    fn by<'a>(parted: &'a [Parted], name: &str) -> &'a Parted {
        parted.iter().find(|parted| parted.by == name).unwrap()
    }

    #[test]
    fn a_group_of_look_alikes_is_not_hidden_by_the_others() {
        let parted = parted(&compared(false), 1.1, 2);
        let groups = by(&parted, "By group code");
        let within = groups.cells.iter().find(|cell| cell.between == [GROUPS[3]; 2]).unwrap();
        let rate = within.rates[0][0];
        assert_eq!((within.pairs, groups.cells.len()), (40 * 39 / 2, 15));
        assert!(rate.value > 0.3 && rate.low > 0.1 && rate.low < rate.value && rate.value < rate.high);
        let [with, without] = &groups.differentials[0];
        assert_eq!((with.worst, without.worst), (GROUPS[3], GROUPS[3]));
        assert!(with.worst_over_mean.unwrap() > 4.0, "{with:?}");
        let across = groups.cells.iter().find(|cell| cell.between == [GROUPS[2], GROUPS[3]]).unwrap();
        assert_eq!((across.pairs, across.rates[0][0].hits < 40), (1600, true));
        let genders = by(&parted, "By gender code");
        assert!(genders.differentials[0][0].worst_over_mean.unwrap() < 1.5);
    }

    #[test]
    fn one_person_twice_is_named_and_counted_beside() {
        let compared = compared(true);
        let suspects = compared.above(0.95);
        assert_eq!(suspects.len(), 1);
        assert_eq!((&*suspects[0].0, &*suspects[0].1), ("set/14_0_0_0.jpg", "set/14_0_0_again.jpg"));
        let parted = parted(&compared, 0.95, 1);
        let cell = &by(&parted, "By group code").cells[0];
        let [with, without] = cell.rates[0];
        assert_eq!((cell.between, cell.suspects), ([GROUPS[0]; 2], 1));
        assert_eq!((cell.pairs, with.hits), (41 * 40 / 2, without.hits + 1));
    }

    #[test]
    fn every_pair_is_counted_once_by_each_axis_and_who_is_refused_in_their_class() {
        let mut compared = compared(false);
        compared.labels[7].age = 3;
        let parted = parted(&compared, 1.1, 1);
        for axis in &parted {
            let sum = |of: fn(&Class) -> usize| axis.people.iter().map(of).sum::<usize>();
            let pairs: usize = axis.cells.iter().map(|cell| cell.pairs).sum();
            assert_eq!((sum(|class| class.listed), sum(|class| class.refused)), (200, 1), "{}", axis.by);
            assert_eq!(pairs, 200 * 199 / 2, "{}", axis.by);
        }
        let ages = by(&parted, "By age");
        assert_eq!((ages.people[0].listed, ages.people[1].refused), (1, 1));
        assert!(!ages.cells.iter().any(|cell| cell.between == ["0-12"; 2]), "nobody to compare with");
    }

    #[test]
    fn a_list_that_names_a_crop_twice_or_none_is_refused() {
        assert_eq!(listed("b.jpg\n\n a.jpg\n").unwrap(), ["b.jpg", "a.jpg"]);
        assert!(listed("a.jpg\nb.jpg\na.jpg").unwrap_err().to_string().starts_with("a.jpg "));
        assert!(listed("").is_err() && listed("a.jpg").is_err());
    }
}
