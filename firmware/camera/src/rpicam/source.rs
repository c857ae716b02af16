//! A ribbon camera as a source of frames.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arcdoor_frame::{Converter, RawFrame, RgbImage};

use super::frame::{Ended, Newest};
use super::held;
use super::mode::Mode;
use super::pipe::Pipes;
use crate::error::CameraError;
use crate::layout::Layout;
use crate::source::Source;

/// The program, of the package rpicam-apps.
const PROGRAM: &str = "rpicam-vid";
/// How long a program that was killed may take to end; nothing is recognised meanwhile.
const END_WITHIN: Duration = Duration::from_secs(2);

/// A running `rpicam-vid`. It is ended when this is dropped; should this process be killed, its next frame finds no
/// reader, and it ends as well.
#[derive(Debug)]
pub struct Rpicam {
    mode: Mode,
    timeout: Duration,
    /// Until it is ended.
    child: Option<Child>,
    newest: Arc<Newest>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    frame: Vec<u8>,
    converter: Converter,
}

impl Rpicam {
    /// Starts the program. A frame is waited for until `timeout`.
    pub(crate) fn open(mode: Mode, timeout: Duration) -> Result<Self, CameraError> {
        Self::start(Path::new(PROGRAM), mode, timeout)
    }

    fn start(program: &Path, mode: Mode, timeout: Duration) -> Result<Self, CameraError> {
        if held::is_held(mode.camera) {
            return Err(CameraError::Held { device: name(mode) });
        }
        let failed = |cause| CameraError::Program { program: program.display().to_string(), cause };
        let mut command = Command::new(program);
        mode.arguments(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let bytes = mode.frame_bytes();
        let mut camera = Self {
            mode,
            timeout,
            child: Some(child),
            newest: Arc::new(Newest::new(bytes)),
            stop: Arc::new(AtomicBool::new(false)),
            reader: None,
            frame: vec![0; bytes],
            converter: Converter::default(),
        };
        // Both are there: they were asked for.
        if let Some((frames, words)) = pipes {
            let (newest, stop) = (Arc::clone(&camera.newest), Arc::clone(&camera.stop));
            let read = move || Pipes { frames, words }.read(bytes, &newest, &stop);
            let reader = std::thread::Builder::new().name("rpicam".to_owned()).spawn(read).map_err(failed)?;
            camera.reader = Some(reader);
        }
        Ok(camera)
    }
}

fn name(mode: Mode) -> String {
    format!("rpicam:{}", mode.camera)
}

impl Source for Rpicam {
    fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError> {
        match self.newest.take(&mut self.frame, self.timeout) {
            Ok(true) => {}
            Ok(false) => {
                let waited_ms = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
                return Err(CameraError::Stalled { device: name(self.mode), waited_ms });
            }
            Err(Ended(said)) => return Err(CameraError::Ended { device: name(self.mode), said }),
        }
        let Layout { format, width, height, stride } = self.mode.layout();
        self.converter.to_rgb(&RawFrame { format, width, height, stride, data: &self.frame }, out)?;
        Ok(true)
    }
}

impl Drop for Rpicam {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(child) = self.child.take() {
            held::end(self.mode.camera, child, END_WITHIN);
        }
        if let Some(reader) = self.reader.take() {
            // Looks at `stop` at least every 100 ms, whoever else holds the pipe.
            let _ = reader.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::error::ErrorKind;

    /// 16 x 16, rows of 64 bytes.
    const FRAME: usize = 64 * 16 * 3 / 2;
    const LONG: Duration = Duration::from_secs(60);

    /// A program in place of `rpicam-vid`; `frame N` writes a frame whose bytes are the character `N`.
    fn fake(script: &str, timeout: Duration) -> (tempfile::TempDir, Result<Rpicam, CameraError>) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("rpicam-vid");
        let text =
            format!("#!/bin/sh\nframe() {{ head -c {FRAME} /dev/zero | tr '\\0' \"$1\"; }}\n{script}\n");
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mode = Mode::parse("0@16x16@30").unwrap();
        // Another test that forks while this file is open for writing makes it busy for a moment.
        let opened = loop {
            match Rpicam::start(&program, mode, timeout) {
                Err(CameraError::Program { cause, .. })
                    if cause.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                other => break other,
            }
        };
        (folder, opened)
    }

    fn next(camera: &mut Rpicam) -> Result<u8, CameraError> {
        let mut out = RgbImage::new();
        camera.next_frame(&mut out)?;
        assert_eq!((out.view().width(), out.view().height()), (16, 16));
        Ok(out.view().pixel(15, 15)[1])
    }

    #[test]
    fn a_frame_with_padded_rows_arrives_and_the_program_hears_what_is_wanted() {
        let script = "case \"$*\" in *'--codec yuv420'*'--width 16 --height 16 --framerate 30'*) ;; *) exit 9;; esac\n\
                      frame a; exec sleep 60";
        let (_folder, camera) = fake(script, LONG);
        let mut camera = camera.unwrap();
        // Limited range, and the chroma is 97 as well: greenish.
        assert!(next(&mut camera).unwrap() > 100);
    }

    #[test]
    fn rows_are_read_at_their_stride() {
        // Padding of other bytes than the rows: a wrong stride would show it.
        let script = "i=0; while [ $i -lt 16 ]; do printf 'QQQQQQQQQQQQQQQQ'; head -c 48 /dev/zero; i=$((i+1)); done\n\
                      head -c 512 /dev/zero | tr '\\0' '\\200'; exec sleep 60";
        let (_folder, camera) = fake(script, LONG);
        let mut out = RgbImage::new();
        assert!(camera.unwrap().next_frame(&mut out).unwrap());
        let first = out.view().pixel(0, 0);
        assert!(first.iter().all(|value| (60..=90).contains(value)), "{first:?}");
        assert!(out.data_mut().chunks_exact(3).all(|pixel| pixel == first));
    }

    #[test]
    fn a_program_that_stalls_is_a_stalled_camera_and_is_ended_with_it() {
        let (folder, camera) = fake("echo $$ > \"$0.pid\"; sleep 60 & wait", Duration::from_millis(300));
        let mut camera = camera.unwrap();
        let error = next(&mut camera).unwrap_err();
        assert!(matches!(error, CameraError::Stalled { waited_ms: 300, .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Camera);
        let id = fs::read_to_string(folder.path().join("rpicam-vid.pid")).unwrap();
        // The script's own child holds the pipe on: that may not hold us.
        drop(camera);
        assert!(!Path::new("/proc").join(id.trim()).exists());
    }

    #[test]
    fn a_program_that_dies_is_a_lost_camera_with_its_last_words() {
        let (_folder, camera) = fake("frame a; echo 'ERROR: *** no cameras available ***' >&2; exit 1", LONG);
        let mut camera = camera.unwrap();
        let error = loop {
            // The frame before its death may still be there.
            match next(&mut camera) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("no cameras available"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Camera, "it is started again");
    }

    #[test]
    fn half_a_frame_is_never_shown() {
        let (_folder, camera) = fake("head -c 700 /dev/zero", LONG);
        let error = next(&mut camera.unwrap()).unwrap_err();
        assert!(matches!(error, CameraError::Ended { .. }), "{error}");
        let (_folder, camera) = fake("head -c 700 /dev/zero; exec sleep 60", Duration::from_millis(300));
        let error = next(&mut camera.unwrap()).unwrap_err();
        assert!(matches!(error, CameraError::Stalled { .. }), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_says_what_to_install() {
        let error = Rpicam::start(Path::new("/nowhere/rpicam-vid"), Mode::parse("0").unwrap(), LONG);
        let error = error.map(drop).unwrap_err();
        assert!(error.to_string().contains("rpicam-apps"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Setup);
    }

    #[test]
    fn a_program_that_never_stops_talking_fills_no_memory_and_hinders_no_frame() {
        let (_folder, camera) = fake("yes WARN >&2 & while :; do frame a; done", LONG);
        let mut camera = camera.unwrap();
        for _ in 0..3 {
            next(&mut camera).unwrap();
        }
    }
}
