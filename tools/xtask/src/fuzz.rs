//! `cargo xtask fuzz`: libFuzzer on everything that reads bytes from outside.
//!
//! New inputs are kept under the target folder; what breaks something belongs into `tests/fuzz/corpus/TARGET`,
//! where `cargo xtask test` runs it from then on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// A fuzz target's name, and whether it needs the inference engine. One that does is built without a sanitizer, which
/// would take a quarter of an hour to build with the engine; our code there has nothing unsafe.
pub(crate) const TARGETS: [(&str, bool); 11] = [
    ("image", false),
    ("features", false),
    ("pack", false),
    ("gallery", false),
    ("log", false),
    ("pairs", false),
    ("message", true),
    ("graph", true),
    ("network", true),
    ("plan", true),
    ("stored", true),
];
/// libFuzzer's limits of an input: memory in MB, time in seconds, length in bytes. Leaks are not reported, because
/// `arcdoor-gallery` leaks a damaged gallery's database on purpose.
const LIMITS: [&str; 5] =
    ["-rss_limit_mb=2048", "-malloc_limit_mb=1024", "-timeout=20", "-max_len=65536", "-detect_leaks=0"];

/// Runs one of [`TARGETS`], or all of them, for `seconds` each.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<()> {
    if Command::new("cargo-fuzz").arg("--version").output().is_err() {
        bail!("cargo-fuzz is missing: cargo install cargo-fuzz");
    }
    let chosen = TARGETS.iter().filter(|(name, _)| target.is_none_or(|wanted| wanted == *name));
    let mut found = 0;
    println!("target   seconds  executions  coverage  inputs  findings");
    for (name, needs_engine) in chosen {
        found += fuzz(name, *needs_engine, seconds)?;
    }
    if found > 0 {
        bail!("{found} findings under {}", cargo::target_dir().join("fuzz").display());
    }
    Ok(())
}

/// Returns how many inputs broke something.
fn fuzz(name: &str, needs_engine: bool, seconds: u32) -> Result<usize> {
    let folder = cargo::target_dir().join("fuzz");
    let (grown, findings) = (folder.join("grown").join(name), folder.join("findings").join(name));
    for folder in [&grown, &findings] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut command = cargo::command();
    // libFuzzer's instrumentation is no stable option of the compiler's.
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", folder.join("build"));
    command.args(["fuzz", "run", "--fuzz-dir", "tests/fuzz"]);
    if needs_engine {
        command.args(["--sanitizer", "none", "--features", "engine"]);
    }
    command.arg(name).arg(&grown).arg(cargo::root().join("tests/fuzz/corpus").join(name));
    command.arg("--").args(LIMITS).args([
        "-fork=1",
        "-ignore_crashes=1",
        "-ignore_timeouts=1",
        "-ignore_ooms=1",
    ]);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", findings.display()));
    let last = last_report(command)?;
    let number = |word: &str| after(&last, word).unwrap_or("?").to_owned();
    let count = files(&findings)?;
    let executions = last.trim_start_matches('#').split(':').next().unwrap_or("?");
    println!(
        "{name:8} {:>7}  {executions:>10}  {:>8}  {:>6}  {count:>8}",
        Duration::from_secs(seconds.into()).as_secs(),
        number("cov:"),
        number("corp:"),
    );
    Ok(count)
}

/// The last line that tells how far libFuzzer came; what cargo says goes to our terminal.
fn last_report(mut command: Command) -> Result<String> {
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot start cargo fuzz")?;
    let mut last = String::new();
    let mut tail = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            let line =
                String::from_utf8_lossy(&line.context("cannot read what cargo fuzz says")?).into_owned();
            if line.starts_with('#') && line.contains("cov:") {
                last.clone_from(&line);
            }
            tail.push(line);
            if tail.len() > 20 {
                tail.remove(0);
            }
        }
    }
    let status = child.wait().context("cannot wait for cargo fuzz")?;
    if last.is_empty() {
        bail!("cargo fuzz ended with {status}:\n{}", tail.join("\n"));
    }
    Ok(last)
}

fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.split_once(word)?.1.split_whitespace().next()
}

fn files(folder: &Path) -> Result<usize> {
    Ok(fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_libfuzzer_is_read() {
        let line = "#54357: cov: 4533 ft: 12659 corp: 1174 exec/s: 62 oom/timeout/crash: 0/0/0 time: 987s";
        assert_eq!((after(line, "cov:"), after(line, "corp:")), (Some("4533"), Some("1174")));
    }
}
