//! What can be wrong with an image.

use std::path::PathBuf;

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Width, height or stride do not fit the bytes.
    #[error("{width}x{height} pixels with {stride} bytes a row do not fit {bytes} bytes")]
    Shape {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes from row to row.
        stride: usize,
        /// How many bytes there are.
        bytes: usize,
    },
    /// The header asks for more than the limits allow; nothing was decoded.
    #[error(
        "the image is {width}x{height}; at most {max_side} a side and {max_pixels} pixels are accepted: scale it down"
    )]
    TooLarge {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// Longest side accepted.
        max_side: u32,
        /// Most pixels accepted.
        max_pixels: u64,
    },
    /// More bytes than the limits allow.
    #[error("the file is larger than the {limit} bytes that are accepted")]
    TooManyBytes {
        /// Limit in bytes.
        limit: usize,
    },
    /// Neither JPEG nor PNG.
    #[error("this is neither a JPEG nor a PNG image; convert it to one of them")]
    UnknownFormat,
    /// A JPEG without its end; the missing part would come out grey, and nothing may be decided on it.
    #[error("the JPEG ends before its image data do: copy it again from where it came from")]
    CutOff,
    /// A JPEG of more scans than the limit allows.
    #[error("the JPEG has more than {limit} scans; save it anew, not as progressive")]
    TooManyScans {
        /// Most scans that are read.
        limit: usize,
    },
    /// A JPEG whose colours would come out wrong.
    #[error(
        "the JPEG's colours are sampled {horizontal}x{vertical}, which is not read here; save it anew as 4:2:0 or 4:4:4"
    )]
    Sampling {
        /// Horizontal sampling factor of a component (T.81, B.2.2).
        horizontal: u8,
        /// Its vertical sampling factor.
        vertical: u8,
    },
    /// A JPEG that does not decode.
    #[error("the JPEG is damaged or of an unknown kind: {0}")]
    Jpeg(String),
    /// A PNG that does not decode.
    #[error("the PNG is damaged or of an unknown kind: {0}")]
    Png(String),
    /// Scaling failed.
    #[error("the image cannot be scaled from {from:?} to {to:?}")]
    Resize {
        /// Width and height in pixels.
        from: [u32; 2],
        /// Width and height in pixels.
        to: [u32; 2],
    },
    /// A camera format whose sizes must be even.
    #[error("{width}x{height} is odd; {format} needs an even width{also_height}")]
    Odd {
        /// The format's name.
        format: &'static str,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// " and height", where that is so.
        also_height: &'static str,
    },
    /// A folder, pipe or device.
    #[error("{}: is no regular file", .0.display())]
    NotAFile(PathBuf),
    /// The file cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file's path.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
}
