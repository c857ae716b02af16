//! Known patterns through every camera format.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;

use arcdoor_frame::{Converter, ImageLimits, PixelFormat, RawFrame, RgbImage};

const WHITE: [u8; 3] = [235, 128, 128];
const RED: [u8; 3] = [81, 90, 240];
const BLUE: [u8; 3] = [41, 240, 110];
const BLACK: [u8; 3] = [16, 128, 128];

fn convert(raw: &RawFrame<'_>) -> Result<RgbImage, arcdoor_frame::FrameError> {
    let mut out = RgbImage::new();
    Converter::default().to_rgb(raw, &mut out).map(|()| out)
}

fn near(found: [u8; 3], wanted: [u8; 3]) {
    let far = found.iter().zip(wanted).any(|(f, w)| f.abs_diff(w) > 3);
    assert!(!far, "{found:?} instead of {wanted:?}");
}

#[test]
fn yuyv_shows_colour_bars_through_padding() {
    let mut data = Vec::new();
    for _ in 0..2 {
        for [y, u, v] in [WHITE, RED, BLUE, BLACK] {
            data.extend([y, u, y, v]);
        }
        data.extend([0xaa; 8]);
    }
    let raw = RawFrame { format: PixelFormat::Yuyv, width: 8, height: 2, stride: 24, data: &data };
    let out = convert(&raw).unwrap();
    for (x, wanted) in [(0, [255; 3]), (2, [255, 0, 0]), (5, [0, 0, 255]), (7, [0; 3])] {
        near(out.view().pixel(x, 0), wanted);
        near(out.view().pixel(x, 1), wanted);
    }
}

#[test]
fn nv12_takes_its_colour_from_the_second_plane() {
    let mut data = vec![0xaa; 8 * 4 + 8 * 2];
    for y in 0..4 {
        for x in 0..6 {
            data[y * 8 + x] = if x < 2 { RED[0] } else { BLUE[0] };
        }
    }
    for y in 0..2 {
        for x in 0..3 {
            let colour = if x == 0 { RED } else { BLUE };
            data[32 + y * 8 + x * 2..][..2].copy_from_slice(&colour[1..]);
        }
    }
    let raw = RawFrame { format: PixelFormat::Nv12, width: 6, height: 4, stride: 8, data: &data };
    let out = convert(&raw).unwrap();
    near(out.view().pixel(1, 3), [255, 0, 0]);
    near(out.view().pixel(4, 0), [0, 0, 255]);
}

/// What the standard says, with one colour for all pixels that share it.
fn reference([y, u, v]: [u8; 3]) -> [u8; 3] {
    let [y, u, v] = [f64::from(y) - 16.0, f64::from(u) - 128.0, f64::from(v) - 128.0];
    let luma = 255.0 / 219.0 * y;
    let (red, blue) = (255.0 / 224.0 * 1.402 * v, 255.0 / 224.0 * 1.772 * u);
    let green = -(0.299 * red + 0.114 * blue) / 0.587;
    [luma + red, luma + green, luma + blue].map(|value| value.round().clamp(0.0, 255.0) as u8)
}

/// Planes of Y, U and V without padding; U and V have `across` x `down` pixels to a value.
struct Planes {
    width: usize,
    across: usize,
    down: usize,
    yuv: [Vec<u8>; 3],
}

impl Planes {
    fn of(format: PixelFormat, width: usize, height: usize, bytes: &[u8]) -> Self {
        let down = if matches!(format, PixelFormat::Yuyv | PixelFormat::Uyvy) { 1 } else { 2 };
        let mut bytes = bytes.iter().copied().cycle();
        let mut take = |count| bytes.by_ref().take(count).collect();
        let chroma = width / 2 * (height / down);
        Self { width, across: 2, down, yuv: [take(width * height), take(chroma), take(chroma)] }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let chroma = y / self.down * (self.width / self.across) + x / self.across;
        [self.yuv[0][y * self.width + x], self.yuv[1][chroma], self.yuv[2][chroma]]
    }

    /// As a camera with this stride sends it; `noise` is what the padding holds.
    fn sent(&self, format: PixelFormat, stride: usize, noise: u8) -> Vec<u8> {
        let mut data = Vec::new();
        let mut row = |bytes: Vec<u8>, stride: usize| {
            let end = data.len() + stride;
            data.extend(bytes);
            data.resize(end, noise);
        };
        let [y, u, v] = &self.yuv;
        let half = self.width / 2;
        let pairs = || y.chunks(2).zip(u.iter().zip(v));
        match format {
            PixelFormat::Yuyv | PixelFormat::Uyvy => {
                let packed: Vec<u8> = pairs()
                    .flat_map(|(y, (&u, &v))| match format {
                        PixelFormat::Yuyv => [y[0], u, y[1], v],
                        _ => [u, y[0], v, y[1]],
                    })
                    .collect();
                packed.chunks(self.width * 2).for_each(|bytes| row(bytes.to_vec(), stride));
            }
            PixelFormat::Nv12 => {
                y.chunks(self.width).for_each(|bytes| row(bytes.to_vec(), stride));
                let both: Vec<u8> = u.iter().zip(v).flat_map(|(&u, &v)| [u, v]).collect();
                both.chunks(self.width).for_each(|bytes| row(bytes.to_vec(), stride));
            }
            PixelFormat::Yu12 | PixelFormat::Yv12 => {
                y.chunks(self.width).for_each(|bytes| row(bytes.to_vec(), stride));
                let order = if format == PixelFormat::Yu12 { [u, v] } else { [v, u] };
                order
                    .iter()
                    .flat_map(|plane| plane.chunks(half))
                    .for_each(|bytes| row(bytes.to_vec(), stride / 2));
            }
            _ => unreachable!("no YUV format"),
        }
        data
    }
}

const YUV: [PixelFormat; 5] =
    [PixelFormat::Yuyv, PixelFormat::Uyvy, PixelFormat::Nv12, PixelFormat::Yu12, PixelFormat::Yv12];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The widths reach over the vector kernels of the library.
    #[test]
    fn any_yuv_frame_is_what_the_standard_says_whatever_its_padding(
        format in select(&YUV[..]),
        (half_width, half_height) in (1_usize..90, 1_usize..9),
        half_padding in 0_usize..40,
        noise in any::<u8>(),
        bytes in vec(any::<u8>(), 1..4096),
    ) {
        let (width, height) = (half_width * 2, half_height * 2);
        let planes = Planes::of(format, width, height, &bytes);
        let (w, h) = (width as u32, height as u32);
        let least = format.row_bytes(w);
        let [plain, padded] = [0, half_padding * 2].map(|padding| {
            let stride = least + padding;
            let mut data = planes.sent(format, stride, noise);
            // A driver's buffer may be longer than its frame.
            data.extend(std::iter::repeat_n(noise, padding));
            convert(&RawFrame { format, width: w, height: h, stride, data: &data }).unwrap()
        });
        prop_assert_eq!(&plain, &padded);
        // Below black, the library's vector code and its scalar code differ; no camera should send that.
        let is_proper = |&(x, y): &(usize, usize)| planes.at(x, y)[0] >= 16;
        for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))).filter(is_proper) {
            let (found, wanted) = (plain.view().pixel(x as u32, y as u32), reference(planes.at(x, y)));
            let far = found.iter().zip(wanted).map(|(found, wanted)| found.abs_diff(wanted)).max();
            prop_assert!(far <= Some(3), "{:?} instead of {:?} at {}, {}", found, wanted, x, y);
        }
    }

    #[test]
    fn a_yuv_frame_that_lacks_a_byte_of_its_last_row_is_refused(
        format in select(&YUV[..]),
        (half_width, half_height) in (1_usize..20, 1_usize..9),
        half_padding in 0_usize..20,
    ) {
        let (width, height) = (half_width * 2, half_height * 2);
        let (w, h) = (width as u32, height as u32);
        let stride = format.row_bytes(w) + half_padding * 2;
        let data = Planes::of(format, width, height, &[128]).sent(format, stride, 0);
        let last_padding = match format {
            PixelFormat::Yuyv | PixelFormat::Uyvy => 0,
            PixelFormat::Yu12 | PixelFormat::Yv12 => half_padding,
            _ => half_padding * 2,
        };
        let whole = data.len() - last_padding;
        let read = |end: usize| convert(&RawFrame { format, width: w, height: h, stride, data: &data[..end] });
        prop_assert!(read(whole).is_ok(), "the last row of planes may lack its padding");
        prop_assert!(read(whole - 1).is_err());
    }
}

#[test]
fn planes_with_an_odd_stride_are_refused() {
    for format in [PixelFormat::Yu12, PixelFormat::Yv12] {
        let raw = RawFrame { format, width: 4, height: 2, stride: 5, data: &[0; 64] };
        assert!(matches!(convert(&raw), Err(arcdoor_frame::FrameError::Shape { stride: 5, .. })));
    }
}

#[test]
fn grey_and_plain_orders_are_exact_at_odd_sizes() {
    let data: Vec<u8> = (0..60).collect();
    let grey = RawFrame { format: PixelFormat::Grey, width: 3, height: 3, stride: 5, data: &data };
    assert_eq!(convert(&grey).unwrap().view().pixel(2, 1), [7; 3]);
    let bgr = RawFrame { format: PixelFormat::Bgr8, width: 3, height: 2, stride: 11, data: &data };
    assert_eq!(convert(&bgr).unwrap().view().pixel(1, 1), [16, 15, 14]);
    let rgb = RawFrame { format: PixelFormat::Rgb8, ..bgr };
    assert_eq!(convert(&rgb).unwrap().view().pixel(1, 1), [14, 15, 16]);
}

fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let pixels: Vec<u8> =
        (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8 * 3, y as u8 * 5, 90])).collect();
    let mut encoded = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut encoded, 95);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    encoded
}

/// Takes every define-Huffman-table segment out, as many cameras do.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    let mut at = 2;
    while jpeg[at + 1] != 0xda {
        let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] != 0xc4 {
            out.extend(&jpeg[at..at + length]);
        }
        at += length;
    }
    out.extend(&jpeg[at..]);
    out
}

#[test]
fn mjpeg_decodes_the_same_with_and_without_huffman_tables() {
    let (whole, bare) = (jpeg(64, 48), without_tables(&jpeg(64, 48)));
    assert!(bare.len() < whole.len());
    let raw = RawFrame { format: PixelFormat::Mjpeg, width: 64, height: 48, stride: 0, data: &whole };
    let out = convert(&raw).unwrap();
    near(out.view().pixel(32, 24), [96, 120, 90]);
    assert_eq!(convert(&RawFrame { data: &bare, ..raw }).unwrap(), out);
}

/// A frame without its end is taken; nothing of the frame before it may show where the rest is missing.
#[test]
fn a_cut_mjpeg_frame_shows_nothing_of_the_frame_before() {
    let whole = jpeg(64, 48);
    let scan = whole.windows(2).position(|w| w == [0xff, 0xda]).unwrap() + 12;
    for end in scan..whole.len() {
        let data = &whole[..end];
        let raw = RawFrame { format: PixelFormat::Mjpeg, width: 64, height: 48, stride: 0, data };
        let [after_black, after_white] = [0, 255].map(|before| {
            let mut out = RgbImage::with_size(64, 48);
            out.data_mut().fill(before);
            Converter::default().to_rgb(&raw, &mut out).map(|()| out).ok()
        });
        assert_eq!(after_black, after_white, "cut at {end}");
    }
}

#[test]
fn bytes_around_a_cameras_frame_and_a_second_start_cost_no_frame() {
    let whole = jpeg(64, 48);
    let raw = RawFrame { format: PixelFormat::Mjpeg, width: 64, height: 48, stride: 0, data: &whole };
    let out = convert(&raw).unwrap();
    for (before, behind) in [
        (&b"\xff\xd8"[..], &b""[..]),
        (b"\0\0\0\0", b"\0\0\0"),
        (b"\x01\xff\xd8\x07", b"\xff\xd9\xff\xd9"),
        (b"\xff\xd8\xff\xd8", b"\xff\xd8\xff\xdb"),
    ] {
        let data = [before, &whole, behind].concat();
        assert_eq!(convert(&RawFrame { data: &data, ..raw }).unwrap(), out, "{before:x?} {behind:x?}");
    }
}

#[test]
fn mjpeg_of_another_size_than_agreed_is_refused() {
    let data = jpeg(64, 48);
    let raw = RawFrame { format: PixelFormat::Mjpeg, width: 48, height: 64, stride: 0, data: &data };
    assert!(convert(&raw).is_err());
}

#[test]
fn short_odd_empty_and_huge_frames_are_refused() {
    use PixelFormat::{Bgr8, Grey, Mjpeg, Nv12, Rgb8, Uyvy, Yu12, Yuyv, Yv12};
    let data = [0_u8; 47];
    for format in [Rgb8, Bgr8, Yuyv, Uyvy, Nv12, Yu12, Yv12, Grey, Mjpeg] {
        for (width, height, stride) in
            [(8, 8, 24), (0, 4, 8), (4, 0, 8), (60_000, 60_000, 180_000), (4, 2, 1)]
        {
            let raw = RawFrame { format, width, height, stride, data: &data };
            assert!(convert(&raw).is_err(), "{format:?} {width}x{height} {stride}");
        }
    }
    let even_width = [Yuyv, Uyvy, Nv12, Yu12, Yv12].map(|format| (format, 3, 2));
    let even_height = [Nv12, Yu12, Yv12].map(|format| (format, 2, 3));
    for (format, width, height) in even_width.into_iter().chain(even_height) {
        let raw = RawFrame { format, width, height, stride: 8, data: &data };
        assert!(convert(&raw).unwrap_err().to_string().contains("even"));
    }
}

#[test]
fn stride_overflow_is_refused() {
    for format in YUV {
        for stride in [usize::MAX, usize::MAX - 1] {
            let raw = RawFrame { format, width: 2, height: 2, stride, data: &[0; 64] };
            assert!(Converter::new(ImageLimits::default()).to_rgb(&raw, &mut RgbImage::new()).is_err());
        }
    }
}
