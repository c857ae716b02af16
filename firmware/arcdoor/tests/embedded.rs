//! The pack that is compiled in, as the users of the built binary meet it.
#![cfg(feature = "embedded-pack")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use arcdoor::home::embedded::Embedded;
use arcdoor_models::{MANIFEST_FILE, Manifest, Pack, sha256_hex};
use common::{Device, real};
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/packs/doornet")
}

/// A device as it is shipped: no pack is named, and none is taken without a signature.
fn strict(device: &Device, arguments: &[&str]) -> (i32, String, String) {
    let output = device.command(arguments).env_remove("ARCDOOR_ALLOW_UNSIGNED_PACK").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The pack of the repository as `version`, in the device's home.
fn install(device: &Device, version: u64) -> PathBuf {
    let into = device.home.path().join("state/packs/doornet");
    fs::create_dir_all(&into).unwrap();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, into.join(path.file_name().unwrap())).unwrap();
    }
    let manifest = fs::read_to_string(into.join(MANIFEST_FILE)).unwrap();
    let mut manifest = Manifest::parse(&manifest).unwrap();
    manifest.version = version;
    fs::write(into.join(MANIFEST_FILE), manifest.to_toml().unwrap()).unwrap();
    into
}

fn version() -> u64 {
    Embedded::find().unwrap().unwrap().version()
}

#[test]
fn a_fresh_home_recognises_with_no_flag() {
    let Some((_, photos)) = real() else { return };
    let device = Device::new();
    let photo = |name: &str| photos.join(name).to_str().unwrap().to_owned();
    let (code, out, error) = strict(&device, &["identify", "--json", "--image", &photo("obama2.jpg")]);
    assert!(code == 1 && out.contains("nobody_enrolled"), "{out}{error}");
    let (code, _, error) = strict(&device, &["enrol", "Barack", "--image", &photo("obama.jpg")]);
    assert_eq!(code, 0, "{error}");
    let score = |name: &str| {
        let (code, out, error) = strict(&device, &["identify", "--json", "--image", &photo(name)]);
        assert!(code <= 1, "{error}");
        let line: serde_json::Value = serde_json::from_str(out.trim()).unwrap();
        line["score"].as_f64().unwrap()
    };
    // Whether that is enough is its calibration's to say.
    let (same, other) = (score("obama2.jpg"), score("biden.jpg"));
    assert!(same > other + 0.2, "{same}, {other}");
}

#[test]
fn doctor_and_pack_check_say_that_the_pack_is_compiled_in_on_a_home_that_is_not_there_yet() {
    let device = Device::new();
    for words in [&["pack", "check"][..], &["pack", "check", "doornet"]] {
        let (code, out, error) = strict(&device, words);
        assert!(code == 0 && out.contains("doornet") && out.contains("compiled in"), "{out}{error}");
    }
    let (code, out, error) = strict(&device, &["doctor"]);
    assert!(code == 0 && out.contains("doornet") && out.contains("compiled in"), "{out}{error}");
    let said = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("research only") && said.contains("yours to judge"), "{out}");
    assert!(!device.home.path().join("state").exists());
}

#[test]
fn it_is_chosen_by_its_name_whether_one_of_its_name_is_installed_or_not() {
    let device = Device::new();
    let settings = || fs::read_to_string(device.home.path().join("state/settings.toml")).unwrap();
    let (code, lines) = device.lines(&["pack", "use", "doornet"]);
    assert_eq!((code, lines.len(), lines[0]["dir"].is_null()), (0, 1, true), "{lines:?}");
    assert_eq!(settings(), "pack = \"doornet\"\n");
    install(&device, version() + 1);
    let (code, lines) = device.lines(&["pack", "use", "doornet"]);
    assert_eq!((code, lines.len(), lines[0]["dir"].is_string()), (0, 1, true), "{lines:?}");
    let (code, _, error) = device.run(&["pack", "use", folder().to_str().unwrap()]);
    let said = error.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 4 && said.contains("takes a name") && said.contains("pack install"), "{said}");
    assert_eq!(settings(), "pack = \"doornet\"\n");
}

#[test]
fn whoever_was_enrolled_with_it_is_one_command_away_from_it() {
    let Some((pack, photos)) = real() else { return };
    let device = Device::new();
    let photo = photos.join("obama.jpg").to_str().unwrap().to_owned();
    assert_eq!(device.run(&["enrol", "Barack", "--image", &photo]).0, 0);
    let (code, lines) = device.lines(&["pack", "install", pack.to_str().unwrap()]);
    assert_eq!((code, &lines[0]["back"]), (2, &"doornet".into()));
    assert_eq!(device.run(&["pack", "install", pack.to_str().unwrap(), "--yes"]).0, 0);
    let (code, _, error) = device.run(&["identify", "--image", &photo]);
    let said = error.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 4 && said.contains("`arcdoor pack use doornet` goes back"), "{said}");
    let (code, lines) = device.lines(&["pack", "use", "doornet"]);
    assert_eq!((code, &lines[1]["name"]), (0, &"yunet-sface".into()), "nobody is asked on the way back");
    assert_eq!(device.run(&["identify", "--image", &photo]).0, 0);
}

#[test]
fn the_pack_that_is_compiled_in_is_refused_nothing_and_equals_the_repositorys() {
    let embedded = Embedded::find().unwrap().unwrap().open().unwrap();
    let pack = Pack::open(&folder()).unwrap();
    assert_eq!(embedded.manifest(), pack.manifest());
    assert_eq!((embedded.model_id(), embedded.calibration()), (pack.model_id(), pack.calibration()));
    assert_eq!(embedded.nets().count(), pack.nets().count());
    for (ours, theirs) in embedded.nets().zip(pack.nets()) {
        assert_eq!(sha256_hex(ours.onnx), sha256_hex(theirs.onnx), "{}", ours.file);
        assert_eq!(ours.graphs.map(sha256_hex), theirs.graphs.map(sha256_hex), "{}", ours.file);
    }
    let mut there: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut files = embedded.files();
    // For people alone.
    files.push("README.md".to_owned());
    there.sort();
    files.sort();
    assert_eq!(files, there, "the folder holds the pack's files, its card, and nothing else");
}

#[test]
fn an_unsigned_pack_from_outside_is_refused_though_the_same_bytes_are_compiled_in() {
    let device = Device::new();
    let outside = folder();
    let (code, _, error) =
        strict(&device, &["identify", "--pack", outside.to_str().unwrap(), "--image", "a"]);
    assert!(code == 4 && error.contains("pack.toml.minisig: missing"), "{error}");
    let (code, _, error) = strict(&device, &["pack", "install", outside.to_str().unwrap()]);
    assert!(code == 4 && error.contains("pack.toml.minisig: missing"), "{error}");
}

#[test]
fn an_installed_pack_of_its_name_that_is_not_trusted_is_refused_and_not_passed_over() {
    let device = Device::new();
    install(&device, version() + 1);
    let (code, out, _) = strict(&device, &["pack", "check"]);
    assert!(code == 4 && out.contains("pack.toml.minisig: missing"), "{out}");
    let (code, _, error) = strict(&device, &["identify", "--image", "a.jpg"]);
    assert!(code == 4 && error.contains("pack.toml.minisig: missing"), "{error}");
}

#[test]
fn an_older_pack_of_its_name_takes_no_place_before_it() {
    let device = Device::new();
    let used = || device.lines(&["pack", "check"]).1[0].clone();
    let installed = install(&device, version() + 1);
    assert_eq!(used()["version"], version() + 1, "a newer one goes before it");
    install(&device, version());
    assert!(used()["dir"].is_string(), "and so does another of its version, which somebody installed");
    install(&device, version() - 1);
    assert_eq!((used()["version"].as_u64(), used()["dir"].is_null()), (Some(version()), true));
    assert_eq!(device.run(&["pack", "check", installed.to_str().unwrap()]).0, 0, "its path is still its own");
    let aside = device.home.path().join("aside");
    fs::rename(&installed, &aside).unwrap();
    let (code, _, error) = device.run(&["pack", "install", aside.to_str().unwrap(), "--older"]);
    assert!(code == 4 && error.contains("compiled in"), "{error}");
}

#[test]
fn a_newer_pack_that_is_gone_does_not_bring_it_back_unseen() {
    let device = Device::new();
    let installed = install(&device, version() + 1);
    let aside = device.home.path().join("aside");
    fs::rename(&installed, &aside).unwrap();
    assert_eq!(device.run(&["pack", "install", aside.to_str().unwrap()]).0, 0);
    fs::remove_dir_all(&installed).unwrap();
    let (code, _, error) = device.run(&["pack", "check"]);
    assert!(code == 4 && error.contains("is gone") && error.contains("pack-versions.toml"), "{error}");
    fs::remove_file(device.home.path().join("state/pack-versions.toml")).unwrap();
    assert_eq!(device.run(&["pack", "check"]).0, 0);
}
