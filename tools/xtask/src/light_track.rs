//! `cargo xtask light-track`: the gate of every shipped pack, and the whole protocol of LFR2019 on generated features.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// Generated rows of a track: subjects, rows of each, distractors.
pub(crate) type Size = [u32; 3];
/// Photos make as many comparisons as a false accept rate of 1e-8 asks for; videos end above it.
const SMALL: [(&str, Size); 2] = [("lfr-image", [600, 20, 20_000]), ("lfr-video", [1_000, 8, 0])];
/// LFR2019's own: 274 K photos of 5.7 K people among 1.58 M; 200 K videos of 10 K people.
const LARGE: [(&str, Size); 2] = [("lfr-image", [5_700, 48, 1_580_000]), ("lfr-video", [10_000, 20, 0])];

/// Judges, generates, counts and reports; needs no data.
pub(crate) fn run(out: Option<PathBuf>, full: bool, threads: u16) -> Result<()> {
    cargo::build_lab()?;
    let out = out.unwrap_or_else(|| cargo::target_dir().join("light-track"));
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut lines = vec!["# Light track (LFR2019)".to_owned(), String::new()];
    lines.push("The gate of every pack in models/packs. A pack that breaks a limit is no entry of the track; it may serve a door.".to_owned());
    for pack in packs()? {
        let judged = Command::new(cargo::binary("arcdoor-lab"))
            .arg("gate")
            .arg(&pack)
            .output()
            .context("cannot start arcdoor-lab")?;
        let text = String::from_utf8_lossy(&judged.stdout).into_owned();
        print!("{text}");
        match judged.status.code() {
            Some(0 | 1) => {
                lines.extend(["\n```text".to_owned(), text.trim_end().to_owned(), "```".to_owned()])
            }
            _ => bail!(
                "{} cannot be judged: {}",
                pack.display(),
                String::from_utf8_lossy(&judged.stderr).trim()
            ),
        }
    }
    lines.push(
        "\nThe protocol, on features that were generated: they show that it runs, and no accuracy."
            .to_owned(),
    );
    for (track, size) in if full { LARGE } else { SMALL } {
        let text = protocol(track, size, threads, &out)?;
        print!("{text}");
        lines.extend(["\n```text".to_owned(), text.trim_end().to_owned(), "```".to_owned()]);
        lines.push(format!("\n[{track}]({track}/report.html)"));
    }
    let report = out.join("report.md");
    fs::write(&report, lines.join("\n") + "\n")
        .with_context(|| format!("cannot write {}", report.display()))?;
    println!("written: {}", report.display());
    Ok(())
}

/// The packs that ship.
pub(crate) fn packs() -> Result<Vec<PathBuf>> {
    let dir = cargo::root().join("models/packs");
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut packs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.join("pack.toml").is_file() {
            packs.push(path);
        }
    }
    packs.sort();
    Ok(packs)
}

/// A track from its features on; what is said of it.
fn protocol(track: &str, size: Size, threads: u16, out: &Path) -> Result<String> {
    let [generate, evaluate] = commands(track, size, threads, &out.display().to_string());
    cargo::check(Command::new(cargo::binary("arcdoor-lab")).args(generate))?;
    let mut lab = Command::new(cargo::binary("arcdoor-lab"));
    let done = lab.args(evaluate).stderr(std::process::Stdio::inherit()).output();
    let done = done.context("cannot start arcdoor-lab")?;
    if !done.status.success() {
        bail!("eval {track} ended with {}", done.status);
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// What the lab is told, one after the other, to generate a track's features and to evaluate them, below the folder `out`.
pub(crate) fn commands(
    track: &str,
    [subjects, rows, distractors]: Size,
    threads: u16,
    out: &str,
) -> [Vec<String>; 2] {
    let data = format!("{out}/{track}-generated");
    let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut generate = words(format!(
        "generate --subjects {subjects} --per-subject {rows} --distractors {distractors} --out"
    ));
    generate.push(data.clone());
    let mut evaluate = words(format!("eval {track} --generated --threads {threads}"));
    for (option, file) in
        [("--features", "features.bin"), ("--list", "filelist.txt"), ("--labels", "labels.txt")]
    {
        evaluate.extend([option.to_owned(), format!("{data}/{file}")]);
    }
    evaluate.extend(["--out".to_owned(), format!("{out}/{track}")]);
    [generate, evaluate]
}
