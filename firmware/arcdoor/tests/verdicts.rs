//! Exit code 0 of `identify` and `verify` means granted, whoever reads the answer; and the loop ends with its reader.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod common;

use common::{Device, real};
use std::fs::File;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A device with one person, and photos of that person and another.
struct Door {
    device: Device,
    pack: String,
    own: String,
    other: String,
}

impl Door {
    fn new() -> Option<Self> {
        let (pack, photos) = real()?;
        let photo = |name: &str| photos.join(name).to_str().unwrap().to_owned();
        let (own, other) = (photo("obama.jpg"), photo("biden.jpg"));
        let door = Self { device: Device::new(), pack: pack.to_str().unwrap().to_owned(), own, other };
        let enrol = ["enrol", "Barack", "--image", &door.own, "--pack", &door.pack];
        assert_eq!(door.device.run(&enrol).0, 0);
        Some(door)
    }
}

/// A pipe whose reading end is gone.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn a_denial_is_no_grant_whether_or_not_anybody_reads_it() {
    let Some(door) = Door::new() else { return };
    for (question, photo, code) in [
        (&["verify", "Barack"][..], &door.other, 1),
        (&["verify", "Barack"], &door.own, 0),
        (&["identify"], &door.other, 1),
        (&["identify"], &door.own, 0),
    ] {
        for json in [&[][..], &["--json"]] {
            for out in [closed_pipe, full, Stdio::null] {
                let words = [question, &["--image", photo, "--pack", &door.pack], json].concat();
                let status =
                    door.device.command(&words).stdout(out()).stderr(Stdio::null()).status().unwrap();
                assert_eq!(status.code(), Some(code), "{words:?}");
            }
        }
    }
    assert_eq!(door.device.lines(&["list"]).1.len(), 1);
    let status = |out| door.device.command(&["list"]).stdout(out).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status(closed_pipe()).code(), Some(0), "done, and its reader had enough");
    assert_eq!(status(full()).code(), Some(5), "done, and the answer is lost");
}

fn wait(child: &mut Child, at_most: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < at_most {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    None
}

#[test]
fn the_loop_ends_when_its_reader_is_gone_or_does_not_read() {
    let Some(door) = Door::new() else { return };
    let frames = door.device.home.path().join("frames");
    std::fs::create_dir(&frames).unwrap();
    // Enough lines to fill a pipe: no frame shows anybody, so each is short work.
    for number in 0..400 {
        let file = frames.join(format!("{number:04}.png"));
        let mut image = arcdoor_frame::RgbImage::new();
        image.reshape(32, 32);
        arcdoor_frame::write_png(&file, image.view()).unwrap();
    }
    let words = ["run", "--replay", frames.to_str().unwrap(), "--pack", &door.pack];
    let run = |out: Stdio| door.device.command(&words).stdout(out).stderr(Stdio::null()).spawn().unwrap();
    let ended = |child: &mut Child| wait(child, Duration::from_secs(60)).map(|status| status.code());
    assert_eq!(ended(&mut run(closed_pipe())), Some(Some(5)));
    let (reader, writer) = std::io::pipe().unwrap();
    assert_eq!(
        ended(&mut run(writer.into())),
        Some(Some(5)),
        "it waited for ever on a reader that does not read"
    );
    drop(reader);
    assert_eq!(ended(&mut run(Stdio::null())), Some(Some(0)));
}
