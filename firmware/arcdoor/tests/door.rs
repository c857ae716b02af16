//! `run` with a door in memory: faces open it, keys press its buttons, commands ask and tell it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;
#[path = "common/running.rs"]
mod running;

use common::{Device, real};
use running::Door;
use serde_json::Value;
use std::time::{Duration, Instant};

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

#[test]
fn whoever_mistypes_a_pin_types_it_again_before_the_same_camera() {
    let Some((_, photos)) = real() else { return };
    let device = Device::new();
    std::fs::copy(photos.join("obama.jpg"), device.home.path().join("one.jpg")).unwrap();
    assert_eq!(device.run(&["enrol", "Barack", "--image", "one.jpg"]).0, 0);
    assert_eq!(device.run(&["setup", "--opens", "face+pin", "--board", "simulated"]).0, 0);
    std::fs::write(device.home.path().join("pin"), "2718").unwrap();
    let set = device.command(&["pin", "set", "Barack"]).env("ARCDOOR_PIN_FILE", "pin").status().unwrap();
    assert_eq!(set.code(), Some(0));
    let settings = device.home.path().join("state/settings.toml");
    let patient = std::fs::read_to_string(&settings).unwrap() + "factor_ms = 60000\n";
    std::fs::write(&settings, patient).unwrap();
    let frames = device.home.path().join("frames");
    std::fs::create_dir(&frames).unwrap();
    for number in 1_000..5_000 {
        let (photo, frame) = (photos.join("obama2.jpg"), frames.join(format!("{number}.jpg")));
        std::fs::hard_link(&photo, &frame).or_else(|_| std::fs::copy(&photo, &frame).map(drop)).unwrap();
    }
    let mut door = Door::open(&device);
    let has = |what: &str| reasons(&device).iter().any(|said| said == what);
    door.until("the face is not seen", |_| has("awaits_second_factor"));
    door.press("0000#");
    door.until("a wrong PIN is not told", |_| has("wrong_pin"));
    door.press("2718#");
    door.until_state("not unlocked", |state| state["position"] == "unlocked");
}

#[test]
fn set_up_takes_the_boards_camera_unless_somebody_chose_one() {
    let boards = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../board/boards");
    let ribbon = std::fs::read_to_string(boards.join("simulated.toml")).unwrap()
        + "\n[camera]\nkind = \"rpicam\"\nnumber = 1\n";
    for (before, camera) in
        [("", "rpicam:1"), ("min_face_px = 90\n", "rpicam:1"), ("camera = \"/dev/video7\"\n", "/dev/video7")]
    {
        let device = Device::new();
        std::fs::write(device.home.path().join("board.toml"), &ribbon).unwrap();
        let state = device.home.path().join("state");
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join("settings.toml"), before).unwrap();
        let (code, out, error) = device.run(&["setup", "--opens", "face", "--board", "board.toml"]);
        assert_eq!(code, 0, "{error}");
        assert!(out.contains(camera), "{out}");
        let text = std::fs::read_to_string(state.join("settings.toml")).unwrap();
        assert!(text.contains(&format!("camera = \"{camera}\"\n")), "{text}");
        assert_eq!(text.matches("camera =").count(), 1, "{text}");
    }
}

#[test]
fn nobody_inherits_the_pin_of_a_number() {
    let Some((_, photos)) = real() else { return };
    let device = Device::new();
    for (name, photo) in [("one.jpg", "obama.jpg"), ("two.jpg", "biden.jpg")] {
        std::fs::copy(photos.join(photo), device.home.path().join(name)).unwrap();
    }
    assert_eq!(device.run(&["enrol", "Barack", "--image", "one.jpg"]).0, 0);
    std::fs::write(device.home.path().join("pin"), "2718").unwrap();
    let set = device.command(&["pin", "set", "Barack"]).env("ARCDOOR_PIN_FILE", "pin").status().unwrap();
    assert_eq!(set.code(), Some(0));
    let state = device.home.path().join("state");
    let has_pin = || {
        let home = arcdoor::Home::resolve(Some(state.clone())).unwrap();
        arcdoor::home::pin_book::PinBook::read(&home).unwrap().has(arcdoor_core::SubjectId(1))
    };
    assert!(has_pin());
    // As the advice about another embedder has it: the gallery is moved away, and people are enrolled again.
    std::fs::remove_file(state.join("gallery.redb")).unwrap();
    assert_eq!(device.run(&["enrol", "Joe", "--image", "two.jpg"]).0, 0);
    assert!(!has_pin(), "Joe has Barack's number, and not his PIN");
}

#[test]
fn a_secret_is_asked_for_before_the_door_is_called() {
    let Some((_, photos)) = real() else { return };
    let device = Device::new();
    std::fs::copy(photos.join("obama.jpg"), device.home.path().join("one.jpg")).unwrap();
    assert_eq!(device.run(&["enrol", "Barack", "--image", "one.jpg"]).0, 0);
    let listener = std::os::unix::net::UnixListener::bind(device.home.path().join("door")).unwrap();
    let mut command = device.command(&["pin", "set", "Barack"]);
    command.env("ARCDOOR_SOCKET", device.home.path().join("door")).env("ARCDOOR_PIN_FILE", "missing");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    // It looked whether a door is there, and hung up: its time to be asked runs for no one who still types.
    let mut looks = 0;
    listener.set_nonblocking(true).unwrap();
    while let Ok((mut stream, _)) = listener.accept() {
        looks += 1;
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stream, &mut said).unwrap();
        assert!(said.is_empty());
    }
    assert_eq!(looks, 1);
}
