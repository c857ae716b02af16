//! `cargo xtask bench`: our code beside its peers, in the same run.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::peers::{self, Peers};
use crate::{cargo, fetch, pack};

pub(crate) const PACK: &str = "yunet-sface";
/// The packs of our own networks.
const OWN: [&str; 2] = ["doornet", "doornet-m"];
/// Pixels of a face before a door, in a frame of 640x480.
const DOOR_FACE: &str = "80";
/// The demo's photos that hold a whole face.
const PHOTOS: [&str; 5] = ["obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg", "astronaut.png"];

/// The way of a frame beside OpenCV and onnxruntime, which run [`PACK`], whatever pack ours runs.
pub(crate) fn frame(json: Option<PathBuf>, name: &str, detector: &str) -> Result<()> {
    cargo::build_binaries()?;
    pack::build(PACK, None)?;
    let photos = fetch::demo_photos()?;
    let mut bench = lab(&peers::install()?, "frame", json);
    bench.args(["--detector", detector, "--min-face", DOOR_FACE, "--pack"]).arg(folder(name));
    bench.arg("--peers-pack").arg(folder(PACK));
    cargo::check(bench.args(PHOTOS.iter().map(|name| photos.join(name))))
}

pub(crate) fn folder(pack: &str) -> PathBuf {
    cargo::root().join("models/packs").join(pack)
}

/// The gallery's matcher beside faiss.
pub(crate) fn match_(json: Option<PathBuf>) -> Result<()> {
    cargo::build_binaries()?;
    cargo::check(&mut lab(&peers::install()?, "match", json))
}

/// Everybody against everybody beside numpy and faiss.
pub(crate) fn verify(json: Option<PathBuf>) -> Result<()> {
    cargo::build_binaries()?;
    cargo::check(&mut lab(&peers::install()?, "verify", json))
}

/// Whole networks beside onnxruntime, ncnn and OpenCV: among them the embedders of our own packs, and of `more`.
pub(crate) fn nets(json: Option<PathBuf>, only: &str, more: &[PathBuf]) -> Result<()> {
    cargo::build_binaries()?;
    pack::build(PACK, None)?;
    let peers = peers::install()?;
    let mut bench = lab(&peers, "nets", json);
    bench.arg("--pack").arg(folder(PACK));
    bench.arg("--nets").arg(made_nets(&peers)?.join("nets"));
    for pack in OWN.map(folder).iter().chain(more) {
        bench.arg("--embedder-of").arg(pack);
    }
    cargo::check(bench.args(["--only", only]))
}

/// `arcdoor-lab bench profile` or `bench start` on those networks, which the plan alone runs.
pub(crate) fn ours(what: &str, only: &str) -> Result<()> {
    cargo::build_binaries()?;
    pack::build(PACK, None)?;
    let mut bench = Command::new(cargo::binary("arcdoor-lab"));
    bench.args(["bench", what, "--pack"]).arg(folder(PACK));
    bench.arg("--nets").arg(made_nets(&peers::install()?)?.join("nets"));
    cargo::check(bench.args(["--only", only]))
}

/// The machine's limits and single operators.
pub(crate) fn kernels(json: Option<PathBuf>) -> Result<()> {
    cargo::build_binaries()?;
    let peers = peers::install()?;
    let mut bench = lab(&peers, "kernels", json);
    cargo::check(bench.arg("--operators").arg(made_nets(&peers)?.join("operators")))
}

/// The folder of generated networks in the cache; made anew when the script that makes them has changed.
pub(crate) fn made_nets(peers: &Peers) -> Result<PathBuf> {
    let script = cargo::root().join("tools/lab/python/make_nets.py");
    let hash = fetch::sha256_of(&script)?;
    let dir = fetch::cache_dir()?.join("bench-nets").join(&hash[..16]);
    if !dir.join("operators/index.json").is_file() {
        eprintln!("making the benches' networks ...");
        let mut python = Command::new(&peers.python);
        cargo::check(python.arg(&script).arg(&dir).env("PYTHONPATH", &peers.packages))?;
    }
    Ok(dir)
}

/// `arcdoor-lab bench WHAT`, with the peers in reach.
fn lab(peers: &Peers, what: &str, json: Option<PathBuf>) -> Command {
    let mut bench = Command::new(cargo::binary("arcdoor-lab"));
    bench.args(["bench", what, "--python"]).arg(&peers.python).env("PYTHONPATH", &peers.packages);
    if let Some(json) = json {
        bench.arg("--json").arg(json);
    }
    bench
}
