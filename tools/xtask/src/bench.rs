//! `cargo xtask bench`: our code beside its peers, in the same run.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::peers::{self, Peers};
use crate::{cargo, fetch, pack};

const PACK: &str = "yunet-sface";
/// The demo's photos that hold a whole face.
const PHOTOS: [&str; 5] = ["obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg", "astronaut.png"];

/// The way of a frame beside OpenCV and onnxruntime.
pub(crate) fn frame(json: Option<PathBuf>) -> Result<()> {
    cargo::build_binaries()?;
    pack::build(PACK, None)?;
    let photos = fetch::demo_photos()?;
    let mut bench = lab(&peers::install()?, "frame", json);
    bench.arg("--pack").arg(cargo::root().join("models/packs").join(PACK));
    cargo::check(bench.args(PHOTOS.iter().map(|name| photos.join(name))))
}

/// The gallery's matcher beside faiss.
pub(crate) fn match_(json: Option<PathBuf>) -> Result<()> {
    cargo::build_binaries()?;
    cargo::check(&mut lab(&peers::install()?, "match", json))
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
