//! The shape that a `Reshape` gives.

/// Resolves a `Reshape`'s shape as ONNX defines it: 0 keeps the input's dimension, -1 stands for the one that makes
/// the number of values come out. `None` where the numbers of values differ.
pub(crate) fn reshaped(from: &[usize], shape: &[i64], allow_zero: bool) -> Option<Vec<usize>> {
    let count: usize = from.iter().product();
    let mut dims = Vec::with_capacity(shape.len());
    let mut open = None;
    for (i, &side) in shape.iter().enumerate() {
        dims.push(match side {
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            0 if !allow_zero => *from.get(i)?,
            side => usize::try_from(side).ok()?,
        });
    }
    let known = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))?;
    if let Some(open) = open {
        dims[open] = count.checked_div(known)?;
    }
    (dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))? == count).then_some(dims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_resolved_as_onnx_says() {
        assert_eq!(reshaped(&[2, 6], &[0, 2, -1], false), Some(vec![2, 2, 3]));
        assert_eq!(reshaped(&[2, 6], &[5, -1], false), None);
        assert_eq!(reshaped(&[2, 6], &[-1, -1], false), None);
    }
}
