//! The matcher's speed beside the machine's memory and, where a Python has it, faiss-cpu.

use crate::say::{say, say_on};
use anyhow::{Context, bail};
use arcdoor_calib::Random;
use arcdoor_core::{Candidates, ModelId, SubjectId, Template};
use arcdoor_gallery::{Matcher, Precision};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const PEER: &str = include_str!("../../python/faiss_match.py");
const MODEL: ModelId = ModelId::new([0; 16]);
/// Rows and values of the default cases: a city, and a door.
const CASES: [(usize, usize); 2] = [(1_000_000, 512), (10_000, 128)];
const WARM_UP: usize = 2;
/// Twice this (the templates and the buffer that is streamed beside them) must fit into memory.
const MAX_BYTES: usize = 4 << 30;

#[derive(clap::Args)]
pub(crate) struct BenchMatchArgs {
    /// Templates in the gallery [default: 1000000, then 10000]
    #[arg(long, requires = "dim")]
    rows: Option<usize>,
    /// Values in a template, 1 to 512 [default: 512, then 128]
    #[arg(long, requires = "rows")]
    dim: Option<usize>,
    /// Searches timed
    #[arg(long, default_value_t = 15)]
    repeats: usize,
    /// A Python interpreter with faiss-cpu and numpy, to measure the peer in the same run
    #[arg(long)]
    python: Option<PathBuf>,
    /// Write the rows there as a JSON array
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    engine: String,
    threads: u32,
    median_ms: f64,
    min_ms: f64,
    /// Our median over the best peer's: below 1, we are faster.
    ratio_best_peer: Option<f64>,
    best_peer: Option<String>,
    /// Template bytes read a second, 1e9 each.
    gb_per_s: Option<f64>,
    /// The same for a plain sum over a buffer of that size, one thread, in turns with the searches.
    stream_gb_per_s: Option<f64>,
    stream_share: Option<f64>,
}

#[derive(Deserialize)]
struct Peer {
    engine: String,
    threads: u32,
    median_ms: f64,
    min_ms: f64,
}

struct Case {
    rows: usize,
    dimension: usize,
    precision: Precision,
    repeats: usize,
}

pub(crate) fn run(args: BenchMatchArgs) -> anyhow::Result<()> {
    let one = args.rows.zip(args.dim);
    let cases = one.as_ref().map_or(CASES.as_slice(), std::slice::from_ref);
    if args.repeats == 0 {
        bail!("--repeats must be at least 1");
    }
    let mut rows = Vec::new();
    for &(count, dimension) in cases {
        if count == 0 || count.saturating_mul(dimension).saturating_mul(size_of::<f32>()) > MAX_BYTES {
            bail!("{count} x {dimension} does not fit: give 1 row or more, 4 GiB of templates at most");
        }
        for precision in [Precision::F32, Precision::Int8] {
            let case = Case { rows: count, dimension, precision, repeats: args.repeats };
            rows.extend(case.measure(args.python.as_deref())?);
        }
    }
    if let Some(path) = args.json {
        let text = serde_json::to_string_pretty(&rows)?;
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

impl Case {
    fn precision_name(&self) -> &'static str {
        match self.precision {
            Precision::F32 => "f32",
            Precision::Int8 => "int8",
        }
    }

    fn measure(&self, python: Option<&Path>) -> anyhow::Result<Vec<Row>> {
        let name = format!("match {} x {} {}", self.rows, self.dimension, self.precision_name());
        let mut ours = self.measure_ours(&name)?;
        let mut rows = Vec::new();
        if let Some(python) = python {
            let peer = self.measure_peer(python)?;
            ours.ratio_best_peer = Some(ours.median_ms / peer.median_ms);
            ours.best_peer = Some(peer.engine.clone());
            rows.push(peer.into_row(name));
        }
        rows.insert(0, ours);
        rows.iter().try_for_each(print)?;
        Ok(rows)
    }

    /// Searches and sums take turns, so that a busy neighbour on the machine slows both.
    fn measure_ours(&self, name: &str) -> anyhow::Result<Row> {
        let mut random = Random(1);
        let mut matcher = Matcher::new(MODEL, self.dimension, self.precision)?;
        matcher.reserve(self.rows);
        for id in 0..self.rows {
            matcher.push(SubjectId(u32::try_from(id)?), &template(&mut random, self.dimension)?)?;
        }
        let buffer: Vec<u64> = (0..matcher.bytes() as u64 / 8).collect();
        let mut out = Candidates::new();
        let (mut search_ms, mut stream_ms) = (Vec::new(), Vec::new());
        for turn in 0..WARM_UP + self.repeats {
            let probe = template(&mut random, self.dimension)?;
            let search = time_ms(|| matcher.identify(black_box(&probe), &mut out));
            search.1?;
            black_box(&out);
            let stream = time_ms(|| black_box(stream_sum(black_box(&buffer))));
            if turn >= WARM_UP {
                search_ms.push(search.0);
                stream_ms.push(stream.0);
            }
        }
        let (median_ms, min_ms) = median_and_min(&mut search_ms);
        let (stream_median_ms, _) = median_and_min(&mut stream_ms);
        let gb = matcher.bytes() as f64 / 1e9;
        Ok(Row {
            name: name.to_owned(),
            engine: format!("arcdoor ({})", matcher.isa()),
            threads: 1,
            median_ms,
            min_ms,
            ratio_best_peer: None,
            best_peer: None,
            gb_per_s: Some(gb / median_ms * 1e3),
            stream_gb_per_s: Some(gb / stream_median_ms * 1e3),
            stream_share: Some(stream_median_ms / median_ms),
        })
    }

    fn measure_peer(&self, python: &Path) -> anyhow::Result<Peer> {
        let numbers = [self.rows.to_string(), self.dimension.to_string()];
        let output = Command::new(python)
            .args(["-c", PEER])
            .args(numbers)
            .args([self.precision_name(), &self.repeats.to_string()])
            .env("OMP_NUM_THREADS", "1")
            .output()
            .with_context(|| format!("starting {}", python.display()))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            bail!("{} failed (does it have numpy and faiss-cpu?): {reason}", python.display());
        }
        serde_json::from_slice(&output.stdout).context("reading the peer's line")
    }
}

impl Peer {
    fn into_row(self, name: String) -> Row {
        let Self { engine, threads, median_ms, min_ms } = self;
        Row {
            name,
            engine,
            threads,
            median_ms,
            min_ms,
            ratio_best_peer: None,
            best_peer: None,
            gb_per_s: None,
            stream_gb_per_s: None,
            stream_share: None,
        }
    }
}

fn print(row: &Row) -> io::Result<()> {
    say_on!("{:<26} {:<38} {:>9.3} ms (min {:.3})", row.name, row.engine, row.median_ms, row.min_ms)?;
    if let (Some(rate), Some(stream), Some(share)) = (row.gb_per_s, row.stream_gb_per_s, row.stream_share) {
        say_on!("  {rate:.1} GB/s, {:.0} % of the {stream:.1} GB/s that a plain sum reads", share * 100.0)?;
    }
    if let Some(ratio) = row.ratio_best_peer {
        say_on!("  {ratio:.2} x the peer's time")?;
    }
    say!("")
}

fn time_ms<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed().as_secs_f64() * 1e3, result)
}

fn median_and_min(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0])
}

/// Sixty-four running sums, so that loads and not additions are what is waited for.
fn stream_sum(buffer: &[u64]) -> u64 {
    let mut sums = [0_u64; 64];
    for chunk in buffer.as_chunks::<64>().0 {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
    }
    sums.iter().fold(0, |sum, part| sum.wrapping_add(*part))
}

/// Uniform values, made unit length; the same gallery in every run.
fn template(random: &mut Random, dimension: usize) -> anyhow::Result<Template> {
    let values: Vec<f32> = (0..dimension).map(|_| random.signed()).collect();
    Ok(Template::new(MODEL, &values)?)
}
