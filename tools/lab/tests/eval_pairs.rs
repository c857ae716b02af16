//! `arcdoor-lab eval lfw` on generated features, and `report` on what it wrote, as people run them.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use arcdoor_calib::{Features, Random};
use arcdoor_frame::{RgbImage, write_png};
use serde_json::Value;

/// Values of a feature.
const DIMENSION: usize = 16;

fn lab(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arcdoor-lab")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A `.bin` of ten folds of `each` pairs of a kind, as Python pickles it at protocol 3, and a feature for each image.
fn generated(dir: &Path, each: usize) -> (PathBuf, PathBuf) {
    let same: Vec<bool> = (0..20 * each).map(|pair| pair % (2 * each) < each).collect();
    let (mut file, mut values, mut random) = (b"\x80\x03](".to_vec(), Vec::new(), Random(3));
    for (pair, same) in same.iter().enumerate() {
        let mut draw = || (0..DIMENSION).map(|_| random.signed()).collect::<Vec<f32>>();
        let (one, other, noise) = (draw(), draw(), draw());
        let like = if *same { &one } else { &other };
        values.extend(&one);
        values.extend(like.iter().zip(&noise).map(|(value, noise)| value + 0.9 * noise));
        for image in [2 * pair, 2 * pair + 1] {
            file.push(b'C');
            file.push(4);
            file.extend((image as u32).to_le_bytes());
        }
    }
    file.extend(b"e](");
    file.extend(same.iter().map(|same| if *same { 0x88 } else { 0x89 }));
    file.extend(b"e\x86.");
    let (bin, rows) = (dir.join("set.bin"), dir.join("features"));
    fs::write(&bin, file).unwrap();
    Features::new(DIMENSION, values).unwrap().write(fs::File::create(&rows).unwrap()).unwrap();
    (bin, rows)
}

fn evaluate(bin: &Path, rows: &Path, out: &Path, threads: &str) -> (i32, String) {
    let [bin, rows, out] = [bin, rows, out].map(|path| path.to_str().unwrap());
    let command =
        ["eval", "lfw", "--bin", bin, "--rows", rows, "--generated", "--threads", threads, "--out", out];
    let (code, _, error) = lab(&command);
    (code, error)
}

#[test]
fn a_report_is_the_same_whatever_the_threads_and_a_changed_figure_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (bin, rows) = generated(dir.path(), 60);
    let [one, three] = ["one", "three"].map(|name| dir.path().join(name));
    assert_eq!(evaluate(&bin, &rows, &one, "1").0, 0);
    assert_eq!(evaluate(&bin, &rows, &three, "3").0, 0);
    assert_eq!(evaluate(&bin, &rows, &one, "0").0, 2, "no thread would read nothing, and hash that");
    let json = one.join("report.json");
    let read = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let report = read(&json);
    assert_eq!(report["digest"], read(&three.join("report.json"))["digest"]);
    assert!(
        report["accuracy_mean"].as_f64().unwrap() > 60.0 && report["accuracy_sd"].as_f64().unwrap() > 0.0
    );
    let far = &report["tar_at_far"];
    assert!(far["1e-2"]["value"].as_f64().unwrap() > far["1e-2"]["low"].as_f64().unwrap());
    assert!(far["1e-8"]["value"].is_null() && far["1e-8"]["reason"].as_str().unwrap().contains("are needed"));
    assert_eq!(report["data"]["is_generated"], true);

    let verify = |path: &Path| lab(&["report", "verify", path.to_str().unwrap()]);
    let (code, said, error) = verify(&json);
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.contains(report["digest"].as_str().unwrap()));
    let files = [json.to_str().unwrap(), three.join("report.json").to_str().unwrap()].map(str::to_owned);
    assert_eq!(lab(&["report", "diff", &files[0], &files[1]]).0, 0);

    let text = fs::read_to_string(&json).unwrap();
    let mean = report["accuracy_mean"].to_string();
    fs::write(&json, text.replacen(&mean, "99.9", 1)).unwrap();
    let (code, said, _) = verify(&json);
    assert!(
        code == 1 && said.contains("DIFFERS  digest") && said.contains("DIFFERS  accuracy from"),
        "{said}"
    );
    let (code, said, _) = lab(&["report", "diff", &files[0], &files[1]]);
    assert!(code == 1 && said.contains(&format!("accuracy_mean: 99.9 -> {mean}")), "{said}");
    fs::write(&json, text).unwrap();
    let pairs = one.join("pairs.csv");
    let scores = fs::read_to_string(&pairs).unwrap().replacen(",1,0,", ",0,0,", 1);
    fs::write(&pairs, scores).unwrap();
    let (code, said, _) = verify(&json);
    assert!(code == 1 && said.contains("DIFFERS  pairs.csv") && said.contains("ok       digest"), "{said}");
}

#[test]
fn features_that_fit_not_and_reports_that_are_none_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (bin, rows) = generated(dir.path(), 2);
    let out = dir.path().join("out");
    let whole = fs::read(&rows).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&rows, bytes).unwrap();
        let (code, error) = evaluate(&bin, &rows, &out, "1");
        assert!(code == 3 && error.contains("features: ") && error.contains(what), "{code} {error}");
    };
    refused(&whole[..whole.len() - 1], "its header asks for");
    let whole_rows = dir.path().join("whole");
    fs::write(&whole_rows, &whole).unwrap();
    let mut nan = whole.clone();
    nan[16 + 4 * DIMENSION..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(&nan, "row 1, value 0 ");
    let mut short = whole.clone();
    short[..4].copy_from_slice(&79_i32.to_le_bytes());
    short.truncate(whole.len() - 4 * DIMENSION);
    refused(&short, "79 rows, and ");
    let mut zero = whole;
    zero[16..16 + 4 * DIMENSION].fill(0);
    refused(&zero, "row 0: ");

    let report = dir.path().join("report.json");
    fs::write(&report, "{}").unwrap();
    let (code, _, error) = lab(&["report", "verify", report.to_str().unwrap()]);
    assert!(code == 3 && error.contains("is no report"), "{error}");
    let (code, error) = evaluate(&bin, &whole_rows, &report, "1");
    assert!(code == 5 && error.contains("name another --out"), "a file, where a folder would be: {error}");
    // Image 79 is image 0 again, whose features are others.
    let mut set = fs::read(&bin).unwrap();
    let last = set.windows(2).rposition(|two| two == [b'C', 4]).unwrap();
    set[last + 2..last + 6].fill(0);
    fs::write(&bin, set).unwrap();
    let (code, error) = evaluate(&bin, &whole_rows, &out, "1");
    assert!(code == 3 && error.contains("row 79 differs"), "{error}");
    fs::write(&bin, b"\x80\x02cos\nsystem\n.").unwrap();
    let (code, error) = evaluate(&bin, &rows, &out, "1");
    assert!(code == 3 && error.contains("the opcode GLOBAL at byte 2"), "{error}");
}

/// `PYTHONPATH` may lead to numpy and scikit-learn, `ARCDOOR_INSIGHTFACE` to insightface's verification.py.
#[test]
fn figures_agree_with_scikit_learn_and_insightface() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/agree_pairs.py");
    let mut command = Command::new("python3");
    command.args([script, "--lab", env!("CARGO_BIN_EXE_arcdoor-lab"), "--seeds", "1"]);
    if let Some(theirs) = std::env::var_os("ARCDOOR_INSIGHTFACE") {
        command.arg("--insightface").arg(theirs);
    }
    let Ok(output) = command.output() else { return println!("skipped: no python3") };
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(matches!(output.status.code(), Some(0 | 77)), "{text}");
}

/// Crops that no camera saw, one folder a person, and View 2 of two folds over them.
fn crops(dir: &Path) -> PathBuf {
    let mut random = Random(11);
    for person in ["Ann", "Bob", "Cy", "Di"] {
        let base: Vec<u8> = (0..112 * 112 * 3).map(|_| random.next_u64() as u8).collect();
        fs::create_dir_all(dir.join("photos").join(person)).unwrap();
        for number in 1..=2 {
            let mut crop = RgbImage::with_size(112, 112);
            for (pixel, base) in crop.data_mut().iter_mut().zip(&base) {
                *pixel = base / 2 + (random.next_u64() % 64) as u8;
            }
            write_png(&dir.join(format!("photos/{person}/{person}_000{number}.png")), crop.view()).unwrap();
        }
    }
    let list = dir.join("pairs.txt");
    let lines = "2 2\nAnn 1 2\nBob 1 2\nAnn 1 Bob 1\nAnn 2 Bob 2\nCy 1 2\nDi 1 2\nCy 1 Di 1\nAnn 1 Di 2\n";
    fs::write(&list, lines).unwrap();
    list
}

#[test]
fn view_2_of_crops_runs_through_a_pack_and_names_who_is_in_two_folds() {
    let dir = tempfile::tempdir().unwrap();
    let list = crops(dir.path());
    let pack = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/packs/doornet");
    let (images, out) = (dir.path().join("photos").to_str().unwrap().to_owned(), dir.path().join("out"));
    let common = ["--images", &images, "--aligned", "--pack", pack, "--out", out.to_str().unwrap()];
    let (code, said, error) =
        lab(&[&["eval", "lfw", "--pairs", list.to_str().unwrap()][..], &common].concat());
    assert_eq!(code, 0, "{said}{error}");
    let json = out.join("report.json");
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert!(report["accuracy_mean"].is_number() && report["accuracy_sd"].is_number());
    assert_eq!((report["fta"]["total"].as_u64(), report["data"]["impostors"].as_u64()), (Some(8), Some(4)));
    let noted = &report["noted"][0];
    assert!(noted["what"].as_str().unwrap().starts_with("people who are in several folds"));
    assert_eq!(noted["such_as"][0], "Ann");
    assert!(report["all_pairs_tar_at_far"]["1e-1"]["value"].is_number());
    assert!(report["made_by"]["pack"] == "doornet" && report["data"]["sha256"].as_str().unwrap().len() == 64);
    assert_eq!(lab(&["report", "verify", json.to_str().unwrap()]).0, 0);
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("<img"));

    let own = json.to_str().unwrap();
    let (code, said, error) = lab(&["compare", own, own]);
    assert!(code == 0 && said.contains("+0.00 % [+0.00, +0.00]"), "{said}{error}");

    // The default list is the one that was named before: the same hashes, the same digest.
    fs::copy(&list, dir.path().join("photos/pairs.txt")).unwrap();
    let again = dir.path().join("again");
    let unnamed = [&["eval", "lfw"][..], &common[..5], &["--out", again.to_str().unwrap()]].concat();
    let (code, said, error) = lab(&unnamed);
    assert_eq!(code, 0, "{said}{error}");
    let other = again.join("report.json");
    let text = fs::read_to_string(&other).unwrap();
    assert!(text.contains(report["digest"].as_str().unwrap()));

    let compared = || lab(&["compare", own, other.to_str().unwrap()]);
    let pairs = again.join("pairs.csv");
    let flipped = fs::read_to_string(&pairs).unwrap().replacen(",1,0,", ",0,0,", 1);
    fs::write(&pairs, &flipped).unwrap();
    let (code, _, error) = compared();
    assert!(code == 3 && error.contains("pairs.csv is not the one of its report"), "{code} {error}");
    let hash = |bytes: &[u8]| arcdoor_models::sha256_hex(bytes);
    let said_hash = report["files"]["pairs.csv"].as_str().unwrap();
    fs::write(&other, text.replace(said_hash, &hash(flipped.as_bytes()))).unwrap();
    let (code, _, error) = compared();
    assert!(code == 3 && error.contains("are not of the same data, from pair 1 on"), "{code} {error}");

    fs::write(&list, "2 2\nAnn 1 2\n").unwrap();
    let (code, _, error) = lab(&[&["eval", "lfw", "--pairs", list.to_str().unwrap()][..], &common].concat());
    assert!(
        code == 3 && error.contains("pairs.txt, line 1: the heading says 2 times 2 pairs"),
        "{code} {error}"
    );

    fs::remove_file(&list).unwrap();
    let (code, said, error) = lab(&[&["eval", "staff"][..], &common].concat());
    assert!(code == 0 && said.contains("4 people make 24 impostor comparisons: too few"), "{said}{error}");
}

fn lfw_of_crops(dir: &Path, extra: &[&str]) -> (i32, Value, String) {
    let list = crops(dir);
    let (images, out) = (dir.join("photos"), dir.join("out"));
    let pack = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/packs/doornet");
    let [images, list, out_text] = [&images, &list, &out].map(|path| path.to_str().unwrap());
    let common =
        ["eval", "lfw", "--images", images, "--pairs", list, "--aligned", "--pack", pack, "--out", out_text];
    let (code, _, error) = lab(&[&common[..], extra].concat());
    let report = fs::read(out.join("report.json"))
        .map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    (code, report, error)
}

#[test]
fn a_floor_stands_in_the_embedders_place() {
    for (floor, title) in [("pixels", "pixel correlation"), ("lbp", "LBP histograms, chi-square")] {
        let dir = tempfile::tempdir().unwrap();
        let (code, report, error) = lfw_of_crops(dir.path(), &["--floor", floor]);
        assert_eq!(code, 0, "{error}");
        assert_eq!(
            (&report["made_by"]["pack"], &report["made_by"]["model_id"]),
            (&title.into(), &"none".into())
        );
        // Two crops of one person share their pixels, four fifths of their variance; those of two share nothing.
        if floor == "pixels" {
            assert_eq!(report["accuracy_mean"], 100.0);
            assert_eq!(report["all_pairs_tar_at_far"]["1e-1"]["value"], 1.0);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (code, _, error) = lfw_of_crops(dir.path(), &["--floor", "pixels", "--features", "x"]);
    assert!(code == 2 && error.contains("cannot be used with"), "{error}");
}

#[test]
fn groups_are_told_apart_and_who_is_of_none_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let groups = dir.path().join("groups");
    fs::write(&groups, "Ann\teast\nBob\teast\nCy\tnorth\n").unwrap();
    let extra = ["--floor", "pixels", "--groups", groups.to_str().unwrap()];
    let (code, report, error) = lfw_of_crops(dir.path(), &extra);
    assert_eq!(code, 0, "{error}");
    let [found] = &report["by_group"].as_array().unwrap()[..] else { panic!("{}", report["by_group"]) };
    assert_eq!(found["far"], "1e-1");
    let totals = |at: usize| ["fmr", "fnmr"].map(|rate| found["groups"][at][rate]["total"].as_u64().unwrap());
    assert_eq!((totals(0), totals(1)), ([4, 2], [0, 1]), "Ann and Bob; Cy alone");
    assert!(found["groups"][1]["fmr"]["value"].is_null() && found["fmr_max_over_min"].is_null());
    assert!(report["noted"].to_string().contains("Di") && report["data"]["lists"]["groups"].is_string());
    fs::write(&groups, "Eve\teast\n").unwrap();
    let (code, _, error) = lfw_of_crops(dir.path(), &extra);
    assert!(code == 3 && error.contains("names nobody of the set, such as Ann"), "{code} {error}");
}
