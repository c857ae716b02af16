//! A site's own calibration, from a wrong grant to a stricter threshold, with the binaries as they are built.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::fs;
use std::path::Path;
use std::process::Command;

use arcdoor_tests::{Real, binary, built};
use serde_json::Value;

struct Site {
    real: Real,
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Option<Self> {
        Some(Self { real: Real::find()?, folder: tempfile::tempdir().unwrap() })
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(program)
            .args(arguments)
            .arg("--pack")
            .arg(fs::canonicalize(&self.real.pack).unwrap())
            .current_dir(self.folder.path())
            .env("ARCDOOR_ALLOW_UNSIGNED_PACK", "true")
            .env("ARCDOOR_HOME", self.folder.path().join("home"))
            .env_remove("CREDENTIALS_DIRECTORY")
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The device's exit code and answers.
    fn ask(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let (code, out, error) = self.run(&binary(), &[arguments, &["--json"]].concat());
        let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!lines.is_empty() || code != 0, "{arguments:?}: {error}");
        (code, lines)
    }

    fn photo(&self, name: &str) -> String {
        self.real.photo(name).display().to_string()
    }

    fn enrol(&self, name: &str, photo: &str) {
        assert_eq!(self.ask(&["enrol", name, "--image", &self.photo(photo)]).0, 0);
    }

    /// The decision, and the reason of a denial.
    fn identify(&self, photo: &str) -> (String, Value) {
        let (_, lines) = self.ask(&["identify", "--image", &self.photo(photo)]);
        (lines[0]["decision"].as_str().unwrap().to_owned(), lines[0]["reason"].clone())
    }

    fn last_entry(&self) -> String {
        self.ask(&["log", "-n", "1"]).1[0]["n"].to_string()
    }

    /// The doctor's word on one thing.
    fn doctor(&self, check: &str) -> Option<(String, String)> {
        let (_, lines) = self.ask(&["doctor"]);
        let line = lines.iter().find(|line| line["check"] == check)?;
        Some((line["health"].as_str().unwrap().to_owned(), line["text"].as_str().unwrap().to_owned()))
    }

    /// Exports, calibrates, and hands over what the device said, the report and the table's path.
    fn calibrate(&self, name: &str) -> (Value, String, String) {
        let (code, lines) = self.ask(&["site", "export", name]);
        assert_eq!(code, 0, "{lines:?}");
        let (code, report, error) =
            self.run(&built("arcdoor-lab"), &["calibrate", "--site", name, "--out", "out"]);
        assert_eq!(code, 0, "{error}");
        (lines[0].clone(), report, "out/site.toml".to_owned())
    }
}

/// Another photo of the enrolled man stands for a stranger who looks like him.
#[test]
fn a_reported_wrong_grant_raises_the_threshold_and_the_same_stranger_is_denied() {
    let Some(site) = Site::new() else { return };
    assert_eq!(site.ask(&["site", "export", "empty.jsonl"]).0, 3, "nobody is enrolled");
    // One stranger in three attempts does not contradict the default of 1 %.
    fs::create_dir(site.folder.path().join("home")).unwrap();
    fs::write(site.folder.path().join("home/settings.toml"), "target_fpir = 0.001").unwrap();
    site.enrol("Barack", "obama.jpg");
    site.enrol("Joe", "biden.jpg");
    let (told, report, table) = site.calibrate("before.jsonl");
    assert_eq!((told["people"].as_u64(), told["attempts"].as_u64()), (Some(2), Some(0)));
    assert!(report.contains("**Nothing changes**"), "{report}");
    assert_eq!(site.ask(&["site", "install", &table]).0, 0);
    let (health, text) = site.doctor("site").unwrap();
    assert!(health == "ok" && text.contains("raises no threshold"), "{text}");

    let wrong = ["obama2.jpg", "obama3.jpg"].map(|photo| {
        assert_eq!(site.identify(photo).0, "granted");
        site.last_entry()
    });
    wrong.iter().for_each(|entry| assert_eq!(site.ask(&["log", "wrong", entry]).0, 0));
    assert_eq!(site.identify("biden.jpg").0, "granted", "Joe himself");
    let (told, report, table) = site.calibrate("after.jsonl");
    let numbers: Vec<_> =
        ["comparisons", "attempts", "reported", "strangers"].map(|key| told[key].as_u64()).into();
    assert_eq!(numbers, [Some(1), Some(3), Some(2), Some(1)], "two grants of one stranger: {told}");
    assert!(report.contains("1 stranger(s) let in and reported in 3 attempt(s)"), "{report}");
    let exported = fs::read_to_string(site.folder.path().join("after.jsonl")).unwrap();
    assert!(!exported.contains("Barack") && !exported.contains("subject"), "{exported}");
    assert_eq!(site.ask(&["site", "export", "after.jsonl"]).0, 3, "never over a file");

    // Without the impostor templates, the threshold alone decides.
    let taken_back = || assert_eq!(site.ask(&["revoke", "Barack", "--not"]).0, 0);
    assert_eq!(site.ask(&["site", "install", &table]).0, 0);
    taken_back();
    assert_eq!(site.identify("obama2.jpg"), ("denied".to_owned(), Value::from("no_match")));
    assert_eq!(site.identify("obama3.jpg").0, "denied");
    assert_eq!(site.identify("obama.jpg").0, "granted", "the picture that was enrolled");
    let verified = site.ask(&["verify", "Barack", "--image", &site.photo("obama2.jpg")]);
    assert_eq!((verified.0, verified.1[0]["reason"].as_str()), (1, Some("no_match")), "1:1 too");
    let again = site.ask(&["enrol", "Barry", "--image", &site.photo("obama2.jpg")]);
    assert_eq!(again.0, 3, "a stricter threshold hides no duplicate");
    let (health, text) = site.doctor("site").unwrap();
    for part in
        ["1:N 0.420 -> 0.7", "or more are not recognised at once", "1 stranger(s) let in", "was promised"]
    {
        assert!(health == "ok" && text.contains(part), "{part}: {text}");
    }
    let (_, threshold) = site.doctor("threshold").unwrap();
    assert!(threshold.contains("1:N 0.7"), "{threshold}");

    // What was taken back is no evidence any more; the attempts stay.
    let (told, report, _) = site.calibrate("later.jsonl");
    assert_eq!((told["reported"].as_u64(), report.contains("Nothing changes")), (Some(0), true), "{report}");
    // A damaged table or one of another embedder is refused, and the one in force stays.
    let good = fs::read_to_string(site.folder.path().join("home/site.toml")).unwrap();
    let model = good.lines().find(|line| line.starts_with("model_id")).unwrap();
    let foreign = good.replace(model, "model_id = \"00000000000000000000000000000000\"");
    for (bad, code) in
        [("format = \n", 3), (foreign.as_str(), 4), (&good.replace("threshold = 0.", "threshold = 7."), 4)]
    {
        fs::write(site.folder.path().join("bad.toml"), bad).unwrap();
        assert_eq!(site.ask(&["site", "install", "bad.toml"]).0, code, "{bad}");
    }
    assert_eq!(site.identify("obama2.jpg").0, "denied");
    fs::write(site.folder.path().join("home/site.toml"), &foreign).unwrap();
    assert_eq!(site.ask(&["identify", "--image", &site.photo("obama2.jpg")]).0, 4, "fails closed");
    assert_eq!(site.doctor("site").unwrap().0, "fail");
    fs::write(site.folder.path().join("home/site.toml"), "junk").unwrap();
    assert_eq!(site.ask(&["identify", "--image", &site.photo("obama2.jpg")]).0, 3);
    assert_eq!(site.ask(&["site", "remove"]).0, 0, "also what does not read");
    assert_eq!(site.identify("obama2.jpg").0, "granted");
    assert_eq!(site.doctor("site"), None);
    let events: Vec<_> = site.ask(&["log", "-n", "100"]).1.iter().map(|line| line["event"].clone()).collect();
    assert!(events.contains(&Value::from("site_installed")) && events.contains(&Value::from("site_removed")));
}
