//! Whole networks: the plan and tract beside onnxruntime, ncnn and OpenCV, one thread each, in one run.

use std::fs;
use std::io::{self, IsTerminal, stderr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use arcdoor_infer::{NetSpec, cost};
use arcdoor_models::{Pack, PackNet, Role};

use crate::bench::race::{Course, Effort, Row, race};
use crate::face_finder::open_pack;
use crate::input_file::read_text;
use crate::limits::MAX_SMALL_BYTES;
use crate::say::say;

/// Detector inputs that are measured: width, height.
const DETECTOR_INPUTS: [(&str, [usize; 2]); 2] = [("yunet-320", [320, 320]), ("yunet-640x480", [640, 480])];

#[derive(clap::Args)]
pub(crate) struct BenchNetsArgs {
    #[command(flatten)]
    courses: CoursesArgs,
    #[command(flatten)]
    race: RaceArgs,
}

/// Which networks are measured.
#[derive(clap::Args)]
pub(crate) struct CoursesArgs {
    /// Folder with networks and their index.json, as tools/lab/python/make_nets.py writes it
    #[arg(long, value_name = "DIR")]
    nets: Option<PathBuf>,
    /// The pack whose detector and embedder are measured, too
    #[arg(long, value_name = "DIR", default_value = "models/packs/yunet-sface")]
    pack: PathBuf,
    /// Packs whose embedders are measured, too
    #[arg(long, value_name = "DIR")]
    embedder_of: Vec<PathBuf>,
    /// Only the networks whose name holds this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

impl CoursesArgs {
    fn open(&self, scratch: &Path) -> Result<Vec<Course>> {
        let pack = open_pack(&self.pack)?;
        let mut courses = detectors(&pack, scratch)?;
        courses.push(embedder(&pack, scratch)?);
        for dir in &self.embedder_of {
            courses.push(embedder(&open_pack(dir)?, scratch)?);
        }
        if let Some(dir) = &self.nets {
            courses.extend(of_index(dir)?);
        }
        courses.retain(|course| course.name.contains(&self.only));
        ensure!(!courses.is_empty(), "no network's name holds {:?}", self.only);
        Ok(courses)
    }

    pub(crate) fn pack(&self) -> &Path {
        &self.pack
    }

    /// Hands each network to `work` in turn.
    pub(crate) fn each(&self, work: impl FnMut(&Course) -> Result<()>) -> Result<()> {
        let scratch = tempdir()?;
        let done = self.open(&scratch).and_then(|courses| courses.iter().try_for_each(work));
        fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
        done
    }
}

/// What every race is asked.
#[derive(clap::Args)]
pub(crate) struct RaceArgs {
    /// Rounds that count
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(3..=10_000))]
    rounds: u32,
    /// Runs of each engine in a round; their median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// A Python with onnxruntime, ncnn, pnnx and OpenCV; without it, only ours runs
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Also write the rows as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl RaceArgs {
    /// Races on each course, prints the rows as they come, and writes them.
    pub(crate) fn run(&self, courses: &[Course]) -> Result<Vec<Row>> {
        let effort = Effort { rounds: self.rounds as usize, runs: self.runs as usize };
        say!("one thread, CPU time, {} rounds of {} runs", self.rounds, self.runs)?;
        say!(
            "{:<22} {:<12} {:>9} {:>9} {:>17} {:>8}  {:>17} {:<12} {:>9}",
            "",
            "engine",
            "ms",
            "least",
            "quartiles",
            "GMAC/s",
            "ratio [quartiles]",
            "best peer",
            "cosine"
        )?;
        let mut all = Vec::new();
        for (index, course) in courses.iter().enumerate() {
            if stderr().is_terminal() {
                eprint!("\r{}/{} {:<30}\r", index + 1, courses.len(), course.name);
            }
            let rows = race(course, effort, self.python.as_deref())
                .with_context(|| format!("{} cannot be measured", course.name))?;
            rows.iter().try_for_each(print)?;
            all.extend(rows);
        }
        if let Some(path) = &self.json {
            let text = serde_json::to_vec_pretty(&all)?;
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(all)
    }
}

pub(crate) fn run(args: &BenchNetsArgs) -> Result<()> {
    let scratch = tempdir()?;
    let ran = args.courses.open(&scratch).and_then(|courses| args.race.run(&courses));
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    ran.map(drop)
}

/// The graphs of a folder's index.json.
pub(crate) fn of_index(dir: &Path) -> Result<Vec<Course>> {
    let path = dir.join("index.json");
    let text = read_text(&path, MAX_SMALL_BYTES)?;
    let mut courses: Vec<Course> =
        serde_json::from_str(&text).with_context(|| format!("{} is no index", path.display()))?;
    courses.iter_mut().for_each(|course| course.file = dir.join(&course.file));
    Ok(courses)
}

fn tempdir() -> Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("arcdoor-bench-nets-{}", std::process::id()));
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// The peers take a detector's input shape from the call, not from the file.
fn detectors(pack: &Pack, scratch: &Path) -> Result<Vec<Course>> {
    let detector = pack.net(Role::Detector)?;
    let at =
        |(name, [width, height]): (&str, [usize; 2])| course(detector, name, [1, 3, height, width], scratch);
    DETECTOR_INPUTS.into_iter().map(at).collect()
}

/// Called as its file is.
fn embedder(pack: &Pack, scratch: &Path) -> Result<Course> {
    let embedder = pack.net(Role::Embedder)?;
    let file = Path::new(&pack.manifest().embedder.file).file_stem().unwrap_or_default();
    course(embedder, &file.to_string_lossy(), embedder.preprocess.shape(), scratch)
}

fn course(net: PackNet<'_>, name: &str, input: [usize; 4], scratch: &Path) -> Result<Course> {
    let file = scratch.join(format!("{name}.onnx"));
    fs::write(&file, net.onnx).with_context(|| format!("cannot write {}", file.display()))?;
    let names: Vec<&str> = net.outputs.iter().map(String::as_str).collect();
    let macs = cost(net.onnx, &NetSpec { input, outputs: &names })?.macs;
    Ok(Course { name: name.to_owned(), file, input, outputs: net.outputs.clone(), macs })
}

fn print(row: &Row) -> io::Result<()> {
    if let Some(why) = &row.left_out {
        return say!("{:<22} {:<12} left out: {why}", row.name, row.engine);
    }
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let pair = |pair: Option<[f64; 2]>| pair.map_or_else(String::new, |[a, b]| format!("[{a:.3}, {b:.3}]"));
    let rate = row.median_ms.map(|ms| row.macs as f64 / ms / 1e6);
    let ratio = row.ratio_best_peer.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let spread = row.ratio_quartiles.map_or_else(String::new, |[a, b]| format!(" [{a:.2}, {b:.2}]"));
    say!(
        "{:<22} {:<12} {:>9} {:>9} {:>17} {:>8}  {:>17} {:<12} {:>9}",
        row.name,
        row.engine,
        number(row.median_ms),
        number(row.min_ms),
        pair(row.quartiles_ms),
        rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}")),
        format!("{ratio}{spread}"),
        row.best_peer.as_deref().unwrap_or("-"),
        row.cosine.map_or_else(|| "-".to_owned(), |cosine| format!("{cosine:.6}")),
    )
}
