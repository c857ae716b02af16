//! `cargo xtask trainer test`: the Python trainer's own checks, on its locked packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{cargo, fetch};

/// uv, hash-locked: it installs what `tools/trainer/uv.lock` names.
const UV: &str = "uv==0.13.9 \
--hash=sha256:d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19 \
--hash=sha256:ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375 \
--hash=sha256:5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe
";

/// Lint, format, tests. A machine with a torch of its own names a Python that has the trainer's packages (pytest
/// and ruff among them) by `ARCDOOR_TRAIN_PYTHON`; then nothing is installed.
pub(crate) fn test() -> Result<()> {
    let dir = cargo::root().join("tools/trainer");
    // Exports are checked on the device's engine, which arcdoor-lab runs.
    cargo::build_binaries()?;
    let python = python(&dir)?;
    let module = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.arg("-m").args(arguments).current_dir(&dir).env("PYTHONPATH", dir.join("src"));
        command.env("MPLBACKEND", "Agg").env("ARCDOOR_LAB", cargo::binary("arcdoor-lab"));
        command
    };
    cargo::check(&mut module(&["ruff", "check", "."]))?;
    cargo::check(&mut module(&["ruff", "format", "--check", "."]))?;
    // One kernel thread a process: the tests' networks are too small to share, and others use the machine too.
    let mut tests = module(&["pytest", "-p", "no:cacheprovider"]);
    let output = tests.env("OMP_NUM_THREADS", "1").stderr(Stdio::inherit()).output();
    let output = output.context("cannot start pytest")?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    if !output.status.success() {
        bail!("pytest ended with {}", output.status);
    }
    let closing = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    println!("trainer: {}", closing.trim_matches(['=', ' ']));
    Ok(())
}

/// The Python that `ARCDOOR_TRAIN_PYTHON` names, or that of the locked environment, which is made where it is not.
fn python(dir: &Path) -> Result<PathBuf> {
    let named = std::env::var_os("ARCDOOR_TRAIN_PYTHON").filter(|value| !value.is_empty());
    if let Some(python) = named {
        return Ok(PathBuf::from(python));
    }
    let (uv, packages) = uv()?;
    let environment = dir.join(".venv");
    let mut sync = Command::new(&uv);
    sync.args(["sync", "--quiet", "--locked", "--no-progress"]).current_dir(dir);
    sync.env("UV_PROJECT_ENVIRONMENT", &environment).env("PYTHONPATH", packages).env_remove("VIRTUAL_ENV");
    cargo::check(&mut sync).context(
        "cannot install the trainer's packages (2.5 GB); a Python that has them may be named by ARCDOOR_TRAIN_PYTHON",
    )?;
    Ok(environment.join("bin/python"))
}

/// uv's executable and the folder of its package: installed in the cache, not into the user's Python.
fn uv() -> Result<(PathBuf, PathBuf)> {
    let packages = fetch::cache_dir()?.join("uv");
    let executable = packages.join("bin/uv");
    let stamp = packages.join("requirements.txt");
    if executable.is_file() && fs::read_to_string(&stamp).is_ok_and(|text| text == UV) {
        return Ok((executable, packages));
    }
    eprintln!("fetching uv, which installs the trainer's packages ...");
    fs::create_dir_all(&packages)?;
    let wanted = packages.join("wanted.txt");
    fs::write(&wanted, UV)?;
    let mut pip = fetch::pip("install");
    pip.args(["--no-deps", "--require-hashes", "--only-binary", ":all:", "--upgrade", "--target"])
        .arg(&packages);
    fetch::run_pip(pip.arg("--requirement").arg(&wanted)).context("cannot install uv")?;
    fs::rename(&wanted, &stamp).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok((executable, packages))
}
