//! `cargo xtask bench mca`: the kernels' inner loops on LLVM's models of ARM cores.
//!
//! The loops are those that the compiler made, found by the names of their functions; nothing is copied by hand. A model
//! knows which units an instruction keeps busy and for how long, and takes every load from the nearest cache.

mod estimate;
mod loops;
mod model;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::qemu::output;
use crate::{arm, cargo};
use estimate::Pace;
use loops::{Functions, Loop};
use model::Model;

/// Of binutils, which the linker needs as well.
const DEMANGLE: &str = "aarch64-linux-gnu-c++filt";

/// A core: its name, LLVM's name of the model that stands for it, and the f32 multiply-adds that it can do in a cycle.
struct Core {
    name: &'static str,
    model: &'static str,
    /// 128 bits in a cycle (A53, A55, A72), or twice as many (A76).
    macs: f64,
    /// Cycles for which the load of a vector register of 128 bits, and of fewer, lets multiply-adds wait: measured by
    /// ncnn's authors (docs/developer-guide/arm-a53-a55-dual-issue.md). LLVM's models of these cores know nothing of it.
    waits: Option<[f64; 2]>,
}

const CORES: [Core; 4] = [
    Core { name: "a53", model: "cortex-a53", macs: 4.0, waits: Some([2.0, 1.0]) },
    Core { name: "a55", model: "cortex-a55", macs: 4.0, waits: Some([2.0, 0.0]) },
    // LLVM takes the A57's model, whose pipelines the A72 has.
    Core { name: "a72", model: "cortex-a72", macs: 4.0, waits: None },
    // LLVM gives the A76 the A57's model as well; the Neoverse N1 is the same core for servers, and has its own.
    Core { name: "a76", model: "neoverse-n1", macs: 8.0, waits: None },
];

/// What units are called in the model of the N1, which older versions of LLVM lack.
const N1_UNIT: &str = "N1Unit";

/// What is known to be wrong in the models.
const LIMITS: &str = "\
    a53: LLVM lets no instruction finish before an earlier one, so that a load behind a multiply-add waits for its 10\n\
    cycles; the core does not. It gives a load of 128 bits one cycle; the core takes two, and multiplies nothing in\n\
    them. a55: it multiplies 128 bits in each of two pipes that have 64, and gives a pair of 128-bit loads 6 cycles.\n\
    \"with waits\" counts what ncnn's authors measured: a multiply-add a cycle, and two cycles for each 128-bit load.\n\
    a72: the A57's model. a76: the Neoverse N1's, the same core for servers.";

/// f32 in a register.
const LANES: f64 = 4.0;

/// Kernels: what each does, and its function.
const KERNELS: [(&str, &str); 10] = [
    ("1x1 and kxk convolution, 5 pixels of a row", "simd::neon::run::<gemm::Tiles<5, 1, 1>>"),
    ("the same, 4 pixels", "simd::neon::run::<gemm::Tiles<4, 1, 1>>"),
    ("the same, across rows", "simd::neon::run::<gemm::Tiles<5, 1, 0>>"),
    ("kxk convolution of stride 2", "simd::neon::run::<gemm::Tiles<5, 1, 2>>"),
    ("first layer, 3x3 of stride 1", "simd::neon::run::<gemm::Tiles<5, 1, 3>>"),
    ("first layer, 3x3 of stride 2", "simd::neon::run::<gemm::Tiles<5, 1, 4>>"),
    ("fully connected layer", "simd::neon::run::<gemm::Tiles<1, 4, 1>>"),
    ("depthwise 3x3 of stride 1", "simd::neon::run::<depthwise::rows::Fixed<3, 1>>"),
    ("depthwise 3x3 of stride 2", "simd::neon::run::<depthwise::rows::Fixed<3, 2>>"),
    ("a probe against rows of a gallery", "dot::dot_f32_rows"),
];

/// One loop on one core.
#[derive(Debug, Serialize)]
struct Row {
    kernel: &'static str,
    function: &'static str,
    core: &'static str,
    model: &'static str,
    instructions: usize,
    multiply_adds: f64,
    /// Cycles of an iteration by the model, but no fewer than the core's units need.
    cycles: f64,
    bound: String,
    share_of_peak: f64,
    /// Cycles of an iteration where loads let multiply-adds wait, on cores on which that was measured.
    with_waits: Option<f64>,
}

/// Compiles the kernels for ARM and prints a row for each inner loop and core; and for each file of `counts`, as
/// `bench arm --json` writes them, an estimate for each board.
///
/// # Errors
/// When a tool is missing, a loop cannot be found, or counts cannot be read.
pub(crate) fn run(json: Option<PathBuf>, counts: &[PathBuf]) -> Result<()> {
    arm::ready()?;
    let model = Model::find()?;
    let functions = Functions::parse(&assembly()?);
    // All are found before any is printed: a table that lacks a kernel would look whole.
    let loops: Vec<Loop> =
        KERNELS.iter().map(|(_, function)| functions.widest_loop(function)).collect::<Result<_>>()?;
    let n1 = model.has("neoverse-n1", N1_UNIT)?;
    println!("llvm-mca of {}; every load from the nearest cache; no time", model.version);
    if !n1 {
        println!(
            "this version has no model of the Neoverse N1: the a76 is the A57's model; apt-get install llvm-19"
        );
    }
    println!("{LIMITS}");
    println!(
        "{:<46} {:<4} {:>6} {:>6} {:>8} {:>7} {:>10}  bound by",
        "", "core", "instr.", "macs", "cycles", "of peak", "with waits"
    );
    let mut rows = Vec::new();
    for ((kernel, function), one) in KERNELS.into_iter().zip(&loops) {
        for core in &CORES {
            let row = row(&model, kernel, function, core, one)?;
            println!(
                "{:<46} {:<4} {:>6} {:>6} {:>8.1} {:>6.0}% {:>10}  {}",
                row.kernel,
                row.core,
                row.instructions,
                row.multiply_adds,
                row.cycles,
                100.0 * row.share_of_peak,
                row.with_waits.map_or_else(String::new, |cycles| format!("{cycles:.1}")),
                row.bound
            );
            rows.push(row);
        }
    }
    if let Some(path) = json {
        let text = serde_json::to_vec_pretty(&rows)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let paces = paces(&rows);
    counts.iter().try_for_each(|file| estimate(file, &paces))
}

/// How each core goes through the first kernel's loop, in which networks spend most of their time.
fn paces(rows: &[Row]) -> Vec<Pace> {
    let first = rows.iter().filter(|row| row.function == KERNELS[0].1);
    let pace = |row: &Row| {
        let fused = row.multiply_adds / LANES;
        Pace {
            core: row.core,
            cycles_by_fused: row.with_waits.map_or(row.cycles, |cycles| cycles.max(row.cycles)) / fused,
            instructions_by_fused: row.instructions as f64 / fused,
        }
    };
    first.map(pace).collect()
}

fn estimate(file: &Path, paces: &[Pace]) -> Result<()> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let rows: Vec<arm::Row> = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not what bench arm --json writes", file.display()))?;
    println!();
    estimate::print(&file.display().to_string(), &rows, paces)
}

fn row(model: &Model, kernel: &'static str, function: &'static str, core: &Core, one: &Loop) -> Result<Row> {
    let verdict = model.run(core.model, one)?;
    let multiply_adds = one.fused as f64 * LANES;
    let least = multiply_adds / core.macs;
    let bound = if verdict.cycles < least {
        // Such as LLVM's A55, which it lets multiply 128 bits in either of two pipes of 64.
        format!("multiply-adds (the model has {:.1} cycles)", verdict.cycles)
    } else {
        verdict.bound.to_string()
    };
    let cycles = verdict.cycles.max(least);
    Ok(Row {
        kernel,
        function,
        core: core.name,
        model: core.model,
        instructions: one.body.len(),
        multiply_adds,
        cycles,
        bound,
        share_of_peak: least / cycles,
        with_waits: core.waits.map(|waits| one.waiting(waits)),
    })
}

/// The kernels as the compiler made them for ARM, in assembly, all names demangled.
fn assembly() -> Result<String> {
    let file = cargo::target_dir().join("kernels.s");
    let mut build = arm::cargo()?;
    // A target folder of its own: other flags would make cargo build what it has here a second time.
    build.env("CARGO_TARGET_DIR", cargo::target_dir().join("mca"));
    build.args(["rustc", "--release", "--locked", "--package", "arcdoor-kernels", "--lib"]);
    build.args(["--features", "std", "--target", arm::TARGET, "--"]);
    // One unit, as in the program for boards, and one file; the older mangling drops what functions are generic over.
    build.args(["-Ccodegen-units=1", "-Cdebuginfo=0", "-Csymbol-mangling-version=v0"]);
    cargo::check(build.arg(format!("--emit=asm={}", file.display())))?;
    let mut demangle = Command::new(DEMANGLE);
    demangle.stdin(fs::File::open(&file).with_context(|| format!("{} was not made", file.display()))?);
    output(&mut demangle)
}
