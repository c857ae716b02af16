//! `cargo xtask board-test --lab`: LFR2019's light track on the emulated board, and the same here. Gates must say the same, and
//! reports have the same digest: the order of their sums is fixed, whatever the processor.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::machine::{Arch, ENDED, Machine};
use crate::light_track::{self, Size};
use crate::{cargo, cross};

/// Generated rows, which an emulated core compares in less than a minute.
const TRACKS: [(&str, Size); 2] = [("lfr-image", [100, 10, 500]), ("lfr-video", [100, 8, 0])];
/// Before a report's digest.
const DIGEST: &str = "digest ";
/// What the board does before the lab's commands, whose bars of progress the console would draw into their lines. A gate ends
/// with 1 where a limit is broken, which is an answer.
const BEGIN: &str = "sleep 1\nuname -srm\ncat /proc/device-tree/compatible | tr '\\0' ' '; echo\n\
     lab() { arcdoor-lab \"$@\" 2> /tmp/said; code=$?; cat /tmp/said; [ $code -le $most ] || { echo END $code; poweroff -f; }; }\n";

/// Runs `program`, or one that is built for it, on the board, and the lab of this machine here.
pub(crate) fn lab(program: Option<PathBuf>) -> Result<()> {
    let mut machine = Machine::new(Arch::Arm64, &[])?;
    let program = match program {
        Some(program) => program,
        None => cross::build_lab()?.program,
    };
    cargo::build_lab()?;
    machine.put(&program, "arcdoor-lab")?;
    let packs = light_track::packs()?;
    let out = cargo::target_dir().join("board-test/light-track");
    let (mut here, mut script) = (String::new(), BEGIN.replace("END", ENDED) + "most=1\n");
    for pack in &packs {
        let name = pack.file_name().unwrap_or_default().to_string_lossy();
        machine.put_pack(pack)?;
        let judged = Command::new(cargo::binary("arcdoor-lab")).arg("gate").arg(pack).output()?;
        ensure!(matches!(judged.status.code(), Some(0 | 1)), "gate {name} ended with {}", judged.status);
        here += &String::from_utf8_lossy(&judged.stdout);
        script += &format!("lab gate /packs/{name}\n");
    }
    script += "most=0\n";
    for (track, size) in TRACKS {
        for words in light_track::commands(track, size, 1, &out.display().to_string()) {
            let done = Command::new(cargo::binary("arcdoor-lab")).args(&words).output()?;
            ensure!(done.status.success(), "{} ended with {}", words.join(" "), done.status);
            // Where a report lies, and its digest, is said beside the figures.
            here += &String::from_utf8_lossy(&[done.stdout, done.stderr].concat());
        }
        for words in light_track::commands(track, size, 1, "/tmp") {
            script += &format!("lab {}\n", words.join(" "));
        }
    }
    script += &format!("echo {ENDED} 0\npoweroff -f\n");
    let began = Instant::now();
    let there = machine.play(&script, &[])?;
    let same = same(&here, &there)?;
    println!(
        "{} packs and {} tracks, {same} lines, say the same on the emulated board and here; played in {} s",
        packs.len(),
        TRACKS.len(),
        began.elapsed().as_secs()
    );
    digests(&here).for_each(|digest| println!("  {DIGEST}{digest}"));
    Ok(())
}

/// That the board's console says all that was said here, in the same order: each line as a whole, of those that name folders
/// the digest alone. How many lines.
fn same(here: &str, there: &str) -> Result<usize> {
    let names_folder = |line: &str| line.contains('/') && !line.starts_with(' ');
    ensure!(digests(here).count() == TRACKS.len(), "the lab here gave no digest of its reports");
    let (mut said, mut lines) = (there.lines().map(str::trim), 0);
    for line in here.lines() {
        let digest = line.split_once(DIGEST).map(|(_, digest)| digest.trim());
        let is_same = match digest {
            Some(digest) => said.any(|said| said.ends_with(&format!("{DIGEST}{digest}"))),
            None if names_folder(line) => continue,
            None => {
                lines += 1;
                said.any(|said| said == line.trim())
            }
        };
        ensure!(is_same, "the board did not say what is said here: {}", digest.unwrap_or(line));
    }
    Ok(lines)
}

fn digests(said: &str) -> impl Iterator<Item = &str> {
    said.lines().filter_map(|line| line.split_once(DIGEST)).map(|(_, digest)| digest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_digest_and_another_figure_are_found_out() {
        let here = "written: /here/a; digest 12\n  TAR at FAR 1e-1  99.9 %\nwritten: /here/b; digest 34\n";
        let there =
            "written: /tmp/a; digest 12\r\n  TAR at FAR 1e-1  99.9 %\r\nwritten: /tmp/b; digest 34\r\n";
        assert_eq!(same(here, there).unwrap(), 1);
        assert!(same(here, &there.replace("34", "35")).unwrap_err().to_string().contains("34"));
        assert!(same(here, &there.replace("99.9", "99.8")).is_err());
        let exchanged = there.replace("12", "xx").replace("34", "12").replace("xx", "34");
        assert!(same(here, &exchanged).is_err(), "each report has its own digest");
        assert!(same("", there).is_err(), "nothing said is no agreement");
    }
}
