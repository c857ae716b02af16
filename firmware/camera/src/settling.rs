//! Whether a camera that was just opened has found its exposure.
//!
//! A machine without a clock: what each frame looks like on the whole and when it came goes in; out comes whether
//! frames are worth a look. The first frames of a camera may be black, white or green, and a face in one of them is a
//! guess.

use arcdoor_core::Millis;
use arcdoor_frame::RgbView;

/// Frames in a row that must look alike, and are then exposed.
const CALM: u32 = 4;
/// Levels (of 255) of a channel's mean by which frames that look alike differ at most. Noise moves the mean of a whole
/// frame by less than one level, a person who steps in by a few; exposure that still moves by more.
const ALIKE: f32 = 4.0;
/// A frame darker or brighter than this on the whole, in levels, is not exposed.
const EXPOSED: core::ops::RangeInclusive<f32> = 16.0..=239.0;
/// Levels by which green outdoes red and blue where the driver's buffer holds no colour yet: zeros in YUV are green.
const GREEN: f32 = 64.0;
/// A room may really be that dark, or flicker: after so many frames, or so many milliseconds, frames are taken as they
/// are.
pub const MOST_FRAMES: u32 = 60;
/// See [`MOST_FRAMES`].
pub const MOST_MS: u64 = 3_000;

/// What a frame looks like on the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    /// The mean of each channel, 0 to 255.
    rgb: [f32; 3],
}

impl Tone {
    /// Of a frame; of an empty one, black.
    #[must_use]
    pub fn of(frame: RgbView<'_>) -> Self {
        let mut sums = [0_u64; 3];
        for pixel in (0..frame.height()).flat_map(|y| frame.row(y).chunks_exact(3)) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(*value);
            }
        }
        let pixels = (u64::from(frame.width()) * u64::from(frame.height())).max(1);
        Self { rgb: sums.map(|sum| sum as f32 / pixels as f32) }
    }

    fn is_exposed(&self) -> bool {
        let [r, g, b] = self.rgb;
        EXPOSED.contains(&(0.299 * r + 0.587 * g + 0.114 * b)) && g - r.max(b) < GREEN
    }

    fn is_like(&self, other: &Self) -> bool {
        self.rgb.iter().zip(other.rgb).all(|(one, other)| (one - other).abs() <= ALIKE)
    }
}

/// Of a camera that was just opened: waits for its exposure.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Settling {
    /// When the first frame came.
    since: Option<Millis>,
    frames: u32,
    last: Option<Tone>,
    /// Frames in a row, up to the last, that are exposed and look alike.
    calm: u32,
    is_over: bool,
}

impl Settling {
    /// Whether frames are worth a look; it stays so.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes the next frame, `None`: a damaged one; the next state. Where that is over, this frame is worth a look.
    #[must_use]
    pub fn step(&self, tone: Option<Tone>, now: Millis) -> Self {
        let since = self.since.unwrap_or(now);
        let frames = self.frames.saturating_add(1);
        let is_like = tone.zip(self.last).is_some_and(|(tone, last)| tone.is_like(&last));
        let calm = match tone {
            Some(tone) if tone.is_exposed() => {
                if is_like {
                    self.calm + 1
                } else {
                    1
                }
            }
            _ => 0,
        };
        let is_late = frames >= MOST_FRAMES || now.since(since) >= MOST_MS;
        let is_over = self.is_over || calm >= CALM || is_late;
        Self { since: Some(since), frames, last: tone, calm: calm.min(CALM), is_over }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_frame::RgbImage;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn tone(rgb: [u8; 3]) -> Tone {
        let mut frame = RgbImage::with_size(4, 2);
        frame.data_mut().chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&rgb));
        Tone::of(frame.view())
    }

    /// How many of these frames, 30 a second, are passed over.
    fn passed_over(tones: impl IntoIterator<Item = [u8; 3]>) -> usize {
        let mut settling = Settling::default();
        let frames = tones.into_iter().enumerate();
        frames
            .take_while(|(index, rgb)| {
                settling = settling.step(Some(tone(*rgb)), Millis(*index as u64 * 33));
                !settling.is_over()
            })
            .count()
    }

    const BLACK: [u8; 3] = [0; 3];
    const WHITE: [u8; 3] = [255; 3];
    /// Zeros, read as YUV.
    const GREEN: [u8; 3] = [0, 135, 0];
    const GOOD: [u8; 3] = [110, 100, 90];

    #[test]
    fn the_tone_is_the_mean_of_each_channel() {
        let mut frame = RgbImage::with_size(2, 1);
        frame.data_mut().copy_from_slice(&[0, 10, 255, 1, 20, 255]);
        assert_eq!(Tone::of(frame.view()).rgb, [0.5, 15.0, 255.0]);
        assert_eq!(Tone::of(RgbImage::new().view()).rgb, [0.0; 3]);
    }

    #[test]
    fn black_white_and_green_frames_are_passed_over_however_alike_they_are() {
        for odd in [BLACK, WHITE, GREEN] {
            let frames = [[odd; 8].as_slice(), &[GOOD; 8]].concat();
            assert_eq!(passed_over(frames), 8 + CALM as usize - 1);
        }
        let frames = [[BLACK; 5], [GREEN; 5], [WHITE; 5], [GOOD; 5]].concat();
        assert_eq!(passed_over(frames), 15 + CALM as usize - 1);
    }

    #[test]
    fn exposure_that_still_moves_is_waited_for() {
        let rising = (0..10).map(|step| [40 + step * 10; 3]);
        let frames: Vec<_> = rising.chain([[140; 3]; 9]).collect();
        assert_eq!(passed_over(frames), 10 + CALM as usize - 1);
    }

    #[test]
    fn a_damaged_frame_is_passed_over_and_looks_like_none() {
        let mut settling = Settling::default();
        for index in 0..CALM * 3 {
            let seen = (index % 2 == 0).then(|| tone(GOOD));
            settling = settling.step(seen, Millis(u64::from(index)));
            assert!(!settling.is_over());
        }
    }

    #[test]
    fn a_dark_room_is_waited_on_until_the_limit_of_frames_or_of_time() {
        assert_eq!(passed_over([BLACK; 200]), MOST_FRAMES as usize - 1);
        let mut settling = Settling::default();
        let slow: Vec<bool> = (0..6)
            .map(|index| {
                settling = settling.step(Some(tone(BLACK)), Millis(index * 1000));
                settling.is_over()
            })
            .collect();
        assert_eq!(slow, [false, false, false, true, true, true]);
    }

    proptest! {
        #[test]
        fn whatever_comes_it_ends_by_its_limits_and_stays_over(
            frames in vec((any::<[u8; 3]>(), any::<bool>(), 0_u64..500), 1..200),
        ) {
            let (mut settling, mut now, mut was_over) = (Settling::default(), 0, false);
            let start = frames[0].2;
            for (index, (rgb, is_whole, later)) in frames.into_iter().enumerate() {
                now += later;
                settling = settling.step(is_whole.then(|| tone(rgb)), Millis(now));
                prop_assert!(settling.is_over() || !was_over, "what is settled stays so");
                let is_late = index as u32 + 1 >= MOST_FRAMES || now - start >= MOST_MS;
                prop_assert!(settling.is_over() || !is_late);
                prop_assert!(!settling.is_over() || is_late || index as u32 + 1 >= CALM);
                was_over = settling.is_over();
            }
        }
    }
}
