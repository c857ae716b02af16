//! The lines on a real kernel's simulated chip (the module gpio-sim), whose wires tests pull.
//!
//! `cargo xtask qemu gpio` boots such a kernel and runs this; elsewhere `ARCDOOR_GPIO_SIM` may name the module's folder
//! in configfs. Without it, the tests skip.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use arcdoor_allocations::during_here;
use arcdoor_board::{
    Board, Doubt, Edges, Fact, Fault, Gpio, Input, LineCause, LineDriver, Output, Proof, RelayState,
    RelayTest, Role, Stuck, check,
};
use arcdoor_core::Millis;

const RELAY: u32 = 0;
const READ_BACK: u32 = 1;
const REX: u32 = 2;
const CONTACT: u32 = 3;
/// How long an edge may take to come through on a slow emulated machine.
const PATIENCE: Duration = Duration::from_secs(20);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A chip of 16 lines that goes when it is dropped.
struct Chip {
    device: PathBuf,
    label: String,
    lines: PathBuf,
    began: Instant,
}

impl Chip {
    fn new() -> Option<Self> {
        let Ok(configfs) = std::env::var("ARCDOOR_GPIO_SIM") else {
            println!("skipped: ARCDOOR_GPIO_SIM names no gpio-sim; `cargo xtask qemu gpio` has one");
            return None;
        };
        let label = format!("door-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let device = Path::new(&configfs).join(&label);
        let bank = device.join("bank0");
        fs::create_dir_all(&bank).unwrap();
        fs::write(bank.join("num_lines"), "16").unwrap();
        fs::write(bank.join("label"), &label).unwrap();
        fs::write(device.join("live"), "1").unwrap();
        let read = |path: PathBuf| fs::read_to_string(path).unwrap().trim().to_owned();
        let (name, chip) = (read(device.join("dev_name")), read(bank.join("chip_name")));
        let lines = Path::new("/sys/devices/platform").join(name).join(chip);
        Some(Self { device, label, lines, began: Instant::now() })
    }

    fn text(&self) -> String {
        include_str!("../boards/simulated.toml")
            .replace("chip = \"simulated\"", &format!("chip = \"{}\"", self.label))
            .replace("drive = \"simulated\"", "drive = \"gpio\"")
    }

    fn board(&self) -> Board {
        Board::parse(Path::new("gpio-sim.toml"), &self.text()).unwrap()
    }

    /// Pulls a wire: the level on it, whatever its polarity.
    fn pull(&self, line: u32, high: bool) {
        let pull = if high { "pull-up" } else { "pull-down" };
        fs::write(self.lines.join(format!("sim_gpio{line}/pull")), pull).unwrap();
    }

    /// The level that a line has on the wire.
    fn wire(&self, line: u32) -> bool {
        fs::read_to_string(self.lines.join(format!("sim_gpio{line}/value"))).unwrap().trim() == "1"
    }

    fn unplug(&self) {
        fs::write(self.device.join("live"), "0").unwrap();
    }

    fn now(&self) -> Millis {
        Millis(u64::try_from(self.began.elapsed().as_millis()).unwrap() + 1000)
    }

    /// Polls until `input` was told `count` times; its levels and times.
    fn edges(&self, gpio: &mut Gpio, input: Input, count: usize) -> Vec<(bool, Millis)> {
        let (end, mut edges, mut told) = (Instant::now() + PATIENCE, Edges::new(), Vec::new());
        while told.len() < count && Instant::now() < end {
            gpio.poll(self.now(), &mut edges).unwrap();
            told.extend(edges.iter().filter(|edge| edge.input == input).map(|edge| (edge.active, edge.at)));
            std::thread::sleep(Duration::from_millis(2));
        }
        told
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
        let _ = fs::write(self.device.join("live"), "0");
        let _ = fs::remove_dir(self.device.join("bank0"));
        let _ = fs::remove_dir(&self.device);
    }
}

#[test]
fn a_pulse_of_the_relay_is_on_the_wire_and_ends_with_the_driver() {
    let Some(chip) = Chip::new() else { return };
    let mut gpio = Gpio::open(&chip.board(), chip.now()).unwrap();
    assert!(!chip.wire(RELAY));
    gpio.set(Output::Relay, true, chip.now()).unwrap();
    assert!(chip.wire(RELAY));
    gpio.set(Output::Relay, false, chip.now()).unwrap();
    assert!(!chip.wire(RELAY));
    gpio.set(Output::Relay, true, chip.now()).unwrap();
    drop(gpio);
    assert!(!chip.wire(RELAY));
}

#[test]
fn an_active_low_relay_is_low_while_it_releases() {
    let Some(chip) = Chip::new() else { return };
    let text = chip.text().replacen(
        "\"active-high\"\nbias = \"pull-down\"",
        "\"active-low\"\nbias = \"pull-up\"",
        1,
    );
    let board = Board::parse(Path::new("gpio-sim.toml"), &text).unwrap();
    let mut gpio = Gpio::open(&board, chip.now()).unwrap();
    assert!(chip.wire(RELAY), "locked from the first moment");
    gpio.set(Output::Relay, true, chip.now()).unwrap();
    assert!(!chip.wire(RELAY));
    drop(gpio);
    assert!(chip.wire(RELAY));
}

#[test]
fn edges_come_with_their_polarity_and_in_time() {
    let Some(chip) = Chip::new() else { return };
    let mut gpio = Gpio::open(&chip.board(), chip.now()).unwrap();
    assert!(!chip.edges(&mut gpio, Input::Rex, 1)[0].0, "the board's pull-up holds it at rest");
    let before = chip.now();
    chip.pull(REX, false);
    let pressed = chip.edges(&mut gpio, Input::Rex, 1);
    assert!(pressed[0].0 && pressed[0].1 >= before && pressed[0].1 <= chip.now(), "{before:?} {pressed:?}");
    chip.pull(REX, true);
    assert!(!chip.edges(&mut gpio, Input::Rex, 1)[0].0);
    chip.pull(CONTACT, false);
    assert!(!chip.edges(&mut gpio, Input::Contact, 1)[0].0, "low is closed: this one is active-high");
}

#[test]
fn presses_between_two_polls_are_not_lost() {
    let Some(chip) = Chip::new() else { return };
    let text = chip.text().replace("debounce_ms = 30", "debounce_ms = 0");
    let board = Board::parse(Path::new("gpio-sim.toml"), &text).unwrap();
    let mut gpio = Gpio::open(&board, chip.now()).unwrap();
    chip.edges(&mut gpio, Input::Rex, 1);
    let mut pulled = Vec::new();
    for level in [false, true, false, true] {
        pulled.push(chip.now());
        chip.pull(REX, level);
        std::thread::sleep(Duration::from_millis(50));
    }
    pulled.push(chip.now());
    let told = chip.edges(&mut gpio, Input::Rex, 4);
    let levels: Vec<bool> = told.iter().map(|(active, _)| *active).collect();
    assert_eq!(levels, [true, false, true, false]);
    for (index, (_, at)) in told.iter().enumerate() {
        // A millisecond for the two clocks that are rounded.
        assert!(at.plus(1) >= pulled[index] && *at <= pulled[index + 1], "{told:?} {pulled:?}");
    }
}

#[test]
fn a_bouncing_wire_is_one_edge() {
    let Some(chip) = Chip::new() else { return };
    let board = Board::parse(
        Path::new("gpio-sim.toml"),
        &chip.text().replace("debounce_ms = 30", "debounce_ms = 500"),
    )
    .unwrap();
    let mut gpio = Gpio::open(&board, chip.now()).unwrap();
    chip.edges(&mut gpio, Input::Rex, 1);
    for level in [false, true].into_iter().cycle().take(10) {
        chip.pull(REX, level);
        // Long enough that the kernel sees each of them.
        std::thread::sleep(Duration::from_millis(10));
    }
    chip.pull(REX, false);
    let mut told = chip.edges(&mut gpio, Input::Rex, 1);
    std::thread::sleep(Duration::from_millis(900));
    let mut edges = Edges::new();
    gpio.poll(chip.now(), &mut edges).unwrap();
    told.extend(edges.iter().filter(|edge| edge.input == Input::Rex).map(|edge| (edge.active, edge.at)));
    assert!(told.len() == 1 && told[0].0, "{told:?}");
}

#[test]
fn more_edges_than_the_kernel_keeps_do_not_hide_the_last_level() {
    let Some(chip) = Chip::new() else { return };
    let board =
        Board::parse(Path::new("gpio-sim.toml"), &chip.text().replace("debounce_ms = 30", "debounce_ms = 0"))
            .unwrap();
    let mut gpio = Gpio::open(&board, chip.now()).unwrap();
    chip.edges(&mut gpio, Input::Rex, 1);
    for _ in 0..100 {
        chip.pull(REX, false);
        chip.pull(REX, true);
    }
    chip.pull(REX, false);
    let (mut last, mut edges, mut most) = (false, Edges::new(), 0);
    for _ in 0..40 {
        gpio.poll(chip.now(), &mut edges).unwrap();
        most = most.max(edges.len());
        last = edges.iter().rfind(|edge| edge.input == Input::Rex).map_or(last, |edge| edge.active);
    }
    assert!(last && most <= edges.capacity(), "{last} {most}");
}

#[test]
fn a_relay_that_does_not_follow_is_seen() {
    let Some(chip) = Chip::new() else { return };
    let mut gpio = Gpio::open(&chip.board(), chip.now()).unwrap();
    assert_eq!(gpio.relay(chip.now()).unwrap(), RelayState::Follows);
    gpio.set(Output::Relay, true, Millis(5000)).unwrap();
    assert_eq!(gpio.relay(Millis(5049)).unwrap(), RelayState::Travelling);
    assert_eq!(gpio.relay(Millis(5050)).unwrap(), RelayState::Stuck(Stuck::Off));
    chip.pull(READ_BACK, false);
    assert_eq!(gpio.relay(Millis(5060)).unwrap(), RelayState::Follows);
    gpio.set(Output::Relay, false, Millis(6000)).unwrap();
    assert_eq!(gpio.relay(Millis(6050)).unwrap(), RelayState::Stuck(Stuck::On));
}

#[test]
fn a_line_in_use_and_a_line_that_is_not_there_are_told_apart() {
    let Some(chip) = Chip::new() else { return };
    let gpio = Gpio::open(&chip.board(), chip.now()).unwrap();
    let error = Gpio::open(&chip.board(), chip.now()).unwrap_err();
    let busy = LineCause::Busy { consumer: "arcdoor".to_owned() };
    assert_eq!((error.role, error.cause), (Role::Output(Output::Relay), busy));
    drop(gpio);
    for (text, cause) in [
        (chip.text().replace("offset = 5,", "offset = 16,"), LineCause::NoLine { lines: 16 }),
        (chip.text().replace(&chip.label, "no-such-chip"), LineCause::NoChip),
        (chip.text().replace(&chip.label, "/dev/gpiochip999"), LineCause::NoChip),
    ] {
        let board = Board::parse(Path::new("gpio-sim.toml"), &text).unwrap();
        assert_eq!(Gpio::open(&board, chip.now()).unwrap_err().cause, cause);
    }
}

#[test]
fn the_lines_are_driven_and_read_without_allocating() {
    let Some(chip) = Chip::new() else { return };
    let mut gpio = Gpio::open(&chip.board(), chip.now()).unwrap();
    let mut edges = Edges::new();
    chip.edges(&mut gpio, Input::Rex, 1);
    for level in [false, true] {
        chip.pull(REX, level);
        std::thread::sleep(Duration::from_millis(200));
        let now = chip.now();
        let (told, used) = during_here(|| {
            for output in Output::ALL {
                gpio.set(output, level, now).unwrap();
            }
            gpio.relay(now).unwrap();
            gpio.poll(now, &mut edges).unwrap();
            edges.iter().filter(|edge| edge.input == Input::Rex).count()
        });
        assert_eq!((told, used.count), (1, 0));
    }
}

#[test]
fn a_chip_that_is_unplugged_is_gone_and_nothing_hangs() {
    let Some(chip) = Chip::new() else { return };
    let mut gpio = Gpio::open(&chip.board(), chip.now()).unwrap();
    gpio.set(Output::Relay, true, chip.now()).unwrap();
    chip.unplug();
    let mut edges = Edges::new();
    assert_eq!(gpio.poll(chip.now(), &mut edges).unwrap_err().cause, LineCause::Gone);
    assert_eq!(gpio.set(Output::Relay, false, chip.now()).unwrap_err().cause, LineCause::Gone);
    assert_eq!(gpio.relay(chip.now()).unwrap_err().cause, LineCause::Gone);
}

#[test]
fn a_check_finds_a_dead_relay_and_leaves_the_lines_free() {
    let Some(chip) = Chip::new() else { return };
    let findings = check(&chip.board(), RelayTest::Move);
    for finding in &findings {
        println!("{}: {}", finding.role, finding.proof);
    }
    let of = |role| findings.iter().find(|finding| finding.role == role).map(|finding| finding.proof.clone());
    assert_eq!(of(Role::ReadBack), Some(Proof::Failed(Fault::Stuck(Stuck::Off))));
    assert_eq!(of(Role::Input(Input::Rex)), Some(Proof::Proved(Fact::AtRest)));
    assert_eq!(of(Role::Input(Input::Contact)), Some(Proof::Look(Doubt::Door { is_open: true })));
    assert!(!chip.wire(RELAY));
    Gpio::open(&chip.board(), chip.now()).unwrap();
}
