//! Everybody against everybody: how many comparisons a second are counted, as whole tasks, beside numpy's BLAS and
//! faiss.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use arcdoor_kernels::{Isa, Sieve};
use serde::{Deserialize, Serialize};

use crate::bench::kernels::peak_gmacs;
use crate::bench::peer_process::PeerProcess;
use crate::say::say;
use crate::stats::{median, quantile};
use crate::verify::generated::Generated;
use crate::verify::grid::Step;
use crate::verify::rows::{Held, Rows};
use crate::verify::task::Task;
use crate::verify::{Partial, Settings, Sieving, run as count};

const SCRIPT: &str = include_str!("../../python/verify.py");
const WARM_UP: usize = 1;
const SEED: u64 = 20_190_621;

#[derive(clap::Args)]
pub(crate) struct BenchVerifyArgs {
    /// Left rows
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    lefts: u32,
    /// Right rows
    #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    rights: u32,
    /// Values of a row
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(16..=1024))]
    dimension: u16,
    /// Rounds that count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// The false accept rate from which on the int8 pass counts
    #[arg(long, default_value_t = 1e-2)]
    int8_from: f64,
    /// A Python with numpy and faiss-cpu, to measure the peers in the same run
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Write the rows there as a JSON array
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One engine: a whole task on one thread.
#[derive(Debug, Serialize)]
struct Row {
    engine: String,
    comparisons: u64,
    dimension: usize,
    threads: usize,
    /// CPU seconds of the task: median over the rounds, and quartiles.
    cpu_s: f64,
    cpu_quartiles_s: [f64; 2],
    wall_s: f64,
    dots_per_s: f64,
    /// Of the multiply-adds that this machine does in registers, in f32: both at their best in these rounds.
    share_of_peak: f64,
    /// Comparisons at or above the threshold of `int8_from`: those of f32 are the reference.
    counted: u64,
    counts_equal: bool,
}

#[derive(Deserialize)]
struct Entrants {
    engines: Vec<String>,
}

/// CPU seconds, wall seconds, counted.
type Run = (f64, f64, u64);

/// Runs, and whether each counted what it should.
#[derive(Default)]
struct Measured {
    runs: BTreeMap<String, Vec<Run>>,
    equal: BTreeMap<String, bool>,
}

pub(crate) fn run(args: &BenchVerifyArgs) -> Result<()> {
    let dimension = usize::from(args.dimension);
    let [left, right] = [(SEED, args.lefts), (SEED + 1, args.rights)]
        .map(|(seed, rows)| held(seed, rows as usize, dimension));
    let (left, right) = (left?, right?);
    let (nobody, others) = (vec![None; left.count()], vec![None; right.count()]);
    let task = Task::across((&left, &nobody), (&right, &others))?;
    let settings = Settings::new(1, "bench".to_owned());
    let reference = count(&task, &settings)?;
    let most = (args.int8_from * reference.impostors.total() as f64) as u64;
    ensure!(most > 0, "{} comparisons are too few for --int8-from {}", task.pairs(), args.int8_from);
    let (least, expected) = reference.impostors.threshold(most);
    let mut peers = args.python.as_deref().map(|python| start(python, &left, &right, least)).transpose()?;
    let mut measured = Measured::default();
    let mut peak: f64 = 0.0;
    for round in 0..WARM_UP + usize::from(args.rounds) {
        peak = peak.max(peak_gmacs(Isa::detect()));
        let mut ran = vec![("ours f32".to_owned(), ours(&task, &settings, least, &reference)?)];
        if Sieve::detect().is_some() {
            let sifted = Settings { sieving: Sieving::FromFar(args.int8_from), ..settings.clone() };
            ran.push(("ours int8".to_owned(), ours(&task, &sifted, least, &reference)?));
        }
        for (name, (run, equal)) in ran {
            *measured.equal.entry(name.clone()).or_insert(true) &= equal;
            if round >= WARM_UP {
                measured.runs.entry(name).or_default().push(run);
            }
        }
        if let Some((peers, names)) = &mut peers {
            let answers: BTreeMap<String, Run> = peers.round()?;
            for name in names.iter() {
                let Some(run) = answers.get(name) else { bail!("{name} did not answer") };
                *measured.equal.entry(name.clone()).or_insert(true) &= run.2 == expected;
                if round >= WARM_UP {
                    measured.runs.entry(name.clone()).or_default().push(*run);
                }
            }
        }
    }
    say!(
        "{} x {} comparisons of {dimension} values, one thread; {peak:.1} GMAC/s in registers ({})",
        task.left.count(),
        task.right.count(),
        Isa::detect()
    )?;
    let mut rows = Vec::new();
    for (engine, runs) in &measured.runs {
        rows.push(row(engine, runs, &task, peak, &measured)?);
    }
    for row in &rows {
        say!(
            "{:<16} {:>8.1} M/s  {:>5.1} % of the f32 peak  {:>9} counted{}",
            row.engine,
            row.dots_per_s / 1e6,
            100.0 * row.share_of_peak,
            row.counted,
            if row.counts_equal { "" } else { ", not those of f32" }
        )?;
    }
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_string_pretty(&rows)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let wrong = rows.iter().find(|row| row.engine.starts_with("ours") && !row.counts_equal);
    wrong.map_or(Ok(()), |row| bail!("{} counts what f32 does not", row.engine))
}

fn row(engine: &str, runs: &[Run], task: &Task<'_>, peak: f64, measured: &Measured) -> Result<Row> {
    let cpu: Vec<f64> = runs.iter().map(|run| run.0).collect();
    let wall: Vec<f64> = runs.iter().map(|run| run.1).collect();
    let cpu_s = median(&cpu).context("no runs")?;
    let dots_per_s = task.pairs() as f64 / cpu_s;
    let best_s = quantile(&cpu, 0.0).context("no runs")?;
    Ok(Row {
        engine: engine.to_owned(),
        comparisons: task.pairs(),
        dimension: task.dimension(),
        threads: 1,
        cpu_s,
        cpu_quartiles_s: [quantile(&cpu, 0.25).context("no runs")?, quantile(&cpu, 0.75).context("no runs")?],
        wall_s: median(&wall).context("no runs")?,
        dots_per_s,
        share_of_peak: (task.pairs() * task.dimension() as u64) as f64 / best_s / 1e9 / peak,
        counted: runs.last().map_or(0, |run| run.2),
        counts_equal: measured.equal.get(engine).copied().unwrap_or(false),
    })
}

/// A run, and whether every bin from `least` on is that of the reference.
fn ours(task: &Task<'_>, settings: &Settings, least: Step, reference: &Partial) -> Result<(Run, bool)> {
    let began = std::time::Instant::now();
    let found = count(task, settings)?;
    let wall = began.elapsed().as_secs_f64();
    let tail = |counts: &Partial| {
        let (first, filled) = counts.impostors.filled();
        let skip = least.bin().saturating_sub(first);
        (first + skip, filled.get(skip..).unwrap_or_default().to_vec())
    };
    Ok(((found.cpu_s, wall, found.impostors.from(least)), tail(&found) == tail(reference)))
}

/// Features in memory, of length 1.
fn held(seed: u64, rows: usize, dimension: usize) -> Result<Held> {
    let generated = Generated { seed, dimension, subjects: 0, per_subject: 1, distractors: rows };
    let mut values = vec![0.0; rows * dimension];
    generated.read(0..rows, &mut values)?;
    for row in values.chunks_exact_mut(dimension) {
        let length = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
    Ok(Held { dimension, values })
}

fn start(python: &Path, left: &Held, right: &Held, least: Step) -> Result<(PeerProcess, Vec<String>)> {
    let dir = PeerProcess::folder("verify")?;
    for (name, side) in [("left.f32", left), ("right.f32", right)] {
        let bytes: Vec<u8> = side.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(dir.join(name), bytes)?;
    }
    let setting = serde_json::json!({
        "left": dir.join("left.f32"),
        "right": dir.join("right.f32"),
        "dimension": left.dimension,
        "least": least.0,
    });
    let mut peers = PeerProcess::start(python, SCRIPT, dir, &setting)?;
    let entrants: Entrants = peers.answer()?;
    Ok((peers, entrants.engines))
}
