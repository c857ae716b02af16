//! What the panel shows while the door runs, and what stays on it afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;
#[path = "common/mounted.rs"]
mod mounted;
#[path = "common/running.rs"]
mod running;

use arcdoor_frame::{ImageLimits, RgbImage, read_image};
use arcdoor_panel::state::Progress;
use arcdoor_panel::{Fault, Language, Light, RgbCanvas, ScreenSize, Style, UiState, View, draw_screen};
use common::{Device, real};
use mounted::{Mounted, sh};
use running::Door;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const SETTINGS: &str = "[door]\nboard = \"simulated\"\nlight = \"day\"\n[door.policy]\nmethods = \"face\"\n";

/// The pixels of a screen.
fn drawn(state: &UiState) -> Vec<u8> {
    let mut pixels = vec![0; 800 * 480 * 3];
    let mut canvas = RgbCanvas::new(&mut pixels, 800, 480).unwrap();
    let style = Style { language: Language::English, light: Light::Day };
    let Ok(()) = draw_screen(state, style, ScreenSize::new(800, 480).unwrap(), &mut canvas);
    pixels
}

/// What the panel has shown, oldest first.
fn shown(device: &Device) -> Vec<Vec<u8>> {
    let Ok(files) = std::fs::read_dir(device.home.path().join("panel")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut image = RgbImage::new();
    let pixels = |file: &PathBuf| {
        read_image(file, &ImageLimits::default(), &mut image).ok()?;
        Some(image.view().data().to_vec())
    };
    files.iter().filter_map(pixels).collect()
}

fn with_settings() -> Device {
    let device = Device::new();
    std::fs::create_dir_all(device.home.path().join("state")).unwrap();
    std::fs::write(device.home.path().join("state/settings.toml"), SETTINGS).unwrap();
    device
}

/// Waits for the program's end, and gives its exit code.
fn ended(door: &mut Door<'_>, mut meanwhile: impl FnMut(&mut Door<'_>)) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = door.child.try_wait().unwrap() {
            return status.code();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
        meanwhile(door);
        // Longer than a contact bounces.
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn an_enrolment_is_guided_on_the_panel_while_the_door_runs() {
    let Some((_, photos)) = real() else { return };
    let device = with_settings();
    let frames = device.home.path().join("frames");
    std::fs::create_dir(&frames).unwrap();
    for number in 1_000..3_000 {
        let (photo, frame) = (photos.join("obama.jpg"), frames.join(format!("{number}.jpg")));
        std::fs::hard_link(&photo, &frame).or_else(|_| std::fs::copy(&photo, &frame).map(drop)).unwrap();
    }
    let _door = Door::open_with(&device, &["--panel", "panel"]);
    let (code, _, error) = device.run(&["enrol", "Barack", "--camera"]);
    assert_eq!(code, 0, "{error}");
    let left = |taken, hint| {
        drawn(&UiState::Enrolment { view: View::Left, progress: Progress::new(taken, 5).unwrap(), hint })
    };
    let guides = [left(1, None), left(1, Some(arcdoor_core::RetryReason::SameView))];
    let shown = shown(&device);
    let guided = shown.iter().filter(|screen| guides.contains(*screen)).count();
    assert!(guided > 0, "one view is taken, and the next is asked for: none of {} screens", shown.len());
}

#[test]
fn a_full_disk_ends_the_program_says_so_on_the_panel_and_is_over_when_there_is_room() {
    let device = Device::new();
    let state = device.home.path().join("state");
    let Some(_disk) = Mounted::at(state.clone(), "1m") else { return };
    std::fs::write(state.join("settings.toml"), SETTINGS).unwrap();
    let mut door = Door::open_with(&device, &["--panel", "panel"]);
    door.until_state("not closed", |state| state["contact"] == "closed");
    let filler = state.join("filler");
    assert!(!sh(&format!("cat /dev/zero > {}", filler.display())), "the disk is full now");
    // Opened and closed: what happens at a door goes on, and fills the last page of the log.
    assert_eq!(ended(&mut door, |door| door.press("c")), Some(5));
    drop(door);
    assert!(
        shown(&device).last() == Some(&drawn(&UiState::Fault(Fault::Storage))),
        "the reason stays on the panel"
    );
    let (code, _, error) = device.run(&["run", "--simulate", "--camera", "/dev/video-of-nobody"]);
    assert!(code == 5 && error.contains("No space left"), "{code} {error}");
    std::fs::remove_file(filler).unwrap();
    let door = Door::open(&device);
    door.until_state("not closed again", |state| state["contact"] == "closed");
    drop(door);
    assert_eq!(device.run(&["log", "verify"]).0, 0);
}

#[test]
fn a_door_that_was_stopped_does_not_look_as_if_somebody_looked() {
    let device = with_settings();
    let mut door = Door::open_with(&device, &["--panel", "panel"]);
    door.until("nothing is shown", |door| door.state().is_some() && !shown(&device).is_empty());
    let pid = rustix::process::Pid::from_child(&door.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(ended(&mut door, |_| ()), Some(0));
    assert!(shown(&device).last() == Some(&drawn(&UiState::Fault(Fault::Stopped))));
}
