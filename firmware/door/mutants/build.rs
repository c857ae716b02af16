//! Writes one copy of the machine's sources for each mutant, with one place changed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

#[path = "src/list.rs"]
#[allow(dead_code, reason = "what a mutant does wrong is for whoever reads the verdicts")]
mod list;

const MACHINE: &str = "../src/machine";

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed={MACHINE}");
    println!("cargo::rerun-if-changed=src/list.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let mut files = Vec::new();
    for entry in fs::read_dir(MACHINE).with_context(|| format!("cannot read {MACHINE}"))? {
        let path = entry?.path();
        let name = path.file_stem().context("a source has a name")?.to_string_lossy().into_owned();
        files.push((name, fs::read_to_string(&path)?));
    }
    let mut root = String::new();
    for (index, mutant) in list::MUTANTS.iter().enumerate() {
        let folder = out.join(format!("m{index}"));
        fs::create_dir_all(&folder)?;
        writeln!(root, "pub mod m{index} {{")?;
        for (name, text) in files.iter().filter(|(name, _)| name != "mod") {
            let path = write(&folder, name, text, mutant)?;
            writeln!(root, "#[path = {path:?}] mod {name};")?;
        }
        writeln!(root, "pub use state::State;\n}}\nplayed!(m{index});")?;
    }
    let each = (0..list::MUTANTS.len()).map(|index| format!("$function::<$crate::copies::m{index}::State>,"));
    let each = each.collect::<String>();
    writeln!(root, "#[macro_export] macro_rules! each_mutant {{ ($function:ident) => {{ [{each}] }} }}")?;
    fs::write(out.join("mutants.rs"), root)?;
    Ok(())
}

/// Writes one file of one mutant. What is to be changed must stand in it exactly once, so that no mutant goes stale.
fn write(folder: &Path, name: &str, text: &str, mutant: &list::Mutant) -> Result<PathBuf> {
    let mut text = text.to_owned();
    if mutant.file == name {
        let count = text.matches(mutant.from).count();
        ensure!(count == 1, "src/list.rs: {:?} stands {count} times in {name}.rs, not once", mutant.from);
        text = text.replace(mutant.from, mutant.to);
    }
    let path = folder.join(format!("{name}.rs"));
    fs::write(&path, text.replace("crate::", "arcdoor_door::"))?;
    Ok(path)
}
