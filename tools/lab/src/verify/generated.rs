//! Features of nobody: a centre for each subject, and rows around it. They try the machinery and show no accuracy.

use std::ops::Range;

use anyhow::Result;
use arcdoor_calib::Random;

use crate::verify::rows::Rows;

/// How near a row lies to its subject's centre: the mean score of a subject's own rows.
const GENUINE: f32 = 0.45;

/// Rows drawn from a seed: `per_subject` for each of the subjects, one after the other, then distractors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generated {
    pub(crate) seed: u64,
    pub(crate) dimension: usize,
    pub(crate) subjects: usize,
    pub(crate) per_subject: usize,
    pub(crate) distractors: usize,
}

impl Generated {
    /// Whose a row is.
    pub(crate) const fn subject(&self, row: usize) -> Option<usize> {
        if row < self.subjects * self.per_subject { Some(row / self.per_subject) } else { None }
    }

    fn draw(&self, row: usize, out: &mut [f32]) {
        let mut noise = Random(self.seed ^ (row as u64 + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93));
        out.iter_mut().for_each(|value| *value = noise.signed());
        let Some(subject) = self.subject(row) else { return };
        let mut centre = Random(!self.seed ^ (subject as u64 + 1).wrapping_mul(0xA076_1D64_78BD_642F));
        // Photos of one person differ in how like them they are.
        let near = GENUINE * (0.7 + 0.3 * noise.signed());
        let (near, far) = (near.sqrt(), (1.0 - near).sqrt());
        out.iter_mut().for_each(|value| *value = near * centre.signed() + far * *value);
    }
}

impl Rows for Generated {
    fn count(&self) -> usize {
        self.subjects * self.per_subject + self.distractors
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn read(&self, range: Range<usize>, out: &mut [f32]) -> Result<()> {
        range.zip(out.chunks_exact_mut(self.dimension)).for_each(|(row, out)| self.draw(row, out));
        Ok(())
    }
}
