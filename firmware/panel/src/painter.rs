//! Screens drawn on a target: whole, or only what changed.

use crate::area::Area;
use crate::element::Element;
use crate::scene::{MOST_ELEMENTS, Scene};
use crate::state::UiState;
use crate::style::{ScreenSize, Style};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::pixelcolor::Rgb888;
use heapless::Vec;

/// Draws the whole screen for `state` from the target's upper left corner on.
///
/// # Errors
/// When the target fails to draw.
pub fn draw_screen<T>(state: &UiState, style: Style, size: ScreenSize, target: &mut T) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    draw_whole(&Scene::of(state, style, size), size, target)
}

fn draw_whole<T>(scene: &Scene, size: ScreenSize, target: &mut T) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    let screen = Area::new(0, 0, size.width(), size.height());
    clear(screen, &scene.elements, scene.inks.ground, target)?;
    scene.elements.iter().try_for_each(|element| element.draw(target))
}

/// Fills `area` as far as no element lies there, so that no pixel is drawn twice and nothing flickers. It calls itself
/// once for each element at most.
fn clear<T>(area: Area, elements: &[Element], ground: Rgb888, target: &mut T) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    if area.w == 0 || area.h == 0 {
        return Ok(());
    }
    for (at, element) in elements.iter().enumerate() {
        if let Some(hole) = element.area.intersection(area) {
            let mut rest = area.around(hole).into_iter();
            return rest.try_for_each(|part| clear(part, &elements[at + 1..], ground, target));
        }
    }
    target.fill_solid(&area.rectangle(), ground)
}

/// A part of the screen in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirtyArea {
    /// Columns from the left.
    pub x: u32,
    /// Rows from the top.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Where a target was drawn on: every pixel that changed lies in one of these, and they may overlap.
pub type Dirty = Vec<DirtyArea, { 2 * MOST_ELEMENTS }>;

/// Knows what its target shows, and draws what is new alone.
#[derive(Debug)]
pub struct Painter {
    size: ScreenSize,
    shown: Option<Scene>,
}

impl Painter {
    /// A painter for a screen that shows anything: the first state is drawn whole.
    #[must_use]
    pub const fn new(size: ScreenSize) -> Self {
        Self { size, shown: None }
    }

    /// Brings the target from the last state to this one, and says where; nothing is drawn where they look the same.
    ///
    /// # Errors
    /// When the target fails to draw; the next state is then drawn whole.
    pub fn paint<T>(&mut self, state: &UiState, style: Style, target: &mut T) -> Result<Dirty, T::Error>
    where
        T: DrawTarget<Color = Rgb888>,
    {
        let scene = Scene::of(state, style, self.size);
        let mut dirty = Dirty::new();
        match self.shown.take().filter(|shown| shown.inks.ground == scene.inks.ground) {
            Some(shown) => draw_changes(&shown, &scene, target, &mut dirty)?,
            None => {
                draw_whole(&scene, self.size, target)?;
                note(&mut dirty, Area::new(0, 0, self.size.width(), self.size.height()));
            }
        }
        self.shown = Some(scene);
        Ok(dirty)
    }
}

fn draw_changes<T>(shown: &Scene, scene: &Scene, target: &mut T, dirty: &mut Dirty) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    for old in shown.elements.iter().filter(|old| !scene.elements.contains(old)) {
        clear(old.area, &scene.elements, scene.inks.ground, target)?;
        note(dirty, old.area);
    }
    for new in scene.elements.iter().filter(|new| !shown.elements.contains(new)) {
        new.draw(target)?;
        note(dirty, new.area);
    }
    Ok(())
}

fn note(dirty: &mut Dirty, area: Area) {
    // An element lies on the screen, as a test holds.
    let [x, y, width, height] = [area.x, area.y, area.w, area.h].map(i32::unsigned_abs);
    // Of two scenes, each element is noted once at most: there is room.
    let _full = dirty.push(DirtyArea { x, y, width, height });
}
