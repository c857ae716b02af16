//! Which face of a frame is decided about.

use arcdoor_core::{Face, RetryReason};
use serde::{Deserialize, Serialize};

/// A second face at least this wide, as a share of the widest one, stands beside it and not behind it.
const BESIDE: f32 = 0.75;

/// Which of several faces is decided about. Only faces that landmarks confirm count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaceChoice {
    /// The widest, which is the nearest; none where another is nearly as wide, for then nobody can say whose turn it is.
    #[default]
    Nearest,
    /// The only one; none where there is a second face, however far behind.
    Refuse,
}

impl FaceChoice {
    /// The face's place among `faces`.
    ///
    /// # Errors
    /// What would help, where no face can be decided about.
    pub(crate) fn of(self, faces: &[Face]) -> Result<usize, RetryReason> {
        let nearest = widest(faces, |_| true).ok_or(RetryReason::NoFace)?;
        let least = match self {
            Self::Nearest => BESIDE * faces[nearest].rect.w,
            Self::Refuse => f32::NEG_INFINITY,
        };
        let is_rival = |second: usize| faces[second].rect.w >= least;
        let second = widest(faces, |index| index != nearest);
        if second.is_some_and(is_rival) { Err(RetryReason::SeveralFaces) } else { Ok(nearest) }
    }
}

/// Of the faces that landmarks confirm, and that are `among` those that matter, the widest one's place.
pub(crate) fn widest(faces: &[Face], among: impl Fn(usize) -> bool) -> Option<usize> {
    let confirmed = (0..faces.len()).filter(|&index| faces[index].landmarks.is_some() && among(index));
    confirmed.max_by(|a, b| faces[*a].rect.w.total_cmp(&faces[*b].rect.w))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{Landmarks5, Rect};

    fn face(w: f32, confirmed: bool) -> Face {
        Face { rect: Rect::new(0.0, 0.0, w, w), landmarks: confirmed.then(Landmarks5::default), score: 0.9 }
    }

    #[test]
    fn the_widest_confirmed_face_is_chosen_unless_another_stands_beside_it() {
        let choose = |faces: &[Face]| FaceChoice::Nearest.of(faces);
        assert_eq!(choose(&[]), Err(RetryReason::NoFace));
        assert_eq!(choose(&[face(90.0, false)]), Err(RetryReason::NoFace));
        assert_eq!(choose(&[face(40.0, true), face(90.0, true), face(95.0, false)]), Ok(1));
        assert_eq!(choose(&[face(80.0, true), face(90.0, true)]), Err(RetryReason::SeveralFaces));
    }

    #[test]
    fn whoever_stands_behind_is_refused_where_nobody_may() {
        let choose = |faces: &[Face]| FaceChoice::Refuse.of(faces);
        assert_eq!(choose(&[face(20.0, true), face(90.0, true)]), Err(RetryReason::SeveralFaces));
        assert_eq!(choose(&[face(20.0, false), face(90.0, true)]), Ok(1), "not confirmed");
        assert_eq!(choose(&[]), Err(RetryReason::NoFace));
    }
}
