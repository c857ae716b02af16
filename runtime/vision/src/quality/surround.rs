//! How light it is around a face.

use crate::preprocess::grey;
use arcdoor_core::Rect;
use arcdoor_frame::RgbView;

/// Samples along each side of the region that is looked at: at most 1,600 in all.
const STEPS: u32 = 40;
/// Fewer samples than this beside the face say nothing: it fills the frame.
const LEAST: u32 = 80;

/// The median grey level, 0..=255, of a ring around a face's box: left, right and above, each half a box wide. Below lie
/// the person's clothes. A median, so that neither hair nor a lamp decides. `None` where the ring lies beyond the frame.
pub(super) fn surround(frame: RgbView<'_>, face: &Rect) -> Option<f32> {
    let (width, height) = (frame.width() as f32, frame.height() as f32);
    let outer = Rect::new(face.x - 0.5 * face.w, face.y - 0.5 * face.h, 2.0 * face.w, 1.5 * face.h);
    // Hair and ears stand over the box.
    let inner = Rect::new(face.x - 0.15 * face.w, face.y - 0.25 * face.h, 1.3 * face.w, 1.25 * face.h);
    let mut levels = [0_u32; 256];
    let mut count = 0;
    for row in 0..STEPS {
        let y = outer.y + outer.h * (row as f32 + 0.5) / STEPS as f32;
        for column in 0..STEPS {
            let x = outer.x + outer.w * (column as f32 + 0.5) / STEPS as f32;
            let is_face = (inner.x..inner.x + inner.w).contains(&x) && y >= inner.y;
            if is_face || !(0.0..width).contains(&x) || !(0.0..height).contains(&y) {
                continue;
            }
            let pixel = &frame.row(y as u32)[x as usize * 3..][..3];
            levels[usize::from((grey([pixel[0], pixel[1], pixel[2]].map(f32::from)) + 0.5) as u8)] += 1;
            count += 1;
        }
    }
    if count < LEAST {
        return None;
    }
    let mut below = 0;
    let is_median = |of: &u32| {
        below += of;
        2 * below >= count
    };
    levels.iter().position(is_median).map(|level| level as f32)
}
