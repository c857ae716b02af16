//! A command of the binary under attack: limited, watched, and always reaped.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Address space in KiB: the pack's networks, images of 50 megapixels and the largest password hash fit into it.
const MEMORY_KIB: u32 = 2_000_000;
/// No command of the attacks has work for so long, even on a busy machine.
const LONGEST: Duration = Duration::from_secs(120);
/// Of a command's output, so much is read.
const MOST_OUTPUT: usize = 16 << 20;
const SIGKILL: i32 = 9;

/// The shell's script for a command, with what comes before it and behind it.
pub(super) fn script(before: &str, behind: &str) -> String {
    format!("ulimit -v {MEMORY_KIB}; {before} exec \"$0\" \"$@\" {behind}")
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct End {
    /// As it was called.
    pub(super) words: String,
    /// The exit code; none: we killed it.
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) error: String,
    pub(super) took: Duration,
}

impl End {
    pub(super) fn is_done(&self) -> bool {
        self.code == Some(0)
    }

    /// It was refused because another process has the home, and did nothing.
    pub(super) fn found_the_home_in_use(&self) -> bool {
        self.code == Some(5) && self.error.contains("in use") && !self.error.contains("but then")
    }

    /// It ended with one of these codes.
    pub(super) fn expect(&self, codes: &[i32]) -> Result<()> {
        ensure!(self.code.is_some_and(|code| codes.contains(&code)), "{self}: expected one of {codes:?}");
        Ok(())
    }

    /// It was done, or failed and says why; `doctor` and `pack check` do so in their answers, and so does a photo that
    /// cannot be read, in JSON.
    pub(super) fn expect_reason(&self) -> Result<()> {
        let asks = ["arcdoor doctor", "arcdoor pack check"];
        let answers = asks.iter().any(|asks| self.words.starts_with(asks)) && !self.out.trim().is_empty();
        let says_why = !self.error.trim().is_empty() || answers || self.out.contains("\"error\":");
        ensure!(self.code.is_none_or(|code| code < 2) || says_why, "{self}: no reason given");
        Ok(())
    }

    /// The lines of `--json`.
    pub(super) fn lines(&self) -> Result<Vec<Value>> {
        let parse = |line| serde_json::from_str(line).with_context(|| format!("{self}: no JSON"));
        self.out.lines().map(parse).collect()
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or_else(|| "was killed".to_owned(), |code| format!("ended with {code}"));
        write!(f, "`{}` {code}\n{}{}", self.words, self.out, self.error)
    }
}

/// A command that runs; killed where it is dropped before its end.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    start: Instant,
    words: String,
    /// What it writes goes into files: nobody has to read along.
    out: PathBuf,
    error: PathBuf,
}

impl Running {
    /// Starts `command`, which writes beside `output`.
    pub(super) fn start(mut command: Command, words: String, output: PathBuf) -> Result<Self> {
        let (out, error) = (output.with_extension("out"), output.with_extension("error"));
        command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&error)?);
        let child = command.spawn().context("cannot start sh")?;
        Ok(Self { child, start: Instant::now(), words, out, error })
    }

    /// Waits for its end, or kills it `after` its start. A panic, a signal of its own and a wait without end break a
    /// promise.
    pub(super) fn end(mut self, after: Option<Duration>) -> Result<End> {
        let mut killed = false;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            let ran = self.start.elapsed();
            ensure!(ran <= LONGEST, "`{}` did not end within {LONGEST:?}", self.words);
            if after.is_some_and(|after| ran >= after) {
                killed = true;
                self.child.kill()?;
                break self.child.wait()?;
            }
            sleep(Duration::from_micros(300));
        };
        self.judge(status, killed)
    }

    fn judge(&self, status: ExitStatus, killed: bool) -> Result<End> {
        let read = |path: &PathBuf| {
            let mut bytes = fs::read(path).unwrap_or_default();
            bytes.truncate(MOST_OUTPUT);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let end = End {
            words: self.words.clone(),
            code: status.code(),
            out: read(&self.out),
            error: read(&self.error),
            took: self.start.elapsed(),
        };
        let by_us = killed && status.signal() == Some(SIGKILL);
        ensure!(by_us || status.signal().is_none(), "signal {:?}: {end}", status.signal());
        ensure!(by_us || (0..=5).contains(&end.code.unwrap_or(-1)), "no exit code of arcdoor's: {end}");
        ensure!(!end.error.contains("panicked"), "a panic: {end}");
        ensure!(!end.error.contains("a fault of arcdoor's own"), "a caught panic: {end}");
        Ok(end)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already: neither then nor otherwise is there more to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.out);
        let _ = fs::remove_file(&self.error);
    }
}
