//! How layers are cut on this device: `tuning.toml` in the home folder, which `arcdoor tune` measures and writes.
//!
//! ```toml
//! version = 1
//! networks = ["c0ffee..."]      # sha256 of the pack's networks that it was measured for
//! cpu = "Cortex-A72"            # what measured it
//! isa = "neon"
//!
//! [[layer]]                     # only layers that gained
//! input = [64, 28, 28]          # channels, rows, columns
//! outputs = 64
//! kernel = [3, 3]
//! stride = 1
//! pads = [1, 1, 1, 1]           # above, left, below, right
//! form = "direct"               # or "winograd2", "winograd4"
//! pixels = 6                    # the tile: pixels and blocks in registers,
//! blocks = 1
//! planes = 4                    # input planes in a pass, pixels in a strip; without: all
//! ```
//! A file that does not fit (another pack, another CPU, broken) is left aside, and the doctor says so: the defaults
//! then hold, and nothing else changes.

use super::Home;
use super::file::{read_bytes, read_text, replace};
use crate::error::Error;
use arcdoor_models::AboutPack;
use arcdoor_vision::tuning::{Isa, Tuning};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Largest file, in bytes.
pub const MAX_BYTES: u64 = 256 << 10;
/// The file's version.
const VERSION: u32 = 1;
/// Most of /proc/cpuinfo that is read, and most characters of the CPU's name.
const MAX_CPUINFO: u64 = 256 << 10;
const MAX_CPU: usize = 200;

/// Why a file is left aside.
#[derive(Debug, thiserror::Error)]
pub enum TuningProblem {
    /// It cannot be read.
    #[error("{0}")]
    File(#[from] Box<Error>),
    /// Not as such a file is written, or with a layer or a tile that cannot be.
    #[error("{0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// Written by an arcdoor with another version of the file.
    #[error("is of version {0}, and this arcdoor writes version {VERSION}")]
    Version(u32),
    /// Measured for another pack.
    #[error("was measured for another pack")]
    Pack,
    /// Measured on another CPU, or for another instruction set.
    #[error("was measured on another CPU, {0}")]
    Cpu(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    networks: Vec<String>,
    cpu: String,
    isa: String,
    #[serde(default, rename = "layer")]
    layers: Tuning,
}

/// What was measured for this pack on this CPU; `None`: nothing was.
///
/// # Errors
/// When the file is broken, or was measured for something else.
pub fn read(home: &Home, pack: &AboutPack) -> Result<Option<Tuning>, TuningProblem> {
    let Some(text) = read_text(&home.tuning(), MAX_BYTES).map_err(Box::new)? else { return Ok(None) };
    parse(&text, &networks(pack), &cpu(), Isa::detect().name()).map(Some)
}

/// The defaults where the file does not fit.
pub(crate) fn of(home: &Home, pack: &AboutPack) -> Tuning {
    read(home, pack).ok().flatten().unwrap_or_default()
}

fn parse(text: &str, networks: &[String], cpu: &str, isa: &str) -> Result<Tuning, TuningProblem> {
    let file: File = toml::from_str(text).map_err(Box::new)?;
    if file.version != VERSION {
        return Err(TuningProblem::Version(file.version));
    }
    if file.networks != networks {
        return Err(TuningProblem::Pack);
    }
    if file.cpu != cpu || file.isa != isa {
        let other = format!("{} with {}", file.cpu, file.isa);
        return Err(TuningProblem::Cpu(other.chars().filter(|c| !c.is_control()).take(MAX_CPU).collect()));
    }
    Ok(file.layers)
}

/// Writes the file in one step: whoever reads it meanwhile sees the old one or the new one.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(home: &Home, pack: &AboutPack, tuning: &Tuning) -> Result<(), Error> {
    let file = File {
        version: VERSION,
        networks: networks(pack),
        cpu: cpu(),
        isa: Isa::detect().name().to_owned(),
        layers: tuning.clone(),
    };
    let path = home.tuning();
    let failed = |error| Error::File { path: path.clone(), source: io::Error::other(error) };
    let text = toml::to_string(&file).map_err(failed)?;
    let head = "# Written by `arcdoor tune`; without this file the defaults hold.\n";
    home.create()?;
    replace(&path, [head, &text].concat().as_bytes())
}

/// What the layers come from: a pack with the same networks has the same.
fn networks(pack: &AboutPack) -> Vec<String> {
    pack.manifest().nets().map(|(_, net)| net.sha256.clone()).collect()
}

/// The CPU as the kernel names it; cores of several kinds are all named.
fn cpu() -> String {
    match read_bytes(Path::new("/proc/cpuinfo"), MAX_CPUINFO) {
        Ok(Some(info)) => cpu_of(&String::from_utf8_lossy(&info)),
        Ok(None) | Err(_) => "unknown".to_owned(),
    }
}

fn cpu_of(info: &str) -> String {
    let fields = ["model name", "CPU implementer", "CPU part", "CPU variant", "CPU revision"];
    let mut names: Vec<&str> = Vec::new();
    for (key, value) in info.lines().filter_map(|line| line.split_once(':')) {
        if fields.contains(&key.trim()) && !names.contains(&value.trim()) {
            names.push(value.trim());
        }
    }
    if names.is_empty() { "unknown".to_owned() } else { names.join(" ").chars().take(MAX_CPU).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_vision::tuning::{Choice, Form, Layer, Tile};

    const LAYER: Layer = Layer {
        planar: false,
        input: [64, 28, 28],
        outputs: 48,
        kernel: [3, 3],
        stride: 1,
        pads: [1, 1, 1, 1],
    };

    fn written() -> (String, Tuning) {
        let tile = Tile { pixels: 6, blocks: 1, planes: 4, strip: usize::MAX };
        let layers = [
            (LAYER, Choice { form: Form::Direct, tile }),
            (
                Layer { outputs: 64, ..LAYER },
                Choice { form: Form::Winograd4, tile: Tile { blocks: 2, ..tile } },
            ),
            (
                Layer { planar: true, input: [3, 112, 112], stride: 2, ..LAYER },
                Choice { form: Form::Direct, tile },
            ),
        ];
        let file = File {
            version: VERSION,
            networks: vec!["a".into(), "b".into()],
            cpu: "cpu".into(),
            isa: "neon".into(),
            layers: Tuning::new(&layers).unwrap(),
        };
        (toml::to_string(&file).unwrap(), file.layers)
    }

    fn parsed(text: &str) -> Result<Tuning, TuningProblem> {
        parse(text, &["a".to_owned(), "b".to_owned()], "cpu", "neon")
    }

    #[test]
    fn what_was_written_is_read() {
        let (text, tuning) = written();
        assert_eq!(parsed(&text).unwrap(), tuning, "{text}");
    }

    /// Word for word what was written before the layers' types did it themselves.
    #[test]
    fn a_file_of_an_older_arcdoor_is_read() {
        let older = r#"version = 1
networks = ["a", "b"]
cpu = "cpu"
isa = "neon"

[[layer]]
input = [64, 28, 28]
outputs = 48
kernel = [3, 3]
stride = 1
pads = [1, 1, 1, 1]
form = "direct"
pixels = 6
blocks = 1
planes = 4

[[layer]]
input = [64, 28, 28]
outputs = 64
kernel = [3, 3]
stride = 1
pads = [1, 1, 1, 1]
form = "winograd4"
pixels = 6
blocks = 2
planes = 4

[[layer]]
planar = true
input = [3, 112, 112]
outputs = 48
kernel = [3, 3]
stride = 2
pads = [1, 1, 1, 1]
form = "direct"
pixels = 6
blocks = 1
planes = 4
"#;
        let (text, tuning) = written();
        assert_eq!(parsed(older).unwrap(), tuning);
        assert_eq!(text, older);
    }

    #[test]
    fn what_does_not_fit_is_left_aside_and_named() {
        let (text, _) = written();
        let with = |from: &str, to: &str| {
            assert!(text.contains(from), "{from:?} is not in {text}");
            parsed(&text.replace(from, to))
        };
        assert!(matches!(with("version = 1", "version = 2"), Err(TuningProblem::Version(2))));
        assert!(matches!(with("\"b\"", "\"c\""), Err(TuningProblem::Pack)));
        assert!(
            matches!(with("\"neon\"", "\"avx2\""), Err(TuningProblem::Cpu(cpu)) if cpu == "cpu with avx2")
        );
        assert!(
            matches!(with("cpu = \"cpu\"", "cpu = \"\\u001bother\""), Err(TuningProblem::Cpu(cpu)) if cpu == "other with neon")
        );
        let refused = |from, to| match with(from, to) {
            Err(TuningProblem::Toml(error)) => error.to_string(),
            other => panic!("{from} {to}: {other:?}"),
        };
        for (from, to, why) in [
            ("blocks = 1", "blocks = 3", "a tile has 1 to 14 pixels"),
            ("outputs = 64", "outputs = 48", "is named twice"),
            ("stride = 1", "stride = -1", "integer `-1`"),
            ("\"direct\"", "\"other\"", "winograd2"),
            ("pixels", "colour", "pixels"),
            ("form =", "colour = 1\nform =", "unknown field `colour`"),
        ] {
            let error = refused(from, to);
            assert!(error.contains(why), "{from} {to}: {error}");
        }
    }

    #[test]
    fn a_cpu_is_named_once_and_cores_of_every_kind() {
        assert_eq!(
            cpu_of("processor: 0\nmodel name\t: Fast 1\nprocessor: 1\nmodel name\t: Fast 1\n"),
            "Fast 1"
        );
        let big = "CPU implementer : 0x41\nCPU part : 0xd03\n\nCPU implementer : 0x41\nCPU part : 0xd09\n";
        assert_eq!(cpu_of(big), "0x41 0xd03 0xd09");
        assert_eq!(cpu_of(""), "unknown");
        assert_eq!(cpu_of(&format!("model name: {}", "x".repeat(999))).len(), MAX_CPU);
    }
}
