//! `arcdoor-lab calibrate` as people run it: on a file of scores, through the command.
//!
//! `ARCDOOR_DATA` names a folder with `lfw-view1`; where it has the templates of an earlier run beside it, nothing
//! is looked at twice. Without it, the real part is skipped, which is printed.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use arcdoor_calib::Random;
use arcdoor_vision::live::live_template;

fn lab(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arcdoor-lab")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// 300 people with two photos each: one genuine pair a person, four impostor pairs for each two people, whose
/// scores are exponential with a mean of 0.02.
fn scores(path: &Path, named: bool) {
    let (mut random, mut text) = (Random(9), String::new());
    let mut uniform = || ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let mut line = |score: f64, genuine: bool, people: [u32; 2]| {
        let [a, b] = people;
        let people = if named { format!(r#","people":["p{a}","p{b}"]"#) } else { String::new() };
        writeln!(text, r#"{{"score":{score:.6},"genuine":{genuine}{people}}}"#).unwrap();
    };
    for a in 0..300_u32 {
        line(0.3 + 0.6 * uniform(), true, [a, a]);
        for b in a + 1..300 {
            (0..4).for_each(|_| line(-uniform().ln() * 0.02, false, [a, b]));
        }
    }
    fs::write(path, text).unwrap();
}

#[test]
fn a_file_of_scores_becomes_a_table_a_recipe_takes() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("scores.jsonl"), dir.path().join("out"));
    let text = |path: &Path| path.display().to_string();
    let calibrate = |extra: &[&str]| {
        let (file, out) = (text(&file), text(&out));
        lab(&[&["calibrate", "--scores", &file, "--out", &out], extra].concat())
    };
    for named in [true, false] {
        scores(&file, named);
        let (code, report, error) = calibrate(&["--targets", "1e-3,1e-4"]);
        assert_eq!(code, 0, "{error}");
        assert!(report.contains("300 genuine and 179400 impostor comparisons"), "{report}");
        let table = fs::read_to_string(out.join("calibration.toml")).unwrap();
        let table: toml::Table = table.parse().unwrap();
        let rows = table["calibration"]["rows"].as_array().unwrap();
        // Exponential scores reach 0.02 ln(1/rate) at a rate.
        for (row, expected) in rows.iter().zip([0.1382, 0.1842]) {
            assert!((row["threshold"].as_float().unwrap() - expected).abs() < 0.008, "{row:?}");
        }
        assert_eq!(rows.len(), 2);
    }
    fs::remove_dir_all(&out).unwrap();
    let (code, report, error) = calibrate(&["--targets", "1e-4,1e-6"]);
    assert_ne!(code, 0);
    assert!(report.contains("**Refused**: 1e-6") && error.contains("no table was written"), "{error}");
    assert!(!out.join("calibration.toml").exists());
    fs::write(&file, "{\"score\":7}\n").unwrap();
    let (code, _, error) = calibrate(&[]);
    assert!(code != 0 && error.contains("line 1"), "{error}");
    let (code, _, error) = lab(&["calibrate", "--images", "x", "--scores", "y", "--out", "z"]);
    assert!(code == 2 && error.contains("cannot be used with"), "{error}");
}

/// Templates as `--features` keeps them: a line of JSON with names, then the values.
fn features(path: &Path) -> Vec<(String, Vec<f32>)> {
    let bytes = fs::read(path).unwrap();
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let head: serde_json::Value = serde_json::from_slice(&bytes[..end]).unwrap();
    let dimension = head["dimension"].as_u64().unwrap() as usize;
    let value = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    let rows = bytes[end + 1..].chunks_exact(4 * dimension);
    let photos = head["photos"].as_array().unwrap().iter().filter(|photo| photo[1] == true);
    let template = |(photo, row): (&serde_json::Value, &[u8])| {
        (photo[0].as_str().unwrap().to_owned(), row.chunks_exact(4).map(value).collect())
    };
    photos.zip(rows).map(template).collect()
}

/// Real faces: 160 photos of LFW View 1, once as photos and once as the scores of their templates.
#[test]
fn photos_and_the_scores_of_the_same_photos_make_the_same_table() {
    let data = std::env::var_os("ARCDOOR_DATA").map(|dir| Path::new(&dir).join("lfw-view1"));
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/packs/yunet-sface");
    let Some(data) = data.filter(|data| data.is_dir() && pack.join("pack.toml").is_file()) else {
        println!("skipped: ARCDOOR_DATA names no folder with lfw-view1, or there is no pack");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (images, kept) = (dir.path().join("images"), dir.path().join("features"));
    let mut folders: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.is_dir() && fs::read_dir(folder).unwrap().count() > 1);
    folders.sort();
    let mut photos = 0;
    for folder in folders {
        if photos >= 160 {
            break;
        }
        let target = images.join(folder.file_name().unwrap());
        fs::create_dir_all(&target).unwrap();
        for photo in fs::read_dir(&folder).unwrap().take(4).map(|entry| entry.unwrap().path()) {
            fs::copy(&photo, target.join(photo.file_name().unwrap())).unwrap();
            photos += 1;
        }
    }
    let text = |path: &Path| path.display().to_string();
    let calibrate = |from: [&str; 2], out: &str| {
        let (pack, kept, out) = (text(&pack), text(&kept), dir.path().join(out));
        let common = ["--pack", &pack, "--features", &kept, "--targets", "1e-2,1e-3", "--data", "the same"];
        let (code, _, error) = lab(&[&["calibrate", "--out", &text(&out)], &from[..], &common].concat());
        assert_eq!(code, 0, "{error}");
        fs::read_to_string(out.join("calibration.toml")).unwrap().parse::<toml::Table>().unwrap()
    };
    let of_photos = calibrate(["--images", &text(&images)], "a");
    // A device's templates know their part in what degraded faces share, which no score has in it.
    let opened = arcdoor_models::Pack::open(&pack).unwrap();
    let table = opened.manifest().recognisability.as_ref();
    let template = |(name, embedding): (String, Vec<f32>)| {
        (name, live_template(opened.model_id(), table, &embedding).unwrap().0)
    };
    let templates: Vec<_> = features(&kept).into_iter().map(template).collect();
    assert_eq!(templates.len(), photos, "a face in every photo");
    let mut scores = String::new();
    let person = |name: &str| name.rsplit_once('_').unwrap().0.to_owned();
    for (index, (a, x)) in templates.iter().enumerate() {
        for (b, y) in &templates[index + 1..] {
            let score = x.score(y).unwrap().0;
            let (p, q) = (person(a), person(b));
            let line =
                serde_json::json!({"score": score.clamp(-1.0, 1.0), "genuine": p == q, "people": [p, q]});
            writeln!(scores, "{line}").unwrap();
        }
    }
    let file = dir.path().join("scores.jsonl");
    fs::write(&file, scores).unwrap();
    let of_scores = calibrate(["--scores", &text(&file)], "b");
    let number = |table: &toml::Table, key: &str| table["calibration"][key].as_integer().unwrap();
    for key in ["genuine", "impostor"] {
        assert_eq!(number(&of_photos, key), number(&of_scores, key), "{key}");
    }
    let rows = |table: &toml::Table| table["calibration"]["rows"].as_array().unwrap().clone();
    for (photo, score) in rows(&of_photos).iter().zip(rows(&of_scores)) {
        for key in ["fmr", "threshold", "tmr"] {
            let (a, b) = (photo[key].as_float().unwrap(), score[key].as_float().unwrap());
            assert!((a - b).abs() < 2e-5, "{key}: {a} {b}");
        }
    }
}

const PACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/packs/doornet");

/// Photos whose content is their name, and a feature file that knows the embedding of each: a one-hot vector, as long as that
/// of a face that shows clearly.
fn photos(dir: &Path, all: &[(&str, String, usize)]) -> String {
    let pack = arcdoor_models::Pack::open(Path::new(PACK)).unwrap();
    let detector = pack.net(arcdoor_models::Role::Detector).unwrap().sha256[..16].to_owned();
    let made_by =
        format!("embedder {}, yunet with {detector} from 0.6, min_face 20, by content", pack.model_id());
    let (mut known, mut values) = (Vec::new(), Vec::new());
    for (file, name, hot) in all {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, file).unwrap();
        let hash = arcdoor_models::sha256_hex(file.as_bytes());
        known.push((format!("{name}, {}", &hash[..16]), true));
        values.extend(
            (0..pack.dimension()).flat_map(|at| (20.0 * f32::from(u8::from(at == *hot))).to_le_bytes()),
        );
    }
    let head =
        serde_json::json!({"format": 2, "made_by": made_by, "dimension": pack.dimension(), "photos": known});
    let kept = dir.join("kept");
    fs::write(&kept, [head.to_string().as_bytes(), b"\n", &values].concat()).unwrap();
    kept.display().to_string()
}

#[test]
fn tracks_tell_what_two_of_two_frames_grant_at_the_packs_thresholds() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (person, own) in [("Ann", 0), ("Bob", 1)] {
        for (track, frame) in (0..8).map(|at| (at / 4, at % 4)) {
            // The first two frames of Bob's second track show Ann.
            let hot = if person == "Bob" && track == 1 && frame < 2 { 0 } else { own };
            files.push((
                format!("tracks/{person}/{track}/{frame}.jpg"),
                format!("{person}/{track}/{frame}.jpg"),
                hot,
            ));
        }
    }
    let all: Vec<_> = files.iter().map(|(file, name, hot)| (file.as_str(), name.clone(), *hot)).collect();
    let kept = photos(dir.path(), &all);
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (tracks, out) = (at("tracks"), at("out"));
    let common = ["calibrate", "--tracks", &tracks, "--pack", PACK, "--features", &kept, "--out", &out];
    let (code, said, error) = lab(&[&common[..], &["--agree", "2/2"]].concat());
    assert_eq!(code, 0, "{error}");
    // Ann is attempted by four windows and Bob by four: one is granted. Of four genuine windows one is refused.
    assert!(said.contains("2 people, 4 tracks, 16 frames, 0 of them"), "{said}");
    let pack = arcdoor_models::Pack::open(Path::new(PACK)).unwrap();
    let threshold = format!("{:.5}", pack.threshold(arcdoor_core::Fmr::new(1e-4).unwrap()).unwrap().value.0);
    assert!(said.contains(&format!("| {threshold} | 2 of 2 | 1 | 1.25e-1 [")), "{said}");
    assert!(said.contains("| 1.56e-2 | 25.00 % [") && said.contains("| 43.75 % |"), "{said}");
    assert!(fs::read_to_string(dir.path().join("out/tracks.md")).unwrap().contains(&threshold));
    for (extra, what) in [(["--agree", "3/2"], "1 <= K <= N"), (["--groups", "x"], "goes with --images")] {
        let (code, _, error) = lab(&[&common[..], &extra].concat());
        assert!(code != 0 && error.contains(what), "{code} {error}");
    }
}

#[test]
fn crops_of_a_group_give_the_threshold_or_refuse_it_by_the_groups_name() {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..12)
        .map(|at| {
            (format!("people/P{0}/P{0}_{1}.jpg", at / 2, at % 2), format!("P{}_{}", at / 2, at % 2), at / 2)
        })
        .collect();
    let all: Vec<_> = files.iter().map(|(file, name, hot)| (file.as_str(), name.clone(), *hot)).collect();
    let kept = photos(dir.path(), &all);
    // Eight crops that are nearly one: 28 pairs, all above those of the photos, which have nothing in common.
    let mut random = Random(11);
    let base: Vec<u8> = (0..112 * 112 * 3).map(|_| random.next_u64() as u8).collect();
    fs::create_dir(dir.path().join("crops")).unwrap();
    let mut list = String::new();
    for number in 0..8 {
        let mut crop = arcdoor_frame::RgbImage::with_size(112, 112);
        for (pixel, base) in crop.data_mut().iter_mut().zip(&base) {
            *pixel = base / 2 + (random.next_u64() % 64) as u8;
        }
        let name = format!("20_0_3_{number}.png");
        arcdoor_frame::write_png(&dir.path().join("crops").join(&name), crop.view()).unwrap();
        writeln!(list, "{name}").unwrap();
    }
    fs::write(dir.path().join("groups"), list).unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (images, crops, groups, out) = (at("people"), at("crops"), at("groups"), at("out"));
    let calibrate = |targets: &str| {
        lab(&[
            "calibrate",
            "--images",
            &images,
            "--features",
            &kept,
            "--pack",
            PACK,
            "--groups",
            &groups,
            "--group-crops",
            &crops,
            "--targets",
            targets,
            "--out",
            &out,
        ])
    };
    let (code, said, error) = calibrate("0.4");
    assert_eq!(code, 0, "{error}");
    assert!(said.contains("| 4e-1 | group 3 |"), "{said}");
    let table = fs::read_to_string(dir.path().join("out/calibration.toml")).unwrap();
    assert!(table.contains("within the worst of 1 groups"), "{table}");
    // 60 impostors of photos would support it; 28 of crops do not.
    let (code, _, error) = calibrate("0.2");
    assert!(code != 0 && error.contains("within group 3, 2e-1: 28 impostor comparisons"), "{error}");
}
