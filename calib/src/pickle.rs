//! The pickle of a verification set: two lists.
//!
//! Python runs what a pickle says. Here it is parsed: a handful of opcodes that build bytes, flags, lists and tuples
//! are read, any other refuses the file by its name and place, and nothing is executed. Images that are numpy arrays of
//! bytes, as insightface's `cfp2pack.py` and `agedb2pack.py` leave them, are known by their form: the three names that such
//! a pickle calls are no calls here, but marks of where the bytes stand.

use std::collections::HashMap;

use crate::bin_error::BinFileError;

/// Most images of a set: 500,000 pairs.
pub const MAX_BIN_IMAGES: usize = 1_000_000;
/// Most lists that a file may begin; a set has two.
pub(crate) const MAX_LISTS: usize = 16;
/// Most entries of the memo, in which writers put every list and string: one for each image and some more.
const MAX_MEMO: usize = 2 * MAX_BIN_IMAGES;
/// Most letters of a name.
const MAX_NAME: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
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
pub(crate) enum Name {
    Reconstruct,
    NdArray,
    DType,
}

/// The tuples of a numpy array's pickle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Part {
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

/// The two lists of a set. Memory grows with the opcodes read, within limits.
pub(crate) fn read(file: &[u8]) -> Result<[Vec<Value>; 2], BinFileError> {
    let mut reader = Reader { file, at: 0, stack: Vec::new(), lists: Vec::new(), memo: HashMap::new() };
    while reader.step()? {}
    if reader.at < file.len() {
        return Err(BinFileError::TooLong { offset: reader.at });
    }
    let [Value::Set(images, same)] = reader.stack[..] else { return Err(BinFileError::Form) };
    // One list may stand for both.
    Ok([reader.lists[images].clone(), reader.lists[same].clone()])
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
