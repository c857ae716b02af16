//! From the start of a process to its first result, by part, each time in a process of its own, with tract reading the
//! network and from its graph file, as packs have one; and what detector and embedder hold beside their weights.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;

use anyhow::{Context, Result, ensure};
use arcdoor_core::{Faces, Landmarks5};
use arcdoor_frame::RgbView;
use arcdoor_infer::{EngineChoice, Files, Net, NetSpec, Watcher, cost, write_graphs};
use arcdoor_models::MAX_NET_BYTES;
use arcdoor_vision::align::ARCFACE_112;
use arcdoor_vision::{DetectSettings, DetectorKind, RunOptions, Vision};

use crate::bench::footprint::{peak_memory, resident_memory};
use crate::bench::nets::CoursesArgs;
use crate::bench::race::{Course, cpu_ms, input};
use crate::face_finder::open_pack;
use crate::input_file::{read, read_text};
use crate::limits::MAX_SMALL_BYTES;
use crate::say::{say, say_on};
use crate::stats::median;

/// What the times of one start are, in order. Where there is a graph file, reading it counts as `declutter`, whose
/// place it takes.
const PARTS: [&str; 8] = ["process", "read", "type", "declutter", "plan", "pack", "buffers", "first run"];
/// A camera's frame, pixels.
const FRAME: [u32; 2] = [640, 480];

#[derive(clap::Args)]
pub(crate) struct BenchStartArgs {
    #[command(flatten)]
    courses: CoursesArgs,
    /// Starts of each network; each part's median counts
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(3..=1_000))]
    starts: u32,
    /// Measure one start in this process; FILE describes the network
    #[arg(long, value_name = "FILE", hide = true)]
    once: Option<PathBuf>,
    /// With --once: start from this graph file
    #[arg(long, value_name = "FILE", hide = true)]
    graph: Option<PathBuf>,
    /// Measure the memory of the pack in this process, and nothing else
    #[arg(long, hide = true)]
    memory: bool,
}

pub(crate) fn run(args: &BenchStartArgs) -> Result<()> {
    if let Some(file) = &args.once {
        let text = read_text(file, MAX_SMALL_BYTES)?;
        return once(&serde_json::from_str(&text)?, args.graph.as_deref());
    }
    if args.memory {
        return memory(args.courses.pack());
    }
    say!("CPU time of a process from its start to its first result, ms, median of {} starts", args.starts)?;
    let heads: String = PARTS.iter().map(|part| format!("{part:>10}")).collect();
    say!("{:<22}{heads}{:>10}", "", "together")?;
    args.courses.each(|course| starts(course, args.starts))?;
    say!("")?;
    itself(&["--memory", "--pack", &args.courses.pack().to_string_lossy()])
        .and_then(|said| Ok(say_on!("{said}")?))
}

/// Runs this binary again and gives what it says.
fn itself(words: &[&str]) -> Result<String> {
    let output = Command::new(std::env::current_exe()?).args(["bench", "start"]).args(words).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "a start failed: {}", said.trim());
    Ok(String::from_utf8(output.stdout)?)
}

fn starts(course: &Course, count: u32) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("arcdoor-start-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let done = both_starts(course, count, &folder);
    fs::remove_dir_all(&folder)?;
    done
}

fn both_starts(course: &Course, count: u32, folder: &Path) -> Result<()> {
    let (once, graph) = (folder.join("once.json"), folder.join("graph"));
    fs::write(&once, serde_json::to_vec(course)?)?;
    let names: Vec<&str> = course.outputs.iter().map(String::as_str).collect();
    let onnx = course.read()?;
    fs::write(&graph, write_graphs(&onnx, &names, &[course.input])?)?;
    let (once, graph) = (once.to_string_lossy(), graph.to_string_lossy());
    row(&course.name, count, &["--once", &once])?;
    row("  from its graph file", count, &["--once", &once, "--graph", &graph])
}

/// Starts this binary `count` times with `words`, and prints the median of each part.
fn row(name: &str, count: u32, words: &[&str]) -> Result<()> {
    let mut columns = vec![Vec::new(); PARTS.len() + 1];
    for _ in 0..count {
        let times: Vec<f64> = serde_json::from_str(&itself(words)?)?;
        ensure!(times.len() == PARTS.len(), "a start took another way");
        columns[PARTS.len()].push(times.iter().sum());
        columns.iter_mut().zip(times).for_each(|(column, ms)| column.push(ms));
    }
    let medians: String =
        columns.iter().filter_map(|column| median(column)).map(|ms| format!("{ms:>10.1}")).collect();
    say!("{name:<22}{medians}")?;
    Ok(())
}

/// One start; prints its times as JSON.
fn once(course: &Course, graph: Option<&Path>) -> Result<()> {
    let mut marks = vec![0.0, cpu_ms()];
    let onnx = course.read()?;
    let graphs = graph.map(|file| read(file, MAX_NET_BYTES)).transpose()?;
    marks.push(cpu_ms());
    if graphs.is_some() {
        // Nothing is typed.
        marks.extend(marks.last().copied());
    }
    let names: Vec<&str> = course.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: course.input, outputs: &names };
    let (sender, parts) = channel();
    let watcher = Watcher::new(move |_| {
        let _ = sender.send(cpu_ms());
    });
    let files = Files { onnx: &onnx, graphs: graphs.as_deref() };
    let net = Net::load(files, &spec, &RunOptions { watcher, ..EngineChoice::Plan.into() })?;
    marks.extend(parts.try_iter());
    drop(onnx);
    let mut session = net.session()?;
    marks.push(cpu_ms());
    let values = input(course);
    let spent = cpu_ms();
    session.input_mut().copy_from_slice(&values);
    session.run()?;
    // Making the values up is no part of a start.
    marks.push(cpu_ms() - (spent - marks.last().copied().unwrap_or(spent)));
    let times: Vec<f64> = marks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    say!("{}", serde_json::to_string(&times)?)?;
    Ok(())
}

/// Memory of detector and embedder after a frame and a template, in this fresh process.
fn memory(dir: &Path) -> Result<()> {
    let pixels = vec![128; (FRAME[0] * FRAME[1] * 3) as usize];
    let before = resident_memory().context("no /proc here")?;
    let pack = open_pack(dir)?;
    let mut vision = Vision::from_pack(&pack, DetectorKind::Yunet, &RunOptions::default())?;
    drop(pack);
    let frame = RgbView::new(&pixels, FRAME[0], FRAME[1], 3 * FRAME[0] as usize)?;
    vision.detect(frame, &DetectSettings::default(), &mut Faces::new())?;
    vision.embed(frame, &Landmarks5(ARCFACE_112))?;
    let after = resident_memory().context("no /proc here")?;
    let peak = peak_memory().context("no /proc here")?.saturating_sub(before.iter().sum());
    let pack = open_pack(dir)?;
    let mut weights = 0;
    for net in pack.nets() {
        let names: Vec<&str> = net.outputs.iter().map(String::as_str).collect();
        let input = net.preprocess.shape();
        weights += 4 * cost(net.onnx, &NetSpec { input, outputs: &names })?.parameters;
    }
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let [held, looked_at] = [0, 1].map(|i| mb(after[i].saturating_sub(before[i])));
    say!(
        "detector and embedder after a {} x {} frame: {held:.1} MB, of which {:.1} MB are weights: {:.1} MB over them; \
         {looked_at:.1} MB of the program's file beside that, which the kernel may take back: {:.1} MB over the weights \
         with those; {:.1} MB at the peak of loading",
        FRAME[0],
        FRAME[1],
        mb(weights),
        held - mb(weights),
        held + looked_at - mb(weights),
        mb(peak)
    )?;
    Ok(())
}
