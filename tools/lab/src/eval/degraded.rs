//! Degraded faces: enrolled and probed with the same damage, who is taken for somebody else?
//!
//! The first photo of each person is aligned, and its crop is damaged in one way. Every face is then compared with every
//! other person's, as if one were enrolled through enrolment's gate and the other probed through recognition's. A wrong
//! match counts among all pairs, also among those that the gates refuse.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{Random, Share};
use arcdoor_core::{Fmr, QualityPart};
use arcdoor_models::{Pack, RecognisabilityTable};
use arcdoor_vision::QualityGate;
use arcdoor_vision::recognisability::recognise;
use serde::{Deserialize, Serialize};

use crate::degrade::{Family, KINDS};
use crate::eval::set::set::{Sample, Set};
use crate::eval::set::templates::PathArgs;
use crate::eval::set::{lfw, people};
use crate::face_finder::{FaceFinder, Judged};
use crate::input_file::read_text;
use crate::limits::MAX_RECIPE_BYTES;
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
    /// Wrong matches as shares of all pairs: without any gate.
    before: f64,
    /// Through the gates of quality but recognisability.
    other_parts: f64,
    /// Through recognisability alone.
    recognisability: f64,
    /// Through all gates.
    after: f64,
    /// Through recognisability alone, without the head of this family and its kin.
    without_family: f64,
    /// Shares of faces that recognisability refuses: at recognition, at enrolment.
    refused: [f64; 2],
    /// Shares of faces that any part refuses.
    refused_by_all: [f64; 2],
}

/// Comparisons of two photos of one person, undamaged.
#[derive(Serialize)]
struct Genuine {
    pairs: usize,
    /// Matched without a gate.
    before: Share,
    /// Matched where all parts but recognisability let both through.
    other_parts: Share,
    /// Matched where all parts do.
    after: Share,
    /// Photos that recognisability alone refuses, of all photos: at recognition, at enrolment.
    refused: [Share; 2],
}

/// Which gates let a face through.
#[derive(Clone, Copy)]
struct Passes {
    /// Of recognition and of enrolment: by recognisability, by it without a family, by the other parts.
    recognisability: [bool; 2],
    without_family: [bool; 2],
    other_parts: [bool; 2],
}

pub(crate) fn run(args: Args) -> Result<()> {
    let pack = args.path.open_pack()?;
    let table = table(&args, &pack)?;
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
        kinds.push(kind(name, damage.family(), &judged, &table, threshold)?);
    }
    let report = Report {
        pack: pack.name().to_owned(),
        people: faces.len(),
        pairs: faces.len() * (faces.len() - 1),
        threshold,
        fmr: args.fmr,
        kinds,
        genuine: genuine(&args, &pack, &set, &chosen, &table, threshold)?,
    };
    let text = markdown(&report);
    say_on!("{text}")?;
    fs::write(args.out.join("degraded.md"), &text)?;
    fs::write(args.out.join("degraded.json"), serde_json::to_vec_pretty(&report)?)?;
    eprintln!("written: degraded.md, degraded.json in {}", args.out.display());
    Ok(())
}

fn table(args: &Args, pack: &Pack) -> Result<RecognisabilityTable> {
    let own = pack.manifest().recognisability.clone();
    let Some(path) = &args.table else {
        return own
            .context("the pack tells nothing about recognisability: make a table, and name it with --table");
    };
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

/// Which gates let a face through; `family`: whose head is left out once.
fn passes(judged: &Judged, table: &RecognisabilityTable, family: Option<Family>) -> Passes {
    let gates = [QualityGate::recognise(), QualityGate::enrol()];
    let least = gates.map(|gate| gate.least.part(QualityPart::Recognisability).unwrap_or_default());
    let value = recognise(table, &judged.embedding).value;
    let without = match family {
        Some(family) => recognise(&without(table, family), &judged.embedding).value,
        None => value,
    };
    Passes {
        recognisability: least.map(|least| value >= least),
        without_family: least.map(|least| without >= least),
        other_parts: gates.map(|gate| gate.check(&judged.assessment).is_ok()),
    }
}

/// The table as if nobody had thought of a family, and of what is near to it.
fn without(table: &RecognisabilityTable, family: Family) -> RecognisabilityTable {
    let is_kin = |name: &str| match family {
        Family::Mask | Family::Glasses => name == Family::Mask.name() || name == Family::Glasses.name(),
        Family::Bend | Family::Hollow => name == Family::Bend.name() || name == Family::Hollow.name(),
        other => name == other.name(),
    };
    let heads = table.heads.iter().filter(|head| !is_kin(&head.name)).cloned().collect();
    RecognisabilityTable { data: table.data.clone(), heads }
}

fn kind(
    name: &'static str,
    family: Option<Family>,
    judged: &[&Judged],
    table: &RecognisabilityTable,
    threshold: f32,
) -> Result<Kind> {
    let passes: Vec<Passes> = judged.iter().map(|face| passes(face, table, family)).collect();
    // Enrolled, probed.
    let mut wrong = Vec::new();
    for (a, enrolled) in judged.iter().enumerate() {
        for (b, probe) in judged.iter().enumerate().filter(|(b, _)| *b != a) {
            if enrolled.template.score(&probe.template)?.0 >= threshold {
                wrong.push((a, b));
            }
        }
    }
    let pairs = (judged.len() * (judged.len() - 1)) as f64;
    let share = |of: &dyn Fn(&Passes) -> [bool; 2]| {
        wrong.iter().filter(|(a, b)| of(&passes[*a])[1] && of(&passes[*b])[0]).count() as f64 / pairs
    };
    let refused = |of: &dyn Fn(&Passes) -> [bool; 2]| {
        [0, 1].map(|gate| passes.iter().filter(|face| !of(face)[gate]).count() as f64 / passes.len() as f64)
    };
    let all = |face: &Passes| [0, 1].map(|gate| face.recognisability[gate] && face.other_parts[gate]);
    Ok(Kind {
        name,
        family: family.map(Family::name),
        before: wrong.len() as f64 / pairs,
        other_parts: share(&|face| face.other_parts),
        recognisability: share(&|face| face.recognisability),
        after: share(&all),
        without_family: share(&|face| face.without_family),
        refused: refused(&|face| face.recognisability),
        refused_by_all: refused(&all),
    })
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
    let mut faces: Vec<(usize, Judged, Passes)> = Vec::new();
    for (sample, mut forms) in samples.iter().zip(judge(args, pack, &samples, 1)?) {
        if let (Some(person), Some(judged)) = (sample.subject, forms.pop()) {
            let passes = passes(&judged, table, None);
            faces.push((person, judged, passes));
        }
    }
    let mut trials: [Vec<(usize, bool)>; 3] = Default::default();
    for (a, (person, enrolled, at_enrolment)) in faces.iter().enumerate() {
        for (_, probe, at_recognition) in
            faces.iter().enumerate().filter(|(b, face)| *b != a && face.0 == *person).map(|(_, face)| face)
        {
            let matched = enrolled.template.score(&probe.template)?.0 >= threshold;
            let others = at_enrolment.other_parts[1] && at_recognition.other_parts[0];
            let all = others && at_enrolment.recognisability[1] && at_recognition.recognisability[0];
            for (trials, passed) in trials.iter_mut().zip([true, others, all]) {
                trials.push((*person, matched && passed));
            }
        }
    }
    if trials[0].is_empty() {
        return Ok(None);
    }
    let pairs = trials[0].len();
    let [before, other_parts, after] = trials.map(|trials| Share::by_person(set.subjects.len(), trials));
    let refused = [0, 1].map(|gate| {
        let is_new =
            |face: &&(usize, Judged, Passes)| face.2.other_parts[gate] && !face.2.recognisability[gate];
        Share::of(faces.iter().filter(is_new).count(), faces.len())
    });
    Ok(Some(Genuine { pairs, before, other_parts, after, refused }))
}

fn markdown(report: &Report) -> String {
    let mut out = format!(
        "# Degraded faces: {}\n\n{} people, the first photo of each; {} pairs; threshold {:.4} (FMR {:e}). Wrong matches are \
         shares of all pairs in %, enrolled through enrolment's gate and probed through recognition's; marked with ! where \
         they are more than {TOLERATED} times the promise.\n\n\
         | kind | no gate | other parts | recognisability | all parts | without its family | refused, % (recognition / \
         enrolment) | by all parts |\n|---|---|---|---|---|---|---|---|\n",
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
            share(kind.other_parts),
            share(kind.recognisability),
            share(kind.after),
            share(kind.without_family),
            refused(kind.refused),
            refused(kind.refused_by_all),
        );
    }
    if let Some(genuine) = &report.genuine {
        let _ = write!(
            out,
            "\nUndamaged photos: recognisability refuses {} at recognition and {} at enrolment that the other \
             parts let through. Of {} genuine comparisons, \
             matched without gates: {}; through the other parts: {}; through all: {}.\n",
            genuine.refused[0].percent(),
            genuine.refused[1].percent(),
            genuine.pairs,
            genuine.before.percent(),
            genuine.other_parts.percent(),
            genuine.after.percent(),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::RetryReason;
    use arcdoor_models::RecognisabilityHead;

    #[test]
    fn a_family_is_left_out_with_its_kin() {
        let head = |family: Family| RecognisabilityHead {
            name: family.name().to_owned(),
            advice: RetryReason::NotClear,
            bias: 0.0,
            norm: 0.0,
            direction: Vec::new(),
        };
        let table = RecognisabilityTable { data: String::new(), heads: Family::ALL.map(head).to_vec() };
        let left =
            |family| without(&table, family).heads.into_iter().map(|head| head.name).collect::<Vec<_>>();
        assert_eq!(left(Family::Blur).len(), Family::ALL.len() - 1);
        assert!(!left(Family::Mask).iter().any(|name| name == "glasses" || name == "mask"));
    }
}
