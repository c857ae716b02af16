//! The import rules: between the rooms, checked against `cargo metadata`, and inside them, against their sources.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{cargo, inside};

const RUNTIME: [&str; 7] = [
    "arcdoor-core",
    "arcdoor-kernels",
    "arcdoor-frame",
    "arcdoor-infer",
    "arcdoor-vision",
    "arcdoor-gallery",
    "arcdoor-pipeline",
];
const FIRMWARE: [&str; 6] =
    ["arcdoor-panel", "arcdoor-camera", "arcdoor-door", "arcdoor-board", "arcdoor-api", "arcdoor-log"];
/// A global allocator that counts: whatever a device runs may have it in its tests alone.
const ALLOCATIONS: &str = "arcdoor-allocations";

/// Packages that exactly one room may import.
const SOLE_IMPORTERS: [(&str, &str); 8] = [
    ("tract-onnx", "arcdoor-infer"),
    ("rustface", "arcdoor-vision"),
    ("redb", "arcdoor-gallery"),
    ("nokhwa", "arcdoor-camera"),
    ("nokhwa-core", "arcdoor-camera"),
    ("embedded-graphics", "arcdoor-panel"),
    ("gpiocdev", "arcdoor-board"),
    ("evdev", "arcdoor-board"),
];

/// The rooms of ours that `package` may import, in its tests, too; `None` for a package that has no rule yet.
fn allowed(package: &str) -> Option<Vec<&'static str>> {
    let rooms: &[&[&'static str]] = match package {
        "arcdoor-core" | "arcdoor-kernels" | ALLOCATIONS => &[],
        "arcdoor-frame" | "arcdoor-models" | "arcdoor-calib" | "arcdoor-panel" | "arcdoor-door"
        | "arcdoor-board" => &[&["arcdoor-core"]],
        "xtask" => &[&["arcdoor-core", "arcdoor-board"]],
        "arcdoor-api" => &[&["arcdoor-core", "arcdoor-door"]],
        "arcdoor-door-mutants" => &[&["arcdoor-core", "arcdoor-door"]],
        "arcdoor-infer" | "arcdoor-gallery" => &[&["arcdoor-core", "arcdoor-kernels"]],
        "arcdoor-vision" => &[&["arcdoor-core", "arcdoor-frame", "arcdoor-infer", "arcdoor-models"]],
        "arcdoor-pipeline" => &[&["arcdoor-core", "arcdoor-frame", "arcdoor-vision", "arcdoor-gallery"]],
        "arcdoor-camera" => &[&["arcdoor-core", "arcdoor-frame"]],
        "arcdoor-log" => &[&["arcdoor-core", "arcdoor-api"]],
        "arcdoor" => &[&RUNTIME, &FIRMWARE, &["arcdoor-models", "arcdoor-calib"]],
        "arcdoor-lab" => &[&RUNTIME, &["arcdoor-models", "arcdoor-calib", ALLOCATIONS]],
        "arcdoor-tests" => &[
            &RUNTIME,
            &FIRMWARE,
            &["arcdoor", "arcdoor-lab", "arcdoor-models", "arcdoor-calib", ALLOCATIONS],
        ],
        _ => return None,
    };
    Some(rooms.concat())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or none for what the package itself is linked with.
    kind: Option<String>,
}

impl Dependency {
    /// Whether it counts allocations in tests, which every room may.
    fn counts_in_tests(&self) -> bool {
        self.name == ALLOCATIONS && self.kind.as_deref() == Some("dev")
    }
}

/// Every arrow that the map of rooms does not have. Dev-dependencies count like any other, but for the one.
fn violations(metadata: &Metadata) -> Vec<String> {
    let members: BTreeMap<&str, &Package> = metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id))
        .map(|package| (package.name.as_str(), package))
        .collect();
    let mut found = Vec::new();
    for (name, package) in &members {
        let Some(allowed) = allowed(name) else {
            found.push(format!("{name} has no import rule; add it to tools/xtask/src/deps.rs"));
            continue;
        };
        let imports = package.dependencies.iter().filter(|dependency| !dependency.counts_in_tests());
        for dependency in imports.map(|dependency| dependency.name.as_str()) {
            if members.contains_key(dependency) && !allowed.contains(&dependency) {
                found.push(format!("{name} must not import {dependency}"));
            }
            let sole = SOLE_IMPORTERS.iter().find(|(import, _)| *import == dependency);
            if let Some((_, importer)) = sole.filter(|(_, importer)| importer != name) {
                found.push(format!("{name} imports {dependency}, which only {importer} may"));
            }
        }
    }
    found
}

/// Prints which room may import which, and the arrows inside them.
fn print(metadata: &Metadata) {
    for package in &metadata.packages {
        let rooms = allowed(&package.name).unwrap_or_default();
        let short = |name: &str| name.trim_start_matches("arcdoor-").to_owned();
        let rooms = rooms.iter().map(|name| short(name)).collect::<Vec<_>>().join(", ");
        let rooms = if rooms.is_empty() { "nothing of ours".to_owned() } else { rooms };
        println!("{:<22} {rooms}", package.name);
    }
    inside::print();
}

/// Reads `cargo metadata` and the crates' sources, prints the table, and fails on every arrow that the map of rooms does not have.
pub(crate) fn run() -> Result<()> {
    let output = cargo::command()
        .args(["metadata", "--locked", "--no-deps", "--format-version", "1"])
        .output()
        .context("cannot start cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cannot read cargo metadata")?;
    let mut found = violations(&metadata);
    for package in metadata.packages.iter().filter(|package| metadata.workspace_members.contains(&package.id))
    {
        let roots = package
            .targets
            .iter()
            .filter(|target| target.kind.iter().any(|kind| kind == "lib" || kind == "bin"));
        for root in roots {
            found.extend(inside::violations(&package.name, &root.src_path)?);
        }
    }
    print(&metadata);
    if !found.is_empty() {
        bail!("{}", found.join("\n"));
    }
    println!("import rules: {} packages hold", metadata.workspace_members.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(arrows: &[(&str, &[&str])]) -> Metadata {
        let package = |(name, imports): &(&str, &[&str])| Package {
            id: name.to_string(),
            name: name.to_string(),
            dependencies: imports
                .iter()
                .map(|name| Dependency { name: name.to_string(), kind: None })
                .collect(),
            targets: Vec::new(),
        };
        Metadata {
            packages: arrows.iter().map(package).collect(),
            workspace_members: arrows.iter().map(|(name, _)| name.to_string()).collect(),
        }
    }

    #[test]
    fn allowed_arrows_pass() {
        let map =
            metadata(&[("arcdoor-core", &["serde"]), ("arcdoor-infer", &["arcdoor-core", "tract-onnx"])]);
        assert!(violations(&map).is_empty());
    }

    #[test]
    fn an_arrow_against_the_map_is_named() {
        let map = metadata(&[("arcdoor-core", &["arcdoor-frame"]), ("arcdoor-frame", &["arcdoor-core"])]);
        assert_eq!(violations(&map), ["arcdoor-core must not import arcdoor-frame"]);
    }

    #[test]
    fn a_second_importer_of_tract_is_named() {
        let map = metadata(&[("arcdoor-vision", &["tract-onnx"])]);
        assert_eq!(violations(&map), ["arcdoor-vision imports tract-onnx, which only arcdoor-infer may"]);
    }

    #[test]
    fn allocations_are_counted_in_tests_and_by_no_device() {
        let mut map = metadata(&[(ALLOCATIONS, &[]), ("arcdoor-infer", &[ALLOCATIONS])]);
        assert_eq!(violations(&map), ["arcdoor-infer must not import arcdoor-allocations"]);
        map.packages[1].dependencies[0].kind = Some("dev".to_owned());
        assert!(violations(&map).is_empty());
    }

    #[test]
    fn a_package_without_a_rule_is_named() {
        assert_eq!(violations(&metadata(&[("arcdoor-new", &[])])).len(), 1);
    }
}
