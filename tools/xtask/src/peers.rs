//! The benches' peers from the package index: hash-locked, in a folder of their own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{cargo, fetch};

/// What the locked wheels are for.
const PYTHON: &str = "CPython 3.11 on Linux (x86_64 or aarch64, glibc 2.28 or later)";

/// A Python and the folder with the peers' packages.
pub(crate) struct Peers {
    /// The interpreter.
    pub(crate) python: PathBuf,
    /// Goes into `PYTHONPATH`.
    pub(crate) packages: PathBuf,
}

/// Installs the peers where they are not installed yet; nothing goes into the user's Python. A Python that
/// has them already is named by `ARCDOOR_PEER_PYTHON`.
pub(crate) fn install() -> Result<Peers> {
    let named = std::env::var_os("ARCDOOR_PEER_PYTHON").filter(|value| !value.is_empty()).map(PathBuf::from);
    let packages = fetch::cache_dir()?.join("peers");
    if let Some(python) = named {
        return Ok(Peers { python, packages });
    }
    let python = PathBuf::from("python3");
    let locked = cargo::root().join("tools/lab/python/requirements.txt");
    let wanted = fs::read_to_string(&locked).with_context(|| format!("cannot read {}", locked.display()))?;
    let stamp = packages.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
        return Ok(Peers { python, packages });
    }
    eprintln!("fetching OpenCV, onnxruntime and faiss, the benches' peers ...");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--upgrade"]);
    pip.args(["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target"]).arg(&packages);
    cargo::check(pip.arg("--requirement").arg(&locked)).with_context(|| {
        format!(
            "cannot install the peers; their wheels are for {PYTHON}. ARCDOOR_PEER_PYTHON may name a Python that has \
             them; `arcdoor-lab bench` runs without any"
        )
    })?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(Peers { python, packages })
}
