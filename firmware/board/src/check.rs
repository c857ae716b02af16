//! Proves the wiring line by line, as far as software can.

use std::fmt;

use crate::board::{Board, Drive};
use crate::driver::LineCause;
use crate::gpio::kernel::{Held, Kernel, Wanted, take};
use crate::gpio::sys::Linux;
use crate::input_line::InputLine;
use crate::line::Line;
use crate::machine::Machine;
use crate::relay_line::{FailMode, RelayLine};
use crate::relay_watch::Stuck;
use crate::role::{Input, Output, Role};

/// Whether the check may move the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTest {
    /// It stays in the fail mode.
    Rest,
    /// It is moved once, there and back: the door is released, or locked, for that moment.
    Move,
}

/// What is known of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which line.
    pub role: Role,
    /// What is known.
    pub proof: Proof,
}

/// What was found, from proved to broken. Its text says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// As far as software can, it is proved.
    Proved(Fact),
    /// A person has to look.
    Look(Doubt),
    /// It does not work.
    Failed(Fault),
}

/// What was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The line is there, free, and can be driven.
    Drives,
    /// The relay went there and back, and its contact followed.
    Follows,
    /// The line is there, free, and gives edges; it is at rest.
    AtRest,
}

/// What software cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The contact says open or closed, and only a person sees the door.
    Door {
        /// What it says.
        is_open: bool,
    },
    /// An input that rests most of the time is active now.
    Active,
    /// The chip gives no edges; the line is read at every poll.
    NoEdges,
    /// What the lock does without this software hangs on a resistor that software cannot see.
    Resistor {
        /// What the file says.
        said: FailMode,
    },
    /// The kernel keeps an output's level when the program ends by force: the pull has no say then.
    Kept,
    /// The relay's contact is wired and was not tried.
    NotMoved,
    /// No contact reads the relay back.
    Unwatched,
    /// The board is in memory: there is nothing to prove.
    Simulated,
}

/// What does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The line cannot be had, driven or read.
    Line(LineCause),
    /// The relay does not follow.
    Stuck(Stuck),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proved(Fact::Drives) => f.write_str("the line can be driven"),
            Self::Proved(Fact::Follows) => f.write_str("the relay moved, and its contact followed"),
            Self::Proved(Fact::AtRest) => f.write_str("the line can be read, and is at rest"),
            Self::Look(doubt) => doubt.fmt(f),
            Self::Failed(Fault::Line(cause)) => cause.fmt(f),
            Self::Failed(Fault::Stuck(Stuck::On)) => f.write_str(
                "the contact says that the relay stays on: nothing keeps the door shut. Replace a welded relay; if the lock \
                 does move, correct the polarity of read_back",
            ),
            Self::Failed(Fault::Stuck(Stuck::Off)) => f.write_str(
                "the contact says that the relay stays off: nobody gets in. Check its supply and the wire to it; if the lock \
                 does move, correct the polarity of read_back",
            ),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Door { is_open } => {
                let state = if *is_open { "open" } else { "closed" };
                write!(f, "it says that the door is {state}: look; if that is wrong, turn its polarity round")
            }
            Self::Active => f.write_str(
                "it is active now: if nobody presses it and nothing is wrong, turn its polarity round or check the wire",
            ),
            Self::NoEdges => f.write_str(
                "this chip gives no edges; the line is read at every poll instead: a press shorter than that is lost",
            ),
            Self::Resistor { said } => write!(
                f,
                "fail_mode is {said}, and a resistor outside the chip decides it: stop the program, and look what the lock does"
            ),
            Self::Kept => f.write_str(
                "this kernel keeps the relay as it is when the program is killed, released or not: add `dtparam=strict_gpiod` \
                 to config.txt and start again",
            ),
            Self::NotMoved => f.write_str("the relay was not moved: check again with --move-relay, while the door may open"),
            Self::Unwatched => f.write_str(
                "no contact reads the relay back: whether the lock moves is not known. Wire a second contact as read_back, or \
                 listen",
            ),
            Self::Simulated => f.write_str("this board is simulated: nothing is wired"),
        }
    }
}

/// Tries every line of `board` and lets go of it. No other program may have the lines meanwhile, this one's own loop
/// included.
#[must_use]
pub fn check(board: &Board, relay: RelayTest) -> Vec<Finding> {
    if let Some(Err(wrong)) = board.machine().map(Machine::is_this) {
        // Not a line is touched: on another board it may hold anything.
        return vec![Finding { role: Role::Output(Output::Relay), proof: LineCause::from(wrong).into() }];
    }
    match board.drive() {
        Drive::Gpio => check_on(&Linux, board, relay),
        Drive::Simulated => {
            board.lines().map(|(role, _)| Finding { role, proof: Proof::Look(Doubt::Simulated) }).collect()
        }
    }
}

fn check_on(kernel: &dyn Kernel, board: &Board, test: RelayTest) -> Vec<Finding> {
    let mut findings = relay(kernel, board.relay(), test);
    let outputs = Output::ALL.into_iter().skip(1);
    findings.extend(outputs.filter_map(|output| {
        let proof = lamp(kernel, board.output(output)?);
        Some(Finding { role: Role::Output(output), proof })
    }));
    for input in Input::ALL {
        let proofs = board.input(input).map(|line| observed(kernel, input, line)).unwrap_or_default();
        findings.extend(proofs.into_iter().map(|proof| Finding { role: Role::Input(input), proof }));
    }
    findings
}

impl From<LineCause> for Proof {
    fn from(cause: LineCause) -> Self {
        Self::Failed(Fault::Line(cause))
    }
}

/// A lamp or the buzzer: taken while off, and let go.
fn lamp(kernel: &dyn Kernel, line: &Line) -> Proof {
    match take(kernel, line, Wanted::Output { active: false }) {
        Ok(_) => Proof::Proved(Fact::Drives),
        Err(cause) => cause.into(),
    }
}

fn relay(kernel: &dyn Kernel, line: &RelayLine, test: RelayTest) -> Vec<Finding> {
    let found = |role, proof| Finding { role, proof };
    let role = Role::Output(Output::Relay);
    let rest = line.fail_mode.is_active();
    let held = match take(kernel, &line.line, Wanted::Output { active: rest }) {
        Ok(held) => held,
        Err(cause) => return vec![found(role, cause.into())],
    };
    let mut findings = vec![found(role, Proof::Proved(Fact::Drives))];
    if line.line.pulled_active().is_none() {
        findings.push(found(role, Proof::Look(Doubt::Resistor { said: line.fail_mode })));
    }
    if kernel.keeps_outputs() {
        findings.push(found(role, Proof::Look(Doubt::Kept)));
    }
    let Some(contact) = &line.read_back else {
        findings.push(found(role, Proof::Look(Doubt::Unwatched)));
        return findings;
    };
    let proof = match take(kernel, &contact.line, Wanted::Level) {
        Ok(sensed) => Relay { kernel, held, sensed, rest, travel_ms: contact.travel_ms.get() }.prove(test),
        Err(cause) => Err(cause),
    };
    findings.push(found(Role::ReadBack, proof.unwrap_or_else(Proof::from)));
    findings
}

/// The relay and its contact, both ours.
struct Relay<'a> {
    kernel: &'a dyn Kernel,
    held: Box<dyn Held>,
    sensed: Box<dyn Held>,
    /// Whether it is active in the fail mode.
    rest: bool,
    travel_ms: u32,
}

impl Relay<'_> {
    fn prove(&self, test: RelayTest) -> Result<Proof, LineCause> {
        let at_rest = self.follows(self.rest)?;
        if matches!(at_rest, Proof::Failed(_)) {
            return Ok(at_rest);
        }
        if test == RelayTest::Rest {
            return Ok(Proof::Look(Doubt::NotMoved));
        }
        let there = self.drive(!self.rest);
        // Back again, whatever came of it.
        let back = self.drive(self.rest)?;
        Ok(match there? {
            Proof::Proved(_) => back,
            stuck => stuck,
        })
    }

    fn drive(&self, active: bool) -> Result<Proof, LineCause> {
        self.held.set(active)?;
        self.follows(active)
    }

    /// Whether the contact says what was asked, once it had its time.
    fn follows(&self, asked: bool) -> Result<Proof, LineCause> {
        self.kernel.pause(self.travel_ms);
        Ok(match (asked, self.sensed.level()?) {
            (false, true) => Proof::Failed(Fault::Stuck(Stuck::On)),
            (true, false) => Proof::Failed(Fault::Stuck(Stuck::Off)),
            _ => Proof::Proved(Fact::Follows),
        })
    }
}

fn observed(kernel: &dyn Kernel, input: Input, wanted: &InputLine) -> Vec<Proof> {
    let debounce_ms = wanted.debounce_ms.get();
    let edges = take(kernel, &wanted.line, Wanted::Edges { debounce_ms });
    let has_edges = edges.is_ok();
    let held = match edges.or_else(|_| take(kernel, &wanted.line, Wanted::Level)) {
        Ok(held) => held,
        Err(cause) => return vec![cause.into()],
    };
    let mut proofs = match held.level() {
        Ok(is_open) if input == Input::Contact => vec![Proof::Look(Doubt::Door { is_open })],
        Ok(true) => vec![Proof::Look(Doubt::Active)],
        Ok(false) => vec![Proof::Proved(Fact::AtRest)],
        Err(errno) => vec![LineCause::from(errno).into()],
    };
    if !has_edges {
        proofs.push(Proof::Look(Doubt::NoEdges));
    }
    proofs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpio::fake::FakeKernel;
    use rustix::io::Errno;

    fn check_with(kernel: &FakeKernel, test: RelayTest) -> Vec<Finding> {
        check_on(kernel, &Board::find("simulated").unwrap(), test)
    }

    fn of(findings: &[Finding], role: Role) -> Vec<&Proof> {
        findings.iter().filter(|finding| finding.role == role).map(|finding| &finding.proof).collect()
    }

    #[test]
    fn a_sound_board_is_proved_line_by_line_and_the_relay_ends_where_it_began() {
        let kernel = FakeKernel::default();
        kernel.couple(0, 1);
        let findings = check_with(&kernel, RelayTest::Move);
        assert_eq!(findings.len(), 11);
        assert_eq!(of(&findings, Role::ReadBack), [&Proof::Proved(Fact::Follows)]);
        assert_eq!(of(&findings, Role::Input(Input::Rex)), [&Proof::Proved(Fact::AtRest)]);
        assert_eq!(
            of(&findings, Role::Input(Input::Contact)),
            [&Proof::Look(Doubt::Door { is_open: false })]
        );
        assert_eq!(kernel.driven(0), [false, true, false]);
        assert_eq!(kernel.paused_ms(), 150);
    }

    #[test]
    fn a_check_without_leave_never_moves_the_relay() {
        let kernel = FakeKernel::default();
        let findings = check_with(&kernel, RelayTest::Rest);
        assert_eq!(kernel.driven(0), [false]);
        assert_eq!(of(&findings, Role::ReadBack), [&Proof::Look(Doubt::NotMoved)]);
    }

    #[test]
    fn a_dead_relay_and_a_welded_one_are_told_apart_and_both_are_left_at_rest() {
        let kernel = FakeKernel::default();
        let stuck = |stuck| Proof::Failed(Fault::Stuck(stuck));
        assert_eq!(of(&check_with(&kernel, RelayTest::Move), Role::ReadBack), [&stuck(Stuck::Off)]);
        assert_eq!(kernel.driven(0), [false, true, false]);
        kernel.level(1, true);
        assert_eq!(of(&check_with(&kernel, RelayTest::Rest), Role::ReadBack), [&stuck(Stuck::On)]);
    }

    #[test]
    fn a_button_that_is_always_pressed_and_a_line_in_use_are_found() {
        let kernel = FakeKernel::default();
        kernel.level(2, true);
        kernel.occupy(4, "spi0 CS0");
        kernel.break_line(6, Errno::INVAL);
        let findings = check_with(&kernel, RelayTest::Rest);
        assert_eq!(of(&findings, Role::Input(Input::Rex)), [&Proof::Look(Doubt::Active)]);
        let busy = LineCause::Busy { consumer: "spi0 CS0".to_owned() };
        assert_eq!(of(&findings, Role::Input(Input::Tamper)), [&Proof::from(busy)]);
        let lamp = Proof::from(LineCause::Unsupported(Errno::INVAL));
        assert_eq!(of(&findings, Role::Output(Output::LedGranted)), [&lamp]);
    }

    #[test]
    fn a_chip_without_edges_is_said() {
        let kernel = FakeKernel::default();
        kernel.without_edges();
        let findings = check_with(&kernel, RelayTest::Rest);
        let fire = of(&findings, Role::Input(Input::Fire));
        assert_eq!(fire, [&Proof::Proved(Fact::AtRest), &Proof::Look(Doubt::NoEdges)]);
    }

    #[test]
    fn a_kernel_that_keeps_the_relay_released_after_a_crash_is_told_of() {
        let kernel = FakeKernel::default();
        kernel.keep_outputs();
        let findings = check_with(&kernel, RelayTest::Rest);
        let relay = of(&findings, Role::Output(Output::Relay));
        assert_eq!(relay, [&Proof::Proved(Fact::Drives), &Proof::Look(Doubt::Kept)]);
    }

    #[test]
    fn a_simulated_board_is_not_called_proved() {
        let findings = check(&Board::find("simulated").unwrap(), RelayTest::Move);
        assert!(findings.len() == 11 && findings.iter().all(|f| f.proof == Proof::Look(Doubt::Simulated)));
    }
}
