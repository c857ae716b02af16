//! Who only passes by is not let in: what a face must show before it may be granted.

use arcdoor_core::{Millis, Rect};
use serde::{Deserialize, Serialize};

/// The longest time that a policy may ask a face to stay for, milliseconds.
pub const MAX_HOLD_MS: u64 = 10_000;

/// What of an intent is out of range.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum IntentError {
    /// The least width is no share of the frame.
    #[error("intent.width = {0} cannot be; it is a share of the frame's width, 0 to 1")]
    Width(f32),
    /// The time is too long.
    #[error("intent.hold_ms = {0} cannot be; it lies within 0 to {MAX_HOLD_MS}")]
    HoldMs(u64),
    /// The way is no share of the frame.
    #[error("intent.sideways = {0} cannot be; it is a share of the frame's width, 0 to 1")]
    Sideways(f32),
    /// An angle is out of range.
    #[error("intent.{name} = {degrees} cannot be; it lies within 0 to 90 degrees")]
    Angle {
        /// Which.
        name: &'static str,
        /// How much.
        degrees: f32,
    },
}

/// How a face must be seen before it may be granted. As a table of a settings file, every key has a default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Intent {
    /// Whether anything is asked for. Without it, the other keys have no effect.
    pub required: bool,
    /// The least width of the face, as a share of the frame's width, 0 to 1.
    pub width: f32,
    /// For how long the face must have been seen so without a break, milliseconds, 0 to 10,000.
    pub hold_ms: u64,
    /// The farthest way that it may move to a side meanwhile, as a share of the frame's width, 0 to 1.
    pub sideways: f32,
    /// The farthest turn to a side, degrees, 0 to 90.
    pub yaw_deg: f32,
    /// The farthest nod up or down, degrees, 0 to 90.
    pub pitch_deg: f32,
}

impl Default for Intent {
    /// A camera of 60 degrees sees a face 15 cm wide as 7 % of its frame at 1.9 metres; who crosses the frame in two seconds moves a fifth of it
    /// in 400 ms.
    fn default() -> Self {
        Self { required: true, width: 0.07, hold_ms: 400, sideways: 0.1, yaw_deg: 25.0, pitch_deg: 25.0 }
    }
}

impl Intent {
    /// Nothing is asked for: for photos, and for a person who was sent to the camera.
    pub const NOT_REQUIRED: Self =
        Self { required: false, width: 0.0, hold_ms: 0, sideways: 1.0, yaw_deg: 90.0, pitch_deg: 90.0 };

    /// Refuses what is out of range.
    ///
    /// # Errors
    /// Which key is, and its range.
    pub fn check(&self) -> Result<(), IntentError> {
        if !(0.0..=1.0).contains(&self.width) {
            return Err(IntentError::Width(self.width));
        }
        if self.hold_ms > MAX_HOLD_MS {
            return Err(IntentError::HoldMs(self.hold_ms));
        }
        if !(0.0..=1.0).contains(&self.sideways) {
            return Err(IntentError::Sideways(self.sideways));
        }
        let angles = [("yaw_deg", self.yaw_deg), ("pitch_deg", self.pitch_deg)];
        match angles.into_iter().find(|(_, degrees)| !(0.0..=90.0).contains(degrees)) {
            Some((name, degrees)) => Err(IntentError::Angle { name, degrees }),
            None => Ok(()),
        }
    }

    /// Whether a face that is seen so may be one of somebody who wants to be let in.
    fn admits(&self, stance: &Stance) -> bool {
        stance.width >= self.width
            && stance.yaw_deg.abs() <= self.yaw_deg
            && stance.pitch_deg.abs() <= self.pitch_deg
    }
}

/// How a face is seen: how near, where and which way it looks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stance {
    /// Its middle, as a share of the frame's width from the left; a box may reach beyond the frame.
    pub x: f32,
    /// Its width, as a share of the frame's.
    pub width: f32,
    /// Turn to the side, degrees.
    pub yaw_deg: f32,
    /// Nod, degrees.
    pub pitch_deg: f32,
}

impl Stance {
    /// Of a face's box in a frame of this width, in pixels.
    #[must_use]
    pub fn new(rect: &Rect, frame_px: u32, yaw_deg: f32, pitch_deg: f32) -> Self {
        let frame_px = frame_px.max(1) as f32;
        Self { x: (rect.x + rect.w / 2.0) / frame_px, width: rect.w / frame_px, yaw_deg, pitch_deg }
    }

    pub(crate) fn is_finite(&self) -> bool {
        [self.x, self.width, self.yaw_deg, self.pitch_deg].iter().all(|value| value.is_finite())
    }
}

/// Since when, and from where on, a face has shown intent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hold {
    since: Millis,
    x: f32,
}

impl Hold {
    /// The hold after one more frame: it goes on, begins, or is broken.
    pub(crate) fn next(held: Option<Self>, stance: &Stance, now: Millis, intent: &Intent) -> Option<Self> {
        if !intent.admits(stance) {
            return None;
        }
        let stays = |hold: &Self| now >= hold.since && (stance.x - hold.x).abs() <= intent.sideways;
        held.filter(stays).or(Some(Self { since: now, x: stance.x }))
    }

    pub(crate) const fn is_finite(&self) -> bool {
        self.x.is_finite()
    }

    /// When it began.
    pub(crate) const fn since(&self) -> Millis {
        self.since
    }

    /// Whether it has lasted.
    pub(crate) fn is_long(&self, now: Millis, intent: &Intent) -> bool {
        now >= self.since && now.since(self.since) >= intent.hold_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRONT: Stance = Stance { x: 0.5, width: 0.3, yaw_deg: 0.0, pitch_deg: 0.0 };

    #[test]
    fn a_number_that_is_none_shows_no_intent() {
        let nan = f32::NAN;
        for stance in [
            Stance { width: nan, ..FRONT },
            Stance { yaw_deg: nan, ..FRONT },
            Stance { pitch_deg: nan, ..FRONT },
        ] {
            assert_eq!(Hold::next(None, &stance, Millis(0), &Intent::default()), None);
        }
        let astray = Stance { x: nan, ..FRONT };
        let begun = Hold::next(None, &astray, Millis(0), &Intent::default());
        let later = Hold::next(begun, &astray, Millis(9_000), &Intent::default()).unwrap();
        assert!(!later.is_long(Millis(9_000), &Intent::default()), "begins anew with every frame");
    }

    #[test]
    fn a_frame_of_no_width_makes_no_infinite_share() {
        assert!(Stance::new(&Rect::new(1.0, 1.0, 50.0, 50.0), 0, 0.0, 0.0).is_finite());
    }
}
