//! IJB from feature files and lists to reports, as people run it, on generated features.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::fs;
use std::path::Path;
use std::process::Command;

fn lab(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arcdoor-lab")).args(args).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn report(dir: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(dir.join("report.json")).unwrap()).unwrap()
}

#[test]
fn pairs_and_searches_of_templates_are_reported_with_the_lists_they_are_of() {
    let dir = tempfile::tempdir().unwrap();
    let meta = dir.path().to_str().unwrap();
    let sizes = ["--subjects", "6", "--per-subject", "2", "--distractors", "0", "--dimension", "64"];
    let (code, error) = lab(&[&["generate", "--out", meta], &sizes[..]].concat());
    assert_eq!(code, 0, "{error}");
    let lines =
        |of: &dyn Fn(u32) -> String, rows: &[u32]| rows.iter().map(|row| of(*row)).collect::<String>();
    let all: Vec<u32> = (0..12).collect();
    let write = |name: &str, text: String| fs::write(dir.path().join(format!("ijbc_{name}")), text).unwrap();
    // Each row is a template; the last has no image, and is searched all the same.
    let media = |row: u32| format!("{row}.jpg {} {row}\n", if row == 11 { 10 } else { row });
    write("face_tid_mid.txt", lines(&media, &all));
    write("name_5pts_score.txt", lines(&|row| format!("{row}.jpg 1 2 3 4 5 6 7 8 9 10 0.9\n"), &all));
    let same: String = lines(&|row| format!("{} {} 1\n", 2 * row, 2 * row + 1), &[0, 1, 2, 3, 4]);
    let other: String = lines(&|row| format!("{row} {} 0\n", (row + 2) % 11), &all[..11]);
    let pairs = same + &other;
    write("template_pair_label.txt", format!("{pairs}1 0 1\n"));
    let subjects = |rows: &[u32]| {
        "TEMPLATE_ID,SUBJECT_ID\n".to_owned() + &lines(&|row| format!("{row},{}\n", row / 2), rows)
    };
    write("1N_gallery_G1.csv", subjects(&[0, 2, 4]));
    write("1N_gallery_G2.csv", subjects(&[6, 8, 10]));
    write("1N_probe_mixed.csv", subjects(&[1, 3, 5, 7, 9, 11]));

    let features = dir.path().join("features.bin");
    let out = dir.path().join("out");
    let [features, out_text] = [&features, &out].map(|path| path.to_str().unwrap());
    let given = ["--generated", "--features", features, "--meta", meta, "--out", out_text];
    let (code, error) = lab(&[&["eval", "ijbc"], &given[..]].concat());
    assert_eq!(code, 0, "{error}");
    let found = report(&out);
    assert_eq!((&found["data"]["genuine"], &found["data"]["impostors"]), (&6.into(), &11.into()), "{found}");
    assert!(found["noted"].to_string().contains("came before"), "{}", found["noted"]);
    assert!(found["data"]["lists"]["name_5pts_score.txt"].is_string());
    write("template_pair_label.txt", format!("{pairs}1 0 0\n"));
    let (code, error) = lab(&[&["eval", "ijbc"], &given[..]].concat());
    assert!(code == 3 && error.contains("by the other lines of one"), "{code}: {error}");

    let (code, error) = lab(&[&["eval", "ijb-1n", "--target", "ijbc"], &given[..]].concat());
    assert_eq!(code, 0, "{error}");
    let found = report(&out);
    assert_eq!(found["data"]["lists"].as_object().unwrap().len(), 5);
    assert_eq!((&found["fta"]["hits"], &found["fta"]["total"]), (&1.into(), &6.into()));
    assert_eq!((&found["fte"]["hits"], &found["fte"]["total"]), (&0.into(), &6.into()));
    assert_eq!(found["identification"][1]["rank"]["5"]["hits"], 2, "who has no image is never found");
}
