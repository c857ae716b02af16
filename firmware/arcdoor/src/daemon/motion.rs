//! Whether anything moves before the camera: where nothing does for a while, most frames are not looked at.

use arcdoor_core::Millis;
use arcdoor_frame::RgbView;

/// Cells across and down.
const GRID: [u32; 2] = [32, 24];
/// Points of a cell that are looked at, across and down.
const POINTS: u32 = 4;
/// A cell has changed by more than so much, of 255: noise of a dark frame changes a cell's mean by 2 to 4.
const CHANGE: i32 = 10;
/// So many cells make a movement: a face at two metres covers about 20 of the 768.
const CELLS: usize = 6;
/// For so long after the last movement or face every frame is looked at, milliseconds.
pub const AWAKE_MS: u64 = 5_000;
/// Then one frame in this time, milliseconds: whoever stands still in the dark is seen as well.
pub const DOZE_MS: u64 = 500;

/// What the camera showed when it was looked at last.
#[derive(Debug)]
pub struct Motion {
    cells: [u8; (GRID[0] * GRID[1]) as usize],
    /// When something moved, or a face was seen.
    stirred: Option<Millis>,
    looked: Option<Millis>,
}

impl Default for Motion {
    fn default() -> Self {
        Self { cells: [0; _], stirred: None, looked: None }
    }
}

impl Motion {
    /// Whether this frame is worth a look.
    pub fn is_worth(&mut self, frame: RgbView<'_>, now: Millis) -> bool {
        if self.moved(frame) {
            self.stirred = Some(now);
        }
        let is_awake = self.stirred.is_none_or(|at| now.since(at) < AWAKE_MS);
        let is_due = self.looked.is_none_or(|at| now.since(at) >= DOZE_MS);
        let is_worth = is_awake || is_due;
        if is_worth {
            self.looked = Some(now);
        }
        // A first frame is compared with nothing.
        self.stirred.get_or_insert(now);
        is_worth
    }

    /// A face was seen: whoever stands still is somebody.
    pub fn stir(&mut self, now: Millis) {
        self.stirred = Some(now);
    }

    fn moved(&mut self, frame: RgbView<'_>) -> bool {
        let mut changed = 0;
        for (index, cell) in self.cells.iter_mut().enumerate() {
            let index = u32::try_from(index).unwrap_or_default();
            let mean = mean(frame, index % GRID[0], index / GRID[0]);
            changed += usize::from((i32::from(mean) - i32::from(*cell)).abs() > CHANGE);
            *cell = mean;
        }
        changed >= CELLS
    }
}

/// The mean of some of a cell's green values: half of what is seen as brightness, and the least noisy.
fn mean(frame: RgbView<'_>, column: u32, row: u32) -> u8 {
    let (mut sum, parts) = (0, [GRID[0] * POINTS, GRID[1] * POINTS]);
    for y in 0..POINTS {
        let line = frame.row((row * POINTS + y) * frame.height() / parts[1]);
        for x in 0..POINTS {
            let at = ((column * POINTS + x) * frame.width() / parts[0]) as usize * 3 + 1;
            sum += u32::from(line.get(at).copied().unwrap_or_default());
        }
    }
    u8::try_from(sum / (POINTS * POINTS)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_frame::RgbImage;

    /// A grey frame with a person's width of something else at `left`, and noise.
    fn frame(left: u32, seed: &mut u32) -> RgbImage {
        let mut image = RgbImage::with_size(160, 120);
        for (at, value) in image.data_mut().iter_mut().enumerate() {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (x, y) = (at as u32 / 3 % 160, at as u32 / 3 / 160);
            let is_person = (left..left + 25).contains(&x) && y > 40;
            *value = if is_person { 140 } else { 60 } + (*seed >> 29) as u8;
        }
        image
    }

    #[test]
    fn an_empty_hall_is_looked_at_twice_a_second_and_whoever_comes_at_once() {
        let (mut motion, mut seed) = (Motion::default(), 1);
        let mut looks = |from: u64, to: u64, left: &dyn Fn(u64) -> u32, motion: &mut Motion| {
            let frames = (from..to).step_by(100);
            frames.filter(|&at| motion.is_worth(frame(left(at), &mut seed).view(), Millis(at))).count()
        };
        let empty = |_: u64| 1_000;
        assert_eq!(looks(0, 5_000, &empty, &mut motion), 50, "awake at first");
        assert_eq!(looks(5_000, 15_000, &empty, &mut motion), 20, "twice a second");
        let walks = |at: u64| (at / 100 % 100) as u32;
        assert_eq!(looks(15_000, 16_000, &walks, &mut motion), 10, "from the first frame on");
        assert_eq!(looks(16_000, 20_000, &|_| 80, &mut motion), 40, "stands still");
        motion.stir(Millis(20_000));
        assert_eq!(looks(20_000, 24_000, &|_| 80, &mut motion), 40, "with a face that was seen");
    }

    #[test]
    fn a_small_frame_is_no_fault() {
        let mut motion = Motion::default();
        let image = RgbImage::with_size(1, 1);
        assert!(motion.is_worth(image.view(), Millis(0)));
    }
}
