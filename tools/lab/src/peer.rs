//! The peers' process: one line asks for a round, one line of JSON brings its times.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use arcdoor_frame::RgbImage;
use arcdoor_models::{ChannelOrder, NetFile, Pack};
use serde::Serialize;

const SCRIPT: &str = include_str!("../python/opencv_frame.py");

/// What the peers must know so that they run the same networks on the same pictures.
#[derive(Serialize)]
pub(crate) struct Setting {
    detector: Network,
    embedder: Network,
    /// Width and height of the detector's input.
    detector_input: [u32; 2],
    frames: Vec<PathBuf>,
    frame_size: [u32; 2],
}

#[derive(Serialize)]
struct Network {
    file: PathBuf,
    rgb: bool,
    mean: [f32; 3],
    scale: [f32; 3],
    size: [u32; 2],
    outputs: Vec<String>,
}

impl Setting {
    pub(crate) fn of(pack: &Pack, detector_input: [u32; 2]) -> Self {
        let network = |net: &NetFile| Network {
            file: pack.dir().join(&net.file),
            rgb: net.preprocess.channel_order == ChannelOrder::Rgb,
            mean: net.preprocess.mean,
            scale: net.preprocess.scale,
            size: [net.preprocess.width, net.preprocess.height],
            outputs: net.outputs.clone(),
        };
        Self {
            detector: network(pack.detector()),
            embedder: network(pack.embedder()),
            detector_input,
            frames: Vec::new(),
            frame_size: [0, 0],
        }
    }
}

/// Milliseconds by engine and stage, one for each frame.
pub(crate) type Round = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

/// The peers, warmed up and waiting.
pub(crate) struct Peer {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    dir: PathBuf,
}

impl Peer {
    pub(crate) fn start(python: &Path, setting: &Setting, frames: &[RgbImage]) -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("arcdoor-peer-{}", std::process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let mut setting = serde_json::to_value(setting)?;
        let mut files = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let file = dir.join(format!("{index}.rgb"));
            fs::write(&file, frame.view().data())?;
            files.push(file);
            setting["frame_size"] = serde_json::json!([frame.width(), frame.height()]);
        }
        setting["frames"] = serde_json::to_value(files)?;
        let file = dir.join("setting.json");
        fs::write(&file, setting.to_string())?;
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT]).arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", python.display()))?;
        let asks = child.stdin.take().context("the peers have no input")?;
        let answers = BufReader::new(child.stdout.take().context("the peers have no output")?);
        Ok(Self { child, asks, answers, dir })
    }

    /// One round over all frames.
    pub(crate) fn round(&mut self) -> Result<Round> {
        self.asks.write_all(b"round\n").and_then(|()| self.asks.flush()).context("the peers have ended")?;
        let mut line = String::new();
        self.answers.read_line(&mut line).context("cannot hear the peers")?;
        ensure!(!line.is_empty(), "the peers ended without an answer; what they said is above");
        serde_json::from_str(&line).with_context(|| format!("the peers answered {line}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already; either way there is nothing left to do about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
