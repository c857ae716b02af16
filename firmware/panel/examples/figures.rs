//! How many pixels a change of screen draws, and how long it takes:
//! `cargo run --release -p arcdoor-panel --example figures`.

use arcdoor_core::{DenyReason, RetryReason};
use arcdoor_panel::{
    Alarm, KeyOrder, Language, Light, Painter, Percent, Progress, ScreenSize, Style, UiState, View,
};
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::{IntoStorage, Rgb888};
use embedded_graphics::primitives::Rectangle;
use std::error::Error;
use std::time::{Duration, Instant};

/// Times that each change is drawn; the median and the least time are printed.
const RUNS: usize = 101;

/// Words of 32 bits in memory, as most framebuffers have them.
struct Framebuffer {
    size: Size,
    pixels: Vec<u32>,
    drawn: usize,
}

impl OriginDimensions for Framebuffer {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Framebuffer {
    type Color = Rgb888;
    type Error = core::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        pixels.into_iter().try_for_each(|Pixel(at, colour)| {
            self.fill_solid(&Rectangle::new(at, Size::new_equal(1)), colour)
        })
    }

    fn fill_contiguous<I: IntoIterator<Item = Rgb888>>(
        &mut self,
        area: &Rectangle,
        colours: I,
    ) -> Result<(), Self::Error> {
        let Point { x, y } = area.top_left;
        let (wide, mut colours) = (area.size.width as usize, colours.into_iter());
        for row in 0..area.size.height as usize {
            let start = (y as usize + row) * self.size.width as usize + x as usize;
            for (pixel, colour) in self.pixels[start..start + wide].iter_mut().zip(&mut colours) {
                *pixel = colour.into_storage();
            }
        }
        self.drawn += wide * area.size.height as usize;
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, colour: Rgb888) -> Result<(), Self::Error> {
        let pixels = (area.size.width * area.size.height) as usize;
        self.fill_contiguous(area, core::iter::repeat_n(colour, pixels))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let enrolment = |taken| {
        let progress = Progress::new(taken, 5).ok_or("no such progress")?;
        Ok::<_, &str>(UiState::Enrolment { view: View::Left, progress, hint: None })
    };
    let update = |percent| Percent::new(percent).map(UiState::Update).ok_or("no such share");
    let pin = |entered| UiState::Pin { order: KeyOrder::USUAL, entered };
    let near = UiState::Approach(RetryReason::TooFar);
    let changes = [
        ("first, whole", None, UiState::Idle),
        ("idle to a hint", Some(UiState::Idle), near),
        ("hint to hint", Some(near), UiState::Approach(RetryReason::HoldStill)),
        ("hint to granted", Some(near), UiState::Granted),
        ("hint to denied", Some(near), UiState::Denied(DenyReason::NoMatch.into())),
        ("granted to alarm, whole", Some(UiState::Granted), UiState::Alarm(Alarm::Forced)),
        ("one digit of a PIN", Some(pin(3)), pin(4)),
        ("keypad", Some(near), pin(0)),
        ("one view enrolled", Some(enrolment(1)?), enrolment(2)?),
        ("one percent of an update", Some(update(40)?), update(41)?),
        ("the same again", Some(near), near),
    ];
    println!(
        "| screen | change | pixels | of the screen | ms, median | ms, least |\n|---|---|---:|---:|---:|---:|"
    );
    for (width, height) in [(240, 240), (320, 480), (800, 480), (1280, 800)] {
        let size = ScreenSize::new(width, height)?;
        for (name, from, to) in &changes {
            let (drawn, [median, least]) = measure(size, from.as_ref(), to)?;
            let share = drawn as f64 / f64::from(width * height) * 100.0;
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            println!(
                "| {width} x {height} | {name} | {drawn} | {share:.1} % | {:.2} | {:.2} |",
                ms(median),
                ms(least)
            );
        }
    }
    Ok(())
}

/// Pixels drawn from one state to the next, and the median and least time.
fn measure(
    size: ScreenSize,
    from: Option<&UiState>,
    to: &UiState,
) -> Result<(usize, [Duration; 2]), Box<dyn Error>> {
    let style = Style { language: Language::Korean, light: Light::Day };
    let pixels = (size.width() * size.height()) as usize;
    let mut target = Framebuffer { size: size.size(), pixels: vec![0; pixels], drawn: 0 };
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let mut painter = Painter::new(size);
        if let Some(from) = from {
            painter.paint(from, style, &mut target)?;
        }
        target.drawn = 0;
        let start = Instant::now();
        painter.paint(to, style, &mut target)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok((target.drawn, [times[RUNS / 2], times[0]]))
}
