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
use std::panic::{AssertUnwindSafe, catch_unwind};
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
        let work = move || {
            if catch_unwind(AssertUnwindSafe(|| screen.keep(&link))).is_err() {
                link.panel_failed("it panicked".to_owned());
            }
        };
        let thread = std::thread::Builder::new().name("panel".to_owned()).spawn(work);
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

/// What is drawn on.
struct Canvas {
    painter: Painter,
    pixels: Vec<u8>,
    sides: [u32; 2],
}

impl Canvas {
    fn new(size: ScreenSize) -> Self {
        let sides = [size.width(), size.height()].map(i32::unsigned_abs);
        let pixels = vec![0; sides[0] as usize * sides[1] as usize * 3];
        Self { painter: Painter::new(size), pixels, sides }
    }
}

impl Screen {
    /// Draws this once.
    ///
    /// # Errors
    /// When it cannot be shown.
    pub fn show(mut self, state: UiState) -> Result<(), OutputError> {
        let light = self.light();
        let mut canvas = Canvas::new(self.size);
        self.draw(&state, light, &mut canvas)
    }

    fn keep(mut self, link: &Link) {
        let mut canvas = Canvas::new(self.size);
        let mut last: Option<(UiState, Light)> = None;
        let mut fault: Option<String> = None;
        while !link.is_closing() {
            let now = link.screen().map(|state| (state, self.light()));
            if let Some((state, light)) = now.filter(|now| last.as_ref() != Some(now)) {
                let why = self.draw(&state, light, &mut canvas).err().map(|error| error.to_string());
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

    fn draw(&mut self, state: &UiState, light: Light, canvas: &mut Canvas) -> Result<(), OutputError> {
        let Canvas { painter, pixels, sides } = canvas;
        let Some(mut target) = RgbCanvas::new(pixels, sides[0], sides[1]) else { return Ok(()) };
        let Ok(dirty) = painter.paint(state, Style { language: self.language, light }, &mut target);
        let shown = self.output.show(pixels, *sides, &dirty);
        if shown.is_err() {
            // Nobody knows what stands there now: the next one is shown whole.
            *painter = Painter::new(self.size);
        }
        shown
    }
}
