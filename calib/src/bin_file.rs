//! insightface's verification sets (`lfw.bin`, `cfp_fp.bin`, ...): a pickle of (encoded images, same-person flags), two
//! images a pair.
//!
//! Python runs what a pickle says. Here it is parsed: a handful of opcodes that build bytes, flags, lists and one tuple
//! are read, any other refuses the file by its name and place, and nothing is executed.

use std::collections::HashMap;
use std::ops::Range;

/// Most images of a set: 500,000 pairs.
pub const MAX_BIN_IMAGES: usize = 1_000_000;
/// Most lists that a file may begin; a set has two.
const MAX_LISTS: usize = 16;
/// Most entries of the memo, in which writers put every list and string: one for each image and some more.
const MAX_MEMO: usize = 2 * MAX_BIN_IMAGES;

/// Why bytes are no verification set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BinFileError {
    /// Something that only executing it would tell the meaning of.
    #[error(
        "the opcode {name} at byte {offset} is not read: a pickle is parsed here, never executed; write images that are numpy \
             arrays as bytes"
    )]
    Opcode {
        /// Python's name of it, such as `GLOBAL`, or its byte.
        name: String,
        /// Where it stands.
        offset: usize,
    },
    /// The file ends within an opcode, or without `STOP`.
    #[error("the file ends at byte {offset}, within what it began: fetch it again")]
    TooShort {
        /// Its length.
        offset: usize,
    },
    /// Bytes after `STOP`.
    #[error("bytes after the end of the pickle, from byte {offset} on")]
    TooLong {
        /// The first of them.
        offset: usize,
    },
    /// An opcode without what it needs on the stack or in the memo.
    #[error("the opcode {name} at byte {offset} finds not what it needs: the file is broken")]
    Broken {
        /// Python's name of it.
        name: &'static str,
        /// Where it stands.
        offset: usize,
    },
    /// More than is read.
    #[error("more than {limit} {what} at byte {offset}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// As many are read.
        limit: usize,
        /// Where it became too many.
        offset: usize,
    },
    /// The pickle holds something else than a set.
    #[error("not a pair of a list of images and a list of flags")]
    Form,
    /// Two images belong to each flag.
    #[error("{images} images for {flags} pairs: two belong to each")]
    Count {
        /// How many images.
        images: usize,
        /// How many flags.
        flags: usize,
    },
}

/// The images of a set, each as its place in the file, and whether each two show one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairImages {
    /// Two for each flag.
    pub images: Vec<Range<usize>>,
    /// One for each pair.
    pub same: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Mark,
    Bytes {
        start: usize,
        end: usize,
    },
    Flag(bool),
    /// Another small number, which may be an index and is no flag.
    Number,
    List(usize),
    Tuple(usize, usize),
}

/// Reads a set. Memory grows with the opcodes read, within limits; images stay where they are.
///
/// # Errors
/// When it holds another opcode, is cut, or is no set.
pub fn read_bin(file: &[u8]) -> Result<PairImages, BinFileError> {
    let mut reader = Reader { file, at: 0, stack: Vec::new(), lists: Vec::new(), memo: HashMap::new() };
    while reader.step()? {}
    if reader.at < file.len() {
        return Err(BinFileError::TooLong { offset: reader.at });
    }
    let [Value::Tuple(images, same)] = reader.stack[..] else { return Err(BinFileError::Form) };
    let image = |value: &Value| match value {
        Value::Bytes { start, end } => Some(*start..*end),
        _ => None,
    };
    let flag = |value: &Value| match value {
        Value::Flag(flag) => Some(*flag),
        _ => None,
    };
    let images: Option<Vec<_>> = reader.lists[images].iter().map(image).collect();
    let same: Option<Vec<_>> = reader.lists[same].iter().map(flag).collect();
    let (Some(images), Some(same)) = (images, same) else { return Err(BinFileError::Form) };
    if same.is_empty() || images.len() != 2 * same.len() {
        return Err(BinFileError::Count { images: images.len(), flags: same.len() });
    }
    Ok(PairImages { images, same })
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// Of scalars alone; a list within a list is no set.
    lists: Vec<Vec<Value>>,
    memo: HashMap<usize, Value>,
}

impl Reader<'_> {
    /// Reads one opcode; false after the last.
    fn step(&mut self) -> Result<bool, BinFileError> {
        let offset = self.at;
        let opcode = self.number(1)?;
        let broken = |name| BinFileError::Broken { name, offset };
        match opcode as u8 {
            b'.' => return Ok(false),
            // PROTO, FRAME: the length of a frame says nothing that the opcodes do not.
            0x80 => drop(self.number(1)?),
            0x95 => drop(self.number(8)?),
            b'(' => self.push(Value::Mark)?,
            0x88 => self.push(Value::Flag(true))?,
            0x89 => self.push(Value::Flag(false))?,
            // SHORT_BINBYTES, SHORT_BINSTRING; BINBYTES, BINSTRING; BINBYTES8.
            b'C' | b'U' => self.bytes(1)?,
            b'B' | b'T' => self.bytes(4)?,
            0x8e => self.bytes(8)?,
            b'K' => self.small(1)?,
            b'M' => self.small(2)?,
            b'J' => self.small(4)?,
            b']' => {
                let list = self.list(Vec::new())?;
                self.push(list)?;
            }
            b'a' => {
                let value = self.stack.pop().ok_or(broken("APPEND"))?;
                self.extend("APPEND", offset, vec![value])?;
            }
            b'e' => {
                let values = self.since_mark().ok_or(broken("APPENDS"))?;
                self.extend("APPENDS", offset, values)?;
            }
            b'l' => {
                let values = self.since_mark().ok_or(broken("LIST"))?;
                let list = self.list(values)?;
                self.push(list)?;
            }
            b't' => {
                let values = self.since_mark().ok_or(broken("TUPLE"))?;
                self.tuple(&values)?;
            }
            0x86 => {
                let at = self.stack.len().checked_sub(2).ok_or(broken("TUPLE2"))?;
                let values = self.stack.split_off(at);
                self.tuple(&values)?;
            }
            b'q' => self.put("BINPUT", 1)?,
            b'r' => self.put("LONG_BINPUT", 4)?,
            0x94 => self.keep("MEMOIZE", offset, self.memo.len())?,
            b'h' => self.get("BINGET", 1)?,
            b'j' => self.get("LONG_BINGET", 4)?,
            other => return Err(BinFileError::Opcode { name: name(other), offset }),
        }
        Ok(true)
    }

    /// A little-endian number of so many bytes.
    fn number(&mut self, bytes: usize) -> Result<usize, BinFileError> {
        let end = self.at + bytes;
        let digits = self.file.get(self.at..end).ok_or(BinFileError::TooShort { offset: self.file.len() })?;
        self.at = end;
        let value = digits.iter().rev().fold(0_u64, |value, digit| value << 8 | u64::from(*digit));
        // Too long for this machine is too long for the file.
        Ok(usize::try_from(value).unwrap_or(usize::MAX))
    }

    fn bytes(&mut self, of_length: usize) -> Result<(), BinFileError> {
        let length = self.number(of_length)?;
        let start = self.at;
        let end = start.checked_add(length).filter(|end| *end <= self.file.len());
        let end = end.ok_or(BinFileError::TooShort { offset: self.file.len() })?;
        self.at = end;
        self.push(Value::Bytes { start, end })
    }

    /// A number that may stand for a flag.
    fn small(&mut self, bytes: usize) -> Result<(), BinFileError> {
        let value = match self.number(bytes)? {
            0 => Value::Flag(false),
            1 => Value::Flag(true),
            _ => Value::Number,
        };
        self.push(value)
    }

    fn push(&mut self, value: Value) -> Result<(), BinFileError> {
        if self.stack.len() >= MAX_BIN_IMAGES {
            return Err(self.too_many("values", MAX_BIN_IMAGES));
        }
        self.stack.push(value);
        Ok(())
    }

    fn since_mark(&mut self) -> Option<Vec<Value>> {
        let mark = self.stack.iter().rposition(|value| *value == Value::Mark)?;
        let values = self.stack.split_off(mark + 1);
        self.stack.pop();
        Some(values)
    }

    fn list(&mut self, values: Vec<Value>) -> Result<Value, BinFileError> {
        if self.lists.len() >= MAX_LISTS {
            return Err(self.too_many("lists", MAX_LISTS));
        }
        self.lists.push(values);
        Ok(Value::List(self.lists.len() - 1))
    }

    /// Adds to the list on top of the stack.
    fn extend(&mut self, name: &'static str, offset: usize, values: Vec<Value>) -> Result<(), BinFileError> {
        let Some(Value::List(list)) = self.stack.last() else {
            return Err(BinFileError::Broken { name, offset });
        };
        let list = &mut self.lists[*list];
        if list.len() + values.len() > MAX_BIN_IMAGES {
            return Err(self.too_many("values of a list", MAX_BIN_IMAGES));
        }
        list.extend(values);
        Ok(())
    }

    fn tuple(&mut self, values: &[Value]) -> Result<(), BinFileError> {
        match values {
            [Value::List(images), Value::List(same)] => self.push(Value::Tuple(*images, *same)),
            _ => Err(BinFileError::Form),
        }
    }

    fn put(&mut self, name: &'static str, bytes: usize) -> Result<(), BinFileError> {
        let offset = self.at - 1;
        let key = self.number(bytes)?;
        self.keep(name, offset, key)
    }

    fn keep(&mut self, name: &'static str, offset: usize, key: usize) -> Result<(), BinFileError> {
        let value = *self.stack.last().ok_or(BinFileError::Broken { name, offset })?;
        if self.memo.len() >= MAX_MEMO {
            return Err(self.too_many("entries of the memo", MAX_MEMO));
        }
        self.memo.insert(key, value);
        Ok(())
    }

    fn get(&mut self, name: &'static str, bytes: usize) -> Result<(), BinFileError> {
        let offset = self.at - 1;
        let key = self.number(bytes)?;
        let value = *self.memo.get(&key).ok_or(BinFileError::Broken { name, offset })?;
        self.push(value)
    }

    fn too_many(&self, what: &'static str, limit: usize) -> BinFileError {
        BinFileError::TooMany { what, limit, offset: self.at }
    }
}

/// Python's name of an opcode that is not read.
fn name(opcode: u8) -> String {
    let name = match opcode {
        b'c' => "GLOBAL",
        0x93 => "STACK_GLOBAL",
        b'R' => "REDUCE",
        b'b' => "BUILD",
        b'i' => "INST",
        b'o' => "OBJ",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        b'}' => "EMPTY_DICT",
        b'd' => "DICT",
        b's' => "SETITEM",
        b'u' => "SETITEMS",
        b'X' => "BINUNICODE",
        0x8c => "SHORT_BINUNICODE",
        0x8d => "BINUNICODE8",
        b'V' => "UNICODE",
        b'S' => "STRING",
        b'I' => "INT",
        b'L' => "LONG",
        0x8a => "LONG1",
        0x8b => "LONG4",
        b'F' => "FLOAT",
        b'G' => "BINFLOAT",
        b'N' => "NONE",
        b')' => "EMPTY_TUPLE",
        0x85 => "TUPLE1",
        0x87 => "TUPLE3",
        b'0' => "POP",
        b'1' => "POP_MARK",
        b'2' => "DUP",
        b'p' => "PUT",
        b'g' => "GET",
        0x8f => "EMPTY_SET",
        0x90 => "ADDITEMS",
        0x91 => "FROZENSET",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        other => return format!("0x{other:02x}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
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
            const READ: &[u8] = b"(](a]eltqhKUC\x80\x86\x88\x89\x94.";
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
        let text = read_bin(b"\x80\x04\x8c\x02os\x93R.").unwrap_err().to_string();
        assert!(text.contains("SHORT_BINUNICODE at byte 2"), "{text}");
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
}
