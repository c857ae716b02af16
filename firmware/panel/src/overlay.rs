//! Faces marked on a frame: a box in the decision's colour, landmarks, and a label with its own ground.

use crate::magnify::Magnified;
use arcdoor_core::{Landmarks5, Rect};
use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::iso_8859_1::FONT_6X13_BOLD;
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};

const FONT: MonoFont<'static> = FONT_6X13_BOLD;
/// Frame widths for one pixel of stroke: 2 px at 640, 6 px at 1920.
const WIDTH_PER_STROKE: u32 = 320;
/// Frame widths for one step of the font's size: 13 px high at 640, 39 px at 1920.
const WIDTH_PER_FONT: u32 = 640;
/// Largest multiple: strokes grow up to a width of some 20,000 pixels, the font up to 41,000.
const MOST: u32 = 64;
/// Characters of a label that are drawn.
const LABEL_CHARS: usize = 48;

/// What was decided about a face; it gives the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// Green.
    Granted,
    /// Red.
    Denied,
    /// Amber.
    Retry,
}

impl MarkKind {
    /// The colour of box, landmarks and the label's ground.
    #[must_use]
    pub const fn colour(self) -> Rgb888 {
        match self {
            Self::Granted => Rgb888::new(38, 190, 98),
            Self::Denied => Rgb888::new(235, 72, 66),
            Self::Retry => Rgb888::new(255, 184, 28),
        }
    }
}

/// One face to mark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceMark<'a> {
    /// The box in frame pixels; it may reach beyond the frame.
    pub rect: Rect,
    /// The landmarks in frame pixels.
    pub landmarks: Option<Landmarks5>,
    /// The text beside the box; Latin-1, other characters become `?`, 48 characters at most. Empty: none.
    pub label: &'a str,
    /// What was decided, which gives the colour.
    pub kind: MarkKind,
}

/// Marks `faces` on `target`. Strokes and text grow with the target's width. Whatever lies beyond the
/// target is left out: `target` is never asked for a pixel outside its own bounding box.
///
/// # Errors
/// When the target fails to draw.
pub fn draw_overlay<T>(target: &mut T, faces: &[FaceMark<'_>]) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    let sizes = Sizes::of(target.bounding_box().size.width);
    for face in faces {
        draw_box(target, &face.rect, &sizes, face.kind.colour())?;
        for mark in face.landmarks.iter().flat_map(|landmarks| landmarks.0) {
            draw_landmark(target, mark, &sizes, face.kind.colour())?;
        }
    }
    // Labels last: no other face's box runs through a name.
    faces.iter().filter(|face| !face.label.is_empty()).try_for_each(|face| draw_label(target, face, &sizes))
}

struct Sizes {
    stroke: u32,
    font: u32,
}

impl Sizes {
    fn of(width: u32) -> Self {
        let multiple = |per: u32| (width.saturating_add(per / 2) / per).clamp(1, MOST);
        Self { stroke: multiple(WIDTH_PER_STROKE), font: multiple(WIDTH_PER_FONT) }
    }
}

/// The nearest whole coordinate, held within a million so that no sum here overflows; NaN is 0.
fn whole(value: f32) -> i32 {
    const FAR: f32 = 1_000_000.0;
    let near = value.clamp(-FAR, FAR);
    // `as` takes NaN to 0 and cuts towards 0.
    (near + if near < 0.0 { -0.5 } else { 0.5 }) as i32
}

fn fill<T>(target: &mut T, x: [i32; 2], y: [i32; 2], colour: Rgb888) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    if x[0] >= x[1] || y[0] >= y[1] {
        return Ok(());
    }
    let size = Size::new(x[0].abs_diff(x[1]), y[0].abs_diff(y[1]));
    let area = Rectangle::new(Point::new(x[0], y[0]), size).intersection(&target.bounding_box());
    if area.is_zero_sized() { Ok(()) } else { target.fill_solid(&area, colour) }
}

/// A box line of `stroke` pixels whose outer edge is the face's box, with a black line around it.
fn draw_box<T>(target: &mut T, rect: &Rect, sizes: &Sizes, colour: Rgb888) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    // The dark ring outside keeps the box visible on a ground of its own colour.
    let ring = (sizes.stroke / 2).max(1) as i32;
    let (x, y) = ([whole(rect.x), whole(rect.right()) + 1], [whole(rect.y), whole(rect.bottom()) + 1]);
    draw_ring(target, [x[0] - ring, x[1] + ring], [y[0] - ring, y[1] + ring], ring, Rgb888::BLACK)?;
    draw_ring(target, x, y, sizes.stroke as i32, colour)
}

fn draw_ring<T>(target: &mut T, x: [i32; 2], y: [i32; 2], stroke: i32, colour: Rgb888) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    let (inner_x, inner_y) = ([x[0] + stroke, x[1] - stroke], [y[0] + stroke, y[1] - stroke]);
    if inner_x[0] >= inner_x[1] || inner_y[0] >= inner_y[1] {
        return fill(target, x, y, colour);
    }
    fill(target, x, [y[0], inner_y[0]], colour)?;
    fill(target, x, [inner_y[1], y[1]], colour)?;
    fill(target, [x[0], inner_x[0]], inner_y, colour)?;
    fill(target, [inner_x[1], x[1]], inner_y, colour)
}

fn draw_landmark<T>(
    target: &mut T,
    mark: arcdoor_core::Point,
    sizes: &Sizes,
    colour: Rgb888,
) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    let (x, y, reach) = (whole(mark.x), whole(mark.y), sizes.stroke as i32);
    let square = |target: &mut T, reach: i32, colour| {
        fill(target, [x - reach, x + reach + 1], [y - reach, y + reach + 1], colour)
    };
    square(target, reach + 1, Rgb888::BLACK)?;
    square(target, reach, colour)
}

/// Above the box where there is room, else just below its upper edge; always within the frame's width
/// as far as the text allows.
fn draw_label<T>(target: &mut T, face: &FaceMark<'_>, sizes: &Sizes) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    let frame = target.bounding_box();
    let chars = face.label.chars().take(LABEL_CHARS).count() as u32;
    let pad = sizes.font as i32 * 2;
    let text = FONT.character_size;
    let width = (text.width * chars * sizes.font) as i32 + 2 * pad;
    let height = (text.height * sizes.font) as i32 + 2 * pad;
    let (left, top) = (frame.top_left.x, frame.top_left.y);
    let (right, bottom) = (left + frame.size.width as i32, top + frame.size.height as i32);
    let x = whole(face.rect.x).clamp(left, (right - width).max(left));
    let above = whole(face.rect.y) - height;
    let y = if above >= top { above } else { whole(face.rect.y).max(top) };
    let y = y.clamp(top, (bottom - height).max(top));
    fill(target, [x, x + width], [y, y + height], face.kind.colour())?;
    let mut magnified = Magnified { target, origin: Point::new(x + pad, y + pad), factor: sizes.font };
    let style = MonoTextStyle::new(&FONT, Rgb888::BLACK);
    let mut at = Point::zero();
    for letter in face.label.chars().take(LABEL_CHARS) {
        let mut bytes = [0; 4];
        at = Text::with_baseline(letter.encode_utf8(&mut bytes), at, style, Baseline::Top)
            .draw(&mut magnified)?;
    }
    Ok(())
}
