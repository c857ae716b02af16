//! Degraded faces: enrolled and probed with the same damage, who is taken for somebody else?
//!
//! The first photo of each person is aligned, and its crop is damaged in one way. Every face is then compared with every
//! other person's, as if one were enrolled through enrolment's gate and the other probed through recognition's. A wrong
//! match counts among all pairs, also among those that the gates refuse.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{Random, Share};
use arcdoor_core::{Fmr, QualityPart, Score, Template};
use arcdoor_models::{Pack, RecognisabilityTable};
use arcdoor_vision::QualityGate;
use arcdoor_vision::live::live_template;
use serde::{Deserialize, Serialize};

use crate::degrade::{Family, KINDS};
use crate::eval::set::set::{Sample, Set};
use crate::eval::set::templates::PathArgs;
use crate::eval::set::{lfw, people};
use crate::face_finder::{FaceFinder, Judged};
use crate::input_file::read_text;
use crate::limits::MAX_RECIPE_BYTES;
use crate::recognise::without_file;
use crate::say::say_on;
use crate::workers;

/// Wrong matches that are tolerated, as a multiple of the promised rate; what is above is marked.
const TOLERATED: f64 = 3.0;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The photos, one folder for each person
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Only people of these pairs, such as pairsDevTest.txt [default: all]
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// People, the first by name
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(2..))]
    people: u16,
    /// The promised false match rate
    #[arg(long, default_value_t = 1e-4)]
    fmr: f64,
    /// Another table than the pack's, as `arcdoor-lab recognisability` writes it
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// The folder of tables that `arcdoor-lab recognisability --each-without` wrote: each kind also as if nobody had thought
    /// of its family
    #[arg(long, value_name = "DIR")]
    without: Option<PathBuf>,
    /// Where degraded.json and degraded.md go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    path: PathArgs,
}

/// The file of a table.
#[derive(Deserialize)]
struct Section {
    recognisability: RecognisabilityTable,
}

/// What degraded.json holds.
#[derive(Serialize)]
struct Report {
    pack: String,
    people: usize,
    pairs: usize,
    threshold: f32,
    fmr: f64,
    kinds: Vec<Kind>,
    genuine: Option<Genuine>,
}

/// One kind of damage.
#[derive(Serialize)]
struct Kind {
    name: &'static str,
    family: Option<&'static str>,
    /// Wrong matches by cosines as shares of all pairs: without any gate.
    before: f64,
    /// By scores, which leave out what degraded faces share.
    by_score: f64,
    /// By scores, through recognisability alone.
    recognisability: f64,
    /// By scores, through all gates.
    after: f64,
    /// As [`Kind::recognisability`], by a table that does not know this family and its kin.
    without_family: Option<f64>,
    /// Shares of faces that recognisability refuses: at recognition, at enrolment.
    refused: [f64; 2],
    /// Shares of faces that any part refuses.
    refused_by_all: [f64; 2],
}

/// Comparisons of two photos of one person, undamaged.
#[derive(Serialize)]
struct Genuine {
    pairs: usize,
    /// Matched by cosines, without a gate.
    before: Share,
    /// Matched by scores, without a gate.
    by_score: Share,
    /// Matched by scores where all parts but recognisability let both through.
    other_parts: Share,
    /// Matched where all parts do.
    after: Share,
    /// Photos that recognisability alone refuses, of all photos: at recognition, at enrolment.
    refused: [Share; 2],
}

/// A face as a table sees it.
struct Look {
    template: Template,
    /// Whether the gates of recognition and of enrolment let it through: by recognisability, by the other parts.
    recognisability: [bool; 2],
    other_parts: [bool; 2],
}

pub(crate) fn run(args: Args) -> Result<()> {
    let pack = args.path.open_pack()?;
    let tables = Tables::read(&args, &pack)?;
    let threshold = pack.threshold(Fmr::new(args.fmr).context("--fmr")?)?.value.0;
    let set = people::read(&args.images)?;
    let chosen: BTreeSet<usize> = match &args.pairs {
        Some(list) => set.subjects_of(&lfw::pairs(&set, list)?),
        None => (0..set.subjects.len()).collect(),
    };
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let faces = first_faces(&args, &pack, &set, &chosen)?;
    ensure!(faces.len() > 1, "no two people with a face");
    let mut kinds = Vec::new();
    for (index, (name, damage)) in KINDS.iter().enumerate() {
        let judged: Vec<&Judged> = faces.iter().map(|face| &face[index]).collect();
        kinds.push(kind(name, damage.family(), &judged, &tables, threshold)?);
    }
    let report = Report {
        pack: pack.name().to_owned(),
        people: faces.len(),
        pairs: faces.len() * (faces.len() - 1),
        threshold,
        fmr: args.fmr,
        kinds,
        genuine: genuine(&args, &pack, &set, &chosen, &tables.own, threshold)?,
    };
    let text = markdown(&report);
    say_on!("{text}")?;
    fs::write(args.out.join("degraded.md"), &text)?;
    fs::write(args.out.join("degraded.json"), serde_json::to_vec_pretty(&report)?)?;
    eprintln!("written: degraded.md, degraded.json in {}", args.out.display());
    Ok(())
}

/// What judges the faces.
struct Tables {
    own: RecognisabilityTable,
    /// For each of [`Family::ALL`], where they are given.
    without: Vec<RecognisabilityTable>,
}

impl Tables {
    fn read(args: &Args, pack: &Pack) -> Result<Self> {
        let own = match &args.table {
            Some(path) => table(path)?,
            None => pack.manifest().recognisability.clone().context(
                "the pack tells nothing about recognisability: make a table, and name it with --table",
            )?,
        };
        let folder = args.without.iter();
        let without = folder.flat_map(|folder| Family::ALL.map(|family| folder.join(without_file(family))));
        Ok(Self { own, without: without.map(|path| table(&path)).collect::<Result<_>>()? })
    }

    fn without(&self, family: Family) -> Option<&RecognisabilityTable> {
        Family::ALL.iter().position(|other| *other == family).and_then(|index| self.without.get(index))
    }
}

fn table(path: &Path) -> Result<RecognisabilityTable> {
    let section: Section = toml::from_str(&read_text(path, MAX_RECIPE_BYTES)?)
        .with_context(|| format!("{} is no table", path.display()))?;
    Ok(section.recognisability)
}

/// The first photo of each person in every form of [`KINDS`].
fn first_faces(args: &Args, pack: &Pack, set: &Set, chosen: &BTreeSet<usize>) -> Result<Vec<Vec<Judged>>> {
    let first = |person: &usize| set.samples.iter().find(|sample| sample.subject == Some(*person));
    let samples: Vec<&Sample> = chosen.iter().filter_map(first).take(usize::from(args.people)).collect();
    let judged = judge(args, pack, &samples, KINDS.len())?;
    Ok(judged.into_iter().filter(|forms| !forms.is_empty()).collect())
}

/// Each sample in the first forms of [`KINDS`]; none of a photo without a face.
fn judge(args: &Args, pack: &Pack, samples: &[&Sample], forms: usize) -> Result<Vec<Vec<Judged>>> {
    let judged = |finder: &mut FaceFinder, index: usize| {
        let crop = samples[index].photo().map(|photo| finder.aligned(photo)).transpose()?.flatten();
        let Some(crop) = crop else { return Ok(Vec::new()) };
        let mut random = Random(index as u64);
        let mut judged = Vec::new();
        for (_, damage) in &KINDS[..forms] {
            let mut crop = crop.clone();
            damage.apply(&mut crop, &mut random);
            judged.push(finder.judge(&crop)?);
        }
        Ok(judged)
    };
    workers::each(args.path.threads, samples.len(), "photos", || args.path.finder(pack), judged)
}

fn look(judged: &Judged, table: &RecognisabilityTable) -> Result<Look> {
    let gates = [QualityGate::recognise(), QualityGate::enrol()];
    let least = gates.map(|gate| gate.least.part(QualityPart::Recognisability).unwrap_or_default());
    let (template, recognised) = live_template(judged.template.model_id(), Some(table), &judged.embedding)?;
    Ok(Look {
        template,
        recognisability: least.map(|least| recognised.is_none_or(|found| found.value >= least)),
        other_parts: gates.map(|gate| gate.check(&judged.assessment).is_ok()),
    })
}

fn kind(
    name: &'static str,
    family: Option<Family>,
    judged: &[&Judged],
    tables: &Tables,
    threshold: f32,
) -> Result<Kind> {
    let looks = |table| judged.iter().map(|judged| look(judged, table)).collect::<Result<Vec<_>>>();
    let (faces, unthought) = (looks(&tables.own)?, family.and_then(|family| tables.without(family)));
    let by_score = |a: &Look, b: &Look| Ok(a.template.score(&b.template)?);
    let by_cosine = |a: &Look, b: &Look| Ok(a.template.cosine(&b.template)?);
    let by_recognisability = |face: &Look| face.recognisability;
    let all = |face: &Look| [0, 1].map(|gate| face.recognisability[gate] && face.other_parts[gate]);
    let wrong =
        |faces: &[Look], passes: &dyn Fn(&Look) -> [bool; 2]| wrong(faces, threshold, by_score, passes);
    let refused = |passes: &dyn Fn(&Look) -> [bool; 2]| {
        [0, 1].map(|gate| faces.iter().filter(|face| !passes(face)[gate]).count() as f64 / faces.len() as f64)
    };
    Ok(Kind {
        name,
        family: family.map(Family::name),
        before: self::wrong(&faces, threshold, by_cosine, &|_| [true; 2])?,
        by_score: wrong(&faces, &|_| [true; 2])?,
        recognisability: wrong(&faces, &by_recognisability)?,
        after: wrong(&faces, &all)?,
        without_family: unthought.map(|table| wrong(&looks(table)?, &by_recognisability)).transpose()?,
        refused: refused(&by_recognisability),
        refused_by_all: refused(&all),
    })
}

/// Of all ordered pairs (enrolled, probed) the share that the gates let through and that matches.
fn wrong(
    faces: &[Look],
    threshold: f32,
    score: impl Fn(&Look, &Look) -> Result<Score>,
    passes: &dyn Fn(&Look) -> [bool; 2],
) -> Result<f64> {
    let passes: Vec<[bool; 2]> = faces.iter().map(passes).collect();
    let mut count = 0;
    for (a, enrolled) in faces.iter().enumerate().filter(|(a, _)| passes[*a][1]) {
        for (b, probe) in faces.iter().enumerate().filter(|(b, _)| passes[*b][0]) {
            count += usize::from(a != b && score(enrolled, probe)?.0 >= threshold);
        }
    }
    Ok(count as f64 / (faces.len() * (faces.len() - 1)) as f64)
}

/// What the gates cost undamaged photos: all pairs of photos of one person. None where nobody has two.
fn genuine(
    args: &Args,
    pack: &Pack,
    set: &Set,
    chosen: &BTreeSet<usize>,
    table: &RecognisabilityTable,
    threshold: f32,
) -> Result<Option<Genuine>> {
    let is_chosen = |sample: &&Sample| sample.subject.is_some_and(|person| chosen.contains(&person));
    let samples: Vec<&Sample> = set.samples.iter().filter(is_chosen).collect();
    let mut faces: Vec<(usize, Look)> = Vec::new();
    for (sample, mut forms) in samples.iter().zip(judge(args, pack, &samples, 1)?) {
        if let (Some(person), Some(judged)) = (sample.subject, forms.pop()) {
            faces.push((person, look(&judged, table)?));
        }
    }
    let mut trials: [Vec<(usize, bool)>; 4] = Default::default();
    for (a, (person, enrolled)) in faces.iter().enumerate() {
        for (_, probe) in
            faces.iter().enumerate().filter(|(b, face)| *b != a && face.0 == *person).map(|(_, face)| face)
        {
            let before = enrolled.template.cosine(&probe.template)?.0 >= threshold;
            let matched = enrolled.template.score(&probe.template)?.0 >= threshold;
            let others = matched && enrolled.other_parts[1] && probe.other_parts[0];
            let all = others && enrolled.recognisability[1] && probe.recognisability[0];
            for (trials, hit) in trials.iter_mut().zip([before, matched, others, all]) {
                trials.push((*person, hit));
            }
        }
    }
    if trials[0].is_empty() {
        return Ok(None);
    }
    let pairs = trials[0].len();
    let [before, by_score, other_parts, after] =
        trials.map(|trials| Share::by_person(set.subjects.len(), trials));
    let refused = [0, 1].map(|gate| {
        let is_new = |face: &&(usize, Look)| face.1.other_parts[gate] && !face.1.recognisability[gate];
        Share::of(faces.iter().filter(is_new).count(), faces.len())
    });
    Ok(Some(Genuine { pairs, before, by_score, other_parts, after, refused }))
}

fn markdown(report: &Report) -> String {
    let mut out = format!(
        "# Degraded faces: {}\n\n{} people, the first photo of each; {} pairs; threshold {:.4} (FMR {:e}). Wrong matches are \
         shares of all pairs in %, enrolled through enrolment's gate and probed through recognition's; marked with ! where \
         they are more than {TOLERATED} times the promise. The first column is by cosines and through no gate; the others are by \
         scores.\n\n\
         | kind | cosines | scores | recognisability | all parts | recognisability without its family | refused, % \
         (recognition / enrolment) | by all parts |\n|---|---|---|---|---|---|---|---|\n",
        report.pack, report.people, report.pairs, report.threshold, report.fmr,
    );
    let share = |value: f64| {
        let mark = if value > TOLERATED * report.fmr { "!" } else { "" };
        format!("{:.4}{mark}", 100.0 * value)
    };
    let refused =
        |[recognition, enrolment]: [f64; 2]| format!("{:.1} / {:.1}", 100.0 * recognition, 100.0 * enrolment);
    for kind in &report.kinds {
        let _ = writeln!(
            out,
            "| {} | {:.4} | {} | {} | {} | {} | {} | {} |",
            kind.name,
            100.0 * kind.before,
            share(kind.by_score),
            share(kind.recognisability),
            share(kind.after),
            kind.without_family.map_or_else(|| "-".to_owned(), share),
            refused(kind.refused),
            refused(kind.refused_by_all),
        );
    }
    if let Some(genuine) = &report.genuine {
        let _ = write!(
            out,
            "\nUndamaged photos: recognisability refuses {} at recognition and {} at enrolment that the other \
             parts let through. Of {} genuine comparisons, \
             matched by cosines without gates: {}; by scores: {}; through the other parts: {}; through all: {}.\n",
            genuine.refused[0].percent(),
            genuine.refused[1].percent(),
            genuine.pairs,
            genuine.before.percent(),
            genuine.by_score.percent(),
            genuine.other_parts.percent(),
            genuine.after.percent(),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::ModelId;

    #[test]
    fn a_wrong_match_is_one_of_two_people_whom_their_gates_let_through() {
        let look = |embedding: [f32; 2], passes: [bool; 2]| Look {
            template: Template::new(ModelId::new([1; 16]), &embedding).unwrap(),
            recognisability: passes,
            other_parts: [true; 2],
        };
        // At recognition, at enrolment.
        let faces =
            [look([1.0, 0.0], [true, true]), look([1.0, 0.1], [true, false]), look([0.0, 1.0], [true, true])];
        let score = |a: &Look, b: &Look| Ok(a.template.score(&b.template)?);
        let share = |passes: &dyn Fn(&Look) -> [bool; 2]| wrong(&faces, 0.9, score, passes).unwrap() * 6.0;
        assert_eq!(share(&|_| [true; 2]).round(), 2.0, "either may be enrolled");
        assert_eq!(share(&|face| face.recognisability).round(), 1.0, "one of them cannot");
        assert_eq!(share(&|_| [false, true]), 0.0);
    }
}
