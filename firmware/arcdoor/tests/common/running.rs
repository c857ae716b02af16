//! A door that runs beside the test.

use crate::common::Device;
use serde_json::Value;
use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

/// A running door that is killed in the end, as whoever pulls the plug does.
pub(crate) struct Door<'a> {
    device: &'a Device,
    pub(crate) child: Child,
    keys: ChildStdin,
}

impl<'a> Door<'a> {
    /// One whose camera shows what lies in the folder `frames`, 30 times a second; where there is none, it waits for it.
    pub(crate) fn open(device: &'a Device) -> Self {
        Self::open_with(device, &[])
    }

    /// With more words on its command line.
    pub(crate) fn open_with(device: &'a Device, more: &[&str]) -> Self {
        let frames = device.home.path().join("frames");
        let mut arguments = vec!["run", "--simulate"];
        if frames.exists() {
            arguments.extend(["--replay", "frames", "--rate", "30"]);
        } else {
            arguments.extend(["--camera", "/dev/video-of-nobody"]);
        }
        arguments.extend(more);
        let mut command = device.command(&arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let keys = child.stdin.take().unwrap();
        let door = Self { device, child, keys };
        door.until("it does not answer", |door| door.state().is_some());
        door
    }

    pub(crate) fn state(&self) -> Option<Value> {
        let (code, mut lines) = self.device.lines(&["door", "state"]);
        (code == 0).then(|| lines.remove(0))
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {:?}", self.state());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn until_state(&self, what: &str, holds: impl Fn(&Value) -> bool) {
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
