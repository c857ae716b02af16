//! The reference: plain Rust with several running sums, so that the compiler can vectorise it.

const LANES: usize = 16;

pub(crate) fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

pub(crate) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    // Wrapping, because a check in each addition would keep it scalar; `MAX_I8_LEN` rules overflow out.
    a.iter().zip(b).fold(0_i32, |sum, (&a, &b)| sum.wrapping_add(i32::from(i16::from(a) * i16::from(b))))
}

pub(crate) fn dot_f32_rows(probe: &[f32], rows: &[f32], scores: &mut [f32]) {
    for (row, score) in rows.chunks_exact(probe.len()).zip(scores) {
        *score = dot_f32(probe, row);
    }
}

pub(crate) fn dot_i8_rows(probe: &[i8], rows: &[i8], sums: &mut [i32]) {
    for (row, sum) in rows.chunks_exact(probe.len()).zip(sums) {
        *sum = dot_i8(probe, row);
    }
}
