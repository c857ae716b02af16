//! `arcdoor-lab gate` as people run it, on the pack that is built here: `models/packs/yunet-sface`, or that of
//! `ARCDOOR_PACK`. Where it is missing, `ARCDOOR_SKIP_PHOTOS=1` skips, which is printed.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn lab(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arcdoor-lab")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn pack() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/packs/yunet-sface");
    let pack = env::var_os("ARCDOOR_PACK").map_or_else(default, PathBuf::from);
    if pack.join("pack.toml").is_file() {
        return Some(pack);
    }
    let skips = env::var_os("ARCDOOR_SKIP_PHOTOS").is_some_and(|skip| skip == "1");
    assert!(skips, "no pack in {}: run `cargo xtask pack yunet-sface`", pack.display());
    println!("skipped: no pack in {}", pack.display());
    None
}

/// The value of a line, and whether it passed.
fn line(report: &serde_json::Value, name: &str) -> (String, bool) {
    let lines = report["lines"].as_array().unwrap();
    let line = lines.iter().find(|line| line["name"] == name).unwrap();
    (line["value"].as_str().unwrap().to_owned(), line["passed"].as_bool().unwrap())
}

#[test]
fn a_manifest_that_understates_its_network_is_not_believed() {
    let Some(pack) = pack() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut manifest: toml::Table = fs::read_to_string(pack.join("pack.toml")).unwrap().parse().unwrap();
    let embedder = manifest["embedder"].as_table_mut().unwrap();
    let macs = embedder.insert("macs".to_owned(), 1.into()).unwrap().as_integer().unwrap();
    embedder.insert("parameters".to_owned(), 1.into()).unwrap();
    embedder.insert("training_data".to_owned(), "MS1MV3".into()).unwrap();
    for entry in fs::read_dir(&pack).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    fs::write(dir.path().join("pack.toml"), manifest.to_string()).unwrap();
    let (code, out, error) = lab(&["gate", dir.path().to_str().unwrap(), "--json"]);
    assert_eq!(code, 1, "{error}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["macs"], macs);
    assert_eq!(line(&report, "FLOPs").1, 2 * macs <= 1_000_000_000);
    assert!(report["parameters"].as_u64().unwrap() > 1);
    // That of the training data is all that there is.
    assert_eq!(line(&report, "training data"), ("MS1MV3, as its manifest says".to_owned(), true));
}

#[test]
fn a_pack_that_breaks_limits_ends_with_1_and_each_of_them_is_named() {
    let Some(pack) = pack() else { return };
    let (code, out, error) = lab(&["gate", pack.to_str().unwrap()]);
    assert_eq!(code, 1);
    let failed: Vec<&str> = out.lines().filter(|line| line.trim_start().starts_with("FAIL")).collect();
    assert!(!failed.is_empty(), "{out}");
    let said = error.rsplit_once(": ").unwrap().1.trim();
    for name in said.split(", ") {
        assert!(failed.iter().any(|line| line.contains(name)), "{name}: {out}");
    }
    assert_eq!(said.split(", ").count(), failed.len());
}

#[test]
fn a_pack_that_cannot_be_judged_is_neither_passed_nor_failed() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, error) = lab(&["gate", dir.path().to_str().unwrap()]);
    assert_eq!((code, &*out), (4, ""), "{error}");
    assert!(error.contains("pack.toml"), "{error}");
    assert_eq!(lab(&["gate"]).0, 2);
}
