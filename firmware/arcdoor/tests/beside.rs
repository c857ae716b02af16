//! Commands beside a door that runs: they reach it over its socket.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use common::{Device, real};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A door whose camera is not there: it waits for it, and answers.
struct Door<'a> {
    device: &'a Device,
    child: Child,
}

impl<'a> Door<'a> {
    fn open(device: &'a Device) -> Self {
        let mut command = device.command(&["run", "--camera", "/dev/video-of-nobody"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let door = Self { device, child };
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(door.socket()).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the door does not open its socket");
            std::thread::sleep(Duration::from_millis(20));
        }
        door
    }

    fn socket(&self) -> std::path::PathBuf {
        self.device.home.path().join("state/socket")
    }
}

impl Drop for Door<'_> {
    fn drop(&mut self) {
        // As whoever pulls the plug.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn every_command_works_while_the_door_runs() {
    let Some((_, photos)) = real() else { return };
    let device = Device::new();
    std::fs::copy(photos.join("obama.jpg"), device.home.path().join("one.jpg")).unwrap();
    std::fs::copy(photos.join("biden.jpg"), device.home.path().join("other.jpg")).unwrap();
    let door = Door::open(&device);
    // A path is seen from where the command was called.
    let (code, answers) = device.lines(&["enrol", "Barack", "--image", "one.jpg"]);
    assert_eq!((code, &answers[0]["kind"], &answers[0]["templates"]), (0, &"enrolled".into(), &1.into()));
    let (code, answers) = device.lines(&["identify", "--image", "one.jpg", "other.jpg"]);
    assert_eq!(
        (code, &answers[0]["candidate"], &answers[1]["decision"]),
        (1, &"Barack".into(), &"denied".into())
    );
    assert_eq!(device.run(&["verify", "Barack", "--image", "one.jpg"]).0, 0);
    assert_eq!(device.lines(&["list"]).1[0]["name"], "Barack");
    assert_eq!(device.run(&["show", "Barack"]).0, 0);
    let (code, _, error) = device.run(&["show", "Joe"]);
    assert!(code == 3 && error.contains("nobody named Joe"), "{error}");
    let (code, _, error) = device.run(&["identify", "--image", "nothing.jpg"]);
    assert!(code == 3, "{error}");
    let (code, log) = device.lines(&["log", "--names"]);
    assert!(code == 0 && log.iter().any(|line| line["name"] == "Barack"), "{log:?}");
    assert_eq!(device.run(&["log", "verify"]).0, 0);
    assert_eq!(device.run(&["log", "note"]).0, 0);
    std::fs::write(device.home.path().join("export-passphrase"), "a passphrase of its own").unwrap();
    assert_eq!(device.run(&["export", "all.arcdoor"]).0, 0);
    assert!(device.home.path().join("all.arcdoor").exists(), "where the command was called");
    assert_eq!(device.run(&["key", "renew"]).0, 0);
    let (code, checks) = device.lines(&["doctor"]);
    let home = checks.iter().find(|check| check["check"] == "home").unwrap();
    let warned = checks.iter().filter(|check| check["health"] != "ok").count();
    assert!(
        home["health"] == "ok" && code == 0 && warned == 3,
        "the key beside the gallery, what a thief has with it, and no camera: {checks:?}"
    );
    let (code, _, error) = device.run(&["revoke", "Barack"]);
    assert!(code == 2 && error.contains("--yes"), "{error}");
    assert_eq!(device.run(&["revoke", "Barack", "--yes", "--erase"]).0, 0);
    assert_eq!(device.run(&["import", "all.arcdoor"]).0, 0);
    let (code, _, error) = device.run(&["tune", "--dry-run"]);
    assert!(code == 5 && error.contains("stop `arcdoor run`"), "{error}");
    let (code, _, error) = device.run(&["identify", "--camera", "/dev/video9"]);
    assert!(code == 2 && error.contains("its own camera"), "{error}");
    drop(door);
    assert_eq!(device.lines(&["list"]).1[0]["name"], "Barack", "and without it");
    let again = Door::open(&device);
    assert_eq!(device.run(&["list"]).0, 0, "a socket that a killed door left is no obstacle");
    drop(again);
}
