//! What is asked of `rpicam-vid`.

use std::process::Command;

use arcdoor_frame::PixelFormat;

use crate::layout::Layout;

/// libcamera pads the rows of the first plane to a multiple of so many bytes.
const ROW_ALIGN: u32 = 64;
/// Bytes of a row at most.
const MAX_STRIDE: u32 = 16_384;
/// Bytes of one frame at most; three are held at once. 4,096 x 2,160 fits.
const MAX_FRAME: usize = 16 << 20;
/// Cameras of one board.
const MAX_CAMERA: u8 = 7;

/// A ribbon camera and how it delivers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mode {
    /// Its number, as `rpicam-hello --list-cameras` counts.
    pub(super) camera: u8,
    /// Pixels; even.
    pub(super) width: u32,
    /// Pixels; even.
    pub(super) height: u32,
    /// Frames a second.
    pub(super) rate: f64,
    /// Bytes from row to row of the first plane; even.
    pub(super) stride: u32,
}

impl Mode {
    /// Reads `N`, `N@WIDTHxHEIGHT`, `N@WIDTHxHEIGHT@RATE` or `N@WIDTHxHEIGHT@RATE@STRIDE`.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        let mut parts = words.split('@');
        let camera = parts.next()?.parse().ok().filter(|camera| *camera <= MAX_CAMERA)?;
        let (width, height) = match parts.next() {
            Some(size) => {
                let (width, height) = size.split_once('x')?;
                (side(width)?, side(height)?)
            }
            None => (640, 480),
        };
        let rate = match parts.next() {
            Some(rate) => rate.parse().ok().filter(|rate| (0.1..=240.0).contains(rate))?,
            None => 30.0,
        };
        let stride = match parts.next() {
            Some(stride) => stride
                .parse()
                .ok()
                .filter(|stride: &u32| stride.is_multiple_of(2) && (width..=MAX_STRIDE).contains(stride))?,
            None => width.next_multiple_of(ROW_ALIGN),
        };
        let mode = Self { camera, width, height, rate, stride };
        (parts.next().is_none() && mode.frame_bytes() <= MAX_FRAME).then_some(mode)
    }

    /// Bytes of one frame: a plane, and two of a quarter of it.
    pub(super) const fn frame_bytes(self) -> usize {
        self.stride as usize * self.height as usize * 3 / 2
    }

    pub(super) const fn layout(self) -> Layout {
        let Self { width, height, stride, .. } = self;
        Layout { format: PixelFormat::Yu12, width, height, stride: stride as usize }
    }

    /// The words for the program: until it is ended, no window, each frame at once.
    pub(super) fn arguments(self, command: &mut Command) {
        command.args(["--timeout", "0", "--nopreview", "--verbose", "0", "--flush"]);
        command.args(["--codec", "yuv420", "--output", "-"]);
        let Self { camera, width, height, rate, .. } = self;
        for (name, value) in [
            ("--camera", camera.to_string()),
            ("--width", width.to_string()),
            ("--height", height.to_string()),
            ("--framerate", rate.to_string()),
        ] {
            command.args([name, &value]);
        }
    }
}

/// A side of a frame: its chroma has half of it.
fn side(text: &str) -> Option<u32> {
    text.parse().ok().filter(|side: &u32| side.is_multiple_of(2) && (16..=4_096).contains(side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_padded_to_64_bytes_unless_the_words_say_otherwise() {
        let mode = |words| Mode::parse(words).unwrap();
        assert_eq!((mode("0").stride, mode("0").frame_bytes()), (640, 460_800));
        assert_eq!((mode("1@600x400").stride, mode("1@600x400").camera), (640, 1));
        assert_eq!(mode("0@600x400@15@608").frame_bytes(), 608 * 400 * 3 / 2);
        assert!(mode("0@4096x2160").frame_bytes() <= MAX_FRAME);
        let mut command = Command::new("x");
        mode("1@1280x720@7.5").arguments(&mut command);
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        let words = words.join(" ");
        assert!(
            words.ends_with("--output - --camera 1 --width 1280 --height 720 --framerate 7.5"),
            "{words}"
        );
    }

    #[test]
    fn words_that_name_no_camera_or_no_frame_are_none() {
        for words in [
            "",
            "8",
            "a",
            "0@",
            "0@640",
            "0@641x480",
            "0@640x0",
            "0@8000x480",
            "0@640x480@0",
            "0@640x480@nan",
            "0@640x480@30@639",
            "0@640x480@30@638",
            "0@640x480@30@99999",
            "0@640x480@30@640@1",
            "0@4096x4096",
            "0@640x4096@30@16384",
        ] {
            assert_eq!(Mode::parse(words), None, "{words}");
        }
    }
}
