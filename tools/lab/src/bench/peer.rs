//! OpenCV and onnxruntime on the way of a frame.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use arcdoor_frame::RgbImage;
use arcdoor_models::{ChannelOrder, NetFile, Pack};
use serde::Serialize;

use crate::bench::peer_process::PeerProcess;

const SCRIPT: &str = include_str!("../../python/opencv_frame.py");

/// What the peers must know so that they run the same networks on the same frames.
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
    mean: Vec<f32>,
    scale: Vec<f32>,
    size: [u32; 2],
    outputs: Vec<String>,
}

impl Setting {
    /// The peers take colour alone: a pack with a network for grey images is refused.
    pub(crate) fn of(pack: &Pack, detector_input: [u32; 2]) -> Result<Self> {
        for net in [&pack.manifest().detector, &pack.manifest().embedder] {
            let order = net.preprocess.channel_order;
            ensure!(
                order != ChannelOrder::Grey,
                "{} takes grey images, which the peers do not: leave --python out",
                net.file
            );
        }
        let network = |net: &NetFile| Network {
            file: pack.dir().join(&net.file),
            rgb: net.preprocess.channel_order == ChannelOrder::Rgb,
            mean: net.preprocess.mean.clone(),
            scale: net.preprocess.scale.clone(),
            size: [net.preprocess.width, net.preprocess.height],
            outputs: net.outputs.clone(),
        };
        Ok(Self {
            detector: network(&pack.manifest().detector),
            embedder: network(&pack.manifest().embedder),
            detector_input,
            frames: Vec::new(),
            frame_size: [0, 0],
        })
    }
}

/// Milliseconds by engine and stage, one for each frame.
pub(crate) type Round = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

/// The peers, warmed up and waiting.
pub(crate) struct Peer(PeerProcess);

impl Peer {
    pub(crate) fn start(python: &Path, setting: &Setting, frames: &[RgbImage]) -> Result<Self> {
        let dir = PeerProcess::folder("peer")?;
        let mut setting = serde_json::to_value(setting)?;
        let mut files = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let file = dir.join(format!("{index}.rgb"));
            fs::write(&file, frame.view().data())?;
            files.push(file);
            setting["frame_size"] = serde_json::json!([frame.width(), frame.height()]);
        }
        setting["frames"] = serde_json::to_value(files)?;
        Ok(Self(PeerProcess::start(python, SCRIPT, dir, &setting)?))
    }

    /// One round over all frames.
    pub(crate) fn round(&mut self) -> Result<Round> {
        self.0.round()
    }
}
