//! Fields of a protocol buffer, borrowed from the file, so that large tensors are not copied before they are packed.

/// One field's number and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    pub(crate) value: Wire<'a>,
    /// The field as it was written, key included.
    pub(crate) whole: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// A number of 4 or 8 bytes; no field that is read here is one.
    Fixed,
}

/// All fields of a message, in order; `None` where it breaks off or uses groups, which ONNX does not.
pub(crate) fn fields(message: &[u8]) -> impl Iterator<Item = Option<Field<'_>>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field)
    })
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let before = *rest;
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Wire::Varint(varint(rest)?),
        1 => take(rest, 8).map(|_| Wire::Fixed)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Wire::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Wire::Fixed)?,
        _ => return None,
    };
    let whole = before.get(..before.len() - rest.len())?;
    Some(Field { number: key >> 3, value, whole })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// All varints of a packed field.
pub(crate) fn varints(mut bytes: &[u8]) -> Option<Vec<u64>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(varint(&mut bytes)?);
    }
    Some(values)
}

/// Appends a field of bytes; `number` is below 16.
pub(crate) fn write(number: u8, bytes: &[u8], to: &mut Vec<u8>) {
    to.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        to.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    to.push(length as u8);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let read: usize = fields(&bytes).flatten().map(|field| field.whole.len()).sum();
            prop_assert!(read <= bytes.len());
        }

        #[test]
        fn what_is_written_is_read(number in 1_u8..16, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut written = Vec::new();
            write(number, &bytes, &mut written);
            let field = fields(&written).next().unwrap().unwrap();
            prop_assert_eq!(field.number, u64::from(number));
            prop_assert_eq!(field.value, Wire::Bytes(&bytes));
            prop_assert_eq!(field.whole.len(), written.len());
        }
    }
}
