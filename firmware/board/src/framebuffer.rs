//! Drawn pixels onto the kernel's framebuffer, by plain writes.
//!
//! The geometry comes from /sys/class/graphics/fbN: the ioctls that say the same would be unsafe code. sysfs does not
//! say the order of the channels; it is what Linux's drivers give by default: RGB565, or blue first, green, red.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::panel::{Panel, Rotation};

/// Where the kernel describes its framebuffers.
const SYSFS: &str = "/sys/class/graphics";
/// The longest row that is taken: 4096 pixels of 4 bytes, and padding.
const MAX_STRIDE: usize = 32 * 1024;

/// Why nothing shows.
#[derive(Debug, thiserror::Error)]
pub enum FramebufferError {
    /// The device cannot be opened.
    #[error(
        "{}: {cause}: is a display connected, and may this user write there? Run as a member of the group `video`",
        device.display()
    )]
    Open {
        /// The device file.
        device: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The kernel does not describe it, or not in words that we know.
    #[error("{}: no size of a framebuffer there: is `device` a framebuffer, /dev/fbN?", .0.display())]
    Geometry(PathBuf),
    /// A depth that is not written.
    #[error(
        "{bits} bits a pixel are not supported, 16, 24 or 32 are: set the depth at start (`fbset`, or video= for the kernel)"
    )]
    Depth {
        /// Bits of a pixel.
        bits: u32,
    },
    /// The panel of the board's file does not fit.
    #[error(
        "the framebuffer has {width} x {height} px, less than the panel in the board's file: correct `width` and `height` there"
    )]
    TooSmall {
        /// Its columns.
        width: u32,
        /// Its rows.
        height: u32,
    },
    /// The caller's pixels are not the screen's.
    #[error("{got} pixels were given for a screen of {needed}")]
    Pixels {
        /// How many the screen has.
        needed: usize,
        /// How many came.
        got: usize,
    },
    /// A write failed.
    #[error("the framebuffer cannot be written: {0}: was the display unplugged?")]
    Write(#[from] std::io::Error),
}

/// A rectangle of the screen in pixels, as whoever draws sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Columns from the left.
    pub x: u32,
    /// Rows from the top.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// The whole screen's pixels, row after row without gaps, as whoever draws sees it.
#[derive(Debug, Clone, Copy)]
pub enum Pixels<'a> {
    /// R, G, B.
    Rgb888(&'a [u8]),
    /// Five bits of red in the highest place, six of green, five of blue.
    Rgb565(&'a [u16]),
}

impl Pixels<'_> {
    const fn count(&self) -> usize {
        match self {
            Self::Rgb888(bytes) => bytes.len() / 3,
            Self::Rgb565(words) => words.len(),
        }
    }

    /// R, G, B.
    fn rgb(&self, index: usize) -> [u8; 3] {
        match self {
            Self::Rgb888(bytes) => [bytes[index * 3], bytes[index * 3 + 1], bytes[index * 3 + 2]],
            Self::Rgb565(words) => {
                let word = words[index];
                // The highest bits again in the lowest, so that white stays white.
                let five = |bits: u16| u8::try_from(bits << 3 | bits >> 2).unwrap_or(u8::MAX);
                let six = |bits: u16| u8::try_from(bits << 2 | bits >> 4).unwrap_or(u8::MAX);
                [five(word >> 11), six(word >> 5 & 0x3f), five(word & 0x1f)]
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Rgb565,
    Bgr888,
    Bgrx8888,
}

impl Depth {
    const fn bytes(self) -> usize {
        match self {
            Self::Rgb565 => 2,
            Self::Bgr888 => 3,
            Self::Bgrx8888 => 4,
        }
    }

    fn put(self, [r, g, b]: [u8; 3], out: &mut [u8]) {
        match self {
            Self::Rgb565 => {
                let word = u16::from(r >> 3) << 11 | u16::from(g >> 2) << 5 | u16::from(b >> 3);
                out.copy_from_slice(&word.to_le_bytes());
            }
            Self::Bgr888 => out.copy_from_slice(&[b, g, r]),
            Self::Bgrx8888 => out.copy_from_slice(&[b, g, r, 0]),
        }
    }
}

/// A framebuffer that takes what was drawn.
#[derive(Debug)]
pub struct Framebuffer {
    file: File,
    depth: Depth,
    stride: usize,
    /// Columns and rows of the screen, as whoever draws sees it.
    size: (u32, u32),
    /// The panel's own columns and rows.
    native: (u32, u32),
    rotation: Rotation,
    /// One row on its way; made once.
    row: Vec<u8>,
}

impl Framebuffer {
    /// Opens the panel's framebuffer.
    ///
    /// # Errors
    /// A device that cannot be opened, is none, or is smaller than the panel.
    pub fn open(panel: &Panel) -> Result<Self, FramebufferError> {
        Self::open_at(panel, panel.device.as_path(), Path::new(SYSFS))
    }

    fn open_at(panel: &Panel, device: &Path, sysfs: &Path) -> Result<Self, FramebufferError> {
        let folder = sysfs.join(device.file_name().unwrap_or_default());
        let number = |name: &str, text: &str| {
            text.trim().parse::<u32>().map_err(|_| FramebufferError::Geometry(folder.join(name)))
        };
        let text = |name: &str| {
            std::fs::read_to_string(folder.join(name))
                .map_err(|_| FramebufferError::Geometry(folder.join(name)))
        };
        let size = text("virtual_size")?;
        let (width, height) =
            size.split_once(',').ok_or_else(|| FramebufferError::Geometry(folder.join("virtual_size")))?;
        let (width, height) = (number("virtual_size", width)?, number("virtual_size", height)?);
        let depth = match number("bits_per_pixel", &text("bits_per_pixel")?)? {
            16 => Depth::Rgb565,
            24 => Depth::Bgr888,
            32 => Depth::Bgrx8888,
            bits => return Err(FramebufferError::Depth { bits }),
        };
        let stride = number("stride", &text("stride")?)? as usize;
        let native = (panel.width.px(), panel.height.px());
        // A virtual screen may be higher than what is seen: that one counts.
        if native.0 > width || native.1 > height {
            return Err(FramebufferError::TooSmall { width, height });
        }
        if !(native.0 as usize * depth.bytes()..=MAX_STRIDE).contains(&stride) {
            return Err(FramebufferError::Geometry(folder.join("stride")));
        }
        let file = OpenOptions::new()
            .write(true)
            .open(device)
            .map_err(|cause| FramebufferError::Open { device: device.to_owned(), cause })?;
        let row = vec![0; native.0 as usize * depth.bytes()];
        Ok(Self { file, depth, stride, size: panel.size(), native, rotation: panel.rotation, row })
    }

    /// Writes `dirty`, as far as it lies on the screen, out of the whole screen's pixels.
    ///
    /// # Errors
    /// Pixels of another size; a write that fails.
    pub fn draw(&mut self, screen: Pixels<'_>, dirty: Area) -> Result<(), FramebufferError> {
        let (width, height) = self.size;
        let needed = width as usize * height as usize;
        if screen.count() != needed {
            return Err(FramebufferError::Pixels { needed, got: screen.count() });
        }
        let (left, top) = (dirty.x.min(width), dirty.y.min(height));
        let right = dirty.x.saturating_add(dirty.width).min(width);
        let bottom = dirty.y.saturating_add(dirty.height).min(height);
        if left == right || top == bottom {
            return Ok(());
        }
        // The corners' places on the panel span the rectangle there.
        let on_panel = |at| self.rotation.to_panel(self.native, at);
        let (a, b) = (on_panel((left, top)), on_panel((right - 1, bottom - 1)));
        let (columns, rows) = (a.0.min(b.0)..=a.0.max(b.0), a.1.min(b.1)..=a.1.max(b.1));
        let bytes = self.depth.bytes();
        for y in rows {
            let mut used = 0;
            for x in columns.clone() {
                let (sx, sy) = self.rotation.from_panel(self.native, (x, y));
                let rgb = screen.rgb(sy as usize * width as usize + sx as usize);
                self.depth.put(rgb, &mut self.row[used..used + bytes]);
                used += bytes;
            }
            let at = y as usize * self.stride + *columns.start() as usize * bytes;
            self.file.write_all_at(&self.row[..used], at as u64)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device_path::DevicePath;
    use crate::panel::{PanelKind, Side};
    use std::fs;

    const STRIDE: usize = 32;

    struct Fake {
        folder: tempfile::TempDir,
        panel: Panel,
    }

    /// A file and a folder of texts in the place of a framebuffer: 4 x 3 px, 32 bytes a row.
    fn fake(bits: u32, degrees: u32) -> Fake {
        let folder = tempfile::tempdir().unwrap();
        let sysfs = folder.path().join("fb0");
        fs::create_dir(&sysfs).unwrap();
        fs::write(sysfs.join("virtual_size"), "4,6\n").unwrap();
        fs::write(sysfs.join("bits_per_pixel"), format!("{bits}\n")).unwrap();
        fs::write(sysfs.join("stride"), format!("{STRIDE}\n")).unwrap();
        fs::create_dir(folder.path().join("dev")).unwrap();
        fs::write(folder.path().join("dev/fb0"), vec![0xaa; STRIDE * 3]).unwrap();
        let panel = Panel {
            kind: PanelKind::Framebuffer,
            device: DevicePath::try_from("/dev/fb0".to_owned()).unwrap(),
            width: Side::try_from(4).unwrap(),
            height: Side::try_from(3).unwrap(),
            rotation: Rotation::try_from(degrees).unwrap(),
            touch: None,
        };
        Fake { folder, panel }
    }

    impl Fake {
        fn open(&self) -> Result<Framebuffer, FramebufferError> {
            Framebuffer::open_at(&self.panel, &self.folder.path().join("dev/fb0"), self.folder.path())
        }

        fn bytes(&self) -> Vec<u8> {
            fs::read(self.folder.path().join("dev/fb0")).unwrap()
        }
    }

    /// Twelve pixels whose red is their number.
    fn screen() -> Vec<u8> {
        (0..12).flat_map(|index| [index * 8, 0x10, 0x20]).collect()
    }

    const ALL: Area = Area { x: 0, y: 0, width: u32::MAX, height: u32::MAX };

    #[test]
    fn rows_go_to_their_stride_without_allocating_and_the_padding_is_left_alone() {
        let fake = fake(32, 0);
        let (mut framebuffer, screen) = (fake.open().unwrap(), screen());
        let (drawn, used) =
            arcdoor_allocations::during_here(|| framebuffer.draw(Pixels::Rgb888(&screen), ALL));
        drawn.unwrap();
        assert_eq!(used.count, 0);
        let bytes = fake.bytes();
        assert_eq!(bytes[STRIDE..STRIDE + 8], [0x20, 0x10, 32, 0, 0x20, 0x10, 40, 0]);
        assert!(bytes.chunks(STRIDE).all(|row| row[16..].iter().all(|byte| *byte == 0xaa)));
    }

    #[test]
    fn only_the_dirty_rectangle_is_written() {
        let fake = fake(16, 0);
        let dirty = Area { x: 1, y: 1, width: 2, height: 1 };
        fake.open().unwrap().draw(Pixels::Rgb888(&screen()), dirty).unwrap();
        let bytes = fake.bytes();
        let changed: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0xaa).collect();
        assert_eq!(changed, [STRIDE + 2, STRIDE + 3, STRIDE + 4, STRIDE + 5]);
        let word = u16::from_le_bytes([bytes[STRIDE + 2], bytes[STRIDE + 3]]);
        assert_eq!((word >> 11, word >> 5 & 0x3f, word & 0x1f), (5, 4, 4));
    }

    #[test]
    fn white_stays_white_in_every_depth() {
        for bits in [16, 24, 32] {
            let fake = fake(bits, 0);
            fake.open().unwrap().draw(Pixels::Rgb565(&[0xffff; 12]), ALL).unwrap();
            assert_eq!(fake.bytes()[0..2], [0xff, 0xff], "{bits} bits");
        }
    }

    #[test]
    fn a_turned_panel_shows_the_first_pixel_in_its_own_corner() {
        for (degrees, size, first) in [(90, (3, 4), 3), (180, (4, 3), 2 * 8 + 3), (270, (3, 4), 2 * 8)] {
            let fake = fake(32, degrees);
            let mut framebuffer = fake.open().unwrap();
            assert_eq!(framebuffer.size, size);
            let mut screen = [0_u8; 36];
            screen[..3].copy_from_slice(&[255, 255, 255]);
            framebuffer.draw(Pixels::Rgb888(&screen), ALL).unwrap();
            let lit = fake.bytes().iter().position(|byte| *byte == 255);
            assert_eq!(lit, Some(first * 4), "{degrees} degrees");
        }
    }

    #[test]
    fn what_is_no_framebuffer_is_refused_with_the_file_that_says_so() {
        let broken = [
            ("stride", "15", "stride"),
            ("stride", "99999", "stride"),
            ("virtual_size", "800", "virtual_size"),
            ("virtual_size", "3,3", "less than the panel"),
            ("bits_per_pixel", "8", "8 bits"),
            ("bits_per_pixel", "", "bits_per_pixel"),
        ];
        for (file, text, expected) in broken {
            let fake = fake(32, 0);
            fs::write(fake.folder.path().join("fb0").join(file), text).unwrap();
            let error = fake.open().unwrap_err().to_string();
            assert!(error.contains(expected), "{file} {text:?}: {error}");
        }
    }

    #[test]
    fn pixels_of_another_screen_are_refused() {
        let fake = fake(32, 0);
        let drawn = fake.open().unwrap().draw(Pixels::Rgb888(&[0; 33]), ALL);
        assert!(matches!(drawn, Err(FramebufferError::Pixels { needed: 12, got: 11 })));
    }

    /// Wherever a screen is cut into four, in whatever turn: the panel shows what drawing the whole shows.
    #[test]
    fn dirty_rectangles_add_up_to_the_whole() {
        for (bits, degrees) in
            [16, 24, 32].into_iter().flat_map(|bits| [0, 90, 180, 270].map(|turn| (bits, turn)))
        {
            let fake = fake(bits, degrees);
            let mut framebuffer = fake.open().unwrap();
            framebuffer.draw(Pixels::Rgb888(&screen()), ALL).unwrap();
            let whole = fake.bytes();
            for (across, down) in (0..5).flat_map(|across| (0..5).map(move |down| (across, down))) {
                fs::write(fake.folder.path().join("dev/fb0"), vec![0xaa; STRIDE * 3]).unwrap();
                for (x, width) in [(0, across), (across, u32::MAX)] {
                    for (y, height) in [(0, down), (down, u32::MAX)] {
                        framebuffer.draw(Pixels::Rgb888(&screen()), Area { x, y, width, height }).unwrap();
                    }
                }
                assert!(fake.bytes() == whole, "{bits} bits, {degrees} degrees, cut at {across}, {down}");
            }
        }
    }
}
