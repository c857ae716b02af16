//! What the device pays beside time: memory, start-up, the binary's size.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::bench::row::{Row, beside_us};
use crate::input_file::read_text;
use crate::limits::MAX_SMALL_BYTES;

const STARTS: usize = 5;

/// Peak memory of this process so far, start-up of the real binary, and sizes of what cargo has built.
pub(crate) fn rows(pack: &Path, photo: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    if let Some(bytes) = peak_memory() {
        rows.push(Row::new("peak resident memory of this bench", "arcdoor").sized(bytes));
    }
    let Some(arcdoor) = beside_us("arcdoor") else {
        eprintln!("no arcdoor beside this binary: its start-up and size are left out");
        return Ok(rows);
    };
    match start_up(&arcdoor, pack, photo) {
        Ok(ms) => rows.push(Row::new("arcdoor identify, process start to end", "arcdoor").timed(&ms)),
        Err(error) => eprintln!("arcdoor's start-up could not be measured: {error:#}"),
    }
    let dist = arcdoor.parent().and_then(Path::parent).map(|target| target.join("dist/arcdoor"));
    for (name, path) in [("size of arcdoor, release", Some(arcdoor)), ("size of arcdoor, dist", dist)] {
        if let Some(size) = path.and_then(|path| fs::metadata(path).ok()) {
            rows.push(Row::new(name, "arcdoor").sized(size.len()));
        }
    }
    Ok(rows)
}

/// `VmHWM` of proc(5), in bytes; `None` where there is no such file.
pub(crate) fn peak_memory() -> Option<u64> {
    parse("VmHWM:", &status()?)
}

/// `RssAnon` and `RssFile` of the same: memory that this process holds, and pages of its own program file
/// that it has read, which the kernel takes back where memory is short.
pub(crate) fn resident_memory() -> Option<[u64; 2]> {
    let status = status()?;
    Some([parse("RssAnon:", &status)?, parse("RssFile:", &status)?])
}

fn status() -> Option<String> {
    read_text(Path::new("/proc/self/status"), MAX_SMALL_BYTES).ok()
}

fn parse(field: &str, status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Milliseconds of `arcdoor identify` on a gallery of one, from start to end.
fn start_up(arcdoor: &Path, pack: &Path, photo: &Path) -> Result<Vec<f64>> {
    let home = std::env::temp_dir().join(format!("arcdoor-bench-{}", std::process::id()));
    let pack = fs::canonicalize(pack)?;
    let run = |words: &[&str]| {
        let mut command = Command::new(arcdoor);
        command.arg("--home").arg(&home).arg("--pack").arg(&pack).args(words).arg(photo);
        command.env("ARCDOOR_ALLOW_UNSIGNED_PACK", "true");
        let output = command.stdin(Stdio::null()).output().context("cannot start arcdoor")?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        // 0 is granted and 1 is not: both are decisions.
        anyhow::ensure!(matches!(output.status.code(), Some(0 | 1)), "arcdoor {}: {said}", words.join(" "));
        Ok(())
    };
    let measured = run(&["enrol", "Bench", "--image"]).and_then(|()| {
        let once = |_| {
            let began = Instant::now();
            run(&["identify", "--image"]).map(|()| began.elapsed().as_secs_f64() * 1e3)
        };
        (0..STARTS).map(once).collect()
    });
    // Nothing of it is kept, and where it cannot be removed it harms nothing.
    let _ = fs::remove_dir_all(home);
    measured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(parse("VmHWM:", "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t 9 kB\n"), Some(2048 * 1024));
        assert_eq!(parse("VmHWM:", "VmRSS:\t 9 kB\n"), None);
    }
}
