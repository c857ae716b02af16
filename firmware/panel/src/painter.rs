//! Screens drawn on a target: whole, or only what changed.

use crate::area::Area;
use crate::element::Element;
use crate::scene::Scene;
use crate::state::UiState;
use crate::style::{ScreenSize, Style};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::pixelcolor::Rgb888;

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

    /// Brings the target from the last state to this one; nothing is drawn where they look the same.
    ///
    /// # Errors
    /// When the target fails to draw; the next state is then drawn whole.
    pub fn paint<T>(&mut self, state: &UiState, style: Style, target: &mut T) -> Result<(), T::Error>
    where
        T: DrawTarget<Color = Rgb888>,
    {
        let scene = Scene::of(state, style, self.size);
        match self.shown.take().filter(|shown| shown.inks.ground == scene.inks.ground) {
            Some(shown) => draw_changes(&shown, &scene, target)?,
            None => draw_whole(&scene, self.size, target)?,
        }
        self.shown = Some(scene);
        Ok(())
    }
}

fn draw_changes<T>(shown: &Scene, scene: &Scene, target: &mut T) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    for old in shown.elements.iter().filter(|old| !scene.elements.contains(old)) {
        clear(old.area, &scene.elements, scene.inks.ground, target)?;
    }
    let is_new = |element: &&Element| !shown.elements.contains(element);
    scene.elements.iter().filter(is_new).try_for_each(|element| element.draw(target))
}
