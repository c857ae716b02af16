//! The symbol of each state, told apart by its shape, never by colour alone. Reasons with one advice share a symbol.

use crate::palette::Palette;
use crate::pen::{Pen, Spot};
use crate::state::{Alarm, DenyAdvice, Fault, UiState, View};
use arcdoor_core::RetryReason;

/// Width of a symbol's main lines, in the grid's units.
const LINE: i32 = 13;
const MIDDLE: Spot = (100, 100);

/// What is drawn beside the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// A face within the corners of a frame.
    Face,
    Hint(RetryReason),
    View(View),
    Check,
    Cross,
    Clock,
    Alarm(Alarm),
    Fault(Fault),
    Update,
}

impl Symbol {
    /// The symbol of `state`; a keypad has none.
    pub(crate) const fn of(state: &UiState) -> Option<Self> {
        Some(match state {
            UiState::Idle => Self::Face,
            UiState::Approach(reason) => Self::Hint(*reason),
            UiState::Granted => Self::Check,
            UiState::Denied(DenyAdvice::TryAgain) => Self::Cross,
            UiState::Denied(DenyAdvice::Wait) => Self::Clock,
            UiState::Enrolment { view, .. } => Self::View(*view),
            UiState::Pin { .. } => return None,
            UiState::Alarm(alarm) => Self::Alarm(*alarm),
            UiState::Fault(fault) => Self::Fault(*fault),
            UiState::Update(_) => Self::Update,
        })
    }

    pub(crate) fn draw(self, pen: &mut Pen<'_>, inks: &Palette) {
        match self {
            Self::Face => {
                corners(pen, inks);
                face(pen, inks, MIDDLE, 10, (0, 0));
            }
            Self::Hint(reason) => hint(pen, inks, reason),
            Self::View(view) => looking(pen, inks, view),
            Self::Check => {
                pen.disc(inks.accent, MIDDLE, 96);
                pen.path(inks.on_accent, &[(58, 104), (88, 134), (144, 72)], 17);
            }
            Self::Cross => {
                pen.disc(inks.accent, MIDDLE, 96);
                pen.path(inks.on_accent, &[(69, 69), (131, 131)], 17);
                pen.path(inks.on_accent, &[(131, 69), (69, 131)], 17);
            }
            Self::Clock => {
                pen.disc(inks.accent, MIDDLE, 96);
                pen.ring(inks.on_accent, MIDDLE, 56, 56, 13);
                pen.path(inks.on_accent, &[(100, 68), (100, 103), (120, 117)], 13);
            }
            Self::Alarm(kind) => alarm(pen, inks, kind),
            Self::Fault(cause) => fault(pen, inks, cause),
            Self::Update => {
                pen.ring(inks.accent, MIDDLE, 88, 88, LINE);
                pen.path(inks.accent, &[(100, 56), (100, 132)], 15);
                pen.path(inks.accent, &[(68, 104), (100, 136), (132, 104)], 15);
            }
        }
    }
}

/// The four corners of a camera's frame.
fn corners(pen: &mut Pen<'_>, inks: &Palette) {
    for (x, y) in [(-1, -1), (1, -1), (1, 1), (-1, 1)] {
        let at = |dx: i32, dy: i32| (100 + x * dx, 100 + y * dy);
        pen.path(inks.muted, &[at(88, 54), at(88, 88), at(54, 88)], LINE);
    }
}

/// A face; `size` is ten for the usual one, and `(x, y)` is how far it looks aside.
fn face(pen: &mut Pen<'_>, inks: &Palette, at: Spot, size: i32, (x, y): Spot) {
    let long = |units: i32| units * size / 10;
    let spot = |dx: i32, dy: i32| (at.0 + long(dx), at.1 + long(dy));
    pen.ring(inks.accent, at, long(50), long(64), LINE);
    for side in [-1, 1] {
        pen.ellipse(inks.text, spot(side * 19 + x, y - 12), long(6), long(8));
    }
    // The mouth: the lower part of a circle.
    pen.arc(inks.text, spot(x, y + 5), long(22), long(8), 19, 45);
}

/// An arrow's head whose tip is at `tip`, towards (`dx`, `dy`), one of which is 0 and the other 1 or -1.
fn chevron(pen: &mut Pen<'_>, inks: &Palette, tip: Spot, (dx, dy): Spot) {
    let (back, side) = (18, 18);
    let wing = |turn: i32| (tip.0 - dx * back + turn * dy * side, tip.1 - dy * back + turn * dx * side);
    pen.path(inks.accent, &[wing(1), tip, wing(-1)], 13);
}

/// Head and shoulders.
fn person(pen: &mut Pen<'_>, inks: &Palette, x: i32, ink: embedded_graphics::pixelcolor::Rgb888) {
    // The gap around keeps two people apart.
    pen.shape(inks.ground, &body(x), 34);
    pen.disc(inks.ground, (x, 72), 42);
    pen.shape(ink, &body(x), 14);
    pen.disc(ink, (x, 72), 32);
}

const fn body(x: i32) -> [Spot; 6] {
    [(x - 42, 164), (x - 38, 142), (x - 22, 128), (x + 22, 128), (x + 38, 142), (x + 42, 164)]
}

fn hint(pen: &mut Pen<'_>, inks: &Palette, reason: RetryReason) {
    match reason {
        RetryReason::NoFace => {
            corners(pen, inks);
            pen.ring(inks.muted, MIDDLE, 22, 22, LINE);
            pen.disc(inks.accent, MIDDLE, 8);
        }
        RetryReason::Looking => {
            corners(pen, inks);
            for x in [62, 100, 138] {
                pen.disc(inks.accent, (x, 100), 12);
            }
        }
        RetryReason::NotClear => {
            corners(pen, inks);
            face(pen, inks, MIDDLE, 10, (0, 0));
        }
        RetryReason::SeveralFaces | RetryReason::SomebodyElse => {
            person(pen, inks, 138, inks.muted);
            person(pen, inks, 70, inks.accent);
        }
        RetryReason::FaceCutOff => {
            corners(pen, inks);
            face(pen, inks, (142, 100), 8, (0, 0));
            pen.path(inks.accent, &[(76, 100), (26, 100)], 13);
            chevron(pen, inks, (24, 100), (-1, 0));
        }
        RetryReason::TooFar | RetryReason::ShowIntent => {
            face(pen, inks, MIDDLE, 6, (0, 0));
            for (x, y) in [(-1, -1), (1, -1), (1, 1), (-1, 1)] {
                let at = |dx: i32, dy: i32| (100 + x * dx, 100 + y * dy);
                pen.path(inks.accent, &[at(58, 62), at(86, 90)], 13);
                pen.path(inks.accent, &[at(88, 62), at(88, 92), at(58, 92)], 13);
            }
        }
        RetryReason::TurnToCamera => {
            corners(pen, inks);
            face(pen, inks, (84, 100), 9, (-15, 0));
            chevron(pen, inks, (176, 100), (1, 0));
        }
        RetryReason::SameView => {
            face(pen, inks, MIDDLE, 10, (0, 0));
            chevron(pen, inks, (14, 100), (-1, 0));
            chevron(pen, inks, (186, 100), (1, 0));
        }
        RetryReason::TooDark => {
            pen.disc(inks.accent, (92, 106), 74);
            pen.disc(inks.ground, (126, 78), 66);
        }
        RetryReason::TooBright => sun(pen, inks, MIDDLE, 40),
        RetryReason::LightFromBehind => {
            sun(pen, inks, (128, 70), 34);
            person(pen, inks, 76, inks.text);
        }
        RetryReason::HoldStill => {
            face(pen, inks, MIDDLE, 10, (0, 0));
            for (from, to) in [(56, 72), (120, 136)] {
                pen.arc(inks.muted, MIDDLE, 90, LINE, from, to);
            }
            for (from, to) in [(58, 70), (122, 134)] {
                pen.arc(inks.muted, MIDDLE, 70, LINE, from, to);
            }
        }
        RetryReason::HoldUpright => {
            // A head that leans by 25 degrees, and the way back.
            pen.ring(inks.accent, (100, 120), 58, 58, LINE);
            pen.ellipse(inks.text, (78, 117), 6, 8);
            pen.ellipse(inks.text, (112, 101), 6, 8);
            pen.arc(inks.text, (102, 124), 22, 8, 10, 36);
            pen.arc(inks.muted, (100, 120), 94, LINE, 82, 104);
            pen.path(inks.muted, &[(126, 12), (138, 34), (115, 44)], LINE);
        }
        RetryReason::Covered => covered(pen, inks),
        RetryReason::SamePhoto => {
            pen.plate(inks.muted, (56, 26), (110, 122), 14);
            pen.plate(inks.ground, (26, 44), (122, 134), 20);
            pen.plate(inks.accent, (34, 52), (106, 118), 12);
            pen.disc(inks.on_accent, (87, 94), 18);
            pen.shape(inks.on_accent, &[(62, 146), (66, 132), (108, 132), (112, 146)], 12);
        }
    }
}

/// A sun with a disc of radius `r`.
fn sun(pen: &mut Pen<'_>, inks: &Palette, (x, y): Spot, r: i32) {
    pen.disc(inks.accent, (x, y), r);
    // Straight and slanting rays of one length: 7 / 10 is nearly the sine of 45 degrees.
    let (near, far) = (r + 19, r + 33);
    for (dx, dy, share) in [(1, 0, 10), (0, 1, 10), (1, 1, 7), (1, -1, 7)] {
        for side in [-1, 1] {
            let at = |long: i32| (x + side * dx * long * share / 10, y + side * dy * long * share / 10);
            pen.path(inks.accent, &[at(near), at(far)], 13);
        }
    }
}

/// A face behind glasses and a mask.
fn covered(pen: &mut Pen<'_>, inks: &Palette) {
    pen.ring(inks.muted, MIDDLE, 62, 80, LINE);
    for x in [72, 128] {
        pen.ring(inks.text, (x, 80), 19, 15, 10);
    }
    pen.path(inks.text, &[(91, 78), (109, 78)], 10);
    pen.shape(inks.accent, &[(54, 116), (100, 104), (146, 116), (140, 142), (100, 164), (60, 142)], 14);
    pen.path(inks.on_accent, &[(76, 128), (124, 128)], 7);
    pen.path(inks.on_accent, &[(80, 144), (120, 144)], 7);
}

fn looking(pen: &mut Pen<'_>, inks: &Palette, view: View) {
    let (x, y) = match view {
        View::Frontal => (0, 0),
        View::Left => (-1, 0),
        View::Right => (1, 0),
        View::Up => (0, -1),
        View::Down => (0, 1),
    };
    face(pen, inks, (100 - x * 12, 100 - y * 16), 10, (x * 16, y * 18));
    match view {
        View::Frontal => corners(pen, inks),
        View::Left | View::Right | View::Up | View::Down => {
            chevron(pen, inks, (100 + x * 84, 100 + y * 92), (x, y));
        }
    }
}

/// A triangle that stands for danger, with `!` in it.
fn warning(pen: &mut Pen<'_>, inks: &Palette) {
    pen.shape(inks.accent, &[(100, 30), (182, 166), (18, 166)], 22);
    pen.path(inks.on_accent, &[(100, 72), (100, 112)], 15);
    pen.disc(inks.on_accent, (100, 140), 10);
}

/// An open door in its frame.
fn open_door(pen: &mut Pen<'_>, inks: &Palette) {
    pen.path(inks.accent, &[(30, 178), (54, 178), (54, 24), (150, 24), (150, 178), (174, 178)], LINE);
    pen.shape(inks.accent, &[(56, 26), (112, 46), (112, 190), (56, 176)], 8);
    pen.disc(inks.on_accent, (98, 112), 7);
}

fn padlock(pen: &mut Pen<'_>, inks: &Palette) {
    pen.arc(inks.accent, (100, 70), 36, 17, 64, 128);
    pen.path(inks.accent, &[(64, 70), (64, 96)], 17);
    pen.path(inks.accent, &[(136, 70), (136, 96)], 17);
    pen.plate(inks.accent, (40, 92), (120, 92), 18);
    pen.disc(inks.on_accent, (100, 128), 12);
    pen.path(inks.on_accent, &[(100, 130), (100, 152)], 11);
}

fn alarm(pen: &mut Pen<'_>, inks: &Palette, kind: Alarm) {
    match kind {
        Alarm::Forced => warning(pen, inks),
        Alarm::HeldOpenWarning => open_door(pen, inks),
        Alarm::HeldOpen => {
            open_door(pen, inks);
            pen.disc(inks.on_accent, (152, 146), 46);
            pen.disc(inks.accent, (152, 146), 38);
            pen.path(inks.on_accent, &[(152, 124), (152, 148)], 11);
            pen.disc(inks.on_accent, (152, 167), 7);
        }
        Alarm::Tamper => {
            pen.plate(inks.accent, (46, 16), (108, 168), 20);
            pen.path(inks.on_accent, &[(112, 10), (84, 76), (116, 106), (88, 190)], 13);
        }
        Alarm::FireRelease => {
            // Out of the door: its frame, and an arrow through it.
            pen.path(inks.accent, &[(92, 30), (34, 30), (34, 170), (92, 170)], 15);
            pen.path(inks.accent, &[(80, 100), (172, 100)], 17);
            pen.path(inks.accent, &[(136, 62), (174, 100), (136, 138)], 17);
        }
        Alarm::Lockdown => padlock(pen, inks),
    }
}

/// What is broken, struck through.
fn fault(pen: &mut Pen<'_>, inks: &Palette, cause: Fault) {
    match cause {
        Fault::Camera => {
            pen.shape(inks.text, &[(70, 62), (82, 44), (118, 44), (130, 62)], 12);
            pen.plate(inks.text, (24, 56), (152, 104), 20);
            pen.disc(inks.ground, (100, 108), 34);
            pen.disc(inks.text, (100, 108), 21);
        }
        Fault::Pack => {
            face(pen, &Palette { accent: inks.text, ..*inks }, MIDDLE, 12, (0, 0));
        }
        Fault::Gallery => {
            person(pen, inks, 134, inks.muted);
            person(pen, inks, 76, inks.text);
        }
        Fault::Key => {
            pen.ring(inks.text, (62, 100), 32, 32, 19);
            pen.path(inks.text, &[(98, 100), (180, 100), (180, 128)], 17);
            pen.path(inks.text, &[(148, 100), (148, 122)], 17);
        }
        Fault::Lock => padlock(pen, &Palette { accent: inks.text, on_accent: inks.ground, ..*inks }),
        Fault::Storage => {
            pen.shape(inks.text, &[(58, 30), (118, 30), (150, 62), (150, 170), (50, 170), (50, 38)], 16);
            for x in [74, 96, 118] {
                pen.path(inks.ground, &[(x, 46), (x, 66)], 10);
            }
        }
        Fault::Clock => {
            pen.ring(inks.text, MIDDLE, 76, 76, 15);
            pen.path(inks.text, &[(100, 56), (100, 104), (128, 122)], 15);
        }
        Fault::Stopped => {
            pen.plate(inks.text, (38, 26), (124, 148), 20);
            pen.plate(inks.ground, (56, 46), (88, 84), 8);
            pen.disc(inks.ground, (100, 152), 9);
        }
    }
    pen.path(inks.ground, &[(30, 170), (170, 30)], 38);
    pen.path(inks.accent, &[(30, 170), (170, 30)], 17);
}
