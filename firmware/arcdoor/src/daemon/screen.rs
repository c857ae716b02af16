//! The panel's thread: draws what the door and recognition show, whenever it changes. A panel that hangs keeps nobody out
//! or in.

mod output;
mod shown;

pub use output::{MOST_FILES, Output, OutputError};
pub use shown::{Seen, shown};

use super::clock::{Clock, SystemClock};
use super::door::{Calendar, Link};
use crate::home::settings::PanelLight;
use arcdoor_panel::{Language, Light, Painter, RgbCanvas, ScreenSize, Style, UiState};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at what is to be shown.
const LOOK: Duration = Duration::from_millis(50);
/// Minutes of the day at which a panel has its light ground: 7:00 to 19:00.
const DAY: std::ops::Range<u16> = 7 * 60..19 * 60;

/// What is drawn, how, and where.
pub struct Screen {
    /// The panel's size.
    pub size: ScreenSize,
    /// What it speaks.
    pub language: Language,
    /// Its light.
    pub light: PanelLight,
    /// Tells day from night.
    pub calendar: Calendar,
    /// The time.
    pub clock: SystemClock,
    /// Where it is shown.
    pub output: Output,
}

/// The running thread.
#[derive(Debug)]
pub struct Panel(Option<JoinHandle<()>>);

impl Panel {
    /// Draws until the door is closed.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn open(screen: Screen, link: Arc<Link>) -> std::io::Result<Self> {
        let thread = std::thread::Builder::new().name("panel".to_owned()).spawn(move || screen.keep(&link));
        thread.map(|thread| Self(Some(thread)))
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panel that failed was told of.
            let _ = thread.join();
        }
    }
}

impl Screen {
    fn keep(mut self, link: &Link) {
        let (width, height) = (self.size.width().unsigned_abs(), self.size.height().unsigned_abs());
        let mut pixels = vec![0; width as usize * height as usize * 3];
        let mut painter = Painter::new(self.size);
        let mut last: Option<(UiState, Light)> = None;
        let mut fault: Option<String> = None;
        while !link.is_closing() {
            let now = link.screen().map(|state| (state, self.light()));
            if let Some((state, light)) = now.filter(|now| last.as_ref() != Some(now)) {
                let style = Style { language: self.language, light };
                let drawn = self.draw(&state, style, &mut painter, &mut pixels, [width, height]);
                let why = drawn.err().map(|error| error.to_string());
                if why != fault
                    && let Some(why) = &why
                {
                    link.panel_failed(why.clone());
                }
                // What could not be shown is tried again at the next look.
                last = why.is_none().then_some((state, light));
                fault = why;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn light(&self) -> Light {
        let civil = self.calendar.civil(self.clock.now().utc);
        let is_night = civil.is_some_and(|civil| !DAY.contains(&civil.minute.get()));
        match self.light {
            PanelLight::Auto if is_night => Light::Night,
            PanelLight::Night => Light::Night,
            PanelLight::Auto | PanelLight::Day => Light::Day,
        }
    }

    fn draw(
        &mut self,
        state: &UiState,
        style: Style,
        painter: &mut Painter,
        pixels: &mut [u8],
        [width, height]: [u32; 2],
    ) -> Result<(), OutputError> {
        if let Some(mut canvas) = RgbCanvas::new(pixels, width, height) {
            let Ok(()) = painter.paint(state, style, &mut canvas);
        }
        self.output.show(pixels, [width, height])
    }
}
