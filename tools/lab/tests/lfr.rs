//! LFR2019 from a feature file to a report, as people run it, on generated features; and from photos, which
//! `ARCDOOR_DEMO_PHOTOS` names.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use arcdoor_calib::FeatureTable;
use arcdoor_frame::{RgbImage, write_png};
use tempfile::TempDir;

fn lab(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arcdoor-lab")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

struct Data {
    dir: TempDir,
}

impl Data {
    /// Enough for several units.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sizes = ["--subjects", "500", "--per-subject", "9", "--distractors", "4200", "--dimension", "32"];
        let out = dir.path().to_str().unwrap();
        let (code, _, error) = lab(&[&["generate", "--out", out], &sizes[..]].concat());
        assert_eq!(code, 0, "{error}");
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn eval(&self, track: &str, out: &str, more: &[&str]) -> (i32, String, String) {
        let [features, list, labels, out] = ["features.bin", "filelist.txt", "labels.txt", out]
            .map(|name| self.path(name).to_str().unwrap().to_owned());
        let args = [
            "eval",
            track,
            "--generated",
            "--features",
            &features,
            "--list",
            &list,
            "--labels",
            &labels,
            "--out",
            &out,
        ];
        lab(&[&args[..], more].concat())
    }
}

fn report(dir: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(dir.join("report.json")).unwrap()).unwrap()
}

#[test]
fn threads_shards_and_bytes_change_no_count() {
    let data = Data::new();
    let (code, out, error) = data.eval("lfr-image", "one", &["--threads", "1"]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("generated"), "{out}");
    let one = report(&data.path("one"));
    assert_eq!(one["tar_at_far"]["1e-8"]["value"], serde_json::Value::Null, "too few impostors for it");
    assert_eq!(data.eval("lfr-image", "three", &["--threads", "3"]).0, 0);
    assert_eq!(report(&data.path("three"))["digest"], one["digest"]);

    let [features, list, out] = ["features.bin", "filelist.txt", "folders"].map(|name| data.path(name));
    let folders = Command::new(env!("CARGO_BIN_EXE_arcdoor-lab"))
        .args(["eval", "lfr-image", "--features"])
        .arg(features)
        .arg("--list")
        .arg(list)
        .arg("--out")
        .arg(out)
        .status();
    assert!(folders.unwrap().success());
    assert_eq!(report(&data.path("folders"))["tar_at_far"], one["tar_at_far"], "folders are the subjects");

    let counts = ["counts.a", "counts.b"].map(|name| data.path(name).to_str().unwrap().to_owned());
    for (shard, counts) in ["1/2", "2/2"].into_iter().zip(&counts) {
        let (code, out, error) = data.eval("lfr-image", "shard", &["--shard", shard, "--counts", counts]);
        assert_eq!(code, 0, "{error}");
        assert!(out.contains("units counted") && !data.path("shard").join("report.json").exists(), "{out}");
    }
    let kept = data.path("counts.kept");
    let merge = ["--merge", &counts[0], &counts[1], "--counts", kept.to_str().unwrap()];
    for again in ["merged", "merged again"] {
        assert_eq!(data.eval("lfr-image", again, &merge).0, 0);
        assert_eq!(report(&data.path(again))["digest"], one["digest"]);
    }
    let (code, _, error) = data.eval("lfr-image", "twice", &["--merge", &counts[0], &counts[0]]);
    assert!(code == 3 && error.contains("twice"), "{code}: {error}");

    let (code, _, error) = data.eval("lfr-image", "bytes", &["--int8-from", "1e-2"]);
    // Not every CPU has the instructions.
    if code == 3 && error.contains("VNNI") {
        return;
    }
    assert_eq!(code, 0, "{error}");
    let bytes = report(&data.path("bytes"));
    for far in ["1e-2", "1e-3", "1e-4", "1e-5", "1e-6", "1e-7", "1e-8"] {
        assert_eq!(bytes["tar_at_far"][far], one["tar_at_far"][far], "{far}");
    }
    assert!(bytes["files"]["histogram.csv"].is_null() && one["files"]["histogram.csv"].is_string());
    assert!(bytes["limits"].to_string().contains("sifted"), "{}", bytes["limits"]);
    let reason = bytes["tar_at_far"]["1e-1"]["reason"].as_str().unwrap();
    assert!(reason.contains("not counted"), "{reason}");
}

#[test]
fn what_is_cut_leads_outside_or_does_not_belong_together_is_named() {
    let data = Data::new();
    let refused = |what: &str| {
        let (code, out, error) = data.eval("lfr-video", "out", &[]);
        assert_eq!((code, &*out), (3, ""), "{error}");
        assert!(error.contains(what), "{error}");
    };
    let (features, list, labels) =
        (data.path("features.bin"), data.path("filelist.txt"), data.path("labels.txt"));
    let (whole, names) = (fs::read(&features).unwrap(), fs::read_to_string(&list).unwrap());
    fs::write(&features, &whole[..whole.len() - 4]).unwrap();
    refused("features.bin: a feature file of");
    let mut broken = whole.clone();
    broken[16 + 32 * 4 * 7..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&features, &broken).unwrap();
    refused("row 7, value 0 (byte 912)");
    fs::write(&features, &whole).unwrap();
    fs::write(&list, names.replacen("s0/1.jpg", "../1.jpg", 1)).unwrap();
    refused("filelist.txt: line 2 leads out");
    fs::write(&list, names.replacen("s0/1.jpg", "s0/0.jpg", 1)).unwrap();
    refused("filelist.txt: line 2 names what line 1 names");
    fs::write(&list, names.lines().skip(1).collect::<Vec<_>>().join("\n")).unwrap();
    refused("lines of labels to 8699");
    fs::write(&list, &names).unwrap();
    let subjects = fs::read_to_string(&labels).unwrap();
    fs::write(&labels, subjects.lines().skip(1).collect::<Vec<_>>().join("\n")).unwrap();
    refused("lines of labels");
    fs::write(&labels, "-\n".repeat(names.lines().count())).unwrap();
    refused("no subject");
}

/// The public-domain portraits, in folders of people, with a picture of nobody among them.
fn portraits(dir: &Path) -> bool {
    let Some(photos) = std::env::var_os("ARCDOOR_DEMO_PHOTOS").map(PathBuf::from) else {
        println!("skipped: ARCDOOR_DEMO_PHOTOS names no folder of portraits");
        return false;
    };
    for (photo, place) in
        [("obama.jpg", "obama/1.jpg"), ("obama2.jpg", "obama/2.jpg"), ("biden.jpg", "biden/1.jpg")]
    {
        let place = dir.join(place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(photos.join(photo), place).unwrap();
    }
    write_png(&dir.join("obama/3.png"), RgbImage::with_size(200, 160).view()).unwrap();
    true
}

/// The rows of a feature file.
fn rows(file: &Path) -> Vec<Vec<f32>> {
    let table = FeatureTable::open(fs::File::open(file).unwrap()).unwrap();
    let (rows, columns) = (table.rows(), table.columns());
    let mut values = vec![0.0; rows * columns];
    table.read(0..rows, &mut values).unwrap();
    values.chunks_exact(columns).map(<[f32]>::to_vec).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn photos_are_searched_and_who_is_not_found_counts() {
    let dir = tempfile::tempdir().unwrap();
    let images = dir.path().join("images");
    if !portraits(&images) {
        return;
    }
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/packs/doornet");
    let eval = |track: &str, more: &[&str]| {
        let out = dir.path().join(format!("{track}{}", more.len()));
        let [images, pack, to] = [&images, &pack, &out].map(|path| path.to_str().unwrap());
        let command = ["eval", track, "--images", images, "--pack", pack, "--out", to];
        let (code, _, error) = lab(&[&command[..], more].concat());
        (code, error, out)
    };
    let list = images.join("filelist.txt");
    fs::write(&list, "obama/1.jpg\nobama/2.jpg\nobama/3.png\nbiden/1.jpg\n").unwrap();
    let (code, error, _) = eval("lfr-image", &[]);
    assert!(code != 0 && error.contains("no aligned crop") && error.contains("--photos"), "{code}: {error}");

    let (code, error, out) = eval("lfr-image", &["--photos"]);
    assert_eq!(code, 0, "{error}");
    let (found, features) = (report(&out), rows(&out.join("features.bin")));
    assert_eq!((&found["fta"]["hits"], &found["fta"]["total"]), (&1.into(), &4.into()));
    assert!(found["noted"].to_string().contains("line 3: obama/3.png"), "{}", found["noted"]);
    // Obama's three pairs, of which two are with nobody; and of three rows with Biden's.
    assert_eq!((&found["data"]["genuine"], &found["data"]["impostors"]), (&3.into(), &3.into()));
    assert!(features[2].iter().all(|value| *value == 0.0));
    let (same, other) = (cosine(&features[0], &features[1]), cosine(&features[0], &features[3]));
    assert!(
        same > 0.6 && other < 0.3 && (cosine(&features[1], &features[1]) - 1.0).abs() < 1e-5,
        "{same} {other}"
    );

    // The crops that the lab makes of the same photos say the same, but for the rounding of their pixels.
    let crops = dir.path().join("crops");
    let [from, to, pack] = [&images, &crops, &pack].map(|path| path.to_str().unwrap());
    assert_eq!(lab(&["crop", "--images", from, "--pack", pack, "--out", to]).0, 0);
    let named: Vec<String> = names_below(&crops).into_iter().filter(|name| !name.ends_with(".tsv")).collect();
    assert_eq!(named.len(), 3, "{named:?}");
    fs::write(crops.join("filelist.txt"), named.join("\n")).unwrap();
    let again = dir.path().join("of crops");
    let command = ["eval", "lfr-image", "--images", to, "--pack", pack, "--out", again.to_str().unwrap()];
    let (code, _, error) = lab(&command);
    assert_eq!(code, 0, "{error}");
    for (name, row) in named.iter().zip(rows(&again.join("features.bin"))) {
        let at = ["obama/1", "obama/2", "", "biden/1"]
            .iter()
            .position(|stem| !stem.is_empty() && name.contains(stem));
        let likeness = cosine(&row, &features[at.unwrap()]);
        assert!(likeness > 0.98, "{name}: {likeness}");
    }

    fs::write(&list, "obama 3\nbiden 1\n").unwrap();
    fs::write(dir.path().join("labels"), "0\n1\n").unwrap();
    let labels = dir.path().join("labels");
    let (code, error, out) = eval("lfr-video", &["--photos", "--labels", labels.to_str().unwrap()]);
    assert_eq!(code, 0, "{error}");
    let noted = report(&out)["noted"].to_string();
    assert!(noted.contains("frames in which no face was found"), "{noted}");
    let videos = rows(&out.join("features.bin"));
    assert!(cosine(&videos[0], &features[0]) > 0.7 && cosine(&videos[1], &features[3]) > 0.9);
}

/// Files below a folder, by their path from it.
fn names_below(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for folder in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            names.push(file.strip_prefix(dir).unwrap().display().to_string());
        }
    }
    names.sort();
    names
}

#[test]
fn a_row_of_zeros_is_somebody_who_was_not_found_and_bytes_count_it_alike() {
    let data = Data::new();
    let features = data.path("features.bin");
    let mut bytes = fs::read(&features).unwrap();
    bytes[16 + 32 * 4 * 5..][..32 * 4].fill(0);
    fs::write(&features, bytes).unwrap();
    let (code, _, error) = data.eval("lfr-image", "zeros", &[]);
    assert_eq!(code, 0, "{error}");
    let one = report(&data.path("zeros"));
    assert_eq!((&one["fta"]["hits"], &one["data"]["genuine"]), (&1.into(), &18_000.into()));
    assert!(one["noted"].to_string().contains("line 6: s0/5.jpg"), "{}", one["noted"]);
    let (code, _, error) = data.eval("lfr-image", "bytes", &["--int8-from", "1e-2"]);
    if code == 3 && error.contains("VNNI") {
        return;
    }
    assert_eq!(code, 0, "{error}");
    assert_eq!(report(&data.path("bytes"))["tar_at_far"]["1e-3"], one["tar_at_far"]["1e-3"]);
}
