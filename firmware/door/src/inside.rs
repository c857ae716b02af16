//! Who is inside, as far as the door knows.

use crate::limits::MAX_INSIDE;
use arcdoor_core::SubjectId;
use serde::{Deserialize, Serialize};

/// Subjects that came in and did not leave, in order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "heapless::Vec<SubjectId, MAX_INSIDE>")]
pub struct Inside(heapless::Vec<SubjectId, MAX_INSIDE>);

impl Inside {
    /// Whether `subject` is inside.
    #[must_use]
    pub fn has(&self, subject: SubjectId) -> bool {
        self.0.binary_search(&subject).is_ok()
    }

    /// How many more there is room for.
    #[must_use]
    pub fn free(&self) -> usize {
        MAX_INSIDE - self.0.len()
    }

    /// Whether nobody is inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds `subject`; whether that changed something. One more than there is room for changes nothing.
    pub fn enter(&mut self, subject: SubjectId) -> bool {
        self.0.binary_search(&subject).is_err_and(|place| self.0.insert(place, subject).is_ok())
    }

    /// Takes `subject` out; whether that changed something.
    pub fn leave(&mut self, subject: SubjectId) -> bool {
        self.0.binary_search(&subject).map(|place| self.0.remove(place)).is_ok()
    }

    /// Takes everybody out; whether that changed something.
    pub fn clear(&mut self) -> bool {
        let changed = !self.0.is_empty();
        self.0.clear();
        changed
    }
}

/// From a file, which may say anything: in order, and everybody once.
impl From<heapless::Vec<SubjectId, MAX_INSIDE>> for Inside {
    fn from(subjects: heapless::Vec<SubjectId, MAX_INSIDE>) -> Self {
        let mut inside = Self::default();
        for subject in subjects {
            inside.enter(subject);
        }
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_table_takes_nobody_and_loses_nobody() {
        let mut inside = Inside::default();
        for id in 0..MAX_INSIDE as u32 {
            assert!(inside.enter(SubjectId(id)));
        }
        assert!(!inside.enter(SubjectId(9_999)));
        assert_eq!((inside.free(), inside.has(SubjectId(0)), inside.has(SubjectId(9_999))), (0, true, false));
    }

    proptest! {
        #[test]
        fn it_is_a_set(steps in proptest::collection::vec((0_u32..20, any::<bool>()), 0..100)) {
            let (mut inside, mut expected) = (Inside::default(), [false; 20]);
            for (id, enters) in steps {
                let changed = if enters { inside.enter(SubjectId(id)) } else { inside.leave(SubjectId(id)) };
                prop_assert_eq!(changed, expected[id as usize] != enters);
                expected[id as usize] = enters;
                prop_assert!((0..20).all(|id| inside.has(SubjectId(id)) == expected[id as usize]));
            }
        }
    }
}
