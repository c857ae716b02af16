//! Points and boxes in frame pixels: x to the right, y down, the centre of the top-left pixel at (0, 0).

use serde::{Deserialize, Serialize};

/// A position in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Point {
    /// Pixels from the left.
    pub x: f32,
    /// Pixels from the top.
    pub y: f32,
}

impl Point {
    /// A point from its coordinates.
    #[must_use]
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }
}

/// An axis-aligned box in pixels; it may reach beyond the frame.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rect {
    /// Pixels from the left to the left edge; negative where the box begins beyond the frame.
    pub x: f32,
    /// Pixels from the top to the top edge; negative where the box begins beyond the frame.
    pub y: f32,
    /// Width in pixels, at least 0.
    pub w: f32,
    /// Height in pixels, at least 0.
    pub h: f32,
}

impl Rect {
    /// A box from its top-left corner and size; a negative size becomes 0.
    #[must_use]
    pub const fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w: w.max(0.0), h: h.max(0.0) }
    }

    /// Pixels from the left to the right edge.
    #[must_use]
    pub fn right(&self) -> f32 {
        self.x + self.w
    }

    /// Pixels from the top to the bottom edge.
    #[must_use]
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }

    /// Area in square pixels.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.w * self.h
    }

    /// Middle of the box.
    #[must_use]
    pub fn centre(&self) -> Point {
        Point::new(self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// The part that both boxes cover; empty (size 0) where they do not meet.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let x = self.x.max(other.x);
        let y = self.y.max(other.y);
        Self::new(x, y, self.right().min(other.right()) - x, self.bottom().min(other.bottom()) - y)
    }

    /// Intersection over union, 0..=1; 0 where both boxes are empty.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let common = self.intersection(other).area();
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }

    /// The same box moved by (`dx`, `dy`).
    #[must_use]
    pub fn moved(&self, dx: f32, dy: f32) -> Self {
        Self { x: self.x + dx, y: self.y + dy, ..*self }
    }

    /// The box scaled by `factor` >= 0 about the origin (0, 0): position and size are multiplied.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        Self::new(self.x * factor, self.y * factor, self.w * factor, self.h * factor)
    }
}

/// Five landmarks in the order of the ArcFace template: the eye on the image's left, the eye on its
/// right, the nose's tip, the mouth's corner on the left, the one on the right.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Landmarks5(pub [Point; 5]);

impl Landmarks5 {
    /// The eye on the image's left.
    #[must_use]
    pub const fn left_eye(&self) -> Point {
        self.0[0]
    }

    /// The eye on the image's right.
    #[must_use]
    pub const fn right_eye(&self) -> Point {
        self.0[1]
    }

    /// The nose's tip.
    #[must_use]
    pub const fn nose(&self) -> Point {
        self.0[2]
    }

    /// The mouth's corner on the image's left.
    #[must_use]
    pub const fn mouth_left(&self) -> Point {
        self.0[3]
    }

    /// The mouth's corner on the image's right.
    #[must_use]
    pub const fn mouth_right(&self) -> Point {
        self.0[4]
    }

    /// Every point mapped by `f`.
    #[must_use]
    pub fn map(self, f: impl FnMut(Point) -> Point) -> Self {
        Self(self.0.map(f))
    }

    /// Distance between the eyes in pixels.
    #[must_use]
    pub fn eye_distance(&self) -> f32 {
        libm::hypotf(self.0[1].x - self.0[0].x, self.0[1].y - self.0[0].y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_of_halves_is_a_third() {
        let a = Rect::new(0.0, 0.0, 2.0, 1.0);
        assert!((a.iou(&a.moved(1.0, 0.0)) - 1.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn apart_and_empty_boxes_have_no_overlap() {
        let a = Rect::new(0.0, 0.0, 2.0, 1.0);
        assert_eq!(a.iou(&a.moved(9.0, 0.0)), 0.0);
        assert_eq!(Rect::default().iou(&Rect::default()), 0.0);
        assert_eq!(a.intersection(&a.moved(9.0, 0.0)).area(), 0.0);
    }
}
