//! The real kernel, through gpiocdev.

use std::time::Duration;

use gpiocdev::line::{Bias as GpioBias, EdgeDetection, EdgeKind, Value};
use gpiocdev::{Chip, Request};
use gpiocdev_uapi::Error as UapiError;
use gpiocdev_uapi::v2::LineEdgeEvent;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::kernel::{Event, Held, Kernel, Wanted};
use crate::driver::LineCause;
use crate::limits::KERNEL_EDGES;
use crate::line::{Bias, ChipName, Line, Polarity};

/// Who we are in the kernel's list of users (`gpioinfo`).
const CONSUMER: &str = "arcdoor";
/// Raspberry Pi's kernels keep outputs unless told otherwise (github.com/raspberrypi/linux, pull requests 6117 and 6150);
/// each pin driver has the setting.
const KEEPING: [&str; 2] = [
    "/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs",
    "/sys/module/pinctrl_rp1/parameters/persist_gpio_outputs",
];

#[derive(Debug)]
pub(crate) struct Linux;

/// The system's error number; what gpiocdev refuses by itself counts as an invalid argument.
fn errno(error: &gpiocdev::Error) -> Errno {
    match error {
        gpiocdev::Error::Os(errno) | gpiocdev::Error::Uapi(_, UapiError::Os(errno)) => {
            Errno::from_raw_os_error(errno.0)
        }
        gpiocdev::Error::GpioChip(..) | gpiocdev::Error::NoGpioChips() => Errno::NOENT,
        _ => Errno::INVAL,
    }
}

/// Opens a chip by its device file, or the first with its label.
fn chip(name: &ChipName) -> Result<Chip, Errno> {
    if name.is_device() {
        return Chip::from_path(name.as_str()).map_err(|error| errno(&error));
    }
    let mut denied = None;
    for path in gpiocdev::chip::chips().map_err(|error| errno(&error))? {
        match Chip::from_path(path).and_then(|chip| chip.info().map(|info| (chip, info))) {
            Ok((chip, info)) if info.label == name.as_str() => return Ok(chip),
            Ok(_) => {}
            Err(error) => denied = Some(errno(&error)).filter(|errno| *errno == Errno::ACCESS).or(denied),
        }
    }
    // A chip that may not be opened may be the one.
    Err(denied.unwrap_or(Errno::NOENT))
}

impl Kernel for Linux {
    fn consumer(&self, line: &Line) -> Result<Option<String>, LineCause> {
        let chip = chip(&line.chip)?;
        let lines = chip.info().map_err(|error| errno(&error))?.num_lines;
        if line.offset.get() >= lines {
            return Err(LineCause::NoLine { lines });
        }
        let info = chip.line_info(line.offset.get()).map_err(|error| errno(&error))?;
        Ok(info.used.then_some(info.consumer))
    }

    fn request(&self, line: &Line, wanted: Wanted) -> Result<Box<dyn Held>, Errno> {
        let chip = chip(&line.chip)?;
        let mut request = Request::builder();
        request.on_chip(chip.path()).with_consumer(CONSUMER).with_line(line.offset.get());
        match wanted {
            Wanted::Output { active } => request.as_output(value(active)),
            Wanted::Level => request.as_input(),
            Wanted::Edges { debounce_ms } => {
                request.as_input().with_edge_detection(EdgeDetection::BothEdges);
                if debounce_ms > 0 {
                    request.with_debounce_period(Duration::from_millis(debounce_ms.into()));
                }
                request.with_kernel_event_buffer_size(KERNEL_EDGES)
            }
        };
        request.with_bias(match line.bias {
            Bias::PullUp => GpioBias::PullUp,
            Bias::PullDown => GpioBias::PullDown,
            Bias::External => GpioBias::Disabled,
        });
        if line.polarity == Polarity::ActiveLow {
            request.as_active_low();
        }
        let request = request.request().map_err(|error| errno(&error))?;
        fcntl_setfl(&request, fcntl_getfl(&request)? | OFlags::NONBLOCK)?;
        Ok(Box::new(LinuxLine(request)))
    }

    fn keeps_outputs(&self) -> bool {
        let says_yes = |file| std::fs::read_to_string(file).is_ok_and(|text| text.starts_with('Y'));
        KEEPING.into_iter().any(says_yes)
    }

    fn now_ns(&self) -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        let part = |number: i64| u64::try_from(number).unwrap_or(0);
        part(now.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(now.tv_nsec))
    }

    fn pause(&self, ms: u32) {
        std::thread::sleep(Duration::from_millis(ms.into()));
    }
}

/// A request of one line.
struct LinuxLine(Request);

impl std::fmt::Debug for LinuxLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LinuxLine").field(&self.0.chip_path()).finish()
    }
}

const fn value(active: bool) -> Value {
    if active { Value::Active } else { Value::Inactive }
}

impl Held for LinuxLine {
    fn set(&self, active: bool) -> Result<(), Errno> {
        self.0.set_lone_value(value(active)).map_err(|error| errno(&error))
    }

    fn level(&self) -> Result<bool, Errno> {
        self.0.lone_value().map(|value| value == Value::Active).map_err(|error| errno(&error))
    }

    fn event(&self) -> Result<Option<Event>, Errno> {
        // gpiocdev's own read of one event takes all that fit its buffer, eight, and forgets seven.
        let mut words = [0; size_of::<LineEdgeEvent>() / size_of::<u64>()];
        let read = self.0.read_edge_events_into_slice(&mut words);
        match read.and_then(|used| self.0.edge_event_from_slice(&words[..used.min(words.len())])) {
            // Rising is from inactive to active: the kernel turns it round with the polarity.
            Ok(event) => {
                Ok(Some(Event { active: event.kind == EdgeKind::Rising, at_ns: event.timestamp_ns }))
            }
            Err(error) => match errno(&error) {
                Errno::AGAIN | Errno::INTR => Ok(None),
                errno => Err(errno),
            },
        }
    }
}
