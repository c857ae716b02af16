//! Where a plan's time goes: each step measured beside its prediction.

use std::io;
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context, Result};
use arcdoor_infer::{Done, EngineChoice, Entry, METHOD, Net, NetSpec, RunOptions, Watcher};

use crate::bench::nets::CoursesArgs;
use crate::bench::race::{Course, cpu_ms, input};
use crate::say::say;
use crate::stats::median;

#[derive(clap::Args)]
pub(crate) struct BenchProfileArgs {
    #[command(flatten)]
    courses: CoursesArgs,
    /// Runs of each network; a step's median counts
    #[arg(long, default_value_t = 101, value_parser = clap::value_parser!(u32).range(3..=100_000))]
    runs: u32,
}

pub(crate) fn run(args: &BenchProfileArgs) -> Result<()> {
    say!("one thread, its CPU time, median of {} runs; prediction: {METHOD}", args.runs)?;
    args.courses.each(|course| profile(course, args.runs as usize))
}

fn profile(course: &Course, runs: usize) -> Result<()> {
    let onnx = course.read()?;
    let names: Vec<&str> = course.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: course.input, outputs: &names };
    let (sender, marks) = channel();
    let watcher = Watcher::new(move |done| {
        let _ = sender.send((done, cpu_ms()));
    });
    let net = Net::load(&onnx, &spec, &RunOptions { watcher, ..EngineChoice::Plan.into() })?;
    let measured = measure(&net, &marks, &input(course), runs)?;
    say!("\n{}", course.name)?;
    say!(
        "  {:<28} {:<16} {:>15} {:>10} {:>9} {:>9} {:>8}",
        "operators",
        "makes",
        "shape",
        "kMAC",
        "us",
        "predicted",
        "GMAC/s"
    )?;
    for (step, &us) in net.steps().iter().zip(&measured) {
        line(step, us)?;
    }
    let read_out = measured.last().copied().unwrap_or(0.0);
    say!("  {:<28} {:>54.1}", "outputs read out", read_out)?;
    if let Some([weights, maps]) = net.plan_bytes() {
        say!("  weights {:.1} MB, maps {:.1} MB", weights as f64 / 1e6, maps as f64 / 1e6)?;
    }
    let (sum, predicted) =
        (measured.iter().sum::<f64>(), net.steps().iter().map(|step| step.predicted_us).sum::<f64>());
    say!(
        "  together {:.3} ms, {:.1} GMAC/s; predicted {:.3} ms, {:+.0} %; a step is off by {:.0} % of its time in the mean",
        sum / 1e3,
        course.macs as f64 / sum / 1e3,
        predicted / 1e3,
        100.0 * (predicted / sum - 1.0),
        100.0 * mean_error(net.steps(), &measured),
    )?;
    Ok(())
}

fn line(step: &Entry, us: f64) -> io::Result<()> {
    let [channels, rows, columns] = step.shape;
    say!(
        "  {:<28} {:<16} {:>15} {:>10.1} {:>9.1} {:>9.1} {:>8.1}",
        step.operators.chars().take(28).collect::<String>(),
        step.name.chars().take(16).collect::<String>(),
        format!("{channels} x {rows} x {columns}"),
        step.macs as f64 / 1e3,
        us,
        step.predicted_us,
        step.macs as f64 / us / 1e3,
    )
}

/// Mean of |predicted - measured|, weighted by the measured time.
fn mean_error(steps: &[Entry], measured: &[f64]) -> f64 {
    let off: f64 = steps.iter().zip(measured).map(|(step, us)| (step.predicted_us - us).abs()).sum();
    off / measured.iter().take(steps.len()).sum::<f64>()
}

/// What the plan has done, and the CPU time at its end, ms.
type Mark = (Done, f64);

/// Microseconds of each step, and of reading the outputs.
fn measure(net: &Net, marks: &Receiver<Mark>, values: &[f32], runs: usize) -> Result<Vec<f64>> {
    let mut session = net.session()?;
    let mut times = vec![Vec::with_capacity(runs); net.steps().len() + 1];
    for run in 0..runs + 2 {
        session.input_mut().copy_from_slice(values);
        let mut took = vec![0.0; times.len()];
        let mut before = cpu_ms();
        session.run()?;
        for (done, now) in marks.try_iter() {
            match done {
                Done::Step(step) => took[step] += (now - before) * 1e3,
                Done::Outputs => took[net.steps().len()] += (now - before) * 1e3,
                // Loading is not measured here.
                _ => continue,
            }
            before = now;
        }
        // The first two warm caches and clocks.
        if run >= 2 {
            times.iter_mut().zip(took).for_each(|(times, took)| times.push(took));
        }
    }
    times.iter().map(|times| median(times).context("no runs")).collect()
}
