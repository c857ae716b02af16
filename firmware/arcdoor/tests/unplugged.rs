//! The loop on a real kernel whose camera (the module vivid) is unplugged and plugged in again.
//!
//! `cargo xtask qemu camera` boots such a kernel and runs this; elsewhere it skips.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use serde_json::Value;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Where the kernel unbinds a driver from the virtual camera, and binds it again.
const DRIVER: &str = "/sys/bus/platform/drivers/vivid";

fn plug(is_in: bool) {
    let file = if is_in { "bind" } else { "unbind" };
    std::fs::write(format!("{DRIVER}/{file}"), "vivid.0").unwrap();
    println!("{file}");
}

fn arcdoor(binary: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.env("ARCDOOR_ALLOW_UNSIGNED_PACK", "true").env("ARCDOOR_HOME", "/tmp/home").args(arguments);
    command
}

/// Plugs the camera in at the end: other tests come after this one.
struct PluggedInAtLast;

impl Drop for PluggedInAtLast {
    fn drop(&mut self) {
        // It is in already where the test failed meanwhile.
        let _ = std::fs::write(format!("{DRIVER}/bind"), "vivid.0");
    }
}

/// A running loop, and what it says.
struct Door {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Door {
    fn start(binary: &str, camera: &str) -> Self {
        let mut child = arcdoor(binary, &["run", "--camera", camera]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line of this kind; all that come before it are told.
    fn until(&mut self, kind: &str) -> Value {
        loop {
            let line = self.lines.next().unwrap_or_else(|| panic!("it ended before {kind}")).unwrap();
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["kind"] != "frame" || kind == "frame" {
                println!("  {line}");
            }
            if value["kind"] == kind {
                return value;
            }
        }
    }
}

#[test]
fn a_door_outlasts_a_camera_that_is_not_there_yet_and_one_that_is_unplugged_for_a_while() {
    let (Ok(camera), Ok(binary)) = (std::env::var("ARCDOOR_VIVID"), std::env::var("ARCDOOR_BINARY")) else {
        println!("skipped: no virtual camera to unplug; `cargo xtask qemu camera` has one");
        return;
    };
    let _last = PluggedInAtLast;
    plug(false);
    let mut door = Door::start(&binary, &format!("{camera}@320x180"));
    assert_eq!(door.until("camera_lost")["fault"], "not_opened");
    plug(true);
    door.until("camera_returned");
    assert_eq!(door.until("frame")["decision"], "retry", "nobody is in the colour bars");
    plug(false);
    assert_eq!(door.until("camera_lost")["fault"], "gone");
    plug(true);
    door.until("camera_returned");
    door.until("frame");
    plug(false);
    while !door.until("camera_lost")["retry_ms"].is_null() {}
    assert_eq!(door.child.wait().unwrap().code(), Some(5));
    let log = arcdoor(&binary, &["log", "--json"]).output().unwrap();
    let log = String::from_utf8(log.stdout).unwrap();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = events.iter().filter_map(|entry| entry["event"].as_str()).collect();
    println!("{events:?}");
    let of_camera: Vec<_> = events.iter().filter(|event| event.starts_with("camera")).collect();
    assert_eq!(of_camera, [&"camera_lost", &"camera_returned", &"camera_lost"]);
}
