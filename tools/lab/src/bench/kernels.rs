//! This machine's limits, and single operators beside the peers: share of the limit, not only of a peer.

use std::hint::black_box;
use std::io;
use std::path::PathBuf;

use anyhow::Result;
use arcdoor_kernels::{Isa, PEAK_MACS, dot_f32_rows, multiply_adds};

use crate::bench::nets::{RaceArgs, of_index};
use crate::bench::race::{Course, Row, cpu_ms};
use crate::say::say;

/// Bytes that are streamed: well within the first cache, the second, and far beyond all of them.
const STREAMS: [(&str, usize); 3] = [("L1", 16 << 10), ("L2", 256 << 10), ("memory", 256 << 20)];
/// Values of one row of a stream.
const ROW: usize = 512;
/// Ends the name of a network with twice as many operators as the one of the name before it.
const TWICE: &str = "-x16";
/// Operators that a network of that name has more.
const MORE: f64 = 8.0;
/// Least CPU time of one measurement.
const LEAST_MS: f64 = 20.0;
const REPEATS: usize = 7;

#[derive(clap::Args)]
pub(crate) struct BenchKernelsArgs {
    /// Folder with networks of single operators and their index.json, as tools/lab/python/make_nets.py writes it
    #[arg(long, value_name = "DIR")]
    operators: Option<PathBuf>,
    /// Only the operators whose name holds this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    #[command(flatten)]
    race: RaceArgs,
}

pub(crate) fn run(args: &BenchKernelsArgs) -> Result<()> {
    let mut peak: f64 = 0.0;
    for isa in sets() {
        let rate = peak_gmacs(isa);
        say!("{isa:<10} {rate:8.1} GMAC/s in registers")?;
        peak = peak.max(rate);
    }
    for (name, bytes) in STREAMS {
        say!("{name:<10} {:8.1} GB/s read by the dot product of {}", streamed_gbs(bytes), Isa::detect())?;
    }
    say!("")?;
    let Some(dir) = &args.operators else { return Ok(()) };
    let mut courses = of_index(dir)?;
    courses.retain(|course| course.name.contains(&args.only));
    let rows = args.race.run(&courses)?;
    say!("\nshare of the {peak:.1} GMAC/s of the registers, of the plan and of the best peer:")?;
    for course in &courses {
        let rate = |engine: &str| {
            let row = rows.iter().find(|row| row.name == course.name && row.engine == engine)?;
            Some(row.macs as f64 / row.median_ms? / 1e6)
        };
        let plan = rows.iter().find(|row| row.name == course.name && row.engine == "plan");
        let peer = plan.and_then(|row| row.best_peer.clone());
        let share = |rate: Option<f64>| {
            rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.0} %", 100.0 * rate / peak))
        };
        say!(
            "{:<22} {:>6} {:>6} {}",
            course.name,
            share(rate("plan")),
            share(peer.as_deref().and_then(rate)),
            peer.as_deref().unwrap_or("-")
        )?;
    }
    inside(&courses, &rows)?;
    Ok(())
}

/// What one operator costs between others, as in a network, where maps stay in an engine's own layout from the first
/// layer to the last: the longer network less the shorter one, for every engine alike.
fn inside(courses: &[Course], rows: &[Row]) -> io::Result<()> {
    let twice =
        |course: &Course| courses.iter().find(|other| other.name == format!("{}{TWICE}", course.name));
    let chains: Vec<_> = courses.iter().filter_map(|course| Some((course, twice(course)?))).collect();
    if chains.is_empty() {
        return Ok(());
    }
    say!(
        "\none operator between others: 16 of it less 8 of it, in a chain or added up, so without the ways into an \
         engine's layout and out of it, which a network pays once and the rows above pay every time"
    )?;
    say!("{:<22} {:<12} {:>9} {:>8}  {:>20}", "", "engine", "us", "GMAC/s", "plan / this engine")?;
    for (short, long) in chains {
        let macs = (long.macs - short.macs) as f64 / MORE;
        let us = |engine: &str| {
            let of = |course: &Course| {
                rows.iter().find(|row| row.name == course.name && row.engine == engine)?.median_ms
            };
            Some((of(long)? - of(short)?) * 1e3 / MORE)
        };
        let plan = us("plan");
        for row in rows.iter().filter(|row| row.name == short.name) {
            let Some(this) = us(&row.engine) else { continue };
            let ratio = plan.filter(|_| row.engine != "plan").map(|plan| format!("{:.2}", plan / this));
            say!(
                "{:<22} {:<12} {this:>9.2} {:>8.1}  {:>20}",
                short.name,
                row.engine,
                macs / this / 1e3,
                ratio.unwrap_or_default()
            )?;
        }
    }
    Ok(())
}

/// The instruction sets of this CPU, the best first.
fn sets() -> Vec<Isa> {
    let mut sets = vec![Isa::detect()];
    while let Some(&last) = sets.last()
        && last.lesser() != last
    {
        sets.push(last.lesser());
    }
    sets
}

/// The best of some measurements: whatever else runs on the machine only makes them slower.
fn best(mut work: impl FnMut(usize), per_time: f64) -> f64 {
    let mut times = 1;
    let mut measured = |times: usize| {
        let start = cpu_ms();
        work(times);
        cpu_ms() - start
    };
    while measured(times) < LEAST_MS && times < 1 << 40 {
        times *= 2;
    }
    let rates = (0..REPEATS).map(|_| times as f64 * per_time / (measured(times) * 1e6));
    rates.fold(0.0, f64::max)
}

pub(crate) fn peak_gmacs(isa: Isa) -> f64 {
    let work = |times| {
        black_box(multiply_adds(isa, black_box(times)));
    };
    best(work, PEAK_MACS as f64)
}

fn streamed_gbs(bytes: usize) -> f64 {
    let rows = vec![1.0_f32; bytes / 4];
    let (probe, mut scores) = (vec![1.0; ROW], vec![0.0; rows.len() / ROW]);
    let stream = |times: usize| {
        for _ in 0..times {
            dot_f32_rows(Isa::detect(), &probe, black_box(&rows), &mut scores);
            black_box(&scores);
        }
    };
    best(stream, bytes as f64)
}
