//! One open device file.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::driver::Driver;
use super::format::{FourCc, Mode, Wanted};
use super::stream::{Filled, Queue};
use super::sys::{self, Agreed, Mapping, Sizes};
use crate::error::CameraError;

/// Buffers that the driver fills in turn.
const BUFFERS: u32 = 4;
/// Answers of one enumeration that are read; a driver that never ends must not hold us. The longest known
/// are vivid's 90 formats.
const MOST_ANSWERS: u32 = 256;
/// Once a camera has so many modes, no further format is asked for.
const MOST_MODES: usize = 4096;

/// An open camera.
#[derive(Debug, Clone)]
pub(super) struct Device {
    file: Rc<File>,
    path: Rc<str>,
}

impl Device {
    /// Opens a device file, without waiting, and checks that it streams frames.
    pub(super) fn open(path: &str) -> Result<Self, CameraError> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
        let file = file.map_err(|cause| CameraError::Open { device: path.to_owned(), cause })?;
        let device = Self { file: Rc::new(file), path: path.into() };
        match sys::is_camera(device.fd()) {
            Ok(true) => Ok(device),
            // A file that knows no such request is no camera.
            Ok(false) | Err(Errno::NOTTY | Errno::INVAL) => Err(CameraError::NotACamera(path.to_owned())),
            // It vanished, or is not wholly there yet.
            Err(errno) => Err(failed(path, "asking what it is", errno)),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn failed(&self, step: &'static str) -> impl Fn(Errno) -> CameraError {
        move |errno| failed(&self.path, step, errno)
    }

    /// Adds the modes of a format. A driver may list no sizes: then the wanted size is the only one. It may list no
    /// rates: then the mode has none.
    fn modes_of(&self, code: FourCc, wanted: Wanted, modes: &mut Vec<Mode>) {
        let mut sizes = Vec::new();
        for index in 0..MOST_ANSWERS {
            match sys::size(self.fd(), code, index) {
                Ok(Some(Sizes::One { width, height })) => sizes.push([width, height]),
                Ok(Some(Sizes::Range(range))) => sizes.push(nearest(&range, wanted)),
                Ok(None) | Err(_) => break,
            }
        }
        if sizes.is_empty() {
            sizes.push([wanted.width, wanted.height]);
        }
        for [width, height] in sizes {
            let before = modes.len();
            for index in 0..MOST_ANSWERS {
                let Ok(Some(rate)) = sys::rate(self.fd(), code, [width, height], index) else { break };
                modes.push(Mode { code, width, height, rate: Some(rate) });
            }
            if modes.len() == before {
                modes.push(Mode { code, width, height, rate: None });
            }
        }
    }
}

impl Driver for Device {
    fn path(&self) -> &str {
        &self.path
    }

    fn modes(&self, wanted: Wanted) -> Result<Vec<Mode>, CameraError> {
        let mut modes = Vec::new();
        for index in 0..MOST_ANSWERS {
            match sys::format(self.fd(), index).map_err(self.failed("listing formats"))? {
                Some(code) if code.pixel_format().is_some() => self.modes_of(code, wanted, &mut modes),
                Some(code) => modes.push(Mode { code, width: 0, height: 0, rate: None }),
                None => break,
            }
            if modes.len() >= MOST_MODES {
                break;
            }
        }
        Ok(modes)
    }

    fn set(&self, mode: &Mode, stride: u32) -> Result<(Mode, usize), CameraError> {
        let asked = Agreed { code: mode.code, width: mode.width, height: mode.height, stride };
        let set = sys::set_format(self.fd(), asked);
        let Agreed { code, width, height, stride } = set.map_err(self.failed("setting the format"))?;
        // Many drivers have one rate and refuse to be asked; that is no error.
        let rate = mode.rate.and_then(|rate| sys::set_rate(self.fd(), rate).ok()).or(mode.rate);
        Ok((Mode { code, width, height, rate }, stride as usize))
    }

    fn start(&self) -> Result<Box<dyn Queue>, CameraError> {
        Ok(Box::new(Buffers::start(self)?))
    }
}

/// What the system's refusal of a step means; of an open device, `ENODEV` says that it vanished.
pub(super) fn failed(device: &str, step: &'static str, errno: Errno) -> CameraError {
    let device = device.to_owned();
    match errno {
        Errno::NODEV => CameraError::Gone { device, step },
        errno => CameraError::Device { device, step, cause: errno.into() },
    }
}

/// The size of a range (minimum, maximum and step of width, then of height) that is nearest to `wanted`.
fn nearest(range: &[u32; 6], wanted: Wanted) -> [u32; 2] {
    let side = |min: u32, max: u32, step: u32, wanted: u32| {
        let within = wanted.clamp(min, max.max(min));
        min + (within - min) / step.max(1) * step.max(1)
    };
    let [w_min, w_max, w_step, h_min, h_max, h_step] = *range;
    [side(w_min, w_max, w_step, wanted.width), side(h_min, h_max, h_step, wanted.height)]
}

/// The driver's queue, running until it is dropped.
#[derive(Debug)]
struct Buffers {
    device: Device,
    mappings: Vec<Mapping>,
}

impl Buffers {
    /// Sets the buffers up and starts the flow of frames.
    fn start(device: &Device) -> Result<Self, CameraError> {
        let fd = device.fd();
        let count = sys::request_buffers(fd, BUFFERS).map_err(device.failed("asking for buffers"))?;
        let mut buffers = Self { device: device.clone(), mappings: Vec::new() };
        for index in 0..count {
            let mapping = Mapping::new(fd, index).map_err(device.failed("mapping a buffer"))?;
            buffers.mappings.push(mapping);
            sys::enqueue(fd, index).map_err(device.failed("queueing a buffer"))?;
        }
        sys::set_streaming(fd, true).map_err(device.failed("starting the camera"))?;
        Ok(buffers)
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // A device that is gone has nothing left to stop.
        let _ = sys::set_streaming(self.device.fd(), false);
        self.mappings.clear();
        let _ = sys::request_buffers(self.device.fd(), 0);
    }
}

impl Queue for Buffers {
    fn wait(&mut self, timeout: Duration) -> Result<bool, Errno> {
        let fd = self.device.fd();
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        let timeout = Timespec::try_from(timeout).map_err(|_| Errno::INVAL)?;
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => Ok(false),
            // An error of the device shows when it is read; one without data would make us spin.
            Ok(_) if fds[0].revents().contains(PollFlags::IN) => Ok(true),
            Ok(_) => Err(Errno::NODEV),
            Err(Errno::INTR) => Ok(true),
            Err(errno) => Err(errno),
        }
    }

    fn dequeue(&mut self) -> Result<Option<Filled>, Errno> {
        match sys::dequeue(self.device.fd()) {
            Ok((index, used, damaged)) if (index as usize) < self.mappings.len() => {
                Ok(Some(Filled { index: index as usize, used: used as usize, damaged }))
            }
            Ok(_) => Err(Errno::INVAL),
            Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn enqueue(&mut self, index: usize) -> Result<(), Errno> {
        sys::enqueue(self.device.fd(), u32::try_from(index).map_err(|_| Errno::INVAL)?)
    }

    fn buffers(&self) -> usize {
        self.mappings.len()
    }

    fn bytes(&self, filled: &Filled) -> &[u8] {
        self.mappings.get(filled.index).map_or(&[], |mapping| mapping.bytes(filled.used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_size_of_a_range_is_one_of_its_steps() {
        let wanted = Wanted { width: 645, height: 5000, ..Wanted::default() };
        assert_eq!(nearest(&[320, 1920, 16, 200, 1080, 8], wanted), [640, 1080]);
        assert_eq!(nearest(&[800, 700, 0, 10, 10, 0], wanted), [800, 10], "a driver that contradicts itself");
    }

    #[test]
    fn what_is_no_camera_is_refused_by_name() {
        assert!(
            matches!(Device::open("/dev/null"), Err(CameraError::NotACamera(path)) if path == "/dev/null")
        );
        let error = Device::open("/dev/no-such-camera").unwrap_err().to_string();
        assert!(error.contains("/dev/no-such-camera") && error.contains("plugged in"), "{error}");
    }
}
