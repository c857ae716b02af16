//! YuNet's twelve outputs to boxes and landmarks.
//!
//! Anchor-free at strides 8, 16 and 32, one prior a cell; the formulas are those of OpenCV's
//! `FaceDetectorYNImpl::postProcess` (modules/objdetect/src/face_detect.cpp). Classification and
//! objectness leave the graph as probabilities already.

use crate::error::VisionError;
use crate::letterbox::Placement;
use arcdoor_core::{Face, Landmarks5, Point, Rect};

/// The strides, in the order of the outputs.
pub(crate) const STRIDES: [usize; 3] = [8, 16, 32];
/// Values a cell: class, objectness, box, landmarks; three outputs (one a stride) of each.
const VALUES: [usize; 4] = [1, 1, 4, 10];
/// Most boxes that are kept before suppression.
pub(crate) const MAX_CANDIDATES: usize = 2048;

/// The outputs of one stride.
#[derive(Clone, Copy)]
pub(crate) struct Level<'a> {
    /// Side of a cell, in pixels of the network's input.
    pub(crate) stride: usize,
    /// Cells in a row.
    pub(crate) columns: usize,
    /// Probability of the class, a value a cell.
    pub(crate) cls: &'a [f32],
    /// Probability of an object, a value a cell.
    pub(crate) obj: &'a [f32],
    /// dx, dy, log width, log height in strides, four values a cell.
    pub(crate) bbox: &'a [f32],
    /// x and y of five landmarks in strides from the cell's corner, ten values a cell.
    pub(crate) kps: &'a [f32],
}

impl<'a> Level<'a> {
    /// Level `index` of [`STRIDES`] of a network with an input of `net` (width, height) pixels.
    pub(crate) fn new(
        index: usize,
        net: [usize; 2],
        output: impl Fn(usize) -> &'a [f32],
    ) -> Result<Self, VisionError> {
        let stride = STRIDES[index];
        let columns = net[0] / stride;
        let cells = columns * (net[1] / stride);
        let checked = |kind: usize| {
            let (at, expected) = (kind * STRIDES.len() + index, cells * VALUES[kind]);
            let values = output(at);
            if values.len() == expected {
                Ok(values)
            } else {
                Err(VisionError::YunetOutput { index: at, found: values.len(), expected })
            }
        };
        Ok(Self { stride, columns, cls: checked(0)?, obj: checked(1)?, bbox: checked(2)?, kps: checked(3)? })
    }

    /// Adds every cell with a score of at least `min_score` to `candidates`, until they are full.
    pub(crate) fn decode(&self, min_score: f32, placed: &Placement, candidates: &mut Vec<Face>) {
        let least = min_score * min_score;
        for (cell, (&cls, &obj)) in self.cls.iter().zip(self.obj).enumerate() {
            let product = cls.clamp(0.0, 1.0) * obj.clamp(0.0, 1.0);
            // A NaN fails the comparison, too.
            if product >= least && candidates.len() < MAX_CANDIDATES {
                candidates.extend(self.face(cell, product.sqrt(), placed));
            }
        }
    }

    /// The face of one cell; `None` where the network gave no finite box.
    fn face(&self, cell: usize, score: f32, placed: &Placement) -> Option<Face> {
        let (stride, column, row) =
            (self.stride as f32, (cell % self.columns) as f32, (cell / self.columns) as f32);
        let b = &self.bbox[cell * 4..][..4];
        let centre = placed.point(Point::new((column + b[0]) * stride, (row + b[1]) * stride));
        let [w, h] = placed.size(b[2].exp() * stride, b[3].exp() * stride);
        let k = &self.kps[cell * 10..][..10];
        let landmarks = Landmarks5(core::array::from_fn(|i| {
            placed.point(Point::new((k[2 * i] + column) * stride, (k[2 * i + 1] + row) * stride))
        }));
        let finite = [centre.x, centre.y, w, h].iter().all(|v| v.is_finite())
            && landmarks.0.iter().all(|p| p.x.is_finite() && p.y.is_finite());
        let rect = Rect::new(centre.x - w / 2.0, centre.y - h / 2.0, w, h);
        finite.then_some(Face { rect, score, landmarks: Some(landmarks) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Region;

    const NET: [usize; 2] = [64, 32];

    fn outputs() -> Vec<Vec<f32>> {
        let cells = STRIDES.map(|s| (NET[0] / s) * (NET[1] / s));
        VALUES.iter().flat_map(|v| cells.map(|c| vec![0.0; c * v])).collect()
    }

    fn same_size() -> Placement {
        Placement::new(&Region { x: 0, y: 0, w: 64, h: 32 }, [64, 32])
    }

    #[test]
    fn one_cell_becomes_the_box_and_landmarks_that_its_values_say() {
        let mut values = outputs();
        // Stride 16, 4 columns: cell 6 is column 2, row 1.
        values[1][6] = 0.81;
        values[4][6] = 1.7; // clamped to 1
        values[7][24..28].copy_from_slice(&[0.5, -0.25, 0.0, 2.0_f32.ln()]);
        for (i, v) in values[10][60..70].iter_mut().enumerate() {
            *v = i as f32 / 16.0;
        }
        let level = Level::new(1, NET, |i| values[i].as_slice()).unwrap();
        let mut found = Vec::new();
        level.decode(0.7, &same_size(), &mut found);
        assert_eq!(found.len(), 1);
        assert!((found[0].score - 0.9).abs() < 1e-6);
        let expected = Rect::new(40.0 - 8.0, 12.0 - 16.0, 16.0, 32.0);
        assert!(found[0].rect.iou(&expected) > 0.9999, "{:?}", found[0].rect);
        let marks = found[0].landmarks.unwrap();
        assert_eq!(marks.left_eye(), Point::new(32.0, 17.0));
        assert_eq!(marks.mouth_right(), Point::new(40.0, 25.0));
    }

    #[test]
    fn a_crop_and_its_scale_are_undone() {
        let mut values = outputs();
        values[2][1] = 1.0;
        values[5][1] = 1.0;
        let placed = Placement::new(&Region { x: 100, y: 50, w: 128, h: 64 }, [64, 32]);
        let mut found = Vec::new();
        Level::new(2, NET, |i| values[i].as_slice()).unwrap().decode(0.5, &placed, &mut found);
        assert_eq!(found[0].rect, Rect::new(100.0 + 64.0 - 32.0, 50.0 - 32.0, 64.0, 64.0));
        assert_eq!(found[0].landmarks.unwrap().nose(), Point::new(164.0, 50.0));
    }

    #[test]
    fn scores_below_nan_and_boxes_without_bounds_are_dropped() {
        let mut values = outputs();
        values[0][0] = f32::NAN;
        values[3][0] = 1.0;
        values[0][1] = 0.5;
        values[3][1] = 0.5;
        values[0][2] = 1.0;
        values[3][2] = 1.0;
        values[6][2 * 4 + 2] = 1e9;
        let mut found = Vec::new();
        Level::new(0, NET, |i| values[i].as_slice()).unwrap().decode(0.6, &same_size(), &mut found);
        assert_eq!(found, []);
    }

    #[test]
    fn an_output_of_the_wrong_length_is_refused() {
        let mut values = outputs();
        values[9].pop();
        let refused = Level::new(0, NET, |i| values[i].as_slice());
        assert!(matches!(refused, Err(VisionError::YunetOutput { index: 9, .. })));
    }
}
