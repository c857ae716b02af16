//! The import rules inside a crate: arrows between its folders, circles of its files, unsafe code, and crates that
//! one folder alone may name.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::sources::{self, File, Sources};

/// One crate whose folders have arrows.
struct Folders {
    package: &'static str,
    /// A folder and the folders that it may use; `shared` says what of the crate's root every folder may use.
    arrows: &'static [(&'static str, &'static [&'static str])],
    /// Modules in the root that every folder may use.
    shared: &'static [&'static str],
    /// Crates of others that one folder alone may name.
    only: &'static [(&'static str, &'static str)],
}

const FOLDERS: [Folders; 2] = [
    Folders {
        package: "arcdoor",
        arrows: &[
            ("cli", &["daemon", "request", "device", "home"]),
            ("daemon", &["request", "device", "home"]),
            ("request", &["device", "home"]),
            ("device", &["home"]),
            ("home", &[]),
        ],
        shared: &["error"],
        only: &[("clap", "cli"), ("clap_complete", "cli")],
    },
    Folders {
        package: "arcdoor-infer",
        arrows: &[
            ("source", &["onnx", "graph"]),
            ("plan", &["graph"]),
            ("rewrite", &["onnx"]),
            ("onnx", &[]),
            ("graph", &[]),
        ],
        shared: &["error", "limits", "spec", "guard", "tuning", "team", "watcher", "codes"],
        only: &[],
    },
];

/// The crates in which unsafe code may stand.
const UNSAFE: [&str; 3] = ["arcdoor-kernels", "arcdoor-camera", "arcdoor-allocations"];

/// Circles that are left as they are: a type with its own helper in a file beside it. Named in CONTRIBUTING.md.
const HARMLESS: [(&str, &[&str]); 3] = [
    ("arcdoor-kernels", &["depthwise", "depthwise::rows"]),
    ("arcdoor-kernels", &["error", "map"]),
    ("arcdoor-kernels", &["winograd", "winograd::transform"]),
];

/// What is wrong inside one crate, whose root file is `root`.
///
/// # Errors
/// A source file that cannot be read.
pub(crate) fn violations(package: &str, root: &Path) -> Result<Vec<String>> {
    Ok(judge(package, &Sources::read(root)?))
}

fn judge(package: &str, sources: &Sources) -> Vec<String> {
    let arrows = sources.arrows();
    let mut found = Vec::new();
    if !sources.forbids_unsafe && !UNSAFE.contains(&package) {
        found.push(format!("{package}: its root file must say #![forbid(unsafe_code)]"));
    }
    if let Some(rules) = FOLDERS.iter().find(|rules| rules.package == package) {
        found.extend(arrows.iter().filter_map(|(from, to)| rules.refuse(from, to)));
        found.extend(sources.foreign().iter().filter_map(|(file, import)| rules.refuse_import(file, import)));
    }
    found.extend(circles(package, &arrows));
    found
}

/// A line for each circle that is not listed as harmless.
fn circles(package: &str, arrows: &BTreeSet<(File, File)>) -> Vec<String> {
    let lines = sources::circles(arrows)
        .into_iter()
        .map(|circle| circle.iter().map(|file| sources::name(file)).collect::<Vec<_>>());
    lines
        .filter(|circle| !HARMLESS.iter().any(|(owner, files)| *owner == package && circle == files))
        .map(|circle| format!("{package}: a circle of {} files: {}", circle.len(), circle.join(", ")))
        .collect()
}

impl Folders {
    /// Why the one file may not use the other; `None` where it may. The root's own files may use any folder, and a
    /// folder may use the root only in the modules that are shared.
    fn refuse(&self, from: &File, to: &File) -> Option<String> {
        let (from_folder, to_folder) = (self.folder(from)?, to.first().map_or("", String::as_str));
        let allowed = self.arrows.iter().find(|(folder, _)| *folder == from_folder)?.1;
        let fine =
            to_folder == from_folder || allowed.contains(&to_folder) || self.shared.contains(&to_folder);
        (!fine).then(|| {
            let (from, to) = (sources::name(from), sources::name(to));
            format!("{}: {from} must not use {to}: no arrow from {from_folder} leads there", self.package)
        })
    }

    fn refuse_import(&self, file: &File, import: &str) -> Option<String> {
        let (_, folder) = self.only.iter().find(|(name, _)| *name == import)?;
        let elsewhere = file.first().map(String::as_str) != Some(*folder);
        elsewhere.then(|| {
            format!("{}: {} names {import}, which only {folder} may", self.package, sources::name(file))
        })
    }

    fn folder<'f>(&self, file: &'f File) -> Option<&'f str> {
        file.first().map(String::as_str).filter(|first| self.arrows.iter().any(|(folder, _)| folder == first))
    }
}

/// Prints the arrows between folders.
pub(crate) fn print() {
    for rules in &FOLDERS {
        println!("inside {} (every folder: {})", rules.package, rules.shared.join(", "));
        for (folder, uses) in rules.arrows {
            let uses = if uses.is_empty() { "nothing else".to_owned() } else { uses.join(", ") };
            println!("  {folder:<20} {uses}");
        }
    }
}

/// Fails on README's length and on links in the documents that lead nowhere.
pub(crate) fn documents(root: &Path) -> Result<()> {
    const README_LINES: usize = 150;
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    for folder in ["", "docs", "changelog.d"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { continue };
        let paths = entries.flatten().map(|entry| entry.path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let lines = text.lines().count();
        if file == root.join("README.md") && lines > README_LINES {
            wrong.push(format!("README.md has {lines} lines, more than {README_LINES}; move some to docs/"));
        }
        for link in links(&text) {
            let target = file.parent().unwrap_or(root).join(link);
            if !target.exists() {
                wrong.push(format!("{}: the link {link} leads nowhere", file.display()));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The links of a document that lead to files here, without their anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|link| link.split('#').next().unwrap_or(link))
        .filter(|link| !link.is_empty() && !link.contains("://") && !link.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        path.split("::").map(str::to_owned).collect()
    }

    #[test]
    fn an_arrow_of_the_table_passes_and_one_against_it_is_named() {
        let rules = &FOLDERS[0];
        assert_eq!(rules.refuse(&file("request::enrol"), &file("device::journal")), None);
        assert_eq!(rules.refuse(&file("request::enrol"), &file("error")), None);
        let refused = rules.refuse(&file("home::log"), &file("device::journal")).unwrap();
        assert!(refused.contains("home::log must not use device::journal"), "{refused}");
    }

    #[test]
    fn clap_belongs_to_the_command_line() {
        assert_eq!(FOLDERS[0].refuse_import(&file("cli::args"), "clap"), None);
        assert!(FOLDERS[0].refuse_import(&file("request::enrol"), "clap").is_some());
    }

    #[test]
    fn a_circle_is_named() {
        let arrows = BTreeSet::from([(file("a"), file("b")), (file("b"), file("a")), (file("c"), file("a"))]);
        assert_eq!(circles("arcdoor-new", &arrows), ["arcdoor-new: a circle of 2 files: a, b"]);
    }

    #[test]
    fn a_long_readme_and_a_dead_link_are_named() {
        let folder = std::env::temp_dir().join(format!("arcdoor-documents-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("README.md"), format!("[x](gone.md)\n{}", "line\n".repeat(150))).unwrap();
        let refused = documents(&folder).unwrap_err().to_string();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(refused.contains("151 lines") && refused.contains("gone.md leads nowhere"), "{refused}");
    }

    #[test]
    fn links_to_files_are_found_without_anchors_and_addresses() {
        let text = "[a](docs/a.md#x) [b](https://example.org) ![c](docs/c.png) [d](#here)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["docs/a.md", "docs/c.png"]);
    }
}
