//! Re-enrolment, "not this person", and the log that leads there.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod common;

use common::{Device, real};
use serde_json::Value;
use std::fs;

/// A device with photos at hand.
struct Door {
    device: Device,
    pack: String,
    photos: std::path::PathBuf,
}

impl Door {
    fn new() -> Option<Self> {
        let (pack, photos) = real()?;
        Some(Self { device: Device::new(), pack: pack.to_str().unwrap().to_owned(), photos })
    }

    /// Arguments that begin with @ are photos.
    fn call(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let photo = |name: &str| self.photos.join(name).to_str().unwrap().to_owned();
        let words: Vec<String> = arguments
            .iter()
            .map(|word| word.strip_prefix('@').map_or_else(|| (*word).to_owned(), photo))
            .chain(["--pack".to_owned(), self.pack.clone()])
            .collect();
        self.device.lines(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn reason(&self, photo: &str) -> Option<String> {
        let (_, lines) = self.call(&["identify", "--image", photo]);
        lines[0]["reason"].as_str().map(str::to_owned)
    }

    fn settings(&self, text: &str) {
        let state = self.device.home.path().join("state");
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("settings.toml"), text).unwrap();
    }

    fn state(&self, name: &str) -> Vec<u8> {
        fs::read(self.device.home.path().join("state").join(name)).unwrap()
    }
}

#[test]
fn a_re_enrolment_changes_the_views_and_never_the_person() {
    let Some(door) = Door::new() else { return };
    assert_eq!(door.call(&["enrol", "Barack", "--replace", "--image", "@obama.jpg"]).0, 3, "nobody yet");
    let (_, lines) = door.call(&["enrol", "Barack", "--image", "@obama.jpg"]);
    assert_eq!(lines[0]["advice"][0]["advice"], "one_view");
    assert!(lines[0]["views"][0]["quality"]["pose"].as_u64().unwrap() > 0);
    let (code, lines) = door.call(&["enrol", "Barack", "--add", "--image", "@obama2.jpg", "@obama3.jpg"]);
    assert_eq!((code, lines[0]["templates"].as_u64()), (0, Some(3)));
    assert!(lines[0]["consistency"].as_f64().unwrap() > 0.6 && lines[0]["advice"] == Value::Array(vec![]));
    for way in ["--add", "--replace"] {
        assert_eq!(door.call(&["enrol", "Barack", way, "--image", "@biden.jpg"]).0, 3, "{way}");
    }
    let (code, lines) = door.call(&["enrol", "Barack", "--replace", "--image", "@obama2.jpg"]);
    assert_eq!((code, lines[0]["templates"].as_u64(), lines[0]["subject"].as_u64()), (0, Some(1), Some(1)));
    assert_eq!(lines[0]["advice"][0]["advice"], "one_view");
    assert_eq!(door.call(&["list"]).1[0]["templates"], 1);
    assert_eq!(door.reason("@obama3.jpg"), None);
    // One more makes two.
    let (_, lines) = door.call(&["enrol", "Barack", "--add", "--image", "@obama3.jpg"]);
    assert_eq!((&lines[0]["templates"], &lines[0]["advice"]), (&Value::from(2), &Value::Array(vec![])));
}

#[test]
fn who_is_close_to_somebody_else_is_named_with_numbers() {
    let Some(door) = Door::new() else { return };
    door.call(&["enrol", "Barack", "--image", "@obama.jpg"]);
    let (code, lines) = door.call(&["enrol", "Twin", "--duplicate", "--image", "@obama2.jpg"]);
    let advice = lines[0]["advice"].as_array().unwrap();
    let close = advice.iter().find(|advice| advice["advice"] == "close_to").unwrap();
    assert!(code == 0 && close["name"] == "Barack" && close["subject"] == 1);
    assert!(close["score"].as_f64().unwrap() > close["threshold"].as_f64().unwrap());
}

#[test]
fn a_wrong_grant_is_named_by_its_number_and_denied_from_then_on() {
    let Some(door) = Door::new() else { return };
    door.settings("keep_probes = 32");
    door.call(&["enrol", "Barack", "--image", "@obama.jpg"]);
    assert_eq!(door.reason("@obama2.jpg"), None);
    assert_eq!(door.reason("@biden.jpg").as_deref(), Some("no_match"));
    let log = door.call(&["log"]).1;
    let events: Vec<_> = log.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["segment", "began", "enrolled", "decision", "decision"]);
    let numbers: Vec<_> = log.iter().map(|line| line["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    let kept: Vec<_> = log.iter().map(|line| line["probe"].as_bool().unwrap()).collect();
    assert_eq!(kept, [false, false, false, true, false], "of grants alone");
    assert!(log.iter().all(|line| line["name"].is_null()), "numbers, no names");
    assert_eq!(door.call(&["log", "--of", "Barack", "-n", "1"]).1[0]["name"], "Barack");
    for (entry, why) in [("2", "no grant"), ("4", "a denial"), ("9", "no entry")] {
        assert_eq!(door.call(&["log", "wrong", entry]).0, 3, "{why}");
    }
    let (code, lines) = door.call(&["log", "wrong", "3"]);
    assert_eq!((code, lines[0]["impostors"].as_u64(), lines[0]["wrong"].as_u64()), (0, Some(1), Some(3)));
    assert_eq!(door.call(&["log", "wrong", "3"]).0, 3, "the probe has served");
    assert!(door.state("probes.bin").iter().all(|byte| *byte == 0), "and is overwritten");
    assert_eq!(door.reason("@obama2.jpg").as_deref(), Some("not_this_person"));
    let verified = door.call(&["verify", "Barack", "--image", "@obama2.jpg"]);
    assert_eq!((verified.0, verified.1[0]["reason"].as_str()), (1, Some("not_this_person")));
    assert_eq!(door.reason("@obama.jpg"), None, "the person of the photo enrolled is let in as before");
    // It moves with an export, and goes with `--not`.
    fs::write(door.device.home.path().join("export-passphrase"), "a rather long passphrase").unwrap();
    let file = door.device.home.path().join("people.arcdoor");
    door.call(&["export", file.to_str().unwrap()]);
    let (_, lines) = door.call(&["revoke", "Barack", "--erase", "--yes"]);
    let exports: Vec<_> = lines[0]["remains"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|remain| remain["remains"] == "export")
        .collect();
    assert!(exports[0]["file"].as_str().unwrap().ends_with("people.arcdoor"), "{exports:?}");
    assert_eq!(exports[0]["is_there"], true);
    door.call(&["import", file.to_str().unwrap()]);
    assert_eq!(door.reason("@obama2.jpg").as_deref(), Some("not_this_person"));
    assert_eq!(door.call(&["revoke", "Barack", "--not"]).1[0]["impostors"], 1);
    assert_eq!(door.reason("@obama2.jpg"), None);
}

#[test]
fn probes_are_kept_only_as_long_as_the_settings_say() {
    let Some(door) = Door::new() else { return };
    door.call(&["enrol", "Barack", "--image", "@obama.jpg"]);
    assert_eq!(door.reason("@obama2.jpg"), None);
    assert!(
        !door.device.home.path().join("state/probes.bin").exists(),
        "none unless the settings ask for them"
    );
    door.settings("keep_probes = 32");
    assert_eq!(door.reason("@obama2.jpg"), None);
    assert!(door.state("probes.bin").iter().any(|byte| *byte != 0));
    door.call(&["key", "renew"]);
    assert!(door.state("probes.bin").iter().all(|byte| *byte == 0), "their key is gone");
    assert_eq!(door.reason("@obama2.jpg"), None);
    let entry = door.call(&["log", "-n", "1"]).1[0]["n"].to_string();
    door.settings("keep_probes = 0");
    assert_eq!(door.call(&["log", "wrong", &entry]).0, 3);
    assert!(door.state("probes.bin").iter().all(|byte| *byte == 0), "turned off");
    assert_eq!(door.call(&["enrol", "--not", "Barack", "--image", "@biden.jpg"]).0, 0, "photos do");
    assert_eq!(door.call(&["enrol", "--not", "Nobody", "--image", "@biden.jpg"]).0, 3);
    assert_eq!(door.call(&["enrol", "--not", "Barack", "--image", "@obama_partial_face.jpg"]).0, 1);
}

#[test]
fn a_command_that_failed_after_its_work_says_that_the_work_was_done() {
    let Some(door) = Door::new() else { return };
    door.call(&["enrol", "Barack", "--image", "@obama.jpg"]);
    // What is overwritten after a revocation cannot be.
    fs::create_dir(door.device.home.path().join("state/probes.bin")).unwrap();
    let (code, out, error) = door.device.run(&["revoke", "Barack", "--yes"]);
    assert_eq!((code, out.as_str()), (5, ""), "{error}");
    assert!(error.contains("Barack is revoked; but then:"), "{error}");
    assert_eq!(door.call(&["list"]).1.len(), 0);
}
