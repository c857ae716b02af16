//! What lasts when recognition is loaded anew or the device starts again.

use arcdoor::daemon::{Queue, Trace};
use arcdoor_api::{Feed, Request};
use arcdoor_tests::{Real, barack, device, write_frames};

use crate::asked::send;
use crate::{decisions, done, enrol, run};

#[test]
fn a_trace_replays_although_recognition_was_loaded_anew_in_the_middle() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (frames, trace) = (folder.path().join("frames"), folder.path().join("trace"));
    write_frames(&frames, &real.visit()[..6]);
    let mut device = device(&folder.path().join("home"), &real.pack);
    enrol(&mut device, real.photo("obama.jpg"));
    let (door, queue) = Queue::new();
    let install = Request::PackInstall { dir: real.pack.clone(), older: false, sure: false };
    let mut told = Vec::new();
    let lines = run(&mut device, frames, queue, Some(Trace::create(&trace).unwrap()), |line| {
        if line["frame"] == 3 {
            told.push(send(&door, install.clone()));
        }
    });
    assert_eq!(
        decisions(&lines),
        ["retry", "retry", "granted", "retry", "retry", "retry"],
        "votes begin anew: the last frame would be the third that agrees"
    );
    assert_eq!(told[0].iter().last().unwrap(), "Done");
    assert_eq!(done(&mut device, &Request::Replay { file: trace }).1.len(), 7);
}

/// Twenty-five frames of a stranger lock the door; another pack is installed, and the loop is begun again.
#[test]
fn a_lockout_outlasts_recognition_that_is_loaded_anew() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (frames, trace) = (folder.path().join("frames"), folder.path().join("trace"));
    write_frames(&frames, &(0..30).map(|i| real.frame("biden.jpg", i % 6 * 3)).collect::<Vec<_>>());
    let mut device = device(&folder.path().join("home"), &real.pack);
    enrol(&mut device, real.photo("obama.jpg"));
    let (door, queue) = Queue::new();
    let install = Request::PackInstall { dir: real.pack.clone(), older: false, sure: false };
    let mut told = Vec::new();
    let lines = run(&mut device, frames.clone(), queue, Some(Trace::create(&trace).unwrap()), |line| {
        if line["frame"] == 26 {
            told.push(send(&door, install.clone()));
        }
    });
    assert_eq!(told[0].iter().last().unwrap(), "Done");
    assert_eq!(lines[24]["reason"], "no_match");
    assert!(lines[25..].iter().all(|line| line["reason"] == "locked_out"), "{:?}", decisions(&lines));
    assert_eq!(done(&mut device, &Request::Replay { file: trace }).1.len(), 31);
    device.drop_recognition();
    let lines = run(&mut device, frames, Queue::new().1, None, |_| {});
    assert!(lines.iter().all(|line| line["reason"] == "locked_out"), "{:?}", decisions(&lines));
}

#[test]
fn who_is_revoked_is_a_stranger_at_once_and_after_a_restart() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let asked = || Request::Identify { from: Feed::Photos(vec![real.photo("obama3.jpg")]), annotate: None };
    let mut first = device(&home, &real.pack);
    enrol(&mut first, real.photo("obama.jpg"));
    assert_eq!(done(&mut first, &asked()).1[0]["decision"], "granted");
    done(&mut first, &Request::Revoke { name: barack(), erase: false });
    assert_eq!(done(&mut first, &asked()).1[0]["reason"], "nobody_enrolled");
    drop(first);
    assert_eq!(done(&mut device(&home, &real.pack), &asked()).1[0]["reason"], "nobody_enrolled");
}

/// Five strangers' attempts lock the door; whoever cuts the power gets no more of them.
#[test]
fn a_lockout_survives_a_restart() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (home, frames) = (folder.path().join("home"), folder.path().join("frames"));
    write_frames(&frames, &(0..26).map(|_| real.frame("biden.jpg", 0)).collect::<Vec<_>>());
    let mut first = device(&home, &real.pack);
    enrol(&mut first, real.photo("obama.jpg"));
    let lines = run(&mut first, frames.clone(), Queue::new().1, None, |_| {});
    assert_eq!(lines.last().unwrap()["reason"], "locked_out");
    drop(first);
    let mut second = device(&home, &real.pack);
    let lines = run(&mut second, frames, Queue::new().1, None, |_| {});
    assert_eq!(lines[0]["reason"], "locked_out", "the power was cut, and the lockout forgotten");
}
