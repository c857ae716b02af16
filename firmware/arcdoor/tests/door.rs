//! `run` with a door in memory: faces open it, keys press its buttons, commands ask and tell it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use common::{Device, real};
use serde_json::Value;
use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

/// A running door that is killed in the end, as whoever pulls the plug does.
struct Door<'a> {
    device: &'a Device,
    child: Child,
    keys: ChildStdin,
}

impl<'a> Door<'a> {
    /// One whose camera shows what lies in the folder `frames`, 30 times a second; where there is none, it waits for it.
    fn open(device: &'a Device) -> Self {
        let frames = device.home.path().join("frames");
        let mut arguments = vec!["run", "--simulate"];
        if frames.exists() {
            arguments.extend(["--replay", "frames", "--rate", "30"]);
        } else {
            arguments.extend(["--camera", "/dev/video-of-nobody"]);
        }
        let mut command = device.command(&arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let keys = child.stdin.take().unwrap();
        let door = Self { device, child, keys };
        door.until("it does not answer", |door| door.state().is_some());
        door
    }

    fn state(&self) -> Option<Value> {
        let (code, mut lines) = self.device.lines(&["door", "state"]);
        (code == 0).then(|| lines.remove(0))
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {:?}", self.state());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn until_state(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        self.until(what, |door| door.state().is_some_and(|state| holds(&state)));
    }
}

impl Drop for Door<'_> {
    fn drop(&mut self) {
        // It may have stopped by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

fn reasons(device: &Device) -> Vec<String> {
    let (_, lines) = device.lines(&["log", "-n", "200"]);
    let of = |line: &Value| line["event"] == "door" || line["event"] == "door_fault";
    let text = |line: &Value| {
        line[if line["event"] == "door" { "reason" } else { "fault" }].as_str().map(str::to_owned)
    };
    lines.iter().filter(|line| of(line)).filter_map(text).collect()
}

#[test]
fn a_face_opens_the_door_and_the_log_tells_from_approach_to_relock() {
    let Some((_, photos)) = real() else { return };
    let device = Device::new();
    let frames = device.home.path().join("frames");
    std::fs::create_dir(&frames).unwrap();
    std::fs::copy(photos.join("obama.jpg"), device.home.path().join("one.jpg")).unwrap();
    assert_eq!(device.run(&["enrol", "Barack", "--image", "one.jpg"]).0, 0);
    for number in 100..900 {
        std::fs::hard_link(photos.join("obama2.jpg"), frames.join(format!("{number}.jpg")))
            .or_else(|_| {
                std::fs::copy(photos.join("obama2.jpg"), frames.join(format!("{number}.jpg"))).map(drop)
            })
            .unwrap();
    }
    let mut door = Door::open(&device);
    door.until_state("not unlocked", |state| state["position"] == "unlocked");
    door.press("c");
    door.until_state("not seen open", |state| state["contact"] == "open");
    door.press("c");
    door.until_state("not locked", |state| state["position"] == "locked" && state["contact"] == "closed");
    let closed = |said: &Vec<String>| said.iter().rposition(|said| said == "closed");
    let opened = |said: &Vec<String>| said.iter().position(|said| said == "opened");
    door.until("not logged", |_| {
        let said = reasons(&device);
        opened(&said).is_some() && opened(&said) < closed(&said)
    });
    drop(door);
    let said = reasons(&device);
    let granted = said.iter().position(|said| said == "granted");
    assert!(granted.is_some() && granted < opened(&said), "{said:?}");
    let (_, lines) = device.lines(&["log", "-n", "200", "--names"]);
    let granted = lines.iter().find(|line| line["reason"] == "granted").unwrap();
    assert_eq!((&granted["method"], &granted["name"]), (&"face".into(), &"Barack".into()));
    assert_eq!(device.run(&["log", "verify"]).0, 0);
}

#[test]
fn a_face_waits_for_its_pin_and_the_one_under_duress_opens_as_the_usual_one_does() {
    let Some((_, photos)) = real() else { return };
    let device = Device::new();
    std::fs::copy(photos.join("obama.jpg"), device.home.path().join("one.jpg")).unwrap();
    assert_eq!(device.run(&["enrol", "Barack", "--image", "one.jpg"]).0, 0);
    let (code, out, _) = device.run(&["setup", "--opens", "face+pin", "--board", "simulated"]);
    assert!(code == 0 && out.contains("REX and fire release"), "{out}");
    let (code, _, error) = device.run(&["setup", "--opens", "face", "--board", "simulated"]);
    assert!(code == 2 && error.contains("already"), "{error}");
    for (digits, flags) in
        [("2718", &["pin", "set", "Barack"][..]), ("3141", &["pin", "set", "Barack", "--duress"])]
    {
        std::fs::write(device.home.path().join("pin"), digits).unwrap();
        assert_eq!(device.command(flags).env("ARCDOOR_PIN_FILE", "pin").status().unwrap().code(), Some(0));
    }
    let frames = device.home.path().join("frames");
    std::fs::create_dir(&frames).unwrap();
    let settings = device.home.path().join("state/settings.toml");
    let quick = std::fs::read_to_string(&settings).unwrap() + "unlock_ms = 1000\n";
    std::fs::write(&settings, quick).unwrap();
    // Whoever stands there goes, and comes again, every three seconds.
    let empty = device.home.path().join("empty.png");
    let mut image = arcdoor_frame::RgbImage::with_size(640, 480);
    image.data_mut().fill(96);
    arcdoor_frame::write_png(&empty, image.view()).unwrap();
    for number in 1_000..7_000 {
        let is_there = number % 90 < 45;
        let photo = if is_there { photos.join("obama2.jpg") } else { empty.clone() };
        let frame = frames.join(format!("{number}.{}", if is_there { "jpg" } else { "png" }));
        std::fs::hard_link(&photo, &frame).or_else(|_| std::fs::copy(&photo, &frame).map(drop)).unwrap();
    }
    let mut door = Door::open(&device);
    let grants = |device: &Device| reasons(device).iter().filter(|said| *said == "granted").count();
    for (digits, count) in [("0000#", 0), ("2718#", 1), ("3141#", 2)] {
        let waits =
            |device: &Device| reasons(device).iter().filter(|said| *said == "awaits_second_factor").count();
        let before = waits(&device);
        door.until("the face is not seen", |_| waits(&device) > before);
        door.press(digits);
        if count > 0 {
            door.until_state("not unlocked", |state| state["position"] == "unlocked");
            door.until("not logged", |_| grants(&device) == count);
            door.until_state("not locked", |state| state["position"] == "locked");
        } else {
            door.until("a wrong PIN is not told", |_| {
                reasons(&device).iter().any(|said| said == "wrong_pin")
            });
        }
    }
    let (_, lines) = device.lines(&["log", "-n", "400"]);
    let duress = lines.iter().filter(|line| line["event"] == "duress").count();
    let methods: Vec<_> =
        lines.iter().filter(|line| line["reason"] == "granted").map(|line| &line["method"]).collect();
    assert_eq!((duress, methods.len()), (1, 2));
    assert!(methods.iter().all(|method| **method == "face_pin"), "{methods:?}");
}

#[test]
fn an_alarm_and_a_lockdown_survive_the_plug_and_are_ended_by_who_may() {
    let device = Device::new();
    let mut door = Door::open(&device);
    door.until_state("not closed", |state| state["contact"] == "closed");
    door.press("c");
    door.until_state("no alarm", |state| state["alarms"][0] == "forced");
    let (code, answer) = device.lines(&["door", "lockdown"]);
    assert_eq!((code, &answer[0]["lockdown"]), (0, &true.into()));
    drop(door);
    let door = Door::open(&device);
    door.until_state("forgotten", |state| state["alarms"][0] == "forced" && state["lockdown"] == true);
    let (code, text, _) = device.run(&["door", "state"]);
    assert!(code == 0 && text.contains("ALARM: forced open") && text.contains("end-lockdown"), "{text}");
    assert_eq!(device.run(&["door", "acknowledge"]).0, 0);
    assert_eq!(device.run(&["door", "end-lockdown"]).0, 0);
    door.until_state("not over", |state| {
        state["alarms"] == serde_json::json!([]) && state["lockdown"] == false
    });
    let said = reasons(&device);
    for reason in
        ["forced", "lockdown_began", "alarm_kept", "lockdown_kept", "acknowledged", "lockdown_ended"]
    {
        assert!(said.iter().any(|said| said == reason), "{reason}: {said:?}");
    }
}

#[test]
fn without_a_door_there_is_nothing_to_ask_and_a_wrong_board_is_named_at_the_start() {
    let device = Device::new();
    let (code, _, error) = device.run(&["door", "state"]);
    assert!(code == 5 && error.contains("no door runs"), "{error}");
    let home = device.home.path().join("state");
    std::fs::create_dir_all(&home).unwrap();
    for (settings, code, says) in [
        ("[door]\nboard = \"toaster\"\npolicy = {}", 3, "simulated"),
        ("[door]\nboard = \"simulated\"\npolicy = { fail_mode = \"safe\" }", 3, "fail_mode"),
        ("[door]\nboard = \"simulated\"\npolicy = { unlock_ms = 0 }", 3, "1000 to 60000"),
        ("[door]\nboard = \"simulated\"\npolicy = {}\ntime_zone = \"Mars\"", 3, "Asia/Seoul"),
        ("[door]\nboard = \"raspberry-pi-4\"\npolicy = {}", 5, "relay"),
    ] {
        std::fs::write(home.join("settings.toml"), settings).unwrap();
        let (found, _, error) = device.run(&["run", "--camera", "/dev/video-of-nobody"]);
        let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(found == code && error.contains(says), "{settings}: {found} {error}");
    }
}

#[test]
fn a_door_that_is_told_to_stop_ends_well_and_leaves_its_log_whole() {
    let device = Device::new();
    let mut door = Door::open(&device);
    door.until_state("not closed", |state| state["contact"] == "closed");
    let pid = rustix::process::Pid::from_child(&door.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let begun = Instant::now();
    let ended = loop {
        if let Some(ended) = door.child.try_wait().unwrap() {
            break ended;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not stop");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(ended.code(), Some(0));
    assert!(!device.home.path().join("state/socket").exists());
    assert_eq!(device.run(&["log", "verify"]).0, 0);
    assert!(reasons(&device).contains(&"started".to_owned()));
}

#[test]
fn a_board_is_checked_line_by_line_and_one_that_is_not_there_says_what_to_do() {
    let device = Device::new();
    let (code, out, _) = device.run(&["board", "list"]);
    assert!(code == 0 && out.contains("raspberry-pi-5") && out.contains("Nobody has booted"), "{out}");
    let (code, lines) = device.lines(&["board", "check", "simulated"]);
    assert!(
        code == 0 && lines.iter().any(|line| line["role"] == "relay" && line["health"] == "warn"),
        "{lines:?}"
    );
    let (code, out, _) = device.run(&["board", "check", "raspberry-pi-4"]);
    assert!(code == 5 && out.contains("FAIL  relay") && out.contains("gpiodetect"), "{code} {out}");
    let (code, _, error) = device.run(&["board", "check"]);
    assert!(code == 2 && error.contains("arcdoor setup"), "{error}");
    let (code, _, error) = device.run(&["board", "check", "simulated", "--move-relay"]);
    assert!(code == 2 && error.contains("was not moved"), "{error}");
}

#[test]
fn a_story_is_played_and_one_that_does_not_hold_is_named_by_its_line() {
    let device = Device::new();
    let story = "policy methods face\n0:00.0 face ada\nexpect granted unlocked\n";
    std::fs::write(device.home.path().join("story.txt"), story).unwrap();
    let (code, out, _) = device.run(&["door", "simulate", "story.txt"]);
    assert!(code == 0 && out.contains("let in"), "{out}");
    std::fs::write(device.home.path().join("story.txt"), story.replace("unlocked", "locked")).unwrap();
    let (code, _, error) = device.run(&["door", "simulate", "story.txt"]);
    assert!(code == 3 && error.contains("story.txt") && error.contains('3'), "{error}");
}
