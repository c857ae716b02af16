//! The built binary, as its users call it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use common::{Device, real};
use std::path::Path;

#[test]
fn every_command_has_help() {
    let device = Device::new();
    let commands: [&[&str]; 32] = [
        &[],
        &["setup"],
        &["pin", "set"],
        &["pin", "remove"],
        &["board", "check"],
        &["board", "list"],
        &["door", "state"],
        &["door", "lockdown"],
        &["door", "acknowledge"],
        &["door", "simulate"],
        &["log", "why"],
        &["log", "verify"],
        &["enrol"],
        &["identify"],
        &["verify"],
        &["list"],
        &["show"],
        &["revoke"],
        &["export"],
        &["import"],
        &["key", "change"],
        &["key", "renew"],
        &["log"],
        &["log", "wrong"],
        &["replay"],
        &["pack", "check"],
        &["pack", "install"],
        &["pack", "use"],
        &["run"],
        &["doctor"],
        &["completions"],
        &["tune"],
    ];
    for command in commands {
        let (code, out, _) = device.run(&[command, &["--help"]].concat());
        assert_eq!(code, 0, "{command:?}");
        assert!(out.contains("Usage: arcdoor") && out.contains("--json"), "{command:?}: {out}");
    }
}

#[test]
fn wrong_usage_is_code_2() {
    let device = Device::new();
    let wrong: [&[&str]; 15] = [
        &[],
        &["enroll", "Ada"],
        &["enrol", "Ada"],
        &["enrol", " ", "--image", "a.jpg"],
        &["enrol", "--image", "a.jpg"],
        &["enrol", "Ada", "--not", "Bob", "--image", "a.jpg"],
        &["enrol", "Ada", "--add", "--replace", "--image", "a.jpg"],
        &["enrol", "--not", "Ada", "--add", "--image", "a.jpg"],
        &["log", "wrong"],
        &["revoke", "Ada", "--not", "--erase"],
        &["enrol", "Ada", "--image", "a.jpg", "--camera"],
        &["identify"],
        &["run", "--frames", "0"],
        &["run", "--replay", "a", "--camera", "b"],
        &["list", "--detector", "dlib"],
    ];
    for arguments in wrong {
        let (code, _, error) = device.run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {error}");
    }
    let (code, _, error) = device.run(&["revoke", "Ada"]);
    assert!(code == 2 && error.contains("--yes"), "{error}");
}

#[test]
fn a_missing_pack_is_code_4_and_says_how_to_get_one() {
    let device = Device::new();
    for arguments in [
        &["identify", "--image", "a.jpg", "--pack", "other"][..],
        &["pack", "check", "--pack", "other"],
        &["pack", "check", "other"],
        &["run", "--replay", "x", "--pack", "other"],
    ] {
        let (code, out, error) = device.run(arguments);
        assert_eq!((code, out.as_str()), (4, ""), "{arguments:?}: {error}");
        assert!(error.contains("cargo xtask pack yunet-sface") && error.contains("pack install"), "{error}");
    }
    let (code, lines) = device.lines(&["pack", "check", "."]);
    assert_eq!(code, 4);
    assert!(lines.iter().all(|line| line["kind"] == "pack_problem") && !lines.is_empty());
}

#[test]
fn wrong_settings_are_code_3_and_named() {
    let device = Device::new();
    let state = device.home.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("settings.toml"), "min_face = 3").unwrap();
    let (code, _, error) = device.run(&["list"]);
    assert!(code == 3 && error.contains("min_face") && error.contains("settings.toml"), "{error}");
    let (code, lines) = device.lines(&["doctor"]);
    assert_eq!(code, 3);
    assert!(lines.iter().any(|line| line["check"] == "settings" && line["health"] == "fail"));
}

#[test]
fn an_empty_home_lists_nobody_and_is_not_made() {
    let device = Device::new();
    assert_eq!(device.run(&["list"]), (0, String::new(), String::new()));
    assert_eq!(device.run(&["show", "Ada"]).0, 3);
    assert_eq!(device.run(&["revoke", "Ada", "--yes"]).0, 3);
    assert!(!device.home.path().join("state").exists());
}

#[test]
fn the_doctor_names_what_is_missing_and_changes_nothing() {
    let device = Device::new();
    let (code, lines) = device.lines(&["doctor", "--pack", "other"]);
    assert_eq!(code, 4, "{lines:?}");
    let health = |check: &str| {
        let line = lines.iter().find(|line| line["check"] == check).unwrap();
        line["health"].as_str().unwrap().to_owned()
    };
    assert_eq!((health("home").as_str(), health("pack").as_str()), ("ok", "fail"));
    assert_eq!(health("gallery"), "warn");
    assert!(!device.home.path().join("state").exists());
}

#[test]
fn a_folder_of_the_working_directory_is_no_installed_pack() {
    let Some((pack, _)) = real() else { return };
    let device = Device::new();
    for here in ["models/packs/theirs", "theirs"] {
        let dir = device.home.path().join(here);
        std::fs::create_dir_all(dir.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&pack, dir).unwrap();
        let (code, _, error) = device.run(&["pack", "check", "theirs"]);
        assert!(code == 4 && error.contains("state/packs/theirs"), "{code}: {error}");
        let (code, _, error) = device.run(&["identify", "--image", "a.jpg", "--pack", "theirs"]);
        assert!(code == 4 && error.contains("state/packs/theirs"), "{code}: {error}");
    }
    assert_eq!(device.run(&["pack", "check", "./theirs"]).0, 0, "a path is a folder");
}

#[test]
fn completions_know_the_commands() {
    let device = Device::new();
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = device.run(&["completions", shell]);
        assert!(code == 0 && out.contains("identify") && out.contains("annotate"), "{shell}");
    }
}

#[test]
fn a_person_is_enrolled_recognised_and_forgotten() {
    let Some((pack, photos)) = real() else { return };
    let device = Device::new();
    let pack = pack.to_str().unwrap();
    let photo = |name: &str| photos.join(name).to_str().unwrap().to_owned();
    let (obama, other, biden) = (photo("obama.jpg"), photo("obama2.jpg"), photo("biden.jpg"));
    let cut = photo("obama_partial_face.jpg");
    let call = |arguments: &[&str]| device.lines(&[arguments, &["--pack", pack]].concat());

    let (code, lines) = call(&["identify", "--image", &other]);
    assert_eq!((code, lines[0]["reason"].as_str()), (1, Some("nobody_enrolled")));
    let (code, lines) = call(&["enrol", "Barack", "--image", &obama]);
    assert_eq!((code, lines[0]["templates"].as_u64()), (0, Some(1)), "{lines:?}");
    assert_eq!(call(&["enrol", "Barack", "--image", &obama]).0, 3, "a name is used once");
    let twice = device.run(&["enrol", "Somebody", "--image", &other, "--pack", pack]);
    assert!(twice.0 == 3 && twice.2.contains("already enrolled as Barack"), "{}", twice.2);
    assert_eq!(call(&["enrol", "Twin", "--duplicate", "--image", &other]).0, 0);
    assert_eq!(call(&["revoke", "Twin", "--yes"]).0, 0);

    let marked = device.home.path().join("marked");
    let (code, lines) = call(&[
        "identify",
        "--annotate",
        marked.to_str().unwrap(),
        "--image",
        &other,
        &biden,
        &cut,
        "missing.jpg",
    ]);
    assert_eq!(code, 3, "{lines:?}");
    let decisions: Vec<_> = lines.iter().map(|line| line["decision"].as_str()).collect();
    assert_eq!(decisions, [Some("granted"), Some("denied"), Some("retry"), None]);
    assert_eq!(lines[0]["candidate"], "Barack");
    assert_eq!(lines[2]["reason"], "face_cut_off");
    assert_eq!((lines[3]["kind"].as_str(), lines[3]["code"].as_u64()), (Some("failed"), Some(3)));
    assert_eq!(lines[0]["engine"], "plan");
    assert!(lines[0]["score"].as_f64() >= lines[0]["threshold"].as_f64());
    for field in ["detect_us", "landmarks_us", "quality_us", "align_us", "embed_us", "match_us"] {
        assert!(lines[0][field].is_u64(), "{field}");
    }
    for line in &lines[..3] {
        assert!(Path::new(line["annotated"].as_str().unwrap()).is_file());
    }

    assert_eq!(call(&["verify", "Barack", "--image", &other]).0, 0);
    assert_eq!(call(&["verify", "Barack", "--image", &biden]).0, 1);
    assert_eq!(call(&["verify", "Nobody", "--image", &biden]).0, 3);
    assert_eq!(call(&["list"]).1.len(), 1);
    assert_eq!(call(&["revoke", "Barack", "--yes"]).0, 0);
    assert_eq!(call(&["identify", "--image", &other]).0, 1);

    let folder = device.home.path().join("state/log");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let log = String::from_utf8_lossy(&files.flatten().collect::<Vec<_>>()).into_owned();
    assert!(log.contains("enrolled") && log.contains("revoked") && !log.contains("Barack"), "{log}");
}

#[test]
fn a_pack_that_nobody_trusted_signed_is_refused_unless_allowed_on_purpose() {
    let Some((pack, photos)) = real() else { return };
    let device = Device::new();
    let photo = photos.join("obama.jpg");
    let words = ["identify", "--pack", pack.to_str().unwrap(), "--image", photo.to_str().unwrap()];
    let strict = |extra: &[&str]| {
        let mut command = device.command(&[&words, extra].concat());
        let output = command.env_remove("ARCDOOR_ALLOW_UNSIGNED_PACK").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, error) = strict(&[]);
    assert!(code == Some(4) && error.contains("pack.toml.minisig: missing"), "{error}");
    assert_eq!(strict(&["--allow-unsigned-pack"]).0, Some(1), "nobody is enrolled");
}

#[test]
fn a_pack_is_installed_whole_and_replaced_only_by_a_good_one() {
    let Some((pack, photos)) = real() else { return };
    let device = Device::new();
    let photo = photos.join("obama.jpg");
    let identify =
        || device.run(&["identify", "--pack", "yunet-sface", "--image", photo.to_str().unwrap()]).0;
    assert_eq!(identify(), 4, "no pack yet");
    assert_eq!(device.run(&["pack", "install", pack.to_str().unwrap()]).0, 0);
    assert_eq!(identify(), 1);

    let bad = device.home.path().join("bad");
    std::fs::create_dir(&bad).unwrap();
    for entry in std::fs::read_dir(&pack).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, bad.join(path.file_name().unwrap())).unwrap();
    }
    let manifest = std::fs::read_to_string(bad.join("pack.toml")).unwrap();
    std::fs::write(bad.join("pack.toml"), manifest.replace("name = \"yunet-sface\"", "name = \"../x\""))
        .unwrap();
    assert_eq!(device.run(&["pack", "install", bad.to_str().unwrap()]).0, 4);
    std::fs::write(bad.join("pack.toml"), manifest).unwrap();
    std::fs::write(bad.join("yunet.onnx"), b"other").unwrap();
    assert_eq!(device.run(&["pack", "install", bad.to_str().unwrap()]).0, 4);
    assert_eq!(identify(), 1, "the good one is still there");
    assert_eq!(device.run(&["pack", "install", pack.to_str().unwrap()]).0, 0, "the same again");
    let packs = std::fs::read_dir(device.home.path().join("state/packs")).unwrap();
    assert_eq!(packs.count(), 1, "nothing half-done is left");
}

/// The pack with another version, hashes as they are.
fn versioned(pack: &Path, into: &Path, version: u64) {
    std::fs::create_dir(into).unwrap();
    for entry in std::fs::read_dir(pack).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, into.join(path.file_name().unwrap())).unwrap();
    }
    let mut manifest: toml::Table = std::fs::read_to_string(into.join("pack.toml")).unwrap().parse().unwrap();
    manifest.insert("version".to_owned(), toml::Value::Integer(version as i64));
    std::fs::write(into.join("pack.toml"), toml::to_string(&manifest).unwrap()).unwrap();
}

#[test]
fn a_pack_comes_as_one_file_and_an_older_one_only_on_purpose() {
    let Some((pack, _)) = real() else { return };
    let device = Device::new();
    let home = device.home.path();
    let archive = |version: u64| {
        let folder = home.join(format!("v{version}"));
        versioned(&pack, &folder, version);
        let file = home.join(format!("v{version}.tar"));
        arcdoor_models::bundle(&folder, std::fs::File::create(&file).unwrap()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (old, new) = (archive(7), archive(8));
    let version = || device.lines(&["pack", "check"]).1[0]["version"].as_u64();
    assert_eq!(device.run(&["pack", "install", &old]).0, 0);
    assert_eq!(device.run(&["pack", "install", &new]).0, 0);
    assert_eq!(version(), Some(8));
    let (code, _, error) = device.run(&["pack", "install", &old]);
    assert!(code == 4 && error.contains("version 7") && error.contains("--older"), "{error}");
    assert_eq!(device.run(&["pack", "install", home.join("v7").to_str().unwrap()]).0, 4, "a folder as well");
    assert_eq!(version(), Some(8));
    assert_eq!(device.run(&["pack", "install", &old, "--older"]).0, 0);
    assert_eq!(version(), Some(7));
    let bytes = std::fs::read(&new).unwrap();
    for (what, bytes) in [("cut", &bytes[..bytes.len() / 2]), ("empty", b"")] {
        let file = home.join(what);
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(device.run(&["pack", "install", file.to_str().unwrap()]).0, 4, "{what}");
    }
    assert_eq!(device.run(&["pack", "install", "/dev/zero"]).0, 4);
    let packs = std::fs::read_dir(home.join("state/packs")).unwrap();
    assert_eq!((packs.count(), version()), (1, Some(7)), "nothing half-done is left");
    std::fs::remove_dir_all(home.join("state/packs")).unwrap();
    let (code, _, error) = device.run(&["pack", "install", &old]);
    assert!(code == 4 && error.contains("version 8 was installed before"), "what is gone was there: {error}");
}
