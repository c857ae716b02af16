//! JPEG, and the motion JPEG of cameras.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::error::FrameError;
use crate::exif;
use crate::image::RgbImage;
use crate::limits::ImageLimits;
use crate::segment::{EOI, SOI, SOS, Segments};

/// Scans of one JPEG that are read. Encoders write about ten; each costs a pass over all pixels, however few
/// bytes it has.
pub const MAX_SCANS: usize = 32;

/// The APP0 segment of motion JPEG in AVI files (Microsoft's DIB format for JPEG). It tells a decoder to
/// take the tables of ITU-T T.81, K.3 to K.6, wherever the image brings none, as many cameras do.
const AVI1: [u8; 9] = *b"\xff\xe0\x00\x07AVI1\x00";

/// Copies what is to be decoded of a camera's JPEG and marks it as motion JPEG, so that missing Huffman tables
/// are no error. Nor is a missing end, a second start, or what some cameras send before the start or behind the end.
pub(crate) fn with_standard_tables(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    // A marker follows the start of a true image; two bytes alone also occur by chance.
    let start = bytes.windows(3).position(|at| at == [0xff, SOI, 0xff]).ok_or(FrameError::UnknownFormat)?;
    strip(&bytes[start..], &AVI1, out).map(drop)
}

/// Decodes a photo to RGB, turned as its EXIF block says.
pub(crate) fn decode_photo(bytes: &[u8], limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    let mut plain = Vec::new();
    let found = strip(bytes, &[], &mut plain)?;
    if !found.end {
        return Err(FrameError::CutOff);
    }
    decode(&plain, limits, out)?;
    drop(plain);
    if let Some(block) = found.exif {
        exif::orientation(block).apply(out, &mut RgbImage::new());
    }
    Ok(())
}

/// What was seen on the way through a JPEG.
struct Found<'a> {
    exif: Option<&'a [u8]>,
    /// Whether the bytes reach the image's end. Without it, the decoder makes up the rest of the image.
    end: bool,
}

/// Copies what a decoder needs of a JPEG into `plain`, with `first` behind its start. Comments and segments of
/// applications are left out, profiles and XMP among them: the decoder keeps each of them, and joins the parts
/// of extended XMP anew at every one, which takes more than half a minute for a crafted file of 46 MB.
fn strip<'a>(bytes: &'a [u8], first: &[u8], plain: &mut Vec<u8>) -> Result<Found<'a>, FrameError> {
    plain.clear();
    plain.reserve(2 + first.len() + bytes.len());
    plain.extend_from_slice(&[0xff, SOI]);
    plain.extend_from_slice(first);
    let mut found = Found { exif: None, end: false };
    let (mut scans, mut transform) = (0, None);
    for segment in Segments::new(bytes) {
        match segment.marker {
            SOI => continue,
            EOI => found.end = true,
            SOS => scans += 1,
            0xee => transform = adobe_transform(segment.payload).or(transform),
            0xc0 | 0xc1 => check_sampling(segment.payload, transform)?,
            0xe1 if found.exif.is_none() => found.exif = segment.payload.strip_prefix(b"Exif\0\0"),
            _ => {}
        }
        if scans > MAX_SCANS {
            return Err(FrameError::TooManyScans { limit: MAX_SCANS });
        }
        // Of the applications' segments, JFIF's and Adobe's say what the colours are.
        if matches!(segment.marker, 0xc0..=0xcf | 0xd9..=0xdf | 0xe0 | 0xee) {
            plain.extend_from_slice(segment.bytes);
        }
    }
    Ok(found)
}

/// How an Adobe segment says that colours are stored: 0 as they are, 1 YCbCr, 2 YCCK (Adobe's technical note 5116).
fn adobe_transform(payload: &[u8]) -> Option<u8> {
    payload.strip_prefix(b"Adobe")?.get(6).copied()
}

const YCCK: u8 = 2;

/// Checks that zune-jpeg (0.5.15) gets the colours of a baseline frame (T.81, B.2.2) right. Where a component has
/// more than four blocks to another's one, or more than two on top of each other, it does not, though it does in
/// progressive ones; and inks of unequal sampling come out black.
fn check_sampling(frame: &[u8], transform: Option<u8>) -> Result<(), FrameError> {
    let components = frame.get(6..).unwrap_or_default().chunks_exact(3);
    let are_inks = components.len() == 4 && transform != Some(YCCK);
    if components.len() < 2 {
        return Ok(());
    }
    let mut factors = components.map(|component| (component[1] >> 4, component[1] & 0xf));
    let first = factors.clone().next();
    let is_wrong = |&(horizontal, vertical): &(u8, u8)| {
        horizontal * vertical > 4 || vertical > 2 || (are_inks && Some((horizontal, vertical)) != first)
    };
    match factors.find(is_wrong) {
        Some((horizontal, vertical)) => Err(FrameError::Sampling { horizontal, vertical }),
        None => Ok(()),
    }
}

/// Decodes a JPEG to RGB, as it is stored.
pub(crate) fn decode(bytes: &[u8], limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    // Crafted files make the decoder panic (the fuzz corpus has some): to us they are damaged files.
    catch_unwind(AssertUnwindSafe(|| decode_inner(bytes, limits, out)))
        .unwrap_or_else(|_| Err(FrameError::Jpeg("the decoder gave up on it".to_owned())))
}

fn decode_inner(bytes: &[u8], limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    let damaged = |cause: zune_jpeg::errors::DecodeErrors| FrameError::Jpeg(cause.to_string());
    let options = DecoderOptions::new_fast()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().unwrap_or((0, 0));
    let (width, height) = limits.check(width as u64, height as u64)?;
    out.reshape(width, height);
    // Where a scan begins before the previous one has ended, the decoder stops without an error: the rest stays grey.
    out.data_mut().fill(128);
    decoder.decode_into(out.data_mut()).map_err(damaged)
}
