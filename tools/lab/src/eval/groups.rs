//! `arcdoor-lab eval groups`: how often people of labelled groups are taken for each other.
//!
//! Protocol: every crop shows another person, so that each pair of crops is an impostor comparison. Crops are aligned already,
//! and no part of quality refuses any. Labels are those in the files' names, as UTKFace has them: they are the source's guesses
//! of age, gender and race. Rates are counted at the thresholds of the pack's counted rows, within each group and across each
//! two, and each group's is set against the mean of all. Pairs that score very high may be one person twice: they are named,
//! and rates stand with and without them. Without them a rate is a floor, since real false matches may be among them.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{Comparison, Impostors};
use arcdoor_core::Template;
use arcdoor_frame::RgbImage;
use arcdoor_models::Pack;
use arcdoor_vision::align::TEMPLATE_SIDE;
use arcdoor_vision::{DetectSettings, DetectorKind};
use serde::Serialize;

use crate::crops::Crops;
use crate::face_finder::{FaceFinder, open_pack};
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;
use crate::say::say_on;
use crate::trouble::Trouble;
use crate::workers;

/// Most crops that are compared, each with each: 50,000,000 pairs, some 800 MB.
const MAX_CROPS: usize = 10_000;
const OLDEST: u8 = 120;

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
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// Where groups.json and groups.md go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What a file's name says of the person in it, by its source.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Label {
    /// Years.
    age: u8,
    /// UTKFace: 0 male, 1 female.
    gender: u8,
    /// UTKFace: 0 white, 1 black, 2 Asian, 3 Indian, 4 other.
    group: u8,
}

impl Label {
    /// From `AGE_GENDER_GROUP_REST`, in any folder.
    fn of(name: &str) -> Result<Self, Trouble> {
        let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
        let mut fields = file.split('_').map(str::parse::<u8>);
        let label = match [fields.next(), fields.next(), fields.next()] {
            [Some(Ok(age)), Some(Ok(gender)), Some(Ok(group))] => Some(Self { age, gender, group }),
            _ => None,
        };
        label.filter(|label| label.age <= OLDEST && label.gender < 2 && label.group < 5).ok_or_else(|| {
            let text = format!("{name}: expected AGE_GENDER_GROUP_..., with codes 0 or 1 and 0 to 4");
            Trouble::BadInput(text)
        })
    }

    /// Thirteen or older: younger children look more alike to embedders, and would cover what else sets groups apart.
    const fn is_grown(&self) -> bool {
        self.age >= 13
    }
}

/// One way to part people into classes.
struct Axis {
    name: &'static str,
    classes: &'static [&'static str],
    /// The number of a person's class; none of whom this axis leaves out.
    class: fn(&Label) -> Option<usize>,
}

const GROUPS: [&str; 5] = ["group 0", "group 1", "group 2", "group 3", "group 4"];

const AXES: [Axis; 5] = [
    Axis {
        name: "everybody of 13 or older",
        classes: &["everybody"],
        class: |label| label.is_grown().then_some(0),
    },
    Axis {
        name: "group code, 13 or older",
        classes: &GROUPS,
        class: |label| label.is_grown().then_some(usize::from(label.group)),
    },
    Axis {
        name: "gender code, 13 or older",
        classes: &["gender 0", "gender 1"],
        class: |label| label.is_grown().then_some(usize::from(label.gender)),
    },
    Axis {
        name: "age",
        classes: &["0-12", "13-29", "30-59", "60 and above"],
        class: |label| Some([13, 30, 60].iter().filter(|from| label.age >= **from).count()),
    },
    Axis { name: "group code, all ages", classes: &GROUPS, class: |label| Some(usize::from(label.group)) },
];

/// What groups.json holds.
#[derive(Serialize)]
struct Report {
    pack: String,
    model_id: String,
    labels: &'static str,
    crops: usize,
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
    people: Vec<(&'static str, usize)>,
    cells: Vec<Cell>,
    /// One for each point.
    differentials: Vec<[Differential; 2]>,
}

/// Two classes, or one with itself.
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
}

/// Everybody's names and labels, and each pair's score.
struct Compared {
    names: Vec<String>,
    labels: Vec<Label>,
    /// Of (1, 0), (2, 0), (2, 1), (3, 0), ...
    scores: Vec<f32>,
}

/// Runs the protocol and prints its tables.
pub(crate) fn run(args: Args) -> Result<()> {
    let pack = open_pack(&args.pack)?;
    if pack.manifest().calibration.impostor == 0 {
        let text = format!(
            "{} is not calibrated: `arcdoor-lab calibrate` makes the table that it lacks",
            args.pack.display()
        );
        return Err(Trouble::Pack(text).into());
    }
    let text = read_text(&args.list, MAX_LIST_BYTES)?;
    let names = listed(&text).with_context(|| args.list.display().to_string())?;
    let labels = names.iter().map(|name| Label::of(name)).collect::<Result<Vec<_>, _>>()?;
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let compared = Compared { scores: scores(&templates(&args, &pack, &names)?)?, names, labels };
    let rows = pack.calibration().counted();
    let points = rows.rows().iter().map(|row| Point { fmr: row.fmr.get(), threshold: row.threshold });
    let suspects = compared.above(args.suspects_above);
    let report = Report {
        pack: pack.name().to_owned(),
        model_id: pack.model_id().to_string(),
        labels: "of the files' names: the source's guesses",
        crops: compared.names.len(),
        pairs: compared.scores.len(),
        points: points.clone().collect(),
        suspects_above: args.suspects_above,
        suspects,
        parted: parted(&compared, &points.collect::<Vec<_>>(), args.suspects_above, args.threads.into())?,
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

fn templates(args: &Args, pack: &Pack, names: &[String]) -> Result<Vec<Template>> {
    let open = || {
        let finder = FaceFinder::open(pack, DetectorKind::Yunet, DetectSettings::default())?;
        Ok((Crops::open(&args.crops)?, finder, RgbImage::new()))
    };
    let threads = usize::from(args.threads);
    workers::each(threads, names.len(), "crops", open, |(crops, finder, image), index| {
        let name = &names[index];
        crops.read(name, image).with_context(|| format!("cannot read {name}"))?;
        let size = (image.width(), image.height());
        ensure!(size == (TEMPLATE_SIDE, TEMPLATE_SIDE), "{name}: an aligned crop is 112x112, not {size:?}");
        Ok(finder.judge(image)?.template)
    })
}

fn scores(templates: &[Template]) -> Result<Vec<f32>> {
    let mut scores = Vec::with_capacity(templates.len() * templates.len().saturating_sub(1) / 2);
    for (place, a) in templates.iter().enumerate() {
        for b in &templates[..place] {
            scores.push(a.score(b)?.0);
        }
    }
    Ok(scores)
}

impl Compared {
    /// Every pair: the later, the earlier and their score.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        let both = (0..self.names.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        both.zip(&self.scores).map(|((a, b), score)| (a, b, *score))
    }

    /// Pairs with a score above `limit`, by name, highest first.
    fn above(&self, limit: f32) -> Vec<(String, String, f32)> {
        let mut above: Vec<_> = self.pairs().filter(|(.., score)| *score > limit).collect();
        above.sort_by(|one, other| other.2.total_cmp(&one.2));
        let named =
            |(a, b, score): (usize, usize, f32)| (self.names[b].clone(), self.names[a].clone(), score);
        above.into_iter().map(named).collect()
    }
}

/// Rates by every axis; `suspects_above` is the score above which a pair is not counted in the second of two rates.
fn parted(compared: &Compared, points: &[Point], suspects_above: f32, threads: usize) -> Result<Vec<Parted>> {
    let mut parted = Vec::new();
    for axis in &AXES {
        let classes: Vec<Option<usize>> = compared.labels.iter().map(axis.class).collect();
        let cells = cells(axis.classes.len());
        let made = |(): &mut (), index: usize| {
            let [a, b] = cells[index];
            let pairs = pairs_between(compared, &classes, [a, b]);
            Ok(cell([axis.classes[a], axis.classes[b]], pairs, points, suspects_above))
        };
        let cells = workers::each(threads, cells.len(), axis.name, || Ok(()), made)?;
        let people = |class| classes.iter().filter(|of| **of == Some(class)).count();
        parted.push(Parted {
            by: axis.name,
            people: axis.classes.iter().enumerate().map(|(class, name)| (*name, people(class))).collect(),
            differentials: (0..points.len())
                .map(|point| [0, 1].map(|kind| differential(&cells, point, kind)))
                .collect(),
            cells,
        });
    }
    Ok(parted)
}

/// Each class with itself and with those after it.
fn cells(classes: usize) -> Vec<[usize; 2]> {
    (0..classes).flat_map(|a| (a..classes).map(move |b| [a, b])).collect()
}

/// The comparisons of one class with another, or with itself, and how many people these are, numbered from 0.
fn pairs_between(
    compared: &Compared,
    classes: &[Option<usize>],
    between: [usize; 2],
) -> (Vec<Comparison>, usize) {
    let mut people = 0_u32;
    let mut numbers = Vec::with_capacity(classes.len());
    for class in classes {
        let is_in = class.is_some_and(|class| between.contains(&class));
        numbers.push(is_in.then_some(people));
        people += u32::from(is_in);
    }
    let is_across = between[0] != between[1];
    let mut pairs = Vec::new();
    for (a, b, score) in compared.pairs() {
        if let (Some(one), Some(other)) = (numbers[a], numbers[b])
            && (classes[a] != classes[b]) == is_across
        {
            pairs.push(Comparison { score, people: [one, other] });
        }
    }
    (pairs, people as usize)
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
    let total = impostors.len().max(1) as f64;
    let rate = |counted: arcdoor_calib::Counted| {
        let (low, high) = counted.outer();
        Rate { hits: counted.hits, value: counted.hits as f64 / total, low, high }
    };
    impostors.counted(thresholds).into_iter().map(rate).collect()
}

/// The classes that have pairs within themselves, at one point; `kind` 0 with the suspects, 1 without.
fn differential(cells: &[Cell], point: usize, kind: usize) -> Differential {
    let rate = |cell: &&Cell| cell.rates[point][kind].value;
    let within: Vec<&Cell> = cells.iter().filter(|cell| cell.is_within() && cell.pairs > 0).collect();
    let mean = within.iter().map(rate).sum::<f64>() / within.len().max(1) as f64;
    let worst = within.into_iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
    Differential {
        mean,
        worst: worst.map_or("nobody", |cell| cell.between[0]),
        worst_over_mean: worst.filter(|_| mean > 0.0).map(|cell| rate(&cell) / mean),
    }
}

fn markdown(report: &Report) -> Result<String> {
    let Report { pack, crops, pairs, suspects, suspects_above, .. } = report;
    let mut out = format!(
        "# By labelled group: {pack}\n\n{crops} crops, each taken for another person, {pairs} impostor pairs; no part of \
         quality refuses any. Ages and codes are those in the files' names: the source's guesses. FMR at the thresholds of the \
         pack's counted rows; 95 % intervals, the wider of Clopper-Pearson's and of a bootstrap over people. {} pairs score \
         above {suspects_above} and are suspected to be one person twice (groups.json names them): each rate with them, then \
         without. Without them it is a floor.\n",
        suspects.len()
    );
    for parted in &report.parted {
        let people: Vec<String> =
            parted.people.iter().map(|(class, count)| format!("{class}: {count}")).collect();
        write!(
            out,
            "\n## By {}\n\nPeople: {}.\n\n| between | pairs | suspects |",
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
    let ratio = |Differential { worst, worst_over_mean, mean }: &Differential| match worst_over_mean {
        Some(ratio) => format!("{worst}, {ratio:.1} times the mean of {mean:.1e}"),
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

    fn by<'a>(parted: &'a [Parted], name: &str) -> &'a Parted {
        parted.iter().find(|parted| parted.by == name).unwrap()
    }

    #[test]
    fn a_group_of_look_alikes_is_not_hidden_by_the_others() {
        let parted = parted(&compared(false), &[POINT], 1.1, 2).unwrap();
        let groups = by(&parted, "group code, 13 or older");
        let within = groups.cells.iter().find(|cell| cell.between == [GROUPS[3]; 2]).unwrap();
        let rate = within.rates[0][0];
        assert_eq!((within.pairs, groups.cells.len()), (40 * 39 / 2, 15));
        assert!(rate.value > 0.3 && rate.low > 0.1 && rate.low < rate.value && rate.value < rate.high);
        let [with, without] = &groups.differentials[0];
        assert_eq!((with.worst, without.worst), (GROUPS[3], GROUPS[3]));
        assert!(with.worst_over_mean.unwrap() > 4.0, "{with:?}");
        let across = groups.cells.iter().find(|cell| cell.between == [GROUPS[2], GROUPS[3]]).unwrap();
        assert_eq!((across.pairs, across.rates[0][0].hits < 40), (1600, true));
        let genders = by(&parted, "gender code, 13 or older");
        assert!(genders.differentials[0][0].worst_over_mean.unwrap() < 1.5);
    }

    #[test]
    fn one_person_twice_is_named_and_counted_beside() {
        let compared = compared(true);
        let suspects = compared.above(0.95);
        assert_eq!(suspects.len(), 1);
        assert_eq!((&*suspects[0].0, &*suspects[0].1), ("set/14_0_0_0.jpg", "set/14_0_0_again.jpg"));
        let parted = parted(&compared, &[POINT], 0.95, 1).unwrap();
        let cell = &by(&parted, "group code, 13 or older").cells[0];
        let [with, without] = cell.rates[0];
        assert_eq!((cell.between, cell.suspects), ([GROUPS[0]; 2], 1));
        assert_eq!((cell.pairs, with.hits), (41 * 40 / 2, without.hits + 1));
    }

    #[test]
    fn every_pair_is_counted_once_by_each_axis_that_knows_both() {
        let mut compared = compared(false);
        compared.labels[7].age = 3;
        let parted = parted(&compared, &[POINT], 1.1, 1).unwrap();
        for axis in &parted {
            let people: usize = axis.people.iter().map(|(_, count)| count).sum();
            let pairs: usize = axis.cells.iter().map(|cell| cell.pairs).sum();
            assert_eq!(people, if axis.by.contains("13") { 199 } else { 200 }, "{}", axis.by);
            assert_eq!(pairs, people * (people - 1) / 2, "{}", axis.by);
        }
        assert_eq!(by(&parted, "age").people[0], ("0-12", 1));
    }

    #[test]
    fn a_name_without_codes_is_refused_by_name() {
        assert_eq!(Label::of("utkface/26_1_4_2017.jpg").unwrap(), Label { age: 26, gender: 1, group: 4 });
        for name in
            ["utkface/26_1_2017.jpg", "a/26_2_0_1.jpg", "26_1_5_1.jpg", "121_0_0_1.jpg", "ann.jpg", ""]
        {
            let refused = Label::of(name).unwrap_err();
            assert!(refused.to_string().starts_with(&format!("{name}: ")), "{refused}");
            assert_eq!(Trouble::code_of(&refused.into()), 3);
        }
    }

    #[test]
    fn a_list_that_names_a_crop_twice_or_none_is_refused() {
        assert_eq!(listed("b.jpg\n\n a.jpg\n").unwrap(), ["b.jpg", "a.jpg"]);
        assert!(listed("a.jpg\nb.jpg\na.jpg").unwrap_err().to_string().starts_with("a.jpg "));
        assert!(listed("").is_err() && listed("a.jpg").is_err());
    }
}
