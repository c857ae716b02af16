//! insightface's verification sets (`lfw.bin`, `cfp_fp.bin`, ...): a pickle of (encoded images, same-person flags), two
//! images a pair.
//!
//! Python runs what a pickle says. Here it is parsed: a handful of opcodes that build bytes, flags, lists and tuples
//! are read, any other refuses the file by its name and place, and nothing is executed. Images that are numpy arrays of
//! bytes, as insightface's `cfp2pack.py` and `agedb2pack.py` leave them, are known by their form: the three names that such
//! a pickle calls are no calls here, but marks of where the bytes stand.

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
        "the opcode {name} at byte {offset} is not read: a pickle is parsed here, never executed; write the images anew as \
             bytes(image)"
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
    Text {
        start: usize,
        end: usize,
    },
    Flag(bool),
    Number(usize),
    Nothing,
    List(usize),
    /// Images and flags.
    Set(usize, usize),
    Name(Name),
    /// What a tuple stands for, where it is none of a set.
    Part(Part),
    /// numpy's array before its bytes are known, and its type: bytes.
    Array,
    ByteType,
}

/// What a numpy array's pickle names.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Name {
    Reconstruct,
    NdArray,
    DType,
}

/// The tuples of a numpy array's pickle.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    /// Numbers alone, and their product: how many values.
    Shape(usize),
    /// What an empty array is made of.
    Empty,
    /// What the type of bytes is made of.
    OfBytes,
    /// Details of that type: byte order, no fields, no alignment.
    Details,
    /// The place of an array's bytes.
    State { start: usize, end: usize },
}

/// Most letters of a name.
const MAX_NAME: usize = 64;

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
    let [Value::Set(images, same)] = reader.stack[..] else { return Err(BinFileError::Form) };
    let image = |value: &Value| match value {
        Value::Bytes { start, end } => Some(*start..*end),
        _ => None,
    };
    let flag = |value: &Value| match value {
        Value::Flag(flag) => Some(*flag),
        Value::Number(number @ (0 | 1)) => Some(*number == 1),
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

impl<'a> Reader<'a> {
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
            // BINUNICODE, SHORT_BINUNICODE: names.
            b'X' => self.text(4)?,
            0x8c => self.text(1)?,
            b'K' => self.whole(1)?,
            b'M' => self.whole(2)?,
            b'J' => self.whole(4)?,
            b'N' => self.push(Value::Nothing)?,
            b'c' => self.global(offset)?,
            0x93 => self.stack_global(offset)?,
            b'R' => self.reduce(offset)?,
            b'b' => self.build(offset)?,
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
            0x85..=0x87 => {
                let count = usize::from(opcode as u8 - 0x84);
                let name = ["TUPLE1", "TUPLE2", "TUPLE3"][count - 1];
                let at = self.stack.len().checked_sub(count).ok_or(broken(name))?;
                let values = self.stack.split_off(at);
                self.tuple(&values)?;
            }
            b'q' => self.put("BINPUT", 1)?,
            b'r' => self.put("LONG_BINPUT", 4)?,
            0x94 => self.keep("MEMOIZE", offset, self.memo.len())?,
            b'h' => self.get("BINGET", 1)?,
            b'j' => self.get("LONG_BINGET", 4)?,
            other => return Err(BinFileError::Opcode { name: name_of(other), offset }),
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

    fn text(&mut self, of_length: usize) -> Result<(), BinFileError> {
        self.bytes(of_length)?;
        if let Some(top @ Value::Bytes { .. }) = self.stack.last_mut()
            && let Value::Bytes { start, end } = *top
        {
            *top = Value::Text { start, end };
        }
        Ok(())
    }

    fn whole(&mut self, bytes: usize) -> Result<(), BinFileError> {
        let value = self.number(bytes)?;
        self.push(Value::Number(value))
    }

    /// `GLOBAL`: a module and a name, a line each.
    fn global(&mut self, offset: usize) -> Result<(), BinFileError> {
        let mut line = || {
            let rest = self.file.get(self.at..).unwrap_or_default();
            let length = rest.iter().take(MAX_NAME).position(|byte| *byte == b'\n')?;
            self.at += length + 1;
            Some(&rest[..length])
        };
        let (module, name) = (line(), line());
        self.named("GLOBAL", offset, module, name)
    }

    /// The same of two texts on the stack.
    fn stack_global(&mut self, offset: usize) -> Result<(), BinFileError> {
        let name = self.stack.pop().and_then(|value| self.letters(value));
        let module = self.stack.pop().and_then(|value| self.letters(value));
        self.named("STACK_GLOBAL", offset, module, name)
    }

    /// One of the three names that are known; nothing is looked up.
    fn named(
        &mut self,
        opcode: &str,
        offset: usize,
        module: Option<&[u8]>,
        name: Option<&[u8]>,
    ) -> Result<(), BinFileError> {
        let name = match (module, name) {
            (Some(b"numpy.core.multiarray" | b"numpy._core.multiarray"), Some(b"_reconstruct")) => {
                Name::Reconstruct
            }
            (Some(b"numpy"), Some(b"ndarray")) => Name::NdArray,
            (Some(b"numpy"), Some(b"dtype")) => Name::DType,
            _ => return Err(BinFileError::Opcode { name: opcode.to_owned(), offset }),
        };
        self.push(Value::Name(name))
    }

    fn letters(&self, value: Value) -> Option<&'a [u8]> {
        match value {
            Value::Text { start, end } | Value::Bytes { start, end } => self.file.get(start..end),
            _ => None,
        }
    }

    /// `REDUCE`: what a name makes of a tuple; here of numpy's own alone.
    fn reduce(&mut self, offset: usize) -> Result<(), BinFileError> {
        let (of, name) = (self.stack.pop(), self.stack.pop());
        let made = match (name, of) {
            (Some(Value::Name(Name::Reconstruct)), Some(Value::Part(Part::Empty))) => Value::Array,
            (Some(Value::Name(Name::DType)), Some(Value::Part(Part::OfBytes))) => Value::ByteType,
            _ => return Err(BinFileError::Opcode { name: name_of(b'R'), offset }),
        };
        self.push(made)
    }

    /// `BUILD`: fills what `REDUCE` made.
    fn build(&mut self, offset: usize) -> Result<(), BinFileError> {
        let (state, object) = (self.stack.pop(), self.stack.pop());
        let made = match (object, state) {
            (Some(Value::ByteType), Some(Value::Part(Part::Details))) => Value::ByteType,
            (Some(Value::Array), Some(Value::Part(Part::State { start, end }))) => {
                Value::Bytes { start, end }
            }
            _ => return Err(BinFileError::Opcode { name: name_of(b'b'), offset }),
        };
        self.push(made)
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
        let is = |value: Value, letters: &[u8]| self.letters(value) == Some(letters);
        let no = |value: Value| matches!(value, Value::Flag(false) | Value::Number(0));
        let part = match *values {
            [Value::List(images), Value::List(same)] => return self.push(Value::Set(images, same)),
            [Value::Name(Name::NdArray), Value::Part(Part::Shape(0)), kind] if is(kind, b"b") => Part::Empty,
            [kind, align, Value::Number(1) | Value::Flag(true)] if is(kind, b"u1") && no(align) => {
                Part::OfBytes
            }
            [
                Value::Number(3),
                order,
                Value::Nothing,
                Value::Nothing,
                Value::Nothing,
                _,
                _,
                Value::Number(0),
            ] if is(order, b"|") => Part::Details,
            [
                Value::Number(1),
                Value::Part(Part::Shape(count)),
                Value::ByteType,
                fortran,
                Value::Bytes { start, end },
            ] if no(fortran) && count == end - start => Part::State { start, end },
            _ => Part::Shape(product(values).ok_or(BinFileError::Form)?),
        };
        self.push(Value::Part(part))
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

/// Of numbers alone.
fn product(values: &[Value]) -> Option<usize> {
    values.iter().try_fold(1_usize, |product, value| match value {
        Value::Number(number) => product.checked_mul(*number),
        _ => None,
    })
}

/// Python's name of an opcode that is not read.
fn name_of(opcode: u8) -> String {
    let name = match opcode {
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
        0x8d => "BINUNICODE8",
        b'V' => "UNICODE",
        b'S' => "STRING",
        b'I' => "INT",
        b'L' => "LONG",
        0x8a => "LONG1",
        0x8b => "LONG4",
        b'F' => "FLOAT",
        b'G' => "BINFLOAT",
        b')' => "EMPTY_TUPLE",
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
