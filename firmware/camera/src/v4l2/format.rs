//! Which of a camera's formats to take.

use arcdoor_frame::PixelFormat;

/// A V4L2 four-letter code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FourCc(pub(super) u32);

impl FourCc {
    pub(super) const fn new(code: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(code))
    }

    /// What our converter calls it; `None` where it knows no such format.
    pub(super) fn pixel_format(self) -> Option<PixelFormat> {
        FORMATS.iter().find(|(code, _)| *code == self).map(|(_, format)| *format)
    }
}

impl std::fmt::Display for FourCc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.0.to_le_bytes() {
            let shown = if byte.is_ascii_graphic() { char::from(byte) } else { '?' };
            write!(f, "{shown}")?;
        }
        Ok(())
    }
}

/// Colour, the cheapest to convert first; then grey. `JPEG` is what some drivers call motion JPEG.
const FORMATS: [(FourCc, PixelFormat); 10] = [
    (FourCc::new(*b"RGB3"), PixelFormat::Rgb8),
    (FourCc::new(*b"BGR3"), PixelFormat::Bgr8),
    (FourCc::new(*b"YUYV"), PixelFormat::Yuyv),
    (FourCc::new(*b"UYVY"), PixelFormat::Uyvy),
    (FourCc::new(*b"NV12"), PixelFormat::Nv12),
    (FourCc::new(*b"YU12"), PixelFormat::Yu12),
    (FourCc::new(*b"YV12"), PixelFormat::Yv12),
    (FourCc::new(*b"MJPG"), PixelFormat::Mjpeg),
    (FourCc::new(*b"JPEG"), PixelFormat::Mjpeg),
    (FourCc::new(*b"GREY"), PixelFormat::Grey),
];

/// The frames that are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second; need not be whole.
    pub rate: f64,
    /// This format and no other; `None`: any that can be converted.
    pub format: Option<PixelFormat>,
    /// Bytes from row to row that the driver is asked for, which may give more or fewer; 0: as it likes.
    pub stride: u32,
}

impl Default for Wanted {
    /// 640 x 480 at 30 a second: every camera has it, and a face at arm's length is some 100 pixels wide.
    fn default() -> Self {
        Self { width: 640, height: 480, rate: 30.0, format: None, stride: 0 }
    }
}

/// Frames in a second as the exact fraction that the driver gave: 15/2 is 7.5 a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) frames: u32,
    pub(super) seconds: u32,
}

impl Rate {
    pub(super) fn per_second(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds.max(1))
    }
}

/// One way in which a camera can deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mode {
    pub(super) code: FourCc,
    pub(super) width: u32,
    pub(super) height: u32,
    /// `None` where the driver does not say.
    pub(super) rate: Option<Rate>,
}

/// The mode nearest in size to what is wanted; of those, colour before grey, then the nearest rate, then the
/// cheapest to convert. `None` where no mode can be converted.
pub(super) fn choose(offered: &[Mode], wanted: Wanted) -> Option<Mode> {
    let is_wanted = |format: PixelFormat| wanted.format.is_none_or(|only| only == format);
    let usable = offered.iter().filter(|mode| mode.code.pixel_format().is_some_and(is_wanted));
    let distance = |mode: &Mode| mode.width.abs_diff(wanted.width) + mode.height.abs_diff(wanted.height);
    let is_grey = |mode: &Mode| mode.code.pixel_format() == Some(PixelFormat::Grey);
    let off_rate = |mode: &Mode| (mode.rate.map_or(0.0, Rate::per_second) - wanted.rate).abs();
    let cost = |mode: &Mode| FORMATS.iter().position(|(code, _)| *code == mode.code);
    let by_rank = |a: &&Mode, b: &&Mode| {
        (distance(a), is_grey(a))
            .cmp(&(distance(b), is_grey(b)))
            .then(off_rate(a).total_cmp(&off_rate(b)))
            .then(cost(a).cmp(&cost(b)))
    };
    usable.min_by(by_rank).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(code: &[u8; 4], width: u32, height: u32, frames: u32, seconds: u32) -> Mode {
        Mode { code: FourCc::new(*code), width, height, rate: Some(Rate { frames, seconds }) }
    }

    #[test]
    fn the_nearest_size_then_colour_then_rate_then_cost() {
        let wanted = Wanted::default();
        let all = [
            mode(b"H264", 640, 480, 30, 1),
            mode(b"GREY", 640, 480, 30, 1),
            mode(b"YUYV", 640, 480, 15, 2),
            mode(b"MJPG", 640, 480, 30, 1),
            mode(b"YUYV", 1280, 720, 30, 1),
            mode(b"YUYV", 640, 480, 60, 2),
        ];
        assert_eq!(choose(&all, wanted), Some(all[5]), "the same rate, but cheaper");
        assert_eq!(choose(&all[..5], wanted), Some(all[3]));
        let only = |format| choose(&all, Wanted { format: Some(format), ..wanted });
        assert_eq!((only(PixelFormat::Grey), only(PixelFormat::Uyvy)), (Some(all[1]), None));
        assert_eq!(choose(&all, Wanted { rate: 7.5, ..wanted }), Some(all[2]), "a rate need not be whole");
        assert_eq!(choose(&all[..2], wanted), Some(all[1]));
        assert_eq!(choose(&all[..1], wanted), None);
        assert_eq!(choose(&all, Wanted { width: 1920, height: 1080, rate: 60.0, ..wanted }), Some(all[4]));
    }

    #[test]
    fn a_mode_without_a_rate_can_be_taken_and_zero_seconds_is_no_division() {
        let silent = Mode { rate: None, ..mode(b"GREY", 320, 240, 1, 1) };
        assert_eq!(choose(&[silent], Wanted::default()), Some(silent));
        assert!(choose(&[mode(b"YUYV", 320, 240, 1, 0)], Wanted::default()).is_some());
    }

    #[test]
    fn codes_are_shown_as_they_are_written() {
        assert_eq!(FourCc::new(*b"YUYV").to_string(), "YUYV");
        assert_eq!(FourCc(0x0000_0031).to_string(), "1???");
    }
}
