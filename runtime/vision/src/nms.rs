//! Non-maximum suppression: of boxes that overlap, the best stays.

use arcdoor_core::{Face, Faces};

/// Overlap (intersection over union) above which two boxes are one face, as in OpenCV's FaceDetectorYN.
pub(crate) const MAX_IOU: f32 = 0.3;

/// Sorts `candidates` by score and moves the survivors into `faces`, best first, up to its capacity.
pub(crate) fn suppress(candidates: &mut [Face], faces: &mut Faces) {
    faces.clear();
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
    for candidate in candidates.iter() {
        if faces.iter().all(|kept| kept.rect.iou(&candidate.rect) <= MAX_IOU)
            && faces.push(*candidate).is_err()
        {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{Rect, limits::MAX_FACES};
    use proptest::prelude::*;

    fn face(x: f32, score: f32) -> Face {
        Face { rect: Rect::new(x, 0.0, 10.0, 10.0), score, landmarks: None }
    }

    #[test]
    fn the_best_of_an_overlapping_pair_stays_and_apart_boxes_both_do() {
        let mut faces = Faces::new();
        suppress(&mut [face(0.0, 0.5), face(1.0, 0.9), face(50.0, 0.6)], &mut faces);
        let kept: Vec<f32> = faces.iter().map(|f| f.score).collect();
        assert_eq!(kept, [0.9, 0.6]);
    }

    #[test]
    fn more_faces_than_fit_keep_the_best() {
        let mut many: Vec<Face> = (0..100).map(|i| face(i as f32 * 20.0, i as f32 / 100.0)).collect();
        let mut faces = Faces::new();
        suppress(&mut many, &mut faces);
        assert_eq!(faces.len(), MAX_FACES);
        assert!((faces[MAX_FACES - 1].score - 0.68).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn survivors_never_overlap_and_every_loser_has_a_better_neighbour(
            boxes in prop::collection::vec((0.0_f32..60.0, 0.0_f32..60.0, 1.0_f32..30.0, 0.0_f32..1.0), 0..30)
        ) {
            let mut all: Vec<Face> = boxes
                .iter()
                .map(|&(x, y, side, score)| Face { rect: Rect::new(x, y, side, side), score, landmarks: None })
                .collect();
            let mut faces = Faces::new();
            suppress(&mut all, &mut faces);
            for (i, a) in faces.iter().enumerate() {
                prop_assert!(faces.iter().skip(i + 1).all(|b| a.rect.iou(&b.rect) <= MAX_IOU));
            }
            for loser in all.iter().filter(|c| !faces.contains(c)) {
                prop_assert!(faces
                    .iter()
                    .any(|k| k.rect.iou(&loser.rect) > MAX_IOU && k.score >= loser.score));
            }
        }
    }
}
