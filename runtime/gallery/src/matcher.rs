//! Exact search over all templates in memory.

use crate::error::GalleryError;
use crate::ranking::Ranking;
use crate::rows::Rows;
use arcdoor_core::limits::MAX_DIMENSION;
use arcdoor_core::{Candidates, ModelId, Score, SubjectId, Template, discount};
use arcdoor_kernels::{Isa, dot_f32, dot_f32_rows, dot_i8, dot_i8_rows};

/// Rows scored at a time: their scores fit the first-level cache, on the stack.
const BLOCK: usize = 128;

/// How a matcher holds its templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 4 bytes a value; scores are exact but for f32 rounding.
    #[default]
    F32,
    /// 1 byte a value with one scale a row: a quarter of the memory and of the time, and scores within
    /// [`Matcher::error_bound`].
    Int8,
}

#[derive(Debug)]
enum Templates {
    F32(Rows<f32>),
    Int8 { rows: Rows<i8>, scales: Vec<f32>, largest: f32 },
}

/// Every template of a gallery in contiguous memory; a search reads all of them.
#[derive(Debug)]
pub struct Matcher {
    model_id: ModelId,
    dimension: usize,
    isa: Isa,
    templates: Templates,
    /// The subject of each row.
    subjects: Vec<SubjectId>,
    /// The allowance of each row's template; [`UNKNOWN`] where it has none.
    allowances: Vec<f32>,
}

/// The probe's allowance counts.
const UNKNOWN: f32 = f32::NEG_INFINITY;

impl Matcher {
    /// An empty matcher for templates of `dimension` values by the embedder `model_id`.
    ///
    /// # Errors
    /// When the dimension is not 1 to 512.
    pub fn new(model_id: ModelId, dimension: usize, precision: Precision) -> Result<Self, GalleryError> {
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            return Err(GalleryError::Dimension(dimension));
        }
        let templates = match precision {
            Precision::F32 => Templates::F32(Rows::new(dimension)),
            Precision::Int8 => {
                Templates::Int8 { rows: Rows::new(dimension), scales: Vec::new(), largest: 0.0 }
            }
        };
        let (subjects, allowances) = (Vec::new(), Vec::new());
        Ok(Self { model_id, dimension, isa: Isa::detect(), templates, subjects, allowances })
    }

    /// How many templates are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether no template is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// How templates are held.
    #[must_use]
    pub const fn precision(&self) -> Precision {
        match self.templates {
            Templates::F32(_) => Precision::F32,
            Templates::Int8 { .. } => Precision::Int8,
        }
    }

    /// The instruction set it runs on.
    #[must_use]
    pub const fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes of template memory that one identification reads.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.templates {
            Templates::F32(rows) => rows.bytes(),
            Templates::Int8 { rows, scales, .. } => rows.bytes() + size_of_val(scales.as_slice()),
        }
    }

    /// Makes room for `count` templates in all, so that adding them does not copy.
    pub fn reserve(&mut self, count: usize) {
        self.subjects.reserve(count.saturating_sub(self.len()));
        self.allowances.reserve(count.saturating_sub(self.len()));
        match &mut self.templates {
            Templates::F32(rows) => rows.reserve(count),
            Templates::Int8 { rows, scales, .. } => {
                scales.reserve(count.saturating_sub(scales.len()));
                rows.reserve(count);
            }
        }
    }

    /// Adds one template of `subject`.
    ///
    /// # Errors
    /// [`GalleryError::ForeignTemplate`] when another embedder made it.
    pub fn push(&mut self, subject: SubjectId, template: &Template) -> Result<(), GalleryError> {
        self.admit(template)?;
        self.push_checked(subject, template);
        Ok(())
    }

    /// Adds a template of this embedder.
    pub(crate) fn push_checked(&mut self, subject: SubjectId, template: &Template) {
        self.push_values(subject, template.values(), template.allowance());
    }

    /// Adds `dimension` checked values, and the allowance where it is known.
    pub(crate) fn push_values(&mut self, subject: SubjectId, values: &[f32], allowance: Option<f32>) {
        match &mut self.templates {
            Templates::F32(rows) => rows.push(values.iter().copied()),
            Templates::Int8 { rows, scales, largest } => {
                let scale = scale(values);
                rows.push(values.iter().map(|&value| quantised(value, scale)));
                scales.push(scale);
                *largest = largest.max(scale);
            }
        }
        self.subjects.push(subject);
        self.allowances.push(allowance.unwrap_or(UNKNOWN));
    }

    /// Removes every template of `subject`; returns how many there were.
    pub fn remove(&mut self, subject: SubjectId) -> usize {
        let before = self.len();
        for row in (0..before).rev() {
            if self.subjects[row] != subject {
                continue;
            }
            self.subjects.swap_remove(row);
            self.allowances.swap_remove(row);
            match &mut self.templates {
                Templates::F32(rows) => rows.swap_remove(row),
                Templates::Int8 { rows, scales, .. } => {
                    rows.swap_remove(row);
                    scales.swap_remove(row);
                }
            }
        }
        before - self.len()
    }

    /// 1:N. Fills `out` with the closest subjects, best first, each with the best score of its templates;
    /// equal scores by id. Compares with every template and allocates nothing.
    ///
    /// # Errors
    /// [`GalleryError::ForeignTemplate`] when another embedder made the probe; `out` is then empty.
    pub fn identify(&self, probe: &Template, out: &mut Candidates) -> Result<(), GalleryError> {
        let mut ranking = Ranking::new(out);
        self.admit(probe)?;
        match &self.templates {
            Templates::F32(rows) => self.identify_f32(rows, probe, &mut ranking),
            Templates::Int8 { rows, scales, .. } => self.identify_i8(rows, scales, probe, &mut ranking),
        }
        Ok(())
    }

    /// 1:1. The best score of the subject's templates; `None` when it has none here.
    ///
    /// # Errors
    /// [`GalleryError::ForeignTemplate`] when another embedder made the probe.
    pub fn verify(&self, subject: SubjectId, probe: &Template) -> Result<Option<Score>, GalleryError> {
        self.admit(probe)?;
        let own = (0..self.len()).filter(|&row| self.subjects[row] == subject);
        let best = match &self.templates {
            Templates::F32(rows) => {
                let probe = Probe::new(self.isa, rows.stride(), probe);
                own.map(|row| probe.score(rows.row(row), 1.0, self.allowances[row])).reduce(f32::max)
            }
            Templates::Int8 { rows, scales, .. } => {
                let probe = Probe::new(self.isa, rows.stride(), probe);
                own.map(|row| probe.score(rows.row(row), scales[row], self.allowances[row])).reduce(f32::max)
            }
        };
        Ok(best.map(Score))
    }

    /// The most that a score may differ from [`Template::score`], for this probe and every template held.
    ///
    /// Rounding to a step s changes each value by at most s/2 and a vector of D values by at most
    /// e = s sqrt(D) / 2; with Cauchy-Schwarz the product of two unit vectors then changes by at most
    /// `e_row + e_probe (1 + e_row)`. To that, the rounding of f32 sums is added. The usual error is far
    /// smaller: about s / sqrt(6), as single errors cancel. A part that the probe shares is no longer than 1: its product
    /// has a like error, which the discount adds with (1 + the size of the allowance), and that of the cosine with it.
    #[must_use]
    pub fn error_bound(&self, probe: &Template) -> f32 {
        let dimension = self.dimension as f32;
        let bound = |values: &[f32]| {
            let rounding = dimension * f32::EPSILON;
            match self.templates {
                Templates::F32(_) => rounding,
                Templates::Int8 { largest, .. } => {
                    let half_root = dimension.sqrt() / 2.0;
                    let (row, probe) = (largest * half_root, scale(values) * half_root);
                    row + probe * (1.0 + row) + rounding
                }
            }
        };
        let plain = bound(probe.values());
        let (Some(part), Some(own)) = (probe.shared(), probe.allowance()) else { return plain };
        // What counts lies between the probe's own and the greatest.
        let size = self.allowances.iter().copied().fold(own, f32::max).abs().max(own.abs());
        plain + size * plain + (1.0 + size) * bound(part.values())
    }

    fn identify_f32(&self, rows: &Rows<f32>, probe: &Template, ranking: &mut Ranking<'_>) {
        let stride = rows.stride();
        let probe = Probe::new(self.isa, stride, probe);
        let mut cosines = [0.0; BLOCK];
        let blocks = rows.all().chunks(BLOCK * stride).zip(self.subjects.chunks(BLOCK));
        for ((rows, subjects), allowances) in blocks.zip(self.allowances.chunks(BLOCK)) {
            let cosines = &mut cosines[..subjects.len()];
            dot_f32_rows(self.isa, &probe.own.values[..stride], rows, cosines);
            let discount = |row: usize, cosine| {
                probe.discount(&rows[row * stride..][..stride], 1.0, allowances[row], cosine)
            };
            rank(subjects, cosines, ranking, discount);
        }
    }

    fn identify_i8(&self, rows: &Rows<i8>, scales: &[f32], probe: &Template, ranking: &mut Ranking<'_>) {
        let stride = rows.stride();
        let probe = Probe::new(self.isa, stride, probe);
        let (mut sums, mut cosines) = ([0; BLOCK], [0.0; BLOCK]);
        let blocks = rows.all().chunks(BLOCK * stride).zip(self.subjects.chunks(BLOCK));
        let beside = scales.chunks(BLOCK).zip(self.allowances.chunks(BLOCK));
        for ((rows, subjects), (scales, allowances)) in blocks.zip(beside) {
            let sums = &mut sums[..subjects.len()];
            dot_i8_rows(self.isa, &probe.own.values[..stride], rows, sums);
            for ((cosine, &sum), &row_scale) in cosines.iter_mut().zip(&*sums).zip(scales) {
                *cosine = sum as f32 * (row_scale * probe.own.scale);
            }
            let discount = |row: usize, cosine| {
                probe.discount(&rows[row * stride..][..stride], scales[row], allowances[row], cosine)
            };
            rank(subjects, &cosines[..subjects.len()], ranking, discount);
        }
    }

    pub(crate) fn admit(&self, template: &Template) -> Result<(), GalleryError> {
        if template.model_id() == self.model_id && template.values().len() == self.dimension {
            Ok(())
        } else {
            Err(GalleryError::ForeignTemplate { template: template.model_id(), gallery: self.model_id })
        }
    }
}

/// Offers each subject its cosine less `discount` of its row and cosine, which is asked of rows alone that may enter: it
/// is never negative.
fn rank(
    subjects: &[SubjectId],
    cosines: &[f32],
    ranking: &mut Ranking<'_>,
    discount: impl Fn(usize, f32) -> f32,
) {
    let mut floor = ranking.floor();
    for (row, (&subject, &cosine)) in subjects.iter().zip(cosines).enumerate() {
        // Rounding takes no cosine beyond 1.
        let cosine = cosine.clamp(-1.0, 1.0);
        if cosine >= floor {
            ranking.offer(subject, (cosine - discount(row, cosine)).max(-1.0));
            floor = ranking.floor();
        }
    }
}

/// A vector as rows meet it: zeroes lie behind its values.
struct Padded<T> {
    values: [T; MAX_DIMENSION],
    scale: f32,
}

/// What rows hold.
trait Value: Sized {
    fn padded(values: &[f32]) -> Padded<Self>;

    /// The dot product, without the scales.
    fn dot(isa: Isa, a: &[Self], b: &[Self]) -> f32;
}

impl Value for f32 {
    fn padded(values: &[f32]) -> Padded<Self> {
        let mut padded = [0.0; MAX_DIMENSION];
        padded[..values.len()].copy_from_slice(values);
        Padded { values: padded, scale: 1.0 }
    }

    fn dot(isa: Isa, a: &[Self], b: &[Self]) -> f32 {
        dot_f32(isa, a, b)
    }
}

impl Value for i8 {
    fn padded(values: &[f32]) -> Padded<Self> {
        let (mut padded, scale) = ([0; MAX_DIMENSION], scale(values));
        padded.iter_mut().zip(values).for_each(|(place, &value)| *place = quantised(value, scale));
        Padded { values: padded, scale }
    }

    fn dot(isa: Isa, a: &[Self], b: &[Self]) -> f32 {
        dot_i8(isa, a, b) as f32
    }
}

/// A probe as rows meet it, each row with its scale.
struct Probe<T> {
    isa: Isa,
    stride: usize,
    own: Padded<T>,
    /// Its part in the shared directions, and its allowance.
    shared: Option<(Padded<T>, f32)>,
}

impl<T: Value> Probe<T> {
    fn new(isa: Isa, stride: usize, probe: &Template) -> Self {
        let shared = probe.shared().zip(probe.allowance());
        let shared = shared.map(|(part, allowance)| (T::padded(part.values()), allowance));
        Self { isa, stride, own: T::padded(probe.values()), shared }
    }

    fn score(&self, row: &[T], row_scale: f32, row_allowance: f32) -> f32 {
        let cosine = self.dot(&self.own, row, row_scale).clamp(-1.0, 1.0);
        (cosine - self.discount(row, row_scale, row_allowance, cosine)).max(-1.0)
    }

    fn discount(&self, row: &[T], row_scale: f32, row_allowance: f32, cosine: f32) -> f32 {
        let Some((part, allowance)) = &self.shared else { return 0.0 };
        discount(cosine, self.dot(part, row, row_scale), allowance.max(row_allowance))
    }

    fn dot(&self, part: &Padded<T>, row: &[T], row_scale: f32) -> f32 {
        T::dot(self.isa, &part.values[..self.stride], row) * (row_scale * part.scale)
    }
}

/// The step between quantised values: the largest absolute value becomes 127.
fn scale(values: &[f32]) -> f32 {
    values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs())) / 127.0
}

fn quantised(value: f32, scale: f32) -> i8 {
    (value / scale).round() as i8
}
