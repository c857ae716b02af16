//! Photos (JPEG, PNG) and every format of a camera.
//!
//! Bytes that begin as a JPEG or PNG are a photo. Otherwise they are a camera's frame: format u8, width u8,
//! height u8, stride u16 (little-endian), then the frame's data.

use arcdoor_frame::{Converter, ImageLimits, PixelFormat, RawFrame, RgbImage, decode};

/// Small enough that an image at the limit takes milliseconds.
const LIMITS: ImageLimits = ImageLimits { max_bytes: 1 << 20, max_side: 1024, max_pixels: 1 << 18 };

const FORMATS: [PixelFormat; 9] = [
    PixelFormat::Rgb8,
    PixelFormat::Bgr8,
    PixelFormat::Yuyv,
    PixelFormat::Nv12,
    PixelFormat::Grey,
    PixelFormat::Mjpeg,
    PixelFormat::Uyvy,
    PixelFormat::Yu12,
    PixelFormat::Yv12,
];

/// Whatever comes in: an image within the limits, or an error.
pub(crate) fn run(bytes: &[u8]) {
    let mut out = RgbImage::new();
    if bytes.starts_with(&[0xff, 0xd8]) || bytes.starts_with(b"\x89P") {
        let read = decode(bytes, &LIMITS, &mut out);
        if read.is_ok() {
            check(&mut out);
        }
        // The same bytes as a camera sends them, of the size that it agreed to.
        let (width, height) = if read.is_ok() { (out.width(), out.height()) } else { (16, 16) };
        convert(PixelFormat::Mjpeg, width, height, 0, bytes);
    } else if let [format, width, height, low, high, data @ ..] = bytes {
        let format = FORMATS[usize::from(*format) % FORMATS.len()];
        let stride = usize::from(u16::from_le_bytes([*low, *high]));
        convert(format, u32::from(*width), u32::from(*height), stride, data);
    }
}

fn convert(format: PixelFormat, width: u32, height: u32, stride: usize, data: &[u8]) {
    let mut out = RgbImage::new();
    let raw = RawFrame { format, width, height, stride, data };
    if Converter::new(LIMITS).to_rgb(&raw, &mut out).is_ok() {
        assert_eq!((out.width(), out.height()), (width, height));
        check(&mut out);
    }
}

fn check(image: &mut RgbImage) {
    let (width, height) = (image.width(), image.height());
    assert!(width.max(height) <= LIMITS.max_side);
    assert!((1..=LIMITS.max_pixels).contains(&(u64::from(width) * u64::from(height))));
    assert_eq!(image.data_mut().len(), width as usize * height as usize * 3);
}
