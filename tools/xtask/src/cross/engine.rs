//! tract as a program for a board holds it: without what no accepted network and no call of ours can reach.
//!
//! tract enters the builders of all operators, and transforms of graphs that are asked for by name, into tables, and what a table names
//! is linked. So cargo is given a compiler (`rustc.sh`) that takes three of tract's packages from copies of their sources, from which
//! entries have gone: those of operators that are refused before tract sees a file, and all transforms, of which we ask for none.
//! The copies lie in a folder named after their digest, which the compiler adds to its version: by that, cargo knows what was built
//! of which copies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::register::{self, Trimmed};
use crate::cargo;
use crate::image::hex_of;
use crate::qemu::output;

/// Holds the builders of operators.
const READER: &str = "tract-onnx";
/// Hold transforms; of the second, one brings the reader of another format and all operators of that.
const TRANSFORMERS: [&str; 2] = ["tract-core", "tract-nnef"];
/// The accepted operators, one a line.
const OPERATORS: &str = "runtime/infer/src/onnx/operators.txt";
/// The compiler that takes the copies, and its name beside them.
const COMPILER: (&str, &str) = (include_str!("rustc.sh"), "rustc");
/// Digits of the digest in the folder's name.
const DIGITS: usize = 16;

/// Texts by their paths: `PACKAGE/src/lib.rs`.
type Files = BTreeMap<String, String>;

/// Writes the copies, and says which compiler takes them for programs of `target`.
pub(super) fn compiler(target: &str) -> Result<PathBuf> {
    let files = trimmed(&sources(target)?, &accepted()?).with_context(|| {
        format!(
            "tract's source is not written as it was: see whether tools/xtask/src/cross/register.rs still reads how tract enters \
             operators and transforms, and whether {OPERATORS} calls them as tract does"
        )
    })?;
    let folder = cargo::target_dir().join("cross").join(format!("tract-{}", digest(&files)));
    for (path, text) in &files {
        write(&folder.join(path), text)?;
    }
    let compiler = folder.join(COMPILER.1);
    write(&compiler, COMPILER.0)?;
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755))?;
    Ok(compiler)
}

/// The operators that are not refused.
fn accepted() -> Result<BTreeSet<String>> {
    let names = fs::read_to_string(cargo::root().join(OPERATORS)).context(OPERATORS)?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// The files without these entries. All that is accepted must be entered, and each package must have had something to take out.
fn trimmed(files: &Files, accepted: &BTreeSet<String>) -> Result<Files> {
    let (mut all, mut operators, mut changed) = (Files::new(), BTreeSet::new(), BTreeSet::new());
    for (path, text) in files {
        let package = path.split('/').next().unwrap_or_default();
        let mut file = match path.ends_with(".rs") {
            true if package == READER => register::without_operators(text, accepted),
            true => register::without_transforms(text),
            false => Ok(Trimmed { text: text.clone(), operators: BTreeSet::new() }),
        }
        .with_context(|| path.clone())?;
        operators.append(&mut file.operators);
        if file.text != *text {
            changed.insert(package);
        }
        all.insert(path.clone(), file.text);
    }
    let missing: Vec<&str> = accepted.difference(&operators).map(String::as_str).collect();
    ensure!(missing.is_empty(), "tract enters no operator called {}", missing.join(", "));
    ensure!(changed.len() == 1 + TRANSFORMERS.len(), "only {changed:?} enter anything that is not wanted");
    Ok(all)
}

fn digest(files: &Files) -> String {
    let mut all = COMPILER.0.to_owned();
    for (path, text) in files {
        all.extend([path, "\0", text, "\0"]);
    }
    let mut digest = hex_of(all.as_bytes());
    digest.truncate(DIGITS);
    digest
}

/// The packages' files, of the versions that Cargo.lock names.
fn sources(target: &str) -> Result<Files> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }
    let mut list = cargo::command();
    list.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target]);
    let metadata: Metadata = serde_json::from_str(&output(&mut list)?)?;
    let mut files = Files::new();
    for name in TRANSFORMERS.into_iter().chain([READER]) {
        let mut found = metadata.packages.iter().filter(|package| package.name == name);
        let package = found.next().with_context(|| format!("{name} is no dependency any more"))?;
        ensure!(found.next().is_none(), "there are two versions of {name}");
        read(package.manifest_path.parent().context("a manifest without a folder")?, name, &mut files)?;
    }
    Ok(files)
}

/// Reads the texts that a package is compiled from: what lies in its folder, and all below `src`.
fn read(package: &Path, name: &str, files: &mut Files) -> Result<()> {
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(package.join(&folder)).with_context(|| package.display().to_string())? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let is_folder = entry.file_type()?.is_dir();
            if is_folder && path.starts_with("src") {
                waiting.push(path);
            } else if !is_folder && !entry.file_name().to_string_lossy().starts_with('.') {
                let text =
                    fs::read_to_string(entry.path()).with_context(|| entry.path().display().to_string())?;
                files.insert(format!("{name}/{}", path.display()), text);
            }
        }
    }
    Ok(())
}

/// Writes a file, where it does not say that already: another build may be reading it.
fn write(file: &Path, text: &str) -> Result<()> {
    if fs::read(file).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cross::TARGET;

    /// The operators that files enter, and how many transforms.
    fn entered(files: &Files) -> (Vec<String>, usize) {
        let (mut operators, mut transforms) = (Vec::new(), 0);
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
            if path.starts_with(READER) {
                operators.append(&mut register::operators(text).unwrap());
            }
            transforms += register::transforms(text).unwrap();
        }
        operators.sort();
        (operators, transforms)
    }

    #[test]
    fn the_pinned_source_enters_what_is_accepted_and_nothing_else() {
        let (source, accepted) = (sources(TARGET).unwrap(), accepted().unwrap());
        let copy = trimmed(&source, &accepted).unwrap();
        assert_eq!(entered(&copy), (accepted.iter().cloned().collect(), 0));
        let (operators, transforms) = entered(&source);
        assert_eq!((operators.len(), transforms), (183, 13));
        // What stays keeps its line, as a crash report names it.
        for (path, text) in &source {
            assert_eq!(text.lines().count(), copy[path].lines().count(), "{path}");
        }
    }

    #[test]
    fn an_operator_that_tract_does_not_know_is_an_error() {
        let mut accepted = accepted().unwrap();
        accepted.insert("Teleport".to_owned());
        let error = trimmed(&sources(TARGET).unwrap(), &accepted).unwrap_err();
        assert!(error.to_string().contains("Teleport"), "{error}");
    }

    #[test]
    fn a_package_that_enters_nothing_is_an_error() {
        let mut source = sources(TARGET).unwrap();
        source.insert("tract-nnef/src/transform.rs".to_owned(), String::new());
        let error = trimmed(&source, &accepted().unwrap()).unwrap_err();
        assert!(error.to_string().contains("tract-core"), "{error}");
    }

    /// Builds a crate by the compiler in `folder`; whether cargo took what it had.
    fn is_fresh(root: &Path, folder: &str) -> bool {
        let compiler = root.join(folder).join(COMPILER.1);
        write(&compiler, COMPILER.0).unwrap();
        fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).unwrap();
        let mut build = cargo::command();
        build.current_dir(root).env("CARGO_TARGET_DIR", root.join("target")).env("RUSTC_WRAPPER", compiler);
        let done = build.args(["build", "--verbose", "--offline"]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
        said.contains("Fresh small")
    }

    #[test]
    fn cargo_builds_anew_of_other_copies_and_from_the_copy() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
        write(&dir.path().join("Cargo.toml"), manifest).unwrap();
        write(&dir.path().join("src/lib.rs"), "compile_error!(\"the copy is taken\");\n").unwrap();
        for folder in ["one", "two"] {
            write(&dir.path().join(folder).join("small/src/lib.rs"), "pub fn copy() {}\n").unwrap();
        }
        let builds = ["one", "one", "two", "two", "one"].map(|folder| is_fresh(dir.path(), folder));
        assert_eq!(builds, [false, true, false, true, true]);
    }

    #[test]
    fn another_path_is_another_digest() {
        let files = Files::from([("lib.rs".to_owned(), "fn a() {}".to_owned())]);
        let moved = Files::from([("ops.rs".to_owned(), "fn a() {}".to_owned())]);
        assert_ne!(digest(&files), digest(&moved));
    }
}
