//! insightface's verification sets (`lfw.bin`, `cfp_fp.bin`, ...): a pickle of (encoded images, same-person flags), two
//! images a pair.

use std::ops::Range;

use crate::bin_error::BinFileError;
use crate::pickle::{Value, read};

/// The images of a set, each as its place in the file, and whether each two show one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairImages {
    /// Two for each flag.
    pub images: Vec<Range<usize>>,
    /// One for each pair.
    pub same: Vec<bool>,
}

/// Reads a set. Memory grows with the opcodes read, within limits; images stay where they are.
///
/// # Errors
/// When it holds another opcode, is cut, or is no set.
pub fn read_bin(file: &[u8]) -> Result<PairImages, BinFileError> {
    let [images, same] = read(file)?;
    let image = |value: &Value| match value {
        Value::Bytes { start, end } => Some(*start..*end),
        _ => None,
    };
    let flag = |value: &Value| match value {
        Value::Flag(flag) => Some(*flag),
        Value::Number(number @ (0 | 1)) => Some(*number == 1),
        _ => None,
    };
    let images: Option<Vec<_>> = images.iter().map(image).collect();
    let same: Option<Vec<_>> = same.iter().map(flag).collect();
    let (Some(images), Some(same)) = (images, same) else { return Err(BinFileError::Form) };
    if same.is_empty() || images.len() != 2 * same.len() {
        return Err(BinFileError::Count { images: images.len(), flags: same.len() });
    }
    Ok(PairImages { images, same })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pickle::MAX_LISTS;
    use proptest::prelude::*;

    /// As Python's pickle writes a set at protocol 2 (strings of Python 2) or 4.
    fn pickle(protocol: u8, images: &[Vec<u8>], same: &[bool]) -> Vec<u8> {
        let mut out = vec![0x80, protocol];
        let memo =
            |out: &mut Vec<u8>, key: u8| out.extend(if protocol < 4 { vec![b'q', key] } else { vec![0x94] });
        out.push(b']');
        memo(&mut out, 0);
        out.push(b'(');
        for image in images {
            out.push(if protocol < 4 { b'T' } else { b'B' });
            out.extend((image.len() as u32).to_le_bytes());
            out.extend(image);
            memo(&mut out, 1);
        }
        out.push(b'e');
        out.push(b']');
        memo(&mut out, 2);
        out.push(b'(');
        out.extend(same.iter().map(|same| if *same { 0x88 } else { 0x89 }));
        out.extend([b'e', 0x86]);
        memo(&mut out, 3);
        out.push(b'.');
        out
    }

    proptest! {
        #[test]
        fn what_python_writes_is_read(
            images in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 2..20),
            protocol in prop_oneof![Just(2_u8), Just(4_u8)],
        ) {
            let images = &images[..images.len() / 2 * 2];
            let same: Vec<bool> = (0..images.len() / 2).map(|pair| pair % 3 == 0).collect();
            let file = pickle(protocol, images, &same);
            let read = read_bin(&file).unwrap();
            let found: Vec<&[u8]> = read.images.into_iter().map(|range| &file[range]).collect();
            prop_assert_eq!(found, images.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(read.same, same);
            for cut in 0..file.len() {
                prop_assert!(read_bin(&file[..cut]).is_err());
            }
        }

        #[test]
        fn arbitrary_bytes_are_a_set_or_an_error(mut file in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_bin(&file);
            // Opcodes that are read, alone.
            const READ: &[u8] = b"(](a]eltqhKUCNRbc\x80\x85\x86\x87\x88\x89\x93\x94.";
            file.iter_mut().for_each(|byte| *byte = READ[usize::from(*byte) % READ.len()]);
            if let Ok(read) = read_bin(&file) {
                prop_assert_eq!(read.images.len(), 2 * read.same.len());
                prop_assert!(read.images.iter().all(|range| range.end <= file.len()));
            }
        }
    }

    #[test]
    fn what_would_be_executed_is_refused_by_name_and_place() {
        // os.system('true'), as pickletools shows such a file.
        let hostile = b"\x80\x02cos\nsystem\nU\x04true\x85R.";
        assert_eq!(read_bin(hostile), Err(BinFileError::Opcode { name: "GLOBAL".to_owned(), offset: 2 }));
        let text =
            read_bin(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.").unwrap_err().to_string();
        assert!(text.contains("STACK_GLOBAL at byte 14"), "{text}");
        // numpy's names on anything but an array of bytes.
        for (bytes, what) in [
            (&b"cnumpy\ndtype\n(K\x01tR."[..], "REDUCE"),
            (b"cnumpy\nndarray\nK\x00\x85R.", "REDUCE"),
            (b"cnumpy\nloads\n.", "GLOBAL"),
            (b"c\nsystem\n.", "GLOBAL"),
            (b"cnumpy\ndtype\n]b.", "BUILD"),
        ] {
            assert!(
                matches!(read_bin(bytes), Err(BinFileError::Opcode { name, .. }) if name == what),
                "{:?}",
                read_bin(bytes)
            );
        }
        assert_eq!(read_bin(&[0xff]), Err(BinFileError::Opcode { name: "0xff".to_owned(), offset: 0 }));
    }

    #[test]
    fn what_is_no_set_says_what_is_wrong() {
        let images = vec![vec![1, 2], vec![3]];
        let three = pickle(2, &[images.clone(), vec![vec![4]]].concat(), &[true]);
        assert_eq!(read_bin(&three), Err(BinFileError::Count { images: 3, flags: 1 }));
        assert_eq!(read_bin(b"\x80\x02].").unwrap_err(), BinFileError::Form);
        let mut longer = pickle(4, &images, &[true]);
        longer.push(b'.');
        assert!(matches!(read_bin(&longer), Err(BinFileError::TooLong { .. })));
        assert_eq!(read_bin(b"h\x05."), Err(BinFileError::Broken { name: "BINGET", offset: 0 }));
        assert_eq!(read_bin(b"q\x00."), Err(BinFileError::Broken { name: "BINPUT", offset: 0 }));
        // A length of 4 GB in a file of ten bytes asks for no memory.
        assert_eq!(read_bin(b"B\xff\xff\xff\xff1234."), Err(BinFileError::TooShort { offset: 10 }));
        let lists = [b"]".repeat(MAX_LISTS + 1), b".".to_vec()].concat();
        assert!(matches!(read_bin(&lists), Err(BinFileError::TooMany { what: "lists", .. })));
    }

    /// `([frombuffer(b"one", "u1"), frombuffer(b"other", "u1").reshape(-1, 1)], [True])` as Python 2 and numpy 1 pickle it
    /// at protocol 2.
    const ARRAYS: &[u8] = b"\x80\x02]q\x00(cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85q\x03\
        U\x01bq\x04\x87q\x05Rq\x06(K\x01K\x03\x85q\x07cnumpy\ndtype\nq\x08U\x02u1q\x09K\x00K\x01\x87q\x0aRq\x0b(K\x03U\x01|q\x0c\
        NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0db\x89U\x03oneq\x0etq\x0fbh\x01h\x02K\x00\x85q\x10h\x04\x87q\x11Rq\x12\
        (K\x01K\x05K\x01\x86q\x13h\x0b\x89U\x05otherq\x14tq\x15be]q\x16\x88a\x86q\x17.";
    /// The same of Python 3 and numpy 2.4.6, at protocols 3 and 4.
    const ARRAYS_3: &[u8] = b"\x80\x03]q\x00(cnumpy._core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85q\x03\
        C\x01bq\x04\x87q\x05Rq\x06(K\x01K\x03\x85q\x07cnumpy\ndtype\nq\x08X\x02\x00\x00\x00u1q\t\x89\x88\x87q\nRq\x0b(K\x03X\x01\x00\
        \x00\x00|q\x0cNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\rb\x89C\x03oneq\x0etq\x0fbh\x01h\x02K\x00\x85q\x10h\x04\x87q\x11R\
        q\x12(K\x01K\x05K\x01\x86q\x13h\x0b\x89C\x05otherq\x14tq\x15be]q\x16\x88a\x86q\x17.";
    const ARRAYS_4: &[u8] = b"\x80\x04\x95\xbb\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x16numpy._core.multiarray\x94\x8c\x0c\
        _reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x03\x85\x94\
        h\x04\x8c\x05dtype\x94\x93\x94\x8c\x02u1\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff\
        K\x00t\x94b\x89C\x03one\x94t\x94bh\x03h\x06K\x00\x85\x94h\x08\x87\x94R\x94(K\x01K\x05K\x01\x86\x94h\x10\x89C\x05other\x94t\
        \x94be]\x94\x88a\x86\x94.";

    #[test]
    fn arrays_of_bytes_are_images_and_are_found_where_they_stand() {
        for file in [ARRAYS, ARRAYS_3, ARRAYS_4] {
            let read = read_bin(file).unwrap();
            let found: Vec<&[u8]> = read.images.into_iter().map(|range| &file[range]).collect();
            assert_eq!((found, read.same), (vec![&b"one"[..], b"other"], vec![true]));
            for cut in 0..file.len() {
                assert!(read_bin(&file[..cut]).is_err());
            }
        }
        // Another type, another kind, a shape that is not its length, columns first, another order of bytes.
        for (from, to) in [
            (&b"u1"[..], &b"f4"[..]),
            (b"U\x01b", b"U\x01c"),
            (b"K\x05K\x01\x86", b"K\x04K\x01\x86"),
            (b"\x89U\x05", b"\x88U\x05"),
            (b"U\x01|", b"U\x01>"),
        ] {
            let at = ARRAYS.windows(from.len()).position(|bytes| bytes == from).unwrap();
            let mut broken = ARRAYS.to_vec();
            broken[at..at + to.len()].copy_from_slice(to);
            assert_eq!(read_bin(&broken), Err(BinFileError::Form), "{from:?}");
        }
    }

    proptest! {
        #[test]
        fn arrays_with_a_changed_byte_are_a_set_or_an_error(at in 0..ARRAYS.len(), byte in any::<u8>()) {
            let mut file = ARRAYS.to_vec();
            file[at] = byte;
            if let Ok(read) = read_bin(&file) {
                prop_assert!(read.images.iter().all(|range| range.end <= file.len()));
            }
        }
    }
}
