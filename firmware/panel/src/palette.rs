//! The colours, by light. Words reach 4.5:1 and symbols 3:1 against their ground (WCAG 2.2, 1.4.3 and 1.4.11), which
//! a test checks.

use crate::state::{Alarm, UiState};
use crate::style::Light;
use embedded_graphics::pixelcolor::Rgb888;

/// The colours of one screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Palette {
    /// Behind everything.
    pub(crate) ground: Rgb888,
    /// The headline, and lines of symbols.
    pub(crate) text: Rgb888,
    /// The second line, and what is unimportant in a symbol.
    pub(crate) muted: Rgb888,
    /// What a symbol says.
    pub(crate) accent: Rgb888,
    /// Lines on the accent.
    pub(crate) on_accent: Rgb888,
    /// Grounds of keys and of what is still empty.
    pub(crate) field: Rgb888,
}

/// A colour as `0xRRGGBB`.
const fn rgb(hex: u32) -> Rgb888 {
    Rgb888::new((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

const DAY: Palette = Palette {
    ground: rgb(0xf7f8fa),
    text: rgb(0x11161d),
    muted: rgb(0x556070),
    accent: rgb(0x1d5fd1),
    on_accent: rgb(0xffffff),
    field: rgb(0xe4e8ee),
};
const NIGHT: Palette = Palette {
    ground: rgb(0x0c1016),
    text: rgb(0xeaeef4),
    muted: rgb(0x9ba7b7),
    accent: rgb(0x78b1ff),
    on_accent: rgb(0x0c1016),
    field: rgb(0x212934),
};

impl Palette {
    /// The palette of one screen: an alarm fills the screen with its colour, so that it is seen from the corner of
    /// an eye.
    pub(crate) const fn of(state: &UiState, light: Light) -> Self {
        let (base, green, amber, red) = match light {
            Light::Day => (DAY, rgb(0x0b7842), rgb(0xb04a00), rgb(0xa8101c)),
            Light::Night => (NIGHT, rgb(0x46d38a), rgb(0xffb24d), rgb(0x8c0e18)),
        };
        match state {
            UiState::Idle | UiState::Approach(_) | UiState::Enrolment { .. } | UiState::Pin { .. } => base,
            UiState::Update(_) => base,
            UiState::Granted => Self { accent: green, ..base },
            UiState::Denied(_) | UiState::Fault(_) => Self { accent: amber, ..base },
            UiState::Alarm(Alarm::HeldOpenWarning) => match light {
                Light::Day => Self::filled(rgb(0xffc24a), rgb(0x1c1404)),
                Light::Night => Self::filled(rgb(0x4f3300), rgb(0xffdc9a)),
            },
            UiState::Alarm(Alarm::FireRelease) => Self::filled(rgb(0x086236), rgb(0xffffff)),
            UiState::Alarm(Alarm::Lockdown) => Self::filled(rgb(0x2b1a52), rgb(0xffffff)),
            UiState::Alarm(Alarm::Forced | Alarm::HeldOpen | Alarm::Tamper) => {
                Self::filled(red, rgb(0xffffff))
            }
        }
    }

    const fn filled(ground: Rgb888, ink: Rgb888) -> Self {
        Self { ground, text: ink, muted: ink, accent: ink, on_accent: ground, field: ground }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::states;
    use embedded_graphics::pixelcolor::RgbColor;

    /// Contrast of two colours as WCAG 2.2 defines it, 1 to 21.
    fn contrast(a: Rgb888, b: Rgb888) -> f64 {
        let light = |colour: Rgb888| {
            let linear = |part: u8| {
                let part = f64::from(part) / 255.0;
                if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
        };
        let (a, b) = (light(a) + 0.05, light(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn words_and_symbols_stand_out_from_their_ground() {
        for (name, state) in states() {
            for light in Light::ALL {
                let inks = Palette::of(&state, light);
                for (what, ink, ground, least) in [
                    ("headline", inks.text, inks.ground, 7.0),
                    ("detail", inks.muted, inks.ground, 4.5),
                    ("symbol", inks.accent, inks.ground, 3.0),
                    ("on the symbol", inks.on_accent, inks.accent, 3.0),
                    ("a key's digit", inks.text, inks.field, 4.5),
                ] {
                    let unused = what == "a key's digit" && !matches!(state, UiState::Pin { .. });
                    let contrast = contrast(ink, ground);
                    assert!(unused || contrast >= least, "{what} of {name} by {light:?}: {contrast:.1}");
                }
            }
        }
    }
}
