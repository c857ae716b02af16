//! The peers' process: one line asks for a round, one line of JSON brings its times.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

/// Ended, and its folder removed, when it is dropped.
pub(crate) struct PeerProcess {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    dir: PathBuf,
}

impl PeerProcess {
    /// A folder of this process's own for what the peers read.
    pub(crate) fn folder(name: &str) -> Result<PathBuf> {
        let dir = std::env::temp_dir().join(format!("arcdoor-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }

    pub(crate) fn start(
        python: &Path,
        script: &str,
        dir: PathBuf,
        setting: &serde_json::Value,
    ) -> Result<Self> {
        let file = dir.join("setting.json");
        fs::write(&file, setting.to_string())?;
        let mut command = Command::new(python);
        command.args(["-c", script]).arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", python.display()))?;
        let asks = child.stdin.take().context("the peers have no input")?;
        let answers = BufReader::new(child.stdout.take().context("the peers have no output")?);
        Ok(Self { child, asks, answers, dir })
    }

    /// One round.
    pub(crate) fn round<T: DeserializeOwned>(&mut self) -> Result<T> {
        self.asks.write_all(b"round\n").and_then(|()| self.asks.flush()).context("the peers have ended")?;
        self.answer()
    }

    /// The next line that is JSON: some engines write to the same place while they load.
    pub(crate) fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        loop {
            let mut line = String::new();
            self.answers.read_line(&mut line).context("cannot hear the peers")?;
            ensure!(!line.is_empty(), "the peers ended without an answer; what they said is above");
            if line.starts_with('{') {
                return serde_json::from_str(&line).with_context(|| format!("the peers answered {line}"));
            }
        }
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // It may have ended already; either way there is nothing left to do about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
