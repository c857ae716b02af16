//! All between the kernel's lines and the door's.

use arcdoor_core::Millis;
use rustix::io::Errno;

use super::kernel::{Held, Kernel, Wanted, take};
use super::sys::Linux;
use crate::board::Board;
use crate::debounce::Debounce;
use crate::driver::{Edge, Edges, LineCause, LineDriver, LineError, insert};
use crate::input_line::InputLine;
use crate::limits::MAX_EDGES;
use crate::line::Line;
use crate::machine::Machine;
use crate::relay_watch::{RelayState, RelayWatch};
use crate::role::{Input, Output, Role};

/// What one input may tell in a poll, so that a wild one leaves room for the others.
const EDGES_PER_INPUT: usize = MAX_EDGES / Input::ALL.len();

/// A line that is ours, and what it is for.
#[derive(Debug)]
struct Wire {
    role: Role,
    line: Line,
    held: Box<dyn Held>,
}

impl Wire {
    fn take(kernel: &dyn Kernel, role: Role, line: &Line, wanted: Wanted) -> Result<Self, LineError> {
        let held =
            take(kernel, line, wanted).map_err(|cause| LineError { role, line: line.clone(), cause })?;
        Ok(Self { role, line: line.clone(), held })
    }

    fn error(&self, errno: Errno) -> LineError {
        LineError { role: self.role, line: self.line.clone(), cause: LineCause::from(errno) }
    }

    fn set(&self, active: bool) -> Result<(), LineError> {
        self.held.set(active).map_err(|errno| self.error(errno))
    }

    fn level(&self) -> Result<bool, LineError> {
        self.held.level().map_err(|errno| self.error(errno))
    }
}

/// Who debounces.
#[derive(Debug)]
enum Watching {
    /// The kernel, which keeps the edges for us.
    Kernel,
    /// We do: the chip has no interrupts.
    Polling(Debounce),
}

#[derive(Debug)]
struct InputWire {
    input: Input,
    wire: Wire,
    watching: Watching,
    /// What was told last, and of when.
    told: Option<(bool, Millis)>,
}

impl InputWire {
    fn take(kernel: &dyn Kernel, input: Input, wanted: &InputLine) -> Result<Self, LineError> {
        let (role, debounce_ms) = (Role::Input(input), wanted.debounce_ms.get());
        let edges = Wire::take(kernel, role, &wanted.line, Wanted::Edges { debounce_ms });
        let (wire, watching) = match edges {
            Ok(wire) => (wire, Watching::Kernel),
            // Drivers say in many ways that a line has no interrupt. A line that cannot be had at all fails here, too.
            Err(_) => {
                let wire = Wire::take(kernel, role, &wanted.line, Wanted::Level)?;
                (wire, Watching::Polling(Debounce::new(debounce_ms)))
            }
        };
        Ok(Self { input, wire, watching, told: None })
    }

    /// Tells a level, unless it is the one that was told last. A level that was read may be told before edges that were
    /// older: time does not go back for that.
    fn tell(&mut self, active: bool, at: Millis, edges: &mut Edges) {
        let (last, since) = self.told.map_or((None, at), |(last, since)| (Some(last), since));
        if last != Some(active) {
            let at = at.max(since);
            self.told = Some((active, at));
            insert(edges, Edge { input: self.input, active, at });
        }
    }

    fn poll(&mut self, now: Millis, now_ns: u64, edges: &mut Edges) -> Result<(), LineError> {
        if let Watching::Polling(debounce) = &mut self.watching {
            if let Some(active) = debounce.sample(self.wire.level()?, now) {
                self.tell(active, now, edges);
            }
            return Ok(());
        }
        for _ in 0..EDGES_PER_INPUT {
            let Some(event) = self.wire.held.event().map_err(|errno| self.wire.error(errno))? else {
                // The kernel tells no first level, and forgets edges when too many wait: the level itself is the truth.
                let active = self.wire.level()?;
                self.tell(active, now, edges);
                return Ok(());
            };
            let age_ms = now_ns.saturating_sub(event.at_ns) / 1_000_000;
            self.tell(event.active, Millis(now.0.saturating_sub(age_ms)), edges);
        }
        Ok(())
    }
}

/// The lines of a real board.
#[derive(Debug)]
pub struct Gpio {
    kernel: Box<dyn Kernel>,
    relay: Wire,
    /// Whether the relay is active in the fail mode.
    fail_active: bool,
    read_back: Option<(Wire, RelayWatch)>,
    outputs: [Option<Wire>; 4],
    inputs: [Option<InputWire>; 5],
}

impl Gpio {
    /// Takes every line of `board` from the kernel; the relay first, in the fail mode.
    ///
    /// # Errors
    /// Other hardware than the board's; else the first line that cannot be had, and why.
    pub fn open(board: &Board, now: Millis) -> Result<Self, LineError> {
        if let Some(Err(wrong)) = board.machine().map(Machine::is_this) {
            let (role, line) = (Role::Output(Output::Relay), board.relay().line.clone());
            return Err(LineError { role, line, cause: wrong.into() });
        }
        Self::on(Box::new(Linux), board, now)
    }

    pub(super) fn on(kernel: Box<dyn Kernel>, board: &Board, now: Millis) -> Result<Self, LineError> {
        let fail_active = board.relay().fail_mode.is_active();
        let output = |output: Output, active| {
            let line = board.output(output);
            line.map(|line| Wire::take(&*kernel, Role::Output(output), line, Wanted::Output { active }))
                .transpose()
        };
        let line = &board.relay().line;
        let wanted = Wanted::Output { active: fail_active };
        let relay = Wire::take(&*kernel, Role::Output(Output::Relay), line, wanted)?;
        let read_back = match &board.relay().read_back {
            Some(contact) => {
                let wire = Wire::take(&*kernel, Role::ReadBack, &contact.line, Wanted::Level)?;
                Some((wire, RelayWatch::new(contact.travel_ms.get(), fail_active, now)))
            }
            None => None,
        };
        let input = |input| board.input(input).map(|line| InputWire::take(&*kernel, input, line)).transpose();
        let [_, granted, denied, fault, buzzer] = Output::ALL;
        let outputs =
            [output(granted, false)?, output(denied, false)?, output(fault, false)?, output(buzzer, false)?];
        let [rex, contact, tamper, fire, recovery] = Input::ALL;
        let inputs = [input(rex)?, input(contact)?, input(tamper)?, input(fire)?, input(recovery)?];
        Ok(Self { kernel, relay, fail_active, read_back, outputs, inputs })
    }

    fn drive_relay(&mut self, active: bool, now: Millis) -> Result<(), LineError> {
        if let Some((_, watch)) = &mut self.read_back {
            watch.ask(active, now);
        }
        self.relay.set(active)
    }

    /// Puts the relay into the fail mode, as far as it still can be.
    fn fail<T>(&mut self, result: Result<T, LineError>, now: Millis) -> Result<T, LineError> {
        if result.is_err() {
            let _ = self.drive_relay(self.fail_active, now);
        }
        result
    }
}

impl LineDriver for Gpio {
    fn set(&mut self, output: Output, active: bool, now: Millis) -> Result<(), LineError> {
        if output == Output::Relay {
            let result = self.drive_relay(active, now);
            return self.fail(result, now);
        }
        let wire = self.outputs.iter().flatten().find(|wire| wire.role == Role::Output(output));
        wire.map_or(Ok(()), |wire| wire.set(active))
    }

    fn relay(&mut self, now: Millis) -> Result<RelayState, LineError> {
        let Some((wire, watch)) = &mut self.read_back else { return Ok(RelayState::Unwatched) };
        let result = wire.level().map(|active| watch.observe(active, now));
        self.fail(result, now)
    }

    fn poll(&mut self, now: Millis, edges: &mut Edges) -> Result<(), LineError> {
        edges.clear();
        let now_ns = self.kernel.now_ns();
        let mut result = Ok(());
        for input in self.inputs.iter_mut().flatten() {
            // Every input is read, whichever fails.
            result = result.and(input.poll(now, now_ns, edges));
        }
        self.fail(result, now)
    }
}

impl Drop for Gpio {
    fn drop(&mut self) {
        let _ = self.relay.set(self.fail_active);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpio::fake::{Call, FakeKernel};
    use crate::relay_watch::Stuck;

    const RELAY: u32 = 0;
    const READ_BACK: u32 = 1;
    const REX: u32 = 2;

    fn board(text: &str) -> Board {
        Board::parse(std::path::Path::new("test.toml"), text).unwrap()
    }

    fn simulated() -> Board {
        Board::find("simulated").unwrap()
    }

    fn open(kernel: &FakeKernel) -> Gpio {
        Gpio::on(Box::new(kernel.clone()), &simulated(), Millis(1000)).unwrap()
    }

    fn poll(gpio: &mut Gpio, now: u64) -> Vec<(Input, bool, u64)> {
        let mut edges = Edges::new();
        gpio.poll(Millis(now), &mut edges).unwrap();
        edges.iter().map(|edge| (edge.input, edge.active, edge.at.0)).collect()
    }

    #[test]
    fn the_relay_starts_and_ends_in_the_fail_mode() {
        let kernel = FakeKernel::default();
        let mut gpio = open(&kernel);
        assert_eq!(kernel.driven(RELAY), [false]);
        gpio.set(Output::Relay, true, Millis(2000)).unwrap();
        drop(gpio);
        assert_eq!(kernel.driven(RELAY), [false, true, false]);
    }

    #[test]
    fn a_lock_that_fails_open_is_released_from_the_first_moment() {
        let text = include_str!("../../boards/simulated.toml");
        let text =
            text.replace("\"pull-down\"\nfail_mode = \"locked\"", "\"pull-up\"\nfail_mode = \"unlocked\"");
        let kernel = FakeKernel::default();
        let mut gpio = Gpio::on(Box::new(kernel.clone()), &board(&text), Millis(0)).unwrap();
        gpio.set(Output::Relay, false, Millis(10)).unwrap();
        drop(gpio);
        assert_eq!(kernel.driven(RELAY), [true, false, true]);
    }

    #[test]
    fn a_lost_input_takes_the_relay_back_to_the_fail_mode() {
        let kernel = FakeKernel::default();
        let mut gpio = open(&kernel);
        gpio.set(Output::Relay, true, Millis(2000)).unwrap();
        kernel.break_line(REX, Errno::NODEV);
        let error = gpio.poll(Millis(2100), &mut Edges::new()).unwrap_err();
        assert_eq!((error.role, error.cause), (Role::Input(Input::Rex), LineCause::Gone));
        assert_eq!(kernel.driven(RELAY), [false, true, false]);
    }

    #[test]
    fn a_lost_lamp_leaves_the_relay_alone() {
        let kernel = FakeKernel::default();
        let mut gpio = open(&kernel);
        gpio.set(Output::Relay, true, Millis(2000)).unwrap();
        kernel.break_line(6, Errno::IO);
        let error = gpio.set(Output::LedGranted, true, Millis(2100)).unwrap_err();
        assert_eq!(error.cause, LineCause::Kernel(Errno::IO));
        assert_eq!(kernel.driven(RELAY), [false, true]);
    }

    #[test]
    fn the_first_poll_tells_how_every_input_stands_and_the_next_only_what_changed() {
        let kernel = FakeKernel::default();
        kernel.level(3, true);
        let mut gpio = open(&kernel);
        let first = poll(&mut gpio, 1000);
        assert_eq!(first.len(), Input::ALL.len());
        assert!(first.contains(&(Input::Contact, true, 1000)) && first.contains(&(Input::Rex, false, 1000)));
        assert_eq!(poll(&mut gpio, 1010), []);
        kernel.edge(REX, true, 15_000_000);
        kernel.edge(REX, false, 18_000_000);
        kernel.set_now_ns(20_000_000);
        assert_eq!(poll(&mut gpio, 1020), [(Input::Rex, true, 1015), (Input::Rex, false, 1018)]);
    }

    #[test]
    fn edges_that_the_kernel_forgot_do_not_hide_the_last_level() {
        let kernel = FakeKernel::default();
        let mut gpio = open(&kernel);
        poll(&mut gpio, 1000);
        // Twice as many as one poll takes; the last, which says that the button is held, is lost.
        for index in 0..2 * EDGES_PER_INPUT as u64 {
            kernel.edge(REX, index % 2 == 0, index);
        }
        kernel.level(REX, true);
        assert_eq!(poll(&mut gpio, 1010).len(), EDGES_PER_INPUT);
        assert_eq!(poll(&mut gpio, 1020).len(), EDGES_PER_INPUT);
        assert_eq!(poll(&mut gpio, 1030), [(Input::Rex, true, 1030)]);
    }

    #[test]
    fn a_level_that_was_read_before_its_edge_is_told_once() {
        let kernel = FakeKernel::default();
        let mut gpio = open(&kernel);
        poll(&mut gpio, 1000);
        kernel.level(REX, true);
        assert_eq!(poll(&mut gpio, 1010), [(Input::Rex, true, 1010)]);
        kernel.edge(REX, true, 0);
        assert_eq!(poll(&mut gpio, 1020), []);
    }

    #[test]
    fn time_does_not_go_back_for_edges_that_are_older_than_a_level_that_was_told() {
        let kernel = FakeKernel::default();
        let mut gpio = open(&kernel);
        kernel.level(REX, true);
        assert!(poll(&mut gpio, 1010).contains(&(Input::Rex, true, 1010)));
        for (active, at_ns) in [(true, 1_000_000), (false, 2_000_000), (true, 3_000_000)] {
            kernel.edge(REX, active, at_ns);
        }
        kernel.set_now_ns(20_000_000);
        assert_eq!(poll(&mut gpio, 1020), [(Input::Rex, false, 1010), (Input::Rex, true, 1010)]);
    }

    #[test]
    fn one_lost_input_does_not_hide_the_others() {
        let kernel = FakeKernel::default();
        let mut gpio = open(&kernel);
        poll(&mut gpio, 1000);
        kernel.break_line(REX, Errno::NODEV);
        kernel.level(5, true);
        let mut edges = Edges::new();
        assert_eq!(gpio.poll(Millis(1010), &mut edges).unwrap_err().role, Role::Input(Input::Rex));
        assert_eq!(edges[0], Edge { input: Input::Fire, active: true, at: Millis(1010) });
    }

    #[test]
    fn a_wild_input_leaves_room_for_the_others() {
        let kernel = FakeKernel::default();
        let mut gpio = open(&kernel);
        poll(&mut gpio, 1000);
        for index in 0..64_u64 {
            kernel.edge(REX, index % 2 == 0, index);
        }
        kernel.edge(5, true, 1);
        kernel.level(5, true);
        assert!(poll(&mut gpio, 1010).iter().any(|(input, active, _)| *input == Input::Fire && *active));
    }

    #[test]
    fn a_chip_without_interrupts_is_polled_and_debounced_here() {
        let kernel = FakeKernel::default();
        kernel.without_edges();
        let mut gpio = open(&kernel);
        assert_eq!(poll(&mut gpio, 1000), []);
        assert_eq!(poll(&mut gpio, 1050).len(), Input::ALL.len());
        kernel.level(REX, true);
        assert_eq!(poll(&mut gpio, 1060), []);
        kernel.level(REX, false);
        assert_eq!(poll(&mut gpio, 1070), []);
        kernel.level(REX, true);
        assert_eq!(poll(&mut gpio, 1080), []);
        assert_eq!(poll(&mut gpio, 1110), [(Input::Rex, true, 1110)]);
    }

    #[test]
    fn a_relay_that_does_not_follow_is_told_with_its_direction() {
        let kernel = FakeKernel::default();
        let mut gpio = open(&kernel);
        assert_eq!(gpio.relay(Millis(1000)).unwrap(), RelayState::Follows);
        gpio.set(Output::Relay, true, Millis(2000)).unwrap();
        assert_eq!(gpio.relay(Millis(2049)).unwrap(), RelayState::Travelling);
        assert_eq!(gpio.relay(Millis(2050)).unwrap(), RelayState::Stuck(Stuck::Off));
        kernel.level(READ_BACK, true);
        assert_eq!(gpio.relay(Millis(2060)).unwrap(), RelayState::Follows);
        gpio.set(Output::Relay, false, Millis(3000)).unwrap();
        assert_eq!(gpio.relay(Millis(3050)).unwrap(), RelayState::Stuck(Stuck::On));
    }

    #[test]
    fn a_line_in_use_names_its_user_and_the_relay_is_asked_for_first() {
        let kernel = FakeKernel::default();
        kernel.occupy(REX, "gpio-keys");
        let error = Gpio::on(Box::new(kernel.clone()), &simulated(), Millis(0)).unwrap_err();
        assert_eq!(error.cause, LineCause::Busy { consumer: "gpio-keys".to_owned() });
        let first = kernel.calls().into_iter().next();
        assert_eq!(first, Some(Call::Request(RELAY, Wanted::Output { active: false })));
    }
}
