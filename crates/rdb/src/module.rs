//! Values of module types (`RDB_TYPE_MODULE_2` of Redis): the number of the type, then marked fields, then a mark that ends them.
//!
//! ```text
//! id (length) { mark (length) field }* 0
//! ```
//!
//! The id is the type's name, nine characters of six bits each, and in its ten lowest bits the version of its encoding. Marks say how long a field
//! is, so who does not know the type can pass over its value ([`skip_fields`]). Here is what all such types share; what fields one has is told
//! where its values are.

use crate::error::ModuleName;
use crate::{Error, Reader, Text, append_len, append_string};

const END: u64 = 0;
const INT: u64 = 1;
const UINT: u64 = 2;
const FLOAT: u64 = 3;
const DOUBLE: u64 = 4;
const STRING: u64 = 5;

const VERSION_BITS: u32 = 10;

/// The number of a module's type: its name and the version of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleId(u64);

impl ModuleId {
    /// # Panics
    /// If the name has other characters than letters, digits, `-` and `_`, or the version more than ten bits.
    pub const fn new(name: &[u8; 9], version: u16) -> Self {
        assert!(version < 1 << VERSION_BITS, "the version has ten bits");
        let (mut id, mut at) = (0, 0);
        while at < name.len() {
            id = id << 6 | ModuleName::digit(name[at]);
            at += 1;
        }
        Self(id << VERSION_BITS | version as u64)
    }

    /// Reads what stands in front of the fields.
    ///
    /// # Errors
    /// As [`Reader::length`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.length().map(Self)
    }

    pub fn name(self) -> ModuleName {
        ModuleName::of(self.0)
    }

    pub fn version(self) -> u16 {
        (self.0 & ((1 << VERSION_BITS) - 1)) as u16
    }
}

/// Appends a value: its id, field after field, the end. What is not ended cannot be read.
pub struct FieldWriter<'o> {
    out: &'o mut Vec<u8>,
    compress: bool,
}

impl<'o> FieldWriter<'o> {
    pub fn begin(out: &'o mut Vec<u8>, id: ModuleId, compress: bool) -> Self {
        append_len(out, id.0);
        Self { out, compress }
    }

    /// Goes on with a value that was begun and not ended.
    pub fn resume(out: &'o mut Vec<u8>, compress: bool) -> Self {
        Self { out, compress }
    }

    /// `RedisModule_SaveUnsigned`; `RedisModule_SaveSigned` is the same with the bits of the number.
    pub fn unsigned(&mut self, value: u64) {
        append_len(self.out, UINT);
        append_len(self.out, value);
    }

    /// `RedisModule_SaveDouble`
    pub fn double(&mut self, value: f64) {
        append_len(self.out, DOUBLE);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// `RedisModule_SaveFloat`
    pub fn float(&mut self, value: f32) {
        append_len(self.out, FLOAT);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// `RedisModule_SaveStringBuffer`
    pub fn string(&mut self, bytes: &[u8]) {
        append_len(self.out, STRING);
        append_string(self.out, bytes, self.compress);
    }

    /// What stands in front of a string whose bytes the caller appends, in pieces if need be: as many, and not compressed.
    pub fn begin_string(&mut self, len: u64) {
        append_len(self.out, STRING);
        append_len(self.out, len);
    }

    pub fn end(self) {
        append_len(self.out, END);
    }
}

/// The fields of a value, in the order in which they were written.
pub struct FieldReader<'r, 'a>(&'r mut Reader<'a>);

impl<'r, 'a> FieldReader<'r, 'a> {
    /// Of a value whose id was read.
    pub fn new(reader: &'r mut Reader<'a>) -> Self {
        Self(reader)
    }

    fn expect(&mut self, mark: u64) -> Result<(), Error> {
        if self.0.length()? == mark { Ok(()) } else { Err(Error::Corrupt("field of a module's value")) }
    }

    /// `RedisModule_LoadUnsigned`, and the bits of what `RedisModule_LoadSigned` gives.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` if the field is of another kind; the same holds for all below.
    pub fn unsigned(&mut self) -> Result<u64, Error> {
        self.expect(UINT)?;
        self.0.length()
    }

    /// `RedisModule_LoadDouble`
    pub fn double(&mut self) -> Result<f64, Error> {
        self.expect(DOUBLE)?;
        self.0.f64_le()
    }

    /// `RedisModule_LoadFloat`
    pub fn float(&mut self) -> Result<f32, Error> {
        self.expect(FLOAT)?;
        self.0.u32_le().map(f32::from_bits)
    }

    /// `RedisModule_LoadStringBuffer`
    pub fn string(&mut self) -> Result<Text<'a>, Error> {
        self.expect(STRING)?;
        self.0.string()
    }

    /// Nothing more may come.
    pub fn end(mut self) -> Result<(), Error> {
        self.expect(END)
    }
}

/// Passes over fields and what ends them.
///
/// # Errors
/// `Truncated`, or `Corrupt` for a mark that nobody knows.
pub fn skip_fields(reader: &mut Reader<'_>) -> Result<(), Error> {
    loop {
        match reader.length()? {
            END => return Ok(()),
            INT | UINT => drop(reader.length()?),
            FLOAT => drop(reader.take(4)?),
            DOUBLE => drop(reader.take(8)?),
            STRING => reader.skip_string()?,
            _ => return Err(Error::Corrupt("data of a module")),
        }
    }
}

/// Passes over one unsigned field.
///
/// # Errors
/// As [`FieldReader::unsigned`].
pub fn skip_unsigned(reader: &mut Reader<'_>) -> Result<(), Error> {
    FieldReader::new(reader).unsigned().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ModuleId = ModuleId::new(b"ReJSON-RL", 3);

    #[test]
    fn ids_have_names_and_versions() {
        assert_eq!((ID.name().as_str(), ID.version()), ("ReJSON-RL", 3));
        // As redis-server 7.0 numbers a module type of this name and version.
        let expected = b"ReJSON-RL".iter().fold(0, |id, byte| {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            id << 6 | alphabet.iter().position(|known| known == byte).unwrap() as u64
        });
        assert_eq!(ID.0, expected << 10 | 3);
    }

    fn written() -> Vec<u8> {
        let mut out = Vec::new();
        let mut fields = FieldWriter::begin(&mut out, ID, true);
        fields.unsigned(u64::MAX);
        fields.double(0.5);
        fields.float(-2.0);
        fields.string(&[b'a'; 100]);
        fields.begin_string(3);
        out.extend_from_slice(b"abc");
        FieldWriter::resume(&mut out, true).end();
        out
    }

    #[test]
    fn fields_are_read_as_they_were_written() {
        let bytes = written();
        let mut reader = Reader::new(&bytes);
        assert_eq!(ModuleId::read(&mut reader), Ok(ID));
        let mut fields = FieldReader::new(&mut reader);
        assert_eq!(fields.unsigned(), Ok(u64::MAX));
        assert_eq!(fields.double(), Ok(0.5));
        assert_eq!(fields.float(), Ok(-2.0));
        assert_eq!(&*fields.string().unwrap(), [b'a'; 100]);
        assert_eq!(&*fields.string().unwrap(), b"abc");
        assert_eq!(fields.end(), Ok(()));
        assert!(reader.rest().is_empty());

        let mut reader = Reader::new(&bytes);
        ModuleId::read(&mut reader).unwrap();
        assert_eq!(skip_fields(&mut reader), Ok(()));
        assert!(reader.rest().is_empty());
    }

    #[test]
    fn what_is_cut_off_or_of_another_kind_is_refused() {
        let bytes = written();
        for len in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..len]);
            let read = ModuleId::read(&mut reader).and_then(|_| skip_fields(&mut reader));
            assert_eq!(read, Err(Error::Truncated), "{len}");
        }
        let mut reader = Reader::new(&bytes);
        ModuleId::read(&mut reader).unwrap();
        let other = FieldReader::new(&mut reader).string().map(Text::into_vec);
        assert_eq!(other, Err(Error::Corrupt("field of a module's value")));
        assert!(matches!(skip_fields(&mut Reader::new(&[6, 0])), Err(Error::Corrupt(_))));
    }
}
