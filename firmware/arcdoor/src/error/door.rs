//! Why a door cannot be set up, held or asked.

use super::exit::{DEVICE, INPUT, USAGE};
use std::path::PathBuf;

/// Why a door cannot be set up, held or asked.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// No PIN.
    #[error("a PIN is 4 to 12 digits")]
    NoPin,
    /// The usual one and the one under duress.
    #[error("a person's PIN and the one under duress must differ: the door could not tell them apart")]
    SamePin,
    /// There is a door already.
    #[error("{} has a [door] already: edit it there, or remove the section and run `arcdoor setup` again", .0.display())]
    SetUp(PathBuf),
    /// Cards, and nothing that reads them.
    #[error("this version reads no cards: choose face+pin, or face alone, until a reader is supported")]
    NoReader,
    /// Nobody would ever be known to be inside.
    #[error(
        "anti_passback needs the door's contact: wire it and name it in the board's file, or leave anti_passback out"
    )]
    NoContact,
    /// Too little memory, where a PIN is hashed.
    #[error("a PIN cannot be hashed: is there too little memory? It takes 19 MiB")]
    NoHash,
    /// No more people have room in the file of PINs.
    #[error("{}: no room for another PIN: remove those of people who are gone", .0.display())]
    PinsFull(std::path::PathBuf),
    /// A PIN that nobody could enter.
    #[error(
        "nobody could enter a PIN: {0} names neither `touch` in [panel] nor a [keypad]; write one into a file of your own (docs/boards.md), \
         or choose a face alone"
    )]
    NoKeys(String),
    /// No way to open a door.
    #[error("{0:?} opens no door: face+pin, card+face or face")]
    NoMethod(String),
    /// A question of the set-up, and nobody to ask.
    #[error("there is nobody to ask for {what:?} here: answer with {flag}")]
    Unanswered {
        /// The question.
        what: &'static str,
        /// The flag that answers it.
        flag: &'static str,
    },
    /// A zone that no table has.
    #[error(
        "no time zone is called {0:?}: write it as Asia/Seoul or Europe/Berlin, or leave door.time_zone out"
    )]
    TimeZone(String),
    /// A board's file is wrong.
    #[error("door.board in settings.toml: {0}")]
    Board(#[from] arcdoor_board::BoardError),
    /// A line of the board.
    #[error("{0}")]
    Line(#[from] arcdoor_board::LineError),
    /// Rules that cannot be.
    #[error("door.policy in settings.toml: {0}")]
    Policy(arcdoor_door::PolicyError),
    /// The panel cannot be opened.
    #[error("{0}")]
    Panel(#[from] arcdoor_board::FramebufferError),
    /// A panel of a size that no screen is laid out for.
    #[error("the board's panel: {0}")]
    PanelSize(#[from] arcdoor_panel::style::ScreenSizeError),
    /// Settings and board disagree on what the lock does without power.
    #[error(
        "the board's relay is {board} when nobody drives it, and door.policy.fail_mode says {policy}: correct the one that is wrong; a strike is secure and locked, a magnet is safe and unlocked"
    )]
    FailMode {
        /// What the board's file says.
        board: arcdoor_board::FailMode,
        /// What the settings say.
        policy: &'static str,
    },
    /// The relay was not moved.
    #[error("the relay was not moved: answer y where somebody watches the door")]
    RelayUnconfirmed,
    /// No board is named.
    #[error("which board? name one (`arcdoor board list`), or set it up with `arcdoor setup`")]
    NoBoard,
    /// There is no door to ask.
    #[error("no door runs here: start `arcdoor run` with [door] in settings.toml, or with --simulate")]
    NoDoor,
}

impl DoorError {
    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::SetUp(_)
            | Self::NoReader
            | Self::NoKeys(_)
            | Self::NoContact
            | Self::NoMethod(_)
            | Self::Unanswered { .. }
            | Self::RelayUnconfirmed
            | Self::NoBoard => USAGE,
            Self::NoPin
            | Self::SamePin
            | Self::TimeZone(_)
            | Self::Board(_)
            | Self::Policy(_)
            | Self::PanelSize(_)
            | Self::FailMode { .. } => INPUT,
            Self::Line(_) | Self::Panel(_) | Self::NoDoor | Self::NoHash | Self::PinsFull(_) => DEVICE,
        }
    }
}
