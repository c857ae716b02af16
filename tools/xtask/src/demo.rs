//! `cargo xtask demo`: real people recognised and strangers refused, from nothing but this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use arcdoor_core::{Stage, StageTimes};
use serde::Deserialize;

use crate::{cargo, fetch, pack};

const SUBJECT: &str = "Barack Obama";
const ENROLLED_FROM: &str = "obama.jpg";

/// What must come out for each photo; the demo fails where anything else does.
const EXPECTED: [(&str, &str); 7] = [
    ("obama2.jpg", "granted"),
    ("obama3.jpg", "granted"),
    ("32bit.png", "granted"),
    ("obama_partial_face.jpg", "retry"),
    ("obama_partial_face2.jpg", "retry"),
    ("biden.jpg", "denied"),
    ("astronaut.png", "denied"),
];

/// How far the plan may be from tract, in terms of the greatest value: what the tests of both engines hold.
const MOST_APART: f32 = 1e-4;

/// The fields read of `arcdoor identify --json`.
#[derive(Deserialize)]
struct Row {
    faces: usize,
    candidate: Option<String>,
    score: Option<f32>,
    threshold: f32,
    decision: String,
    reason: Option<String>,
    engine: String,
    #[serde(flatten)]
    times: StageTimes,
}

/// What is read of `arcdoor pack check --explain --json`.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Checked {
    PackWhole {
        name: String,
        version: u64,
    },
    Network {
        file: String,
        difference: Option<f32>,
    },
    #[serde(other)]
    Other,
}

/// Fetches the photos, enrols one person, identifies the other photos and prints the table; with the pack that is
/// compiled in, or with one that is built of this recipe.
pub(crate) fn run(out: Option<PathBuf>, recipe: Option<&str>) -> Result<()> {
    let out = out.unwrap_or_else(|| cargo::target_dir().join("demo"));
    eprintln!("building arcdoor (the first time takes some minutes) ...");
    cargo::build_arcdoor()?;
    if let Some(recipe) = recipe {
        pack::build(recipe, None)?;
    }
    let photos = fetch::demo_photos()?;
    let annotated = out.join("annotated");
    let home = out.join("home");
    for dir in [&home, &annotated] {
        if dir.exists() {
            fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        }
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    // An empty folder that others may read is refused as a home; let arcdoor make its own.
    fs::remove_dir(&home)?;

    let arcdoor = || arcdoor(&home, recipe);
    compare_engines(arcdoor())?;
    cargo::check(arcdoor().args(["enrol", SUBJECT, "--image"]).arg(photos.join(ENROLLED_FROM)))?;
    println!();
    header();
    let mut surprises = Vec::new();
    for (photo, expected) in EXPECTED {
        let row = identify(arcdoor(), &photos.join(photo), &annotated)?;
        print_row(photo, &row);
        if row.decision != expected {
            surprises.push(format!("{photo}: expected {expected}, got {}", row.decision));
        }
        if expected == "granted" && row.candidate.as_deref() != Some(SUBJECT) {
            surprises.push(format!("{photo}: granted to {:?}", row.candidate));
        }
        if expected == "retry" && row.reason.is_none() {
            surprises.push(format!("{photo}: a retry without a reason"));
        }
    }
    println!("\nannotated photos: {}", annotated.display());
    ensure!(surprises.is_empty(), "not every photo had its expected outcome:\n{}", surprises.join("\n"));
    println!("every photo had its expected outcome");
    Ok(())
}

/// The device's own binary, on the demo's gallery and pack.
fn arcdoor(home: &Path, recipe: Option<&str>) -> Command {
    let mut command = Command::new(cargo::binary("arcdoor"));
    // What the developer's own device takes has no say here.
    command.env_remove("ARCDOOR_PACK").env_remove("ARCDOOR_ALLOW_UNSIGNED_PACK");
    command.current_dir(cargo::root()).arg("--home").arg(home);
    if let Some(recipe) = recipe {
        command.arg("--pack").arg(cargo::root().join("models/packs").join(recipe));
        // It was built a moment ago, from pinned sources.
        command.arg("--allow-unsigned-pack");
    }
    command
}

/// Runs each network once on the plan and once on tract, and prints how far they are apart.
fn compare_engines(mut arcdoor: Command) -> Result<()> {
    let output = arcdoor
        .args(["--json", "pack", "check", "--explain"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start arcdoor")?;
    // What is wrong with a pack is an answer.
    let text = String::from_utf8(output.stdout).context("arcdoor wrote something that is not text")?;
    ensure!(output.status.success(), "arcdoor pack check ended with {}:\n{text}", output.status);
    let mut compared = 0;
    for line in text.lines() {
        match serde_json::from_str(line)
            .with_context(|| format!("cannot read what arcdoor printed: {line}"))?
        {
            Checked::PackWhole { name, version } => println!("pack {name}, version {version}"),
            Checked::Network { file, difference } => {
                let apart = difference.with_context(|| format!("{file} does not run on both engines"))?;
                println!(
                    "  {file}: one run on the plan and on tract, values differ by at most {apart:.1e} of the greatest"
                );
                ensure!(apart <= MOST_APART, "{file}: the engines are farther apart than {MOST_APART:.0e}");
                compared += 1;
            }
            Checked::Other => {}
        }
    }
    ensure!(compared > 0, "arcdoor pack check --explain named no network:\n{text}");
    Ok(())
}

fn identify(mut arcdoor: Command, photo: &Path, annotated: &Path) -> Result<Row> {
    let output = arcdoor
        .args(["--json", "identify", "--image"])
        .arg(photo)
        .arg("--annotate")
        .arg(annotated)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start arcdoor")?;
    // 0 is granted and 1 is not; everything else is trouble, and already on the terminal.
    if !matches!(output.status.code(), Some(0 | 1)) {
        bail!("arcdoor identify {} ended with {}", photo.display(), output.status);
    }
    let text = String::from_utf8(output.stdout).context("arcdoor wrote something that is not text")?;
    serde_json::from_str(text.trim()).with_context(|| format!("cannot read what arcdoor printed: {text}"))
}

/// The narrowest column of a stage: four digits, a point and a decimal.
const TIME_WIDTH: usize = 6;

/// A column for each stage, as wide as its name or its times need.
fn columns(text: impl Fn(Stage) -> String) -> String {
    let column = |stage: Stage| format!(" {:>1$}", text(stage), stage.name().len().max(TIME_WIDTH));
    Stage::ALL.into_iter().map(column).collect()
}

fn header() {
    println!(
        "{:<24} {:>5}  {:<14} {:>6} {:>9}  {:<38} {:<6}{}",
        "photo",
        "faces",
        "best candidate",
        "score",
        "threshold",
        "decision",
        "engine",
        columns(|stage| stage.name().to_owned()),
    );
}

/// One line of the table; the times are milliseconds.
fn print_row(photo: &str, row: &Row) {
    let score = row.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.3}"));
    let decision = match &row.reason {
        Some(reason) => format!("{}: {reason}", row.decision),
        None => row.decision.clone(),
    };
    println!(
        "{photo:<24} {:>5}  {:<14} {score:>6} {:>9.3}  {decision:<38} {:<6}{}",
        row.faces,
        row.candidate.as_deref().unwrap_or("-"),
        row.threshold,
        row.engine,
        columns(|stage| format!("{:.1}", f64::from(row.times.us(stage)) / 1000.0)),
    );
}
