//! One damage, with its numbers.

use arcdoor_calib::Random;
use arcdoor_frame::RgbImage;

use super::colour::Rgb;
use super::family::Family;
use super::{cover, light, place, spread};

/// What happens to a crop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Damage {
    /// Nothing.
    None,
    /// Turned about the middle, degrees clockwise.
    Turn(f32),
    /// Moved to the right and downwards, pixels.
    Shift(f32, f32),
    /// Enlarged about the middle.
    Scale(f32),
    /// Enlarged to the sides and in height.
    Stretch(f32, f32),
    /// Rows moved against each other: so many pixels to the right for each pixel downwards.
    Shear(f32),
    /// Bent in waves of so many pixels.
    Wave(f32),
    /// The middle is drawn larger by so much (0.5: twice as large), or smaller where that is negative, as by a lens.
    Bulge(f32),
    /// A mask of this colour, its edge higher by so many pixels.
    Mask(Rgb, f32),
    /// Sunglasses of this colour, their lenses so many pixels high and wide from the middle.
    Glasses(Rgb, f32, f32),
    /// Both.
    MaskAndGlasses(Rgb, Rgb),
    /// All of this colour but an ellipse of half axes of so many pixels.
    Hood(Rgb, f32, f32),
    /// Everything above this row, and at the sides down to so many pixels below it: a cap, or hair.
    Cap(Rgb, f32, f32),
    /// A rectangle: left, top, width and height.
    Block(Rgb, [f32; 4]),
    /// Out of focus: standard deviation in pixels.
    Blur(f32),
    /// Moved by so many pixels during the exposure, in the direction of so many degrees.
    Motion(f32, f32),
    /// The crop was so many pixels wide.
    Small(f32),
    /// The same, and shown in blocks.
    Mosaic(f32),
    /// `x * gain + offset`, then noise of this standard deviation, then `x / gain` where `lifted`.
    Dark { gain: f32, noise: f32, lifted: bool },
    /// `x * gain + offset`.
    Bright(f32, f32),
    /// From this share of the light on the left to 1.4 on the right; less than 0 is black.
    Side(f32),
    /// Negative.
    Invert,
    /// Shares of red, green and blue.
    Cast(f32, f32, f32),
    /// Noise of this standard deviation, levels of 0..=255.
    Noise(f32),
    /// So many levels for each colour.
    Posterise(u8),
    /// Three rows of four dark, as on a screen that is filmed.
    Lines,
    /// Black dots on white, as in a newspaper.
    Halftone,
    /// Cosine transform of blocks of 8 x 8, each coefficient in steps of this many levels: coarse JPEG.
    Coded(f32),
}

impl Damage {
    /// Damages a crop.
    pub(crate) fn apply(self, crop: &mut RgbImage, random: &mut Random) {
        match self {
            Self::None => {}
            Self::Turn(degrees) => place::turn(crop, degrees),
            Self::Shift(x, y) => place::map(crop, |px, py| [px - x, py - y]),
            Self::Scale(scale) => place::about_middle(crop, |x, y| [x / scale, y / scale]),
            Self::Stretch(wide, high) => place::about_middle(crop, |x, y| [x / wide, y / high]),
            Self::Shear(by) => place::about_middle(crop, |x, y| [x - by * y, y]),
            Self::Wave(by) => place::map(crop, |x, y| [x + by * (y / 9.0).sin(), y + by * (x / 9.0).sin()]),
            Self::Bulge(by) => place::about_middle(crop, |x, y| {
                let far = (x * x + y * y) / (56.0 * 56.0);
                let share = 1.0 - by * (-3.0 * far).exp();
                [share * x, share * y]
            }),
            Self::Mask(..)
            | Self::Glasses(..)
            | Self::MaskAndGlasses(..)
            | Self::Hood(..)
            | Self::Cap(..)
            | Self::Block(..) => cover::paint(crop, |x, y| self.colour_at(x, y)),
            Self::Blur(sigma) => spread::blur(crop, sigma),
            Self::Motion(px, degrees) => spread::motion(crop, px, degrees),
            Self::Small(px) => spread::shrink(crop, px, false),
            Self::Mosaic(px) => spread::shrink(crop, px, true),
            Self::Dark { gain, noise, lifted } => {
                light::levels(crop, |x| x * gain);
                light::noise(crop, noise, random);
                if lifted {
                    light::levels(crop, |x| x / gain);
                }
            }
            Self::Bright(gain, offset) => light::levels(crop, |x| x * gain + offset),
            Self::Side(least) => light::side(crop, least),
            Self::Invert => light::levels(crop, |x| 255.0 - x),
            Self::Cast(red, green, blue) => light::cast(crop, [red, green, blue]),
            Self::Noise(deviation) => light::noise(crop, deviation, random),
            Self::Posterise(levels) => {
                let steps = f32::from(levels.max(2) - 1);
                light::levels(crop, |x| (x / 256.0 * (steps + 1.0)).floor() * 255.0 / steps);
            }
            Self::Lines => light::lines(crop),
            Self::Halftone => light::halftone(crop),
            Self::Coded(step) => spread::code(crop, step),
        }
    }

    /// The colour of what lies before this place of the ArcFace template; `None` where nothing does.
    pub(crate) fn colour_at(self, x: f32, y: f32) -> Option<Rgb> {
        let painted = |covers: bool, colour: Rgb| covers.then_some(colour);
        match self {
            Self::Mask(colour, rise) => painted(cover::is_mask(x, y, rise), colour),
            Self::Glasses(colour, wide, high) => painted(cover::is_glasses(x, y, wide, high), colour),
            Self::MaskAndGlasses(mask, glasses) => {
                Self::Glasses(glasses, 15.0, 11.0).colour_at(x, y).or(Self::Mask(mask, 0.0).colour_at(x, y))
            }
            Self::Hood(colour, wide, high) => painted(cover::is_hood(x, y, wide, high), colour),
            Self::Cap(colour, row, sides) => painted(cover::is_cap(x, y, row, sides), colour),
            Self::Block(colour, [left, top, w, h]) => {
                painted((left..left + w).contains(&x) && (top..top + h).contains(&y), colour)
            }
            _ => None,
        }
    }

    /// The family that it belongs to; none of an undamaged face.
    pub(crate) const fn family(self) -> Option<Family> {
        Some(match self {
            Self::None => return None,
            Self::Turn(_) => Family::Turn,
            Self::Shift(..) => Family::Shift,
            Self::Scale(_) => Family::Scale,
            Self::Stretch(wide, high) if wide < high => Family::Narrow,
            Self::Stretch(..) => Family::Wide,
            Self::Shear(_) => Family::Shear,
            Self::Bulge(by) if by < 0.0 => Family::Hollow,
            Self::Wave(_) | Self::Bulge(_) => Family::Bend,
            Self::Mask(..) => Family::Mask,
            Self::Glasses(..) | Self::MaskAndGlasses(..) => Family::Glasses,
            Self::Hood(..) | Self::Cap(..) => Family::Hood,
            Self::Block(..) => Family::Cover,
            Self::Blur(_) | Self::Motion(..) => Family::Blur,
            Self::Small(_) | Self::Mosaic(_) => Family::Small,
            Self::Dark { .. } | Self::Bright(..) | Self::Side(_) | Self::Invert | Self::Cast(..) => {
                Family::Light
            }
            Self::Noise(_) | Self::Posterise(_) | Self::Lines | Self::Halftone | Self::Coded(_) => {
                Family::Grain
            }
        })
    }
}
