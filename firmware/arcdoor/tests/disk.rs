//! A full disk, a read-only one, a second process: a clear error, and everybody is still there.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod common;
#[path = "common/mounted.rs"]
mod mounted;

use arcdoor::home::lock::HomeLock;
use arcdoor_api::Access;
use common::{Device, real};
use mounted::{Mounted, sh};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// One person is enrolled in `home`; the words enrol another.
struct Two {
    device: Device,
    words: Vec<String>,
}

impl Two {
    fn new(home: Option<&Path>) -> Option<Self> {
        let (pack, photos) = real()?;
        let photo = |name: &str| photos.join(name).to_str().unwrap().to_owned();
        let device = Device::new();
        let mut end = vec!["--pack".to_owned(), pack.to_str().unwrap().to_owned()];
        if let Some(home) = home {
            end.extend(["--home".to_owned(), home.to_str().unwrap().to_owned()]);
        }
        let words = |name: &str, file: String| {
            let words = ["enrol", name, "--image"].map(str::to_owned);
            words.into_iter().chain([file]).chain(end.clone()).collect::<Vec<_>>()
        };
        let two = Self { device, words: words("Joe", photo("biden.jpg")) };
        let first = words("Barack", photo("obama.jpg"));
        assert_eq!(two.device.run(&strs(&first)).0, 0);
        Some(two)
    }

    fn names(&self) -> Vec<String> {
        let end = self.words[4..].to_vec();
        let (code, lines) = self.device.lines(&strs(&[vec!["list".to_owned()], end].concat()));
        assert_eq!(code, 0);
        lines.iter().map(|line| line["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_loses_nobody() {
    let Some(two) = Two::new(None) else { return };
    let binary = env!("CARGO_BIN_EXE_arcdoor");
    let words: Vec<String> = two.words.iter().map(|word| format!("'{word}'")).collect();
    // Blocks of 512 bytes: far below the gallery's size, so that its first write fails with EFBIG.
    let script = format!("trap '' XFSZ; ulimit -f 8; exec {binary} {}", words.join(" "));
    let command = two.device.command(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(two.device.home.path());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{error}");
    assert!(error.contains("free space"), "{error}");
    assert_eq!(two.names(), ["Barack"]);
    assert_eq!(two.device.run(&strs(&two.words)).0, 0, "with room again it works");
    assert_eq!(two.names(), ["Barack", "Joe"]);
}

#[test]
fn a_full_disk_is_an_error_and_loses_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Mounted::at(dir.path().join("mounted"), "1m") else { return };
    let Some(two) = Two::new(Some(&disk.0)) else { return };
    let filler = disk.0.join("filler");
    assert!(!sh(&format!("cat /dev/zero > {}", filler.display())), "the disk is full now");
    let (code, _, error) = two.device.run(&strs(&two.words));
    assert!(code == 5 && error.contains("free space"), "{code}: {error}");
    let end = &strs(&two.words[4..])[..];
    let erased = two.device.run(&[&["revoke", "Barack", "--erase", "--yes"], end].concat());
    assert_eq!(erased.0, 5, "{}", erased.2);
    std::fs::remove_file(&filler).unwrap();
    assert!(two.names().is_empty() || two.names() == ["Barack"], "one state or the other");
    assert_eq!(two.device.run(&strs(&two.words)).0, 0, "with room again it works");
    assert!(two.names().contains(&"Joe".to_owned()));
}

#[test]
fn a_read_only_disk_is_an_error_and_loses_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Mounted::at(dir.path().join("mounted"), "4m") else { return };
    let Some(two) = Two::new(Some(&disk.0)) else { return };
    assert!(sh(&format!("mount -o remount,ro {}", disk.0.display())));
    let (code, _, error) = two.device.run(&strs(&two.words));
    assert!(code == 5 && error.contains("read-only"), "{code}: {error}");
    assert!(sh(&format!("mount -o remount,rw {}", disk.0.display())));
    assert_eq!(two.names(), ["Barack"]);
}

#[test]
fn a_second_process_is_told_who_has_the_home() {
    let Some(two) = Two::new(None) else { return };
    let state = two.device.home.path().join("state");
    let home = arcdoor::Home::resolve(Some(state)).unwrap();
    let held = HomeLock::take(&home, Access::Write).unwrap();
    for words in [strs(&two.words), vec!["list"], vec!["revoke", "Barack", "--yes"], vec!["key", "renew"]] {
        let start = Instant::now();
        let (code, _, error) = two.device.run(&words);
        let me = std::process::id().to_string();
        assert!(
            code == 5 && error.contains("in use by process") && error.contains(&me),
            "{words:?}: {error}"
        );
        assert!(start.elapsed() < Duration::from_secs(10), "the wait has an end");
    }
    drop(held);
    assert_eq!(two.names(), ["Barack"]);
}

/// Without the lock, each made a key of its own, and one of them was lost after its enrolment was confirmed.
#[test]
fn first_enrolments_at_the_same_time_lose_nobody() {
    let Some((pack, photos)) = real() else { return };
    for _ in 0..5 {
        let device = Device::new();
        let people = [("Barack", "obama.jpg"), ("Joe", "biden.jpg")];
        let enrol = |(name, photo): (&str, &str)| {
            let photo = photos.join(photo);
            let words = ["enrol", name, "--image", photo.to_str().unwrap(), "--pack", pack.to_str().unwrap()];
            device.command(&words).spawn().unwrap()
        };
        let done = people.map(enrol).map(|mut child| child.wait().unwrap().code().unwrap());
        let lines = device.lines(&["list"]).1;
        let confirmed = done.iter().filter(|code| **code == 0).count();
        assert!(confirmed >= 1 && done.iter().all(|code| [0, 5].contains(code)), "{done:?}");
        assert_eq!(lines.len(), confirmed, "{done:?}: {lines:?}");
    }
}

#[test]
fn what_only_reads_works_on_read_only_media() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Mounted::at(dir.path().join("mounted"), "4m") else { return };
    let Some(two) = Two::new(Some(&disk.0)) else { return };
    assert!(sh(&format!("mount -o remount,ro {}", disk.0.display())));
    assert_eq!(two.names(), ["Barack"]);
    let end = &strs(&two.words[4..])[..];
    for words in [&["show", "Barack"][..], &["log", "--names"], &["doctor"]] {
        let (code, out, error) = two.device.run(&[words, end].concat());
        assert!(code == 0 && out.contains("Barack") == (words[0] != "doctor"), "{words:?}: {out}{error}");
    }
}
