//! The kernel's V4L2 interface: the only place in this crate with `unsafe`.
//!
//! Why: `ioctl` and `mmap` have no safe form. Each request passes one `repr(C)` struct whose size the
//! request's number carries, so a wrong layout is refused by the kernel; the tests compare the numbers and
//! offsets with those of `linux/videodev2.h`.
#![allow(unsafe_code, reason = "ioctl and mmap; see the module")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, Updater, ioctl, opcode};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::format::{FourCc, Rate};

const CAPTURE: u32 = 1;
const MEMORY_MMAP: u32 = 1;
const FIELD_NONE: u32 = 1;
const FLAG_ERROR: u32 = 0x40;
const CAP_VIDEO_CAPTURE: u32 = 0x1;
const CAP_STREAMING: u32 = 0x0400_0000;
const CAP_DEVICE_CAPS: u32 = 0x8000_0000;
const DISCRETE: u32 = 1;
/// Padding before a struct's union, in u32: V4L2 aligns the union to a pointer, so 1 on 64-bit systems and 0 on 32-bit.
const UNION_PADDING: usize = size_of::<usize>() / 4 - 1;

#[repr(C)]
#[derive(Default)]
struct Capability {
    driver: [u8; 16],
    card: [u8; 32],
    bus_info: [u8; 32],
    version: u32,
    capabilities: u32,
    device_caps: u32,
    reserved: [u32; 3],
}

#[repr(C)]
#[derive(Default)]
struct FormatDescription {
    index: u32,
    kind: u32,
    flags: u32,
    description: [u8; 32],
    code: u32,
    bus_code: u32,
    reserved: [u32; 3],
}

#[repr(C)]
struct Format {
    kind: u32,
    padding: [u32; UNION_PADDING],
    width: u32,
    height: u32,
    code: u32,
    field: u32,
    bytes_per_line: u32,
    rest: [u32; 45],
}

#[repr(C)]
#[derive(Default)]
struct RequestBuffers {
    count: u32,
    kind: u32,
    memory: u32,
    capabilities: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct Buffer {
    index: u32,
    kind: u32,
    used: u32,
    flags: u32,
    field: u32,
    timestamp: [isize; 2],
    timecode: [u32; 4],
    sequence: u32,
    memory: u32,
    offset: u32,
    padding: [u32; UNION_PADDING],
    length: u32,
    reserved: u32,
    request: i32,
}

#[repr(C)]
struct StreamParameters {
    kind: u32,
    capability: u32,
    mode: u32,
    seconds: u32,
    frames: u32,
    rest: [u32; 46],
}

#[repr(C)]
#[derive(Default)]
struct FrameSize {
    index: u32,
    code: u32,
    kind: u32,
    /// Width and height, or minimum, maximum and step of the width, then of the height.
    values: [u32; 6],
    reserved: [u32; 2],
}

#[repr(C)]
#[derive(Default)]
struct FrameInterval {
    index: u32,
    code: u32,
    width: u32,
    height: u32,
    kind: u32,
    /// Seconds and frames of the interval, or of the shortest one, the longest one and the step.
    values: [u32; 6],
    reserved: [u32; 2],
}

const QUERY_CAPABILITY: Opcode = opcode::read::<Capability>(b'V', 0);
const ENUM_FORMAT: Opcode = opcode::read_write::<FormatDescription>(b'V', 2);
const SET_FORMAT: Opcode = opcode::read_write::<Format>(b'V', 5);
const REQUEST_BUFFERS: Opcode = opcode::read_write::<RequestBuffers>(b'V', 8);
const QUERY_BUFFER: Opcode = opcode::read_write::<Buffer>(b'V', 9);
const QUEUE_BUFFER: Opcode = opcode::read_write::<Buffer>(b'V', 15);
const DEQUEUE_BUFFER: Opcode = opcode::read_write::<Buffer>(b'V', 17);
const STREAM_ON: Opcode = opcode::write::<u32>(b'V', 18);
const STREAM_OFF: Opcode = opcode::write::<u32>(b'V', 19);
const SET_PARAMETERS: Opcode = opcode::read_write::<StreamParameters>(b'V', 22);
const ENUM_SIZES: Opcode = opcode::read_write::<FrameSize>(b'V', 74);
const ENUM_INTERVALS: Opcode = opcode::read_write::<FrameInterval>(b'V', 75);

fn update<const OPCODE: Opcode, T>(fd: BorrowedFd<'_>, value: &mut T) -> Result<(), Errno> {
    // SAFETY: every opcode here was made from the very `T` that it is used with, a plain struct of
    // integers in the kernel's layout; the kernel writes no further than the size in the opcode.
    unsafe { ioctl(fd, Updater::<OPCODE, T>::new(value)) }
}

/// The answer of an enumeration: past the end, the kernel says `EINVAL`.
fn until_end<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::INVAL) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Whether the device captures frames and streams them.
pub(super) fn is_camera(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut value = Capability::default();
    update::<QUERY_CAPABILITY, _>(fd, &mut value)?;
    let of_device = value.capabilities & CAP_DEVICE_CAPS != 0;
    let caps = if of_device { value.device_caps } else { value.capabilities };
    Ok(caps & CAP_VIDEO_CAPTURE != 0 && caps & CAP_STREAMING != 0)
}

/// Format number `index`; `None` past the last.
pub(super) fn format(fd: BorrowedFd<'_>, index: u32) -> Result<Option<FourCc>, Errno> {
    let mut value = FormatDescription { index, kind: CAPTURE, ..FormatDescription::default() };
    until_end(update::<ENUM_FORMAT, _>(fd, &mut value).map(|()| FourCc(value.code)))
}

/// The sizes of a format.
pub(super) enum Sizes {
    One {
        width: u32,
        height: u32,
    },
    /// All from a smallest to a largest: minimum, maximum and step of the width, then of the height.
    Range([u32; 6]),
}

/// Size number `index` of a format; `None` past the last.
pub(super) fn size(fd: BorrowedFd<'_>, code: FourCc, index: u32) -> Result<Option<Sizes>, Errno> {
    let mut value = FrameSize { index, code: code.0, ..FrameSize::default() };
    until_end(update::<ENUM_SIZES, _>(fd, &mut value).map(|()| match (value.kind, value.values) {
        (DISCRETE, [width, height, ..]) => Sizes::One { width, height },
        (_, range) => Sizes::Range(range),
    }))
}

/// Rate number `index` of a format and size; `None` past the last. Of a range, the fastest.
pub(super) fn rate(
    fd: BorrowedFd<'_>,
    code: FourCc,
    [width, height]: [u32; 2],
    index: u32,
) -> Result<Option<Rate>, Errno> {
    let mut value = FrameInterval { index, code: code.0, width, height, ..FrameInterval::default() };
    until_end(update::<ENUM_INTERVALS, _>(fd, &mut value).map(|()| {
        let [seconds, frames, ..] = value.values;
        Rate { frames, seconds }
    }))
}

/// Format, size and bytes from row to row; asked for, or agreed to by the driver.
pub(super) struct Agreed {
    pub(super) code: FourCc,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) stride: u32,
}

/// Asks for a format, and for a stride of 0 where the driver is to choose it; the driver may answer with near ones.
pub(super) fn set_format(fd: BorrowedFd<'_>, asked: Agreed) -> Result<Agreed, Errno> {
    let Agreed { code, width, height, stride } = asked;
    let mut value = Format {
        kind: CAPTURE,
        padding: [0; UNION_PADDING],
        width,
        height,
        code: code.0,
        field: FIELD_NONE,
        bytes_per_line: stride,
        rest: [0; 45],
    };
    update::<SET_FORMAT, _>(fd, &mut value)?;
    let Format { width, height, code, bytes_per_line: stride, .. } = value;
    Ok(Agreed { code: FourCc(code), width, height, stride })
}

/// Asks for a rate and says which it became.
pub(super) fn set_rate(fd: BorrowedFd<'_>, rate: Rate) -> Result<Rate, Errno> {
    let Rate { frames, seconds } = rate;
    let mut value =
        StreamParameters { kind: CAPTURE, capability: 0, mode: 0, seconds, frames, rest: [0; 46] };
    update::<SET_PARAMETERS, _>(fd, &mut value)?;
    Ok(Rate { frames: value.frames, seconds: value.seconds })
}

/// Asks for `count` buffers (0 frees them) and says how many there are.
pub(super) fn request_buffers(fd: BorrowedFd<'_>, count: u32) -> Result<u32, Errno> {
    let mut value = RequestBuffers { count, kind: CAPTURE, memory: MEMORY_MMAP, ..RequestBuffers::default() };
    update::<REQUEST_BUFFERS, _>(fd, &mut value)?;
    Ok(value.count)
}

fn buffer(index: u32) -> Buffer {
    Buffer { index, kind: CAPTURE, memory: MEMORY_MMAP, ..Buffer::default() }
}

/// Gives a buffer to the driver.
pub(super) fn enqueue(fd: BorrowedFd<'_>, index: u32) -> Result<(), Errno> {
    update::<QUEUE_BUFFER, _>(fd, &mut buffer(index))
}

/// A buffer's index, the bytes used, and whether they are damaged.
pub(super) fn dequeue(fd: BorrowedFd<'_>) -> Result<(u32, u32, bool), Errno> {
    let mut value = buffer(0);
    update::<DEQUEUE_BUFFER, _>(fd, &mut value)?;
    Ok((value.index, value.used, value.flags & FLAG_ERROR != 0))
}

/// Starts or stops the flow of frames. Stopping takes every buffer back from the driver.
pub(super) fn set_streaming(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    // SAFETY: both requests read one integer, the buffer type.
    unsafe {
        if on {
            ioctl(fd, Setter::<STREAM_ON, u32>::new(CAPTURE))
        } else {
            ioctl(fd, Setter::<STREAM_OFF, u32>::new(CAPTURE))
        }
    }
}

/// A driver's buffer in our memory, for reading.
#[derive(Debug)]
pub(super) struct Mapping {
    start: *mut core::ffi::c_void,
    length: usize,
}

impl Mapping {
    /// Maps buffer `index`.
    pub(super) fn new(fd: BorrowedFd<'_>, index: u32) -> Result<Self, Errno> {
        let mut value = buffer(index);
        update::<QUERY_BUFFER, _>(fd, &mut value)?;
        let (length, offset) = (value.length as usize, u64::from(value.offset));
        if length == 0 {
            return Err(Errno::INVAL);
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours.
        let start =
            unsafe { mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, fd, offset)? };
        Ok(Self { start, length })
    }

    /// The first `used` bytes, or all where there are fewer.
    pub(super) fn bytes(&self, used: usize) -> &[u8] {
        // SAFETY: the mapping lives as long as `self` and is readable for `length` bytes. The driver does
        // not write to a buffer between its dequeue and its next enqueue, and `Stream` lends a buffer out
        // for that time only.
        unsafe { std::slice::from_raw_parts(self.start.cast(), used.min(self.length)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping of `new`, and no slice of it outlives `self`.
        let _ = unsafe { munmap(self.start, self.length) };
    }
}

#[cfg(test)]
#[cfg(target_pointer_width = "64")]
mod tests {
    use super::*;
    use core::mem::offset_of;

    /// Printed by a C program that includes `linux/videodev2.h`, 64-bit.
    #[test]
    fn requests_have_the_numbers_of_the_kernels_header() {
        let numbers = [
            (QUERY_CAPABILITY, 0x8068_5600_u32),
            (ENUM_FORMAT, 0xc040_5602),
            (SET_FORMAT, 0xc0d0_5605),
            (REQUEST_BUFFERS, 0xc014_5608),
            (QUERY_BUFFER, 0xc058_5609),
            (QUEUE_BUFFER, 0xc058_560f),
            (DEQUEUE_BUFFER, 0xc058_5611),
            (STREAM_ON, 0x4004_5612),
            (STREAM_OFF, 0x4004_5613),
            (SET_PARAMETERS, 0xc0cc_5616),
            (ENUM_SIZES, 0xc02c_564a),
            (ENUM_INTERVALS, 0xc034_564b),
        ];
        for (ours, theirs) in numbers {
            assert_eq!(ours, Opcode::from(theirs), "{theirs:#x}");
        }
    }

    #[test]
    fn fields_lie_where_the_kernels_header_puts_them() {
        let offsets = [
            (offset_of!(Format, width), 8),
            (offset_of!(Format, bytes_per_line), 24),
            (offset_of!(Buffer, flags), 12),
            (offset_of!(Buffer, offset), 64),
            (offset_of!(Buffer, length), 72),
            (offset_of!(StreamParameters, seconds), 12),
            (offset_of!(FrameSize, values), 12),
            (offset_of!(FrameInterval, values), 20),
        ];
        for (ours, theirs) in offsets {
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn a_file_that_is_no_camera_answers_with_an_error() {
        use std::os::fd::AsFd;
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(is_camera(file.as_fd()).unwrap_err(), Errno::NOTTY);
        assert!(Mapping::new(file.as_fd(), 0).is_err());
        assert!(dequeue(file.as_fd()).is_err());
    }
}
