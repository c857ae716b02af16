//! Files from outside: good, damaged, oversized and no files at all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use std::path::Path;

use arcdoor_frame::{FrameError, ImageLimits, RgbImage, decode, encode_png, read_image, write_png};
use proptest::prelude::*;

fn gradient(width: u32, height: u32) -> RgbImage {
    let mut image = RgbImage::with_size(width, height);
    for (i, pixel) in image.data_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = (i as u32 % width, i as u32 / width);
        pixel.copy_from_slice(&[(x * 4) as u8, (y * 4) as u8, 60]);
    }
    image
}

fn jpeg(image: &RgbImage, exif: Option<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut out, 98);
    if let Some(orientation) = exif {
        let mut block = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        encoder.add_app_segment(1, block).unwrap();
    }
    let (width, height) = (image.width() as u16, image.height() as u16);
    encoder.encode(image.view().data(), width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    out
}

fn open(bytes: &[u8]) -> Result<RgbImage, FrameError> {
    let mut out = RgbImage::new();
    decode(bytes, &ImageLimits::default(), &mut out).map(|()| out)
}

#[test]
fn a_png_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.png");
    let image = gradient(17, 9);
    write_png(&path, image.view()).unwrap();
    let mut again = RgbImage::new();
    read_image(&path, &ImageLimits::default(), &mut again).unwrap();
    assert_eq!(again, image);
}

#[test]
fn exif_orientation_turns_a_telephone_photo_upright() {
    let image = gradient(48, 32);
    let corner = |orientation| {
        let out = open(&jpeg(&image, Some(orientation))).unwrap();
        let [r, g, _] = out.view().pixel(2, 2);
        ((out.width(), out.height()), (r > 90, g > 60))
    };
    assert_eq!(corner(1), ((48, 32), (false, false)));
    assert_eq!(corner(3), ((48, 32), (true, true)), "upside down");
    assert_eq!(corner(6), ((32, 48), (false, true)), "bottom left comes to the top left");
    assert_eq!(corner(8), ((32, 48), (true, false)), "top right comes to the top left");
    assert_eq!(corner(99), ((48, 32), (false, false)), "an unknown value changes nothing");
}

#[test]
fn a_header_of_3_6_gigapixels_is_refused_by_its_header() {
    let mut file = jpeg(&gradient(16, 16), None);
    let sof = file.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    file[sof + 5..sof + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    assert!(matches!(open(&file), Err(FrameError::TooLarge { width: 60_000, height: 60_000, .. })));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.png");
    write_png(&path, gradient(4, 4).view()).unwrap();
    let mut png = std::fs::read(&path).unwrap();
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    assert!(matches!(open(&png), Err(FrameError::TooLarge { width: 60_000, height: 60_000, .. })));
}

fn png_of(image: &RgbImage) -> Vec<u8> {
    encode_png(image.view()).unwrap()
}

/// An EXIF block that says how the image is to be turned.
fn exif_block(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

/// A PNG with one more chunk before the byte `at`.
fn with_chunk(png: &[u8], at: usize, kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let length = (data.len() as u32).to_be_bytes();
    [&png[..at], &length, &body, &crc32(&body).to_be_bytes(), &png[at..]].concat()
}

#[test]
fn a_png_with_exif_is_turned_upright_wherever_the_chunk_stands() {
    let png = png_of(&gradient(48, 32));
    let turned = |file: &[u8]| {
        let out = open(file).unwrap();
        let [r, g, _] = out.view().pixel(2, 2);
        ((out.width(), out.height()), (r > 90, g > 60))
    };
    // Behind the header, and before the last chunk.
    for at in [33, png.len() - 12] {
        assert_eq!(turned(&with_chunk(&png, at, b"eXIf", &exif_block(6))), ((32, 48), (false, true)));
        assert_eq!(turned(&with_chunk(&png, at, b"eXIf", &exif_block(3))), ((48, 32), (true, true)));
        assert_eq!(turned(&with_chunk(&png, at, b"eXIf", &exif_block(9))), ((48, 32), (false, false)));
    }
    let cut = with_chunk(&png, png.len() - 12, b"eXIf", &exif_block(6));
    assert_eq!(
        open(&cut[..png.len() - 4]).unwrap(),
        open(&png).unwrap(),
        "a chunk that is cut off says nothing"
    );
}

#[test]
fn a_png_of_every_colour_type_and_depth_shows_its_colours() {
    use png::{BitDepth, ColorType};
    let red = [200_u8, 10, 20];
    let cases: [(ColorType, BitDepth, &[u8], [u8; 3]); 7] = [
        (ColorType::Grayscale, BitDepth::Eight, &[77], [77; 3]),
        (ColorType::Grayscale, BitDepth::One, &[0x80], [255; 3]),
        (ColorType::Grayscale, BitDepth::Sixteen, &[0x12, 0xff], [0x12; 3]),
        (ColorType::GrayscaleAlpha, BitDepth::Eight, &[77, 0], [77; 3]),
        (ColorType::Rgba, BitDepth::Eight, &[200, 10, 20, 0], red),
        (ColorType::Rgba, BitDepth::Sixteen, &[200, 0, 10, 0, 20, 0, 0, 0], red),
        (ColorType::Indexed, BitDepth::Two, &[0x40], red),
    ];
    for (color, depth, pixel, wanted) in cases {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 1, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0, 200, 10, 20]);
            encoder.set_trns(vec![255, 0]);
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(pixel).unwrap();
        writer.finish().unwrap();
        assert_eq!(open(&file).unwrap().view().pixel(0, 0), wanted, "{color:?} {depth:?}");
    }
}

#[test]
fn a_jpeg_of_every_colour_model_and_sampling_shows_its_colours() {
    use jpeg_encoder::{ColorType, SamplingFactor};
    let (rgb, cmyk) = ([200_u8, 60, 90], [55_u8, 195, 165, 0]);
    let cases: [(ColorType, &[u8], [u8; 3]); 5] = [
        (ColorType::Luma, &[77], [77; 3]),
        (ColorType::Rgb, &rgb, rgb),
        (ColorType::Rgba, &[200, 60, 90, 0], rgb),
        (ColorType::Cmyk, &cmyk, rgb),
        (ColorType::CmykAsYcck, &cmyk, rgb),
    ];
    let samplings =
        [SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_0, SamplingFactor::R_4_4_0, SamplingFactor::R_4_1_1];
    for (color, pixel, wanted) in cases {
        for (sampling, progressive) in samplings.into_iter().flat_map(|s| [(s, false), (s, true)]) {
            // Nobody samples the inks of plain CMYK, and the decoder does not read that.
            if color == ColorType::Cmyk && sampling != SamplingFactor::R_4_4_4 {
                continue;
            }
            let file = flat_jpeg(color, pixel, sampling, progressive);
            // Not in the last rows: the decoder loses the blue of those of a flat 4:1:1.
            let found = open(&file).unwrap().view().pixel(81, 41);
            let near = found.iter().zip(wanted).all(|(f, w)| f.abs_diff(w) <= 4);
            assert!(near, "{color:?} {sampling:?} progressive {progressive}: {found:?}");
        }
    }
}

/// A JPEG of 160 x 120 pixels, all the same.
fn flat_jpeg(
    color: jpeg_encoder::ColorType,
    pixel: &[u8],
    sampling: jpeg_encoder::SamplingFactor,
    progressive: bool,
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 98);
    encoder.set_sampling_factor(sampling);
    encoder.set_progressive(progressive);
    encoder.encode(&pixel.repeat(160 * 120), 160, 120, color).unwrap();
    file
}

#[test]
fn a_sampling_whose_colours_come_out_wrong_is_refused() {
    use jpeg_encoder::{ColorType, SamplingFactor};
    for sampling in [SamplingFactor::R_4_4_1, SamplingFactor::R_4_2_1, SamplingFactor::R_4_1_0] {
        let [baseline, progressive] =
            [false, true].map(|progressive| flat_jpeg(ColorType::Rgb, &[200, 60, 90], sampling, progressive));
        let error = open(&baseline).unwrap_err();
        assert!(matches!(error, FrameError::Sampling { .. }), "{sampling:?}: {error}");
        let found = open(&progressive).unwrap().view().pixel(81, 41);
        assert!(
            found.iter().zip([200, 60, 90_u8]).all(|(f, w)| f.abs_diff(w) <= 4),
            "{sampling:?} {found:?}"
        );
    }
}

#[test]
fn a_second_start_or_end_and_exif_behind_xmp_are_read() {
    let image = gradient(48, 32);
    let lying = jpeg(&image, Some(6));
    let upright = open(&lying).unwrap();
    assert_eq!(open(&[&[0xff, 0xd8][..], &lying].concat()).unwrap(), upright, "a second start");
    assert_eq!(open(&[&lying[..], &[0xff, 0xd9]].concat()).unwrap(), upright, "a second end");
    let xmp = [&b"\xff\xe1\0\x27http://ns.adobe.com/xap/1.0/\0"[..], b"<xmp/>\0\0"].concat();
    assert_eq!(open(&[&lying[..2], &xmp, &lying[2..]].concat()).unwrap(), upright, "XMP first");
}

#[test]
fn a_scan_that_breaks_off_shows_nothing_of_the_photo_before() {
    let whole = jpeg(&gradient(64, 64), None);
    let scan = whole.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    let header = &whole[scan..scan + 14];
    let half = (scan + whole.len()) / 2;
    let broken = [&whole[..half], header, &[0xff, 0xd9]].concat();
    let [after_black, after_white] = [0, 255].map(|before| {
        let mut out = RgbImage::with_size(64, 64);
        out.data_mut().fill(before);
        decode(&broken, &ImageLimits::default(), &mut out).map(|()| out).ok()
    });
    assert_eq!(after_black, after_white);
}

#[test]
fn other_formats_are_refused_with_a_word_about_what_to_do() {
    let others: [(&str, &[u8]); 6] = [
        ("WebP", b"RIFF\x24\0\0\0WEBPVP8 "),
        ("BMP", b"BM\x46\0\0\0\0\0\0\0"),
        ("GIF", b"GIF89a\x01\0\x01\0\0\0\0;"),
        ("TIFF", b"II*\0\x08\0\0\0"),
        ("TIFF, Motorola", b"MM\0*\0\0\0\x08"),
        ("HEIC", b"\0\0\0\x18ftypheic"),
    ];
    for (name, bytes) in others {
        let error = open(bytes).unwrap_err();
        assert!(matches!(error, FrameError::UnknownFormat), "{name}: {error}");
        assert!(error.to_string().contains("convert"), "{name}: {error}");
    }
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    })
}

#[test]
fn every_truncation_is_an_error_and_what_follows_the_end_is_not() {
    for exif in [None, Some(6)] {
        let file = jpeg(&gradient(40, 24), exif);
        for end in 0..file.len() {
            assert!(open(&file[..end]).is_err(), "cut at {end}");
        }
        assert!(matches!(open(&file[..file.len() - 2]), Err(FrameError::CutOff)));
        assert_eq!(open(&[&file[..], b"appended by a telephone"].concat()).unwrap(), open(&file).unwrap());
    }
}

#[test]
fn what_is_no_image_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = RgbImage::new();
    let mut read = |path: &Path| read_image(path, &ImageLimits::default(), &mut out).unwrap_err();
    assert!(matches!(read(folder.path()), FrameError::NotAFile(_)));
    assert!(matches!(read(Path::new("/dev/zero")), FrameError::NotAFile(_)));
    let absent = folder.path().join("absent.jpg");
    assert!(read(&absent).to_string().contains("absent.jpg"));
    let text = folder.path().join("x.jpg");
    std::fs::write(&text, "not an image").unwrap();
    assert!(matches!(read(&text), FrameError::UnknownFormat));
    std::fs::write(&text, "").unwrap();
    assert!(matches!(read(&text), FrameError::UnknownFormat));
}

#[test]
fn a_file_above_the_byte_limit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jpg");
    std::fs::write(&path, jpeg(&gradient(64, 64), None)).unwrap();
    let limits = ImageLimits { max_bytes: 100, ..ImageLimits::default() };
    let error = read_image(&path, &limits, &mut RgbImage::new()).unwrap_err();
    assert!(matches!(error, FrameError::TooManyBytes { limit: 100 }));
}

proptest! {
    #[test]
    fn damaged_bytes_never_panic(edits in prop::collection::vec((2_usize..2_000, any::<u8>()), 1..20)) {
        let mut file = jpeg(&gradient(40, 24), Some(6));
        for (at, byte) in edits {
            let at = at % (file.len() - 2) + 2;
            file[at] = byte;
        }
        let _ = open(&file);
    }

    #[test]
    fn arbitrary_bytes_after_a_magic_never_panic(
        png in any::<bool>(),
        tail in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut bytes = if png { b"\x89PNG\r\n\x1a\n".to_vec() } else { vec![0xff, 0xd8, 0xff] };
        bytes.extend(tail);
        let _ = open(&bytes);
    }
}
