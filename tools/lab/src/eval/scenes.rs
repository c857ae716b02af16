//! Ordinary photos: faces found and missed by both detectors, people identified among strangers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use arcdoor_core::{Candidates, Rect, SubjectName, Template, Threshold};
use arcdoor_gallery::{Gallery, GalleryKey};
use arcdoor_models::Pack;
use arcdoor_vision::DetectSettings;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::eval::set::people::{self, file_name};
use crate::eval::set::scenes::{Roles, hits, read_truth, union};
use crate::eval::set::set::Set;
use crate::face_finder::{FaceFinder, open_pack, photos_in, with_landmarks};
use crate::say::say_on;
use arcdoor_calib::Share;
use arcdoor_vision::DetectorKind;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The photos
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Every face on them (photo, x, y, w, h); without it, a face is what either detector found
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Who is on them (photo, person, enrol or probe); without it, nobody is identified
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// LFW's photos: one each of the first people is enrolled as a stranger, the others knock unenrolled
    #[arg(long, value_name = "DIR", requires = "people")]
    strangers: Option<PathBuf>,
    /// How many strangers are enrolled, and how many more knock
    #[arg(long, default_value_t = 1000)]
    stranger_count: usize,
    /// Where report.md and scenes.json go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[arg(long, value_name = "DIR", default_value = "models/packs/yunet-sface")]
    pack: PathBuf,
    /// The least width of a face, pixels
    #[arg(long, default_value_t = 20)]
    min_face: u32,
    /// The least score of a face, 0..=1, for YuNet
    #[arg(long, default_value_t = 0.6)]
    min_score: f32,
}

/// What scenes.json holds.
#[derive(Serialize)]
struct Report {
    pack: String,
    truth: &'static str,
    photos: Vec<PhotoRow>,
    identification: Vec<Identified>,
}

#[derive(Serialize)]
struct PhotoRow {
    photo: String,
    width: u32,
    height: u32,
    faces: usize,
    /// In the order of [`DetectorKind::ALL`].
    detectors: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    detector: &'static str,
    found: usize,
    missed: usize,
    extra: usize,
    landmarks: usize,
}

/// Identification by one detector's boxes at one threshold.
#[derive(Serialize)]
struct Identified {
    detector: &'static str,
    fmr: f64,
    threshold: f32,
    enrolled: usize,
    strangers: usize,
    /// How many people were not named on a photo that shows them.
    misses: usize,
    /// How many could have been: every person of every probe photo.
    chances: usize,
    missed: Vec<(String, String)>,
    /// Faces on the probe photos named as somebody who is not on that photo.
    wrong_names: usize,
    probe_faces: usize,
    /// Of unenrolled strangers who knocked, how many were let in as somebody.
    let_in: usize,
    knocked: usize,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let pack = open_pack(&args.pack)?;
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let truth = args.truth.as_deref().map(|list| read_truth(list, &args.images)).transpose()?;
    let mut finders = Vec::new();
    for name in DetectorKind::ALL {
        finders.push((name, FaceFinder::open(&pack, name, settings(&args))?));
    }
    let photos = detect(&args, truth.as_ref(), &mut finders)?;
    let mut identification = Vec::new();
    if let Some(list) = &args.people {
        let roles = Roles::read(list, &args.images)?;
        for (name, finder) in &mut finders {
            identification.extend(identify(&args, &pack, &roles, *name, finder)?);
        }
    }
    let truth = if truth.is_some() { "listed" } else { "what either detector found" };
    let report = Report { pack: pack.name().to_owned(), truth, photos, identification };
    let text = markdown(&report);
    say_on!("{text}")?;
    fs::write(args.out.join("report.md"), &text)?;
    fs::write(args.out.join("scenes.json"), serde_json::to_vec_pretty(&report)?)?;
    Ok(())
}

fn settings(args: &Args) -> DetectSettings {
    DetectSettings { min_face_px: args.min_face, min_score: args.min_score, ..DetectSettings::default() }
}

fn progress(len: usize, what: &str) -> Result<ProgressBar> {
    let bar = ProgressBar::new(len as u64).with_message(what.to_owned());
    Ok(bar.with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {eta} left")?))
}

fn detect(
    args: &Args,
    truth: Option<&Set>,
    finders: &mut [(DetectorKind, FaceFinder)],
) -> Result<Vec<PhotoRow>> {
    let paths = photos_in(&args.images)?;
    let bar = progress(paths.len(), "photos")?;
    let truth = truth.map(faces_by_photo);
    let mut rows = Vec::new();
    for path in &paths {
        let (mut boxes, mut landmarks, mut size) = (Vec::new(), Vec::new(), (0, 0));
        for (_, finder) in finders.iter_mut() {
            let faces = finder.find(path)?;
            boxes.push(faces.iter().map(|face| face.rect).collect::<Vec<_>>());
            landmarks.push(faces.iter().filter(|face| face.landmarks.is_some()).count());
            size = finder.size();
        }
        let photo = file_name(path);
        let faces = match &truth {
            Some(truth) => truth.get(photo.as_str()).cloned().unwrap_or_default(),
            None => union(&boxes),
        };
        let found = |index: usize| {
            let hits = hits(&faces, &boxes[index]);
            Found {
                detector: finders[index].0.name(),
                found: hits,
                missed: faces.len() - hits,
                extra: boxes[index].len() - hits,
                landmarks: landmarks[index],
            }
        };
        let detectors = (0..finders.len()).map(found).collect();
        rows.push(PhotoRow { photo, width: size.0, height: size.1, faces: faces.len(), detectors });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(rows)
}

/// Every listed face of each photo.
fn faces_by_photo(truth: &Set) -> BTreeMap<&str, Vec<Rect>> {
    let mut faces: BTreeMap<&str, Vec<Rect>> = BTreeMap::new();
    for sample in &truth.samples {
        faces.entry(&sample.name).or_default().extend(sample.face);
    }
    faces
}

/// One photo each of the first people who give a template: those to enrol, and those who only knock.
fn strangers(args: &Args, finder: &mut FaceFinder) -> Result<(Vec<Template>, Vec<Template>)> {
    let Some(dir) = &args.strangers else { return Ok((Vec::new(), Vec::new())) };
    let set = people::read(dir)?;
    let bar = progress(2 * args.stranger_count, "strangers")?;
    let (mut found, mut last) = (Vec::new(), None);
    for sample in &set.samples {
        if last == sample.subject {
            continue;
        }
        last = sample.subject;
        found.extend(finder.template(sample)?);
        bar.inc(1);
        if found.len() == 2 * args.stranger_count {
            break;
        }
    }
    bar.finish_and_clear();
    ensure!(found.len() > args.stranger_count, "{} has fewer people than asked for", dir.display());
    let knocking = found.split_off(args.stranger_count);
    Ok((found, knocking))
}

/// The best candidate for each of `probes`: the subject's name and the score.
fn best(gallery: &Gallery, probes: &[Template]) -> Result<Vec<(String, f32)>> {
    let mut candidates = Candidates::new();
    let mut out = Vec::new();
    for probe in probes {
        candidates.clear();
        gallery.identify(probe, &mut candidates)?;
        let candidate = candidates.first().context("an empty gallery")?;
        let subject = gallery.subject(candidate.subject).context("the matcher names nobody's subject")?;
        out.push((subject.name.to_string(), candidate.score.0));
    }
    Ok(out)
}

fn identify(
    args: &Args,
    pack: &Pack,
    roles: &Roles,
    detector: DetectorKind,
    finder: &mut FaceFinder,
) -> Result<Vec<Identified>> {
    let (enrolled_strangers, knocking) = strangers(args, finder)?;
    let file = args.out.join(format!("gallery-{}.redb", detector.name()));
    if file.exists() {
        fs::remove_file(&file)?;
    }
    let dimension = pack.manifest().embedder.dimension.context("the pack's embedder has no dimension")?;
    let mut gallery = Gallery::open(&file, &GalleryKey::generate()?, pack.model_id(), dimension)?;
    let mut templates: BTreeMap<&str, Vec<Template>> = BTreeMap::new();
    for sample in &roles.enrolled.samples {
        let (Some(subject), Some(photo)) = (sample.subject, sample.photo()) else { continue };
        let template = finder.template_of_largest(photo)?;
        templates.entry(&roles.enrolled.subjects[subject]).or_default().extend(template);
    }
    for (person, templates) in templates.iter().filter(|(_, templates)| !templates.is_empty()) {
        gallery.enrol(&SubjectName::new(person)?, templates, 0)?;
    }
    for (index, template) in enrolled_strangers.iter().enumerate() {
        gallery.enrol(&SubjectName::new(&format!("stranger {index}"))?, std::slice::from_ref(template), 0)?;
    }
    let mut seen = Vec::new();
    for (name, (photo, expected)) in people_by_photo(&roles.probes) {
        let mut probes = Vec::new();
        for landmarks in with_landmarks(finder.find(photo)?).iter().filter_map(|face| face.landmarks) {
            probes.push(finder.embed(&landmarks)?);
        }
        seen.push((name, expected, best(&gallery, &probes)?));
    }
    let knocked = best(&gallery, &knocking)?;
    let row = |threshold: Threshold| {
        let mut row = count(&seen, &knocked, &threshold);
        row.detector = detector.name();
        row.enrolled = gallery.len();
        row.strangers = enrolled_strangers.len();
        row
    };
    let rows = pack.calibration().rows().iter().map(|row| Ok(pack.threshold(row.fmr)?));
    rows.map(|threshold| threshold.map(row)).collect()
}

/// Each photo's file and the people who are on it, by the photo's name.
fn people_by_photo(probes: &Set) -> BTreeMap<&str, (&Path, BTreeSet<&str>)> {
    let mut photos = BTreeMap::new();
    for sample in &probes.samples {
        let Some(photo) = sample.photo() else { continue };
        let (_, people) = photos.entry(sample.name.as_str()).or_insert_with(|| (photo, BTreeSet::new()));
        people.extend(sample.subject.map(|subject| probes.subjects[subject].as_str()));
    }
    photos
}

/// A photo's name, who is on it, and for each of its faces the best candidate's name and score.
type SeenPhoto<'a> = (&'a str, BTreeSet<&'a str>, Vec<(String, f32)>);

fn count(seen: &[SeenPhoto<'_>], knocked: &[(String, f32)], threshold: &Threshold) -> Identified {
    let admitted = |score: f32| threshold.admits(arcdoor_core::Score(score));
    let (mut missed, mut chances, mut wrong_names, mut probe_faces) = (Vec::new(), 0, 0, 0);
    for (photo, expected, names) in seen {
        let named: Vec<&str> =
            names.iter().filter(|(_, s)| admitted(*s)).map(|(name, _)| name.as_str()).collect();
        chances += expected.len();
        probe_faces += names.len();
        wrong_names += named.iter().filter(|name| !expected.contains(*name)).count();
        for person in expected.iter().filter(|person| !named.contains(person)) {
            missed.push(((*photo).to_owned(), (*person).to_owned()));
        }
    }
    Identified {
        detector: "",
        fmr: threshold.target.get(),
        threshold: threshold.value.0,
        enrolled: 0,
        strangers: 0,
        misses: missed.len(),
        chances,
        missed,
        wrong_names,
        probe_faces,
        let_in: knocked.iter().filter(|(_, score)| admitted(*score)).count(),
        knocked: knocked.len(),
    }
}

fn markdown(report: &Report) -> String {
    let mut out =
        format!("# Scenes: {}\n\nFaces: {}.\n\n| photo | size | faces |", report.pack, report.truth);
    for name in DetectorKind::ALL {
        let _ = write!(out, " {0} found | {0} missed | {0} extra | {0} landmarks |", name.name());
    }
    out.push_str("\n|---|---|---|");
    out.push_str(&"---|".repeat(4 * DetectorKind::ALL.len()));
    out.push('\n');
    let mut sums = vec![[0_usize; 4]; DetectorKind::ALL.len()];
    for row in &report.photos {
        let _ = write!(out, "| {} | {}x{} | {} |", row.photo, row.width, row.height, row.faces);
        for (sum, found) in sums.iter_mut().zip(&row.detectors) {
            let cells = [found.found, found.missed, found.extra, found.landmarks];
            cell_row(&mut out, &cells);
            sum.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += cell);
        }
        out.push('\n');
    }
    let _ = write!(out, "| **all** | | {} |", report.photos.iter().map(|row| row.faces).sum::<usize>());
    sums.iter().for_each(|sum| cell_row(&mut out, sum));
    out.push_str("\n\n");
    if !report.identification.is_empty() {
        identification(&mut out, &report.identification);
    }
    out
}

fn cell_row(out: &mut String, cells: &[usize]) {
    for cell in cells {
        let _ = write!(out, " {cell} |");
    }
}

fn identification(out: &mut String, rows: &[Identified]) {
    let _ = writeln!(
        out,
        "Gallery: {} subjects, {} of them strangers. FNIR: people on a probe photo who were not named there. \
         Wrong names: faces named as somebody not on their photo. FPIR: unenrolled strangers named as \
         somebody.\n\n| detector | FMR | threshold | FNIR | wrong names | FPIR |\n|---|---|---|---|---|---|",
        rows[0].enrolled, rows[0].strangers
    );
    for row in rows {
        let _ = writeln!(
            out,
            "| {} | {:e} | {:.3} | {}/{} = {} | {}/{} | {}/{} = {} |",
            row.detector,
            row.fmr,
            row.threshold,
            row.misses,
            row.chances,
            Share::of(row.misses, row.chances).percent(),
            row.wrong_names,
            row.probe_faces,
            row.let_in,
            row.knocked,
            Share::of(row.let_in, row.knocked).percent(),
        );
    }
    out.push('\n');
    for row in rows.iter().filter(|row| !row.missed.is_empty()) {
        let missed: Vec<_> =
            row.missed.iter().map(|(photo, person)| format!("{person} in {photo}")).collect();
        let _ = writeln!(out, "Missed with {} at {:e}: {}\n", row.detector, row.fmr, missed.join(", "));
    }
}
