//! The keys of a PIN: where they lie, and which one was touched.

use crate::area::Area;
use crate::layout;
use crate::style::ScreenSize;
use embedded_graphics::geometry::Point;

/// Most digits of a PIN that the panel shows as dots.
pub const MOST_DIGITS: u8 = 12;

/// A key of the pad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A digit, 0..=9.
    Digit(u8),
    /// Takes the last digit back.
    Erase,
    /// The PIN is complete.
    Enter,
}

/// Why ten numbers are no order of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order of keys names each digit from 0 to 9 once; {0} is missing")]
pub struct KeyOrderError(u8);

/// Which digit lies on which place: the pad's rows of three from above, then the middle of the last row. A new order
/// for each PIN keeps smears and glances from telling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOrder([u8; 10]);

impl Default for KeyOrder {
    fn default() -> Self {
        Self::USUAL
    }
}

impl KeyOrder {
    /// 1 2 3, 4 5 6, 7 8 9, 0: as on a telephone.
    pub const USUAL: Self = Self([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);

    /// A permutation that the caller drew.
    ///
    /// # Errors
    /// When a digit is missing.
    pub fn new(digits: [u8; 10]) -> Result<Self, KeyOrderError> {
        match (0..10).find(|digit| !digits.contains(digit)) {
            Some(missing) => Err(KeyOrderError(missing)),
            None => Ok(Self(digits)),
        }
    }

    /// The key on place 0..12 of the pad, row by row.
    const fn key(self, place: usize) -> Key {
        match place {
            9 => Key::Erase,
            10 => Key::Digit(self.0[9]),
            11 => Key::Enter,
            _ => Key::Digit(self.0[place]),
        }
    }
}

/// The pad on a screen; the one that is drawn for the same size and order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keypad {
    field: Area,
    order: KeyOrder,
}

impl Keypad {
    /// The pad that a screen of `size` shows for [`UiState::Pin`](crate::UiState::Pin) with `order`.
    #[must_use]
    pub const fn new(size: ScreenSize, order: KeyOrder) -> Self {
        Self { field: layout::keypad(size), order }
    }

    /// The key that a touch at this column and row of the screen means; `None` between keys and beside the pad.
    #[must_use]
    pub fn key_at(&self, [x, y]: [u32; 2]) -> Option<Key> {
        let at = Point::new(i32::try_from(x).ok()?, i32::try_from(y).ok()?);
        self.keys().find(|(area, _)| area.contains(at)).map(|(_, key)| key)
    }

    /// All keys and their places.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Area, Key)> {
        let (field, order) = (self.field, self.order);
        (0..12).map(move |place| {
            let (column, row) = ((place % 3) as i32, (place / 3) as i32);
            let (x0, x1) = (field.w * column / 3, field.w * (column + 1) / 3);
            let (y0, y1) = (field.h * row / 4, field.h * (row + 1) / 4);
            let gap = (field.h / 72).max(2);
            let area = Area::new(field.x + x0, field.y + y0, x1 - x0, y1 - y0);
            (area.inset(gap), order.key(place))
        })
    }
}
