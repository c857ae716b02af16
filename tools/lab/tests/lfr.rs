//! LFR2019 from a feature file to a report, as people run it, on generated features.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
