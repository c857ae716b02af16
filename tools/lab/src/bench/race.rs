//! Engines on one graph, in rounds: ours in this process, the peers in a Python process of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use arcdoor_calib::Random;
use arcdoor_infer::{EngineChoice, Net, NetSpec, Session};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::bench::peer_process::PeerProcess;
use crate::input_file::read;
use crate::limits::MAX_ONNX_BYTES;
use crate::stats::{median, quantile};

const SCRIPT: &str = include_str!("../../python/race.py");
/// Rounds that are not counted: caches, clocks and the peers' own tuning settle.
const WARM_UP: usize = 2;
/// Least cosine between an engine's outputs and tract's; peers that fuse differently stay far above it.
const LEAST_COSINE: f64 = 0.9999;
/// The reference that everybody's outputs are held against.
const REFERENCE: &str = "tract";
/// Largest file of a peer's outputs, in bytes: as many f32 as a network may answer.
const MAX_OUTPUT_BYTES: u64 = 4 * arcdoor_infer::MAX_ELEMENTS as u64;

/// A graph to race on.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Course {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// Batch, channels, height, width.
    pub(crate) input: [usize; 4],
    pub(crate) outputs: Vec<String>,
    pub(crate) macs: u64,
}

impl Course {
    /// The graph's file.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        read(&self.file, MAX_ONNX_BYTES)
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds that count.
    pub(crate) rounds: usize,
    /// Runs of each engine in a round, of which the median counts.
    pub(crate) runs: usize,
}

/// One engine on one graph.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// `plan`, `tract`, `onnxruntime`, `ncnn` or `opencv`.
    pub(crate) engine: String,
    pub(crate) version: String,
    pub(crate) threads: usize,
    pub(crate) macs: u64,
    /// CPU time, milliseconds, median over the rounds: of our thread, of the peers' process; none where the engine is left out.
    pub(crate) median_ms: Option<f64>,
    pub(crate) min_ms: Option<f64>,
    /// The first and the third quartile.
    pub(crate) quartiles_ms: Option<[f64; 2]>,
    pub(crate) wall_median_ms: Option<f64>,
    /// To the peer with the least median, round by round: median and quartiles.
    pub(crate) ratio_best_peer: Option<f64>,
    pub(crate) ratio_quartiles: Option<[f64; 2]>,
    pub(crate) best_peer: Option<String>,
    /// Least cosine of an output to tract's.
    pub(crate) cosine: Option<f64>,
    /// Why there are no times.
    pub(crate) left_out: Option<String>,
}

#[derive(Deserialize)]
struct Entrant {
    version: Option<String>,
    outputs: Option<PathBuf>,
    left_out: Option<String>,
}

/// Milliseconds of CPU and of the wall.
type Times = [f64; 2];

struct Ours {
    engine: &'static str,
    session: Session,
}

/// Times by engine, a value for each round.
#[derive(Default)]
struct Table(BTreeMap<String, Vec<Times>>);

/// Runs every engine on `course`; without a Python, ours alone.
///
/// # Errors
/// When the graph cannot be loaded, an engine's outputs are not tract's, or the peers' process fails.
pub(crate) fn race(course: &Course, effort: Effort, python: Option<&Path>) -> Result<Vec<Row>> {
    let onnx = course.read()?;
    let names: Vec<&str> = course.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: course.input, outputs: &names };
    let values = input(course);
    let mut rows = Vec::new();
    let mut ours = Vec::new();
    for (engine, choice) in [("plan", EngineChoice::Plan), (REFERENCE, EngineChoice::Tract)] {
        match Net::load(&onnx, &spec, &choice.into()).and_then(|net| net.session()) {
            Ok(mut session) => {
                session.input_mut().copy_from_slice(&values);
                session.run()?;
                ours.push(Ours { engine, session });
            }
            Err(error) => rows.push(row(course, engine, "", Some(error.to_string()))),
        }
    }
    let reference = ours.iter().find(|ours| ours.engine == REFERENCE);
    let reference =
        outputs(&reference.context("tract does not run this graph")?.session, course.outputs.len());
    let version = env!("CARGO_PKG_VERSION");
    for ours in &ours {
        let cosine = agreed(ours.engine, &outputs(&ours.session, course.outputs.len()), &reference)?;
        rows.push(Row { cosine: Some(cosine), ..row(course, ours.engine, version, None) });
    }
    let mut peers = None;
    if let Some(python) = python {
        let (started, entrants) = start(python, course, effort, &values)?;
        for (engine, entrant) in entrants {
            let version = entrant.version.unwrap_or_default();
            let mut row = row(course, &engine, &version, entrant.left_out);
            if let Some(file) = entrant.outputs {
                let bytes = read(&file, MAX_OUTPUT_BYTES)?;
                let found: Vec<f32> =
                    bytes.as_chunks::<4>().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect();
                // The order of a graph's several outputs is the peer's own: only single ones are compared.
                if course.outputs.len() == 1 {
                    row.cosine = Some(agreed(&engine, &found, &reference)?);
                }
            }
            rows.push(row);
        }
        peers = Some(started);
    }
    let table = rounds(&mut ours, &values, peers.as_mut(), effort)?;
    rows.iter_mut().for_each(|row| table.fill(row));
    table.compare(&mut rows);
    Ok(rows)
}

fn rounds(
    ours: &mut [Ours],
    input: &[f32],
    mut peers: Option<&mut PeerProcess>,
    effort: Effort,
) -> Result<Table> {
    let mut table = Table::default();
    for round in 0..WARM_UP + effort.rounds {
        let mut took: BTreeMap<String, Times> = BTreeMap::new();
        for ours in &mut *ours {
            took.insert(ours.engine.to_owned(), timed(&mut ours.session, input, effort.runs)?);
        }
        if let Some(peers) = &mut peers {
            took.extend(peers.round::<BTreeMap<String, Times>>()?);
        }
        if round >= WARM_UP {
            for (engine, times) in took {
                table.0.entry(engine).or_default().push(times);
            }
        }
    }
    Ok(table)
}

/// The median of some runs after one that warms the caches, as the peers do it.
fn timed(session: &mut Session, input: &[f32], runs: usize) -> Result<Times> {
    session.input_mut().copy_from_slice(input);
    session.run()?;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        session.input_mut().copy_from_slice(input);
        let (cpu, wall) = (cpu_ms(), Instant::now());
        session.run()?;
        times[0].push(cpu_ms() - cpu);
        times[1].push(wall.elapsed().as_secs_f64() * 1e3);
    }
    let [cpu, wall] = times.map(|times| median(&times));
    Ok([cpu.context("no runs")?, wall.context("no runs")?])
}

/// CPU time of this thread, milliseconds.
pub(crate) fn cpu_ms() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

fn row(course: &Course, engine: &str, version: &str, left_out: Option<String>) -> Row {
    Row {
        name: course.name.clone(),
        engine: engine.to_owned(),
        version: version.to_owned(),
        threads: 1,
        macs: course.macs,
        median_ms: None,
        min_ms: None,
        quartiles_ms: None,
        wall_median_ms: None,
        ratio_best_peer: None,
        ratio_quartiles: None,
        best_peer: None,
        cosine: None,
        left_out,
    }
}

/// The same on every machine; about as spread as a normalised image.
pub(crate) fn input(course: &Course) -> Vec<f32> {
    let mut random = Random(7);
    (0..course.input.iter().product()).map(|_| random.signed()).collect()
}

fn outputs(session: &Session, count: usize) -> Vec<f32> {
    (0..count).flat_map(|index| session.output(index).to_vec()).collect()
}

fn agreed(engine: &str, found: &[f32], reference: &[f32]) -> Result<f64> {
    ensure!(
        found.len() == reference.len(),
        "{engine} answers {} values, tract {}",
        found.len(),
        reference.len()
    );
    let sum = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let cosine = sum(found, reference) / (sum(found, found) * sum(reference, reference)).sqrt();
    if cosine >= LEAST_COSINE {
        Ok(cosine)
    } else {
        bail!("{engine} computes something else: cosine {cosine} to tract")
    }
}

impl Table {
    fn column(&self, engine: &str, index: usize) -> Vec<f64> {
        self.0.get(engine).map(|times| times.iter().map(|times| times[index]).collect()).unwrap_or_default()
    }

    fn fill(&self, row: &mut Row) {
        let cpu = self.column(&row.engine, 0);
        row.median_ms = median(&cpu);
        row.min_ms = cpu.iter().copied().min_by(f64::total_cmp);
        row.quartiles_ms = quartiles(&cpu);
        row.wall_median_ms = median(&self.column(&row.engine, 1));
    }

    /// Ours beside the best peer, round by round, so that a machine that changes its pace changes no ratio.
    fn compare(&self, rows: &mut [Row]) {
        let is_peer = |row: &&Row| !["plan", REFERENCE].contains(&row.engine.as_str());
        let best = rows.iter().filter(is_peer).filter_map(|row| Some((row.median_ms?, row.engine.clone())));
        let Some((_, best)) = best.min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
        let peer = self.column(&best, 0);
        for row in rows.iter_mut().filter(|row| row.median_ms.is_some() && row.engine != best) {
            let ratios: Vec<f64> =
                self.column(&row.engine, 0).iter().zip(&peer).map(|(ours, peer)| ours / peer).collect();
            row.ratio_best_peer = median(&ratios);
            row.ratio_quartiles = quartiles(&ratios);
            row.best_peer = Some(best.clone());
        }
    }
}

fn quartiles(values: &[f64]) -> Option<[f64; 2]> {
    Some([quantile(values, 0.25)?, quantile(values, 0.75)?])
}

/// The peers of one course, and who they are.
fn start(
    python: &Path,
    course: &Course,
    effort: Effort,
    values: &[f32],
) -> Result<(PeerProcess, BTreeMap<String, Entrant>)> {
    let dir = PeerProcess::folder("race")?;
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(dir.join("input.f32"), raw)?;
    let setting = serde_json::json!({
        "file": fs::canonicalize(&course.file)?,
        "input": course.input,
        "values": dir.join("input.f32"),
        "outputs": course.outputs,
        "runs": effort.runs,
        "scratch": dir.join("scratch"),
    });
    let mut peers = PeerProcess::start(python, SCRIPT, dir, &setting)?;
    let entrants = peers.answer()?;
    Ok((peers, entrants))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round_and_beside_the_best_peer() {
        let course = Course {
            name: "x".to_owned(),
            file: PathBuf::new(),
            input: [1; 4],
            outputs: Vec::new(),
            macs: 1,
        };
        let mut rows: Vec<Row> =
            ["plan", "tract", "ncnn", "opencv"].iter().map(|engine| row(&course, engine, "", None)).collect();
        let times = |ms: [f64; 3]| ms.map(|ms| [ms, ms]).to_vec();
        let table = Table(BTreeMap::from([
            ("plan".to_owned(), times([1.0, 10.0, 1.2])),
            ("ncnn".to_owned(), times([2.0, 20.0, 2.0])),
            ("opencv".to_owned(), times([3.0, 30.0, 3.0])),
        ]));
        rows.iter_mut().for_each(|row| table.fill(row));
        table.compare(&mut rows);
        assert_eq!((rows[0].ratio_best_peer, rows[0].best_peer.as_deref()), (Some(0.5), Some("ncnn")));
        assert_eq!(rows[1].median_ms, None);
        assert_eq!(rows[2].ratio_best_peer, None, "the best has nothing to be compared with");
        assert_eq!(rows[3].ratio_best_peer, Some(1.5));
    }

    #[test]
    fn another_function_is_no_contender() {
        assert!(agreed("x", &[1.0, 0.0], &[1.0, 0.001]).is_ok());
        assert!(agreed("x", &[1.0, 0.0], &[1.0, 0.1]).is_err());
        assert!(agreed("x", &[1.0], &[1.0, 0.0]).is_err());
        assert!(agreed("x", &[f32::NAN], &[1.0]).is_err());
    }
}
