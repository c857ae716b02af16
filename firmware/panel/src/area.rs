//! A rectangle of whole pixels.

use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;

/// Width and height are never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) w: i32,
    pub(crate) h: i32,
}

impl Area {
    pub(crate) const fn new(x: i32, y: i32, w: i32, h: i32) -> Self {
        Self { x, y, w: if w < 0 { 0 } else { w }, h: if h < 0 { 0 } else { h } }
    }

    pub(crate) const fn inset(self, by: i32) -> Self {
        Self::new(self.x + by, self.y + by, self.w - 2 * by, self.h - 2 * by)
    }

    pub(crate) const fn contains(self, at: Point) -> bool {
        at.x >= self.x && at.y >= self.y && at.x < self.x + self.w && at.y < self.y + self.h
    }

    /// What two areas share, if anything.
    pub(crate) fn intersection(self, other: Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let right = (self.x + self.w).min(other.x + other.w);
        let bottom = (self.y + self.h).min(other.y + other.h);
        (x < right && y < bottom).then(|| Self::new(x, y, right - x, bottom - y))
    }

    /// What is left of this area around `hole`, which lies within it: above, below, left and right of it.
    pub(crate) const fn around(self, hole: Self) -> [Self; 4] {
        let (right, bottom) = (hole.x + hole.w, hole.y + hole.h);
        [
            Self::new(self.x, self.y, self.w, hole.y - self.y),
            Self::new(self.x, bottom, self.w, self.y + self.h - bottom),
            Self::new(self.x, hole.y, hole.x - self.x, hole.h),
            Self::new(right, hole.y, self.x + self.w - right, hole.h),
        ]
    }

    pub(crate) const fn rectangle(self) -> Rectangle {
        Rectangle::new(Point::new(self.x, self.y), Size::new(self.w as u32, self.h as u32))
    }
}
