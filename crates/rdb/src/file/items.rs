//! The items of a file, one after the other.

use super::{Damage, Doing, MODULE_VALUE, MODULE_VALUE_OLD, VALKEY_VERSION_MAX, VERSION_MAX};
use super::{modules, opcode, skip};
use crate::error::ModuleName;
use crate::{Error, Reader, Shapes, Text, Type, decode};
use base::crc64::crc64;
use keyspace::Value;

/// Whose format a file has. They part company after version 11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brand {
    Redis,
    Valkey,
}

impl Brand {
    /// The type that a byte stands for.
    ///
    /// # Errors
    /// `Unsupported`
    #[inline]
    pub fn type_of(self, byte: u8) -> Result<Type, Error> {
        let kind = match self {
            Self::Redis => Type::from_byte(byte),
            Self::Valkey => Type::from_valkey_byte(byte),
        };
        kind.ok_or(Error::Unsupported(byte))
    }
}

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub brand: Brand,
    pub version: u16,
}

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 9;
/// The first version with a check sum.
const VERSION_WITH_SUM: u16 = 5;

impl Form {
    /// Reads the header.
    ///
    /// # Errors
    /// `Corrupt` if it is none, `Newer` if the version is not known, `Truncated`.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        const FOREIGN: Error = Error::Corrupt("not an RDB file");
        let header = reader.take(HEADER_BYTES as u64)?;
        let (brand, digits) = match header {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (Brand::Redis, digits),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (Brand::Valkey, digits),
            _ => return Err(FOREIGN),
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(FOREIGN);
        }
        let version = digits.iter().fold(0, |version, digit| version * 10 + u16::from(digit - b'0'));
        let newest = if brand == Brand::Redis { VERSION_MAX } else { VALKEY_VERSION_MAX };
        match version {
            0 => Err(FOREIGN),
            version if version > newest => Err(Error::Newer(version)),
            version => Ok(Self { brand, version }),
        }
    }
}

/// How a record's value is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Known(Type),
    Module(ModuleName),
}

/// One item of a file.
pub enum Item<'a> {
    /// A remark. Who does not know the name passes over it.
    Aux {
        name: Text<'a>,
        value: Text<'a>,
    },
    /// The following records are of this database.
    Database(u32),
    /// How many keys the database has, and how many of them expire: a hint.
    Sizes {
        keys: u64,
        expiring: u64,
    },
    /// The same of a slot.
    SlotSizes {
        slot: u64,
        keys: u64,
        expiring: u64,
    },
    /// A slot was about to come from another node of a cluster (Valkey).
    SlotImport,
    /// The code of a library.
    Function(Text<'a>),
    /// What a module has written beside all keys. It was passed over.
    ModuleAux(ModuleName),
    Record(Record<'a>),
    /// Nothing comes behind it; in a file that begins an append-only file, commands do.
    End(CheckSum),
}

/// What the check sum at the end says. A wrong one is [`Damage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckSum {
    /// None was written.
    None,
    Right,
    /// Nobody wanted to know.
    Unchecked,
}

/// A key with what is known of it, and the place of its value.
pub struct Record<'a> {
    pub db: u32,
    pub key: Text<'a>,
    /// Unix time in ms; may be long ago.
    pub expire_ms: Option<i64>,
    /// Seconds since it was last used.
    pub idle_s: Option<u64>,
    /// How often it is used, on a logarithmic scale.
    pub frequency: Option<u8>,
    pub layout: Layout,
    value: &'a [u8],
    /// Where the record begins, and where its value.
    offset: u64,
    value_offset: u64,
}

impl<'a> Record<'a> {
    /// Where the record begins in the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the whole record, with what is said of the key.
    pub fn bytes(&self) -> u64 {
        self.value_offset + self.value.len() as u64 - self.offset
    }

    /// The bytes of the value, in its layout.
    pub fn value_bytes(&self) -> &'a [u8] {
        self.value
    }

    /// The value, if it is a string, as it stands in the file if it stands there as it is.
    ///
    /// # Errors
    /// When it is no string although it should be.
    #[inline]
    pub fn string(&self) -> Result<Option<Text<'a>>, Damage> {
        if self.layout != Layout::Known(Type::String) {
            return Ok(None);
        }
        let text = Reader::new(self.value).string();
        text.map(Some).map_err(|error| self.damage(0, Doing::Value(Type::String), error))
    }

    /// The value. `None`: a collection without elements, which old servers could write, and which is to be passed over.
    ///
    /// # Errors
    /// When it is no value, or one of a module.
    pub fn value(&self, shapes: &Shapes<'_>) -> Result<Option<Value>, Damage> {
        let kind = match self.layout {
            Layout::Known(kind) => kind,
            Layout::Module(name) => return Err(self.damage(0, Doing::ModuleValue, Error::Module(name))),
        };
        let mut reader = Reader::new(self.value);
        let value = match decode::value(kind, &mut reader, shapes) {
            Err(Error::Empty) => return Ok(None),
            Ok(_) if !reader.rest().is_empty() => Err(Error::Corrupt("there is more than a value")),
            other => other,
        };
        let read = self.value.len() - reader.rest().len();
        value.map(Some).map_err(|error| self.damage(read, Doing::Value(kind), error))
    }

    #[cold]
    fn damage(&self, read: usize, doing: Doing, error: Error) -> Damage {
        let offset = self.value_offset + read as u64;
        Damage { offset, item: self.offset, doing, key: None, error }.of_key(self.db, &self.key)
    }
}

/// What was said before a key about it.
#[derive(Clone, Copy, Default)]
struct Hints {
    expire_ms: Option<i64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

/// What earlier items mean for later ones.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub form: Form,
    db: u32,
    hints: Option<Hints>,
}

/// Why an item cannot be read: all of [`Damage`] but the places.
type Stop = (Doing, Error);

impl State {
    pub fn new(form: Form) -> Self {
        Self { form, db: 0, hints: None }
    }

    /// Reads an item. `end` is the offset in the file of what lies behind the reader's last byte. The check sum behind the end is
    /// left in the reader.
    pub fn next<'a>(&mut self, reader: &mut Reader<'a>, end: u64) -> Result<Item<'a>, Box<Damage>> {
        let place = |reader: &Reader<'_>| end - reader.rest().len() as u64;
        let item = place(reader);
        self.read(reader, end).map_err(|(doing, error)| {
            Box::new(Damage { offset: place(reader), item, doing, key: None, error })
        })
    }

    fn read<'a>(&mut self, reader: &mut Reader<'a>, end: u64) -> Result<Item<'a>, Stop> {
        let offset = end - reader.rest().len() as u64;
        loop {
            let byte = reader.byte().map_err(|error| (Doing::Opcode, error))?;
            if byte < opcode::KEY_META_OR_SLOT_IMPORT {
                return self.record(byte, reader, offset, end).map(Item::Record);
            }
            let is_hint = self.hint(byte, reader).map_err(|error| (Doing::Hints, error))?;
            if !is_hint {
                return self.other(byte, reader);
            }
        }
    }

    /// Whether the opcode says something about the next key.
    fn hint(&mut self, byte: u8, reader: &mut Reader<'_>) -> Result<bool, Error> {
        let mut hints = self.hints.unwrap_or_default();
        match byte {
            // -1 is what Redis takes for "never" when it reads.
            opcode::EXPIRE_MS => hints.expire_ms = Some(reader.u64_le()? as i64).filter(|&at_ms| at_ms != -1),
            opcode::EXPIRE_S => hints.expire_ms = Some(i64::from(reader.u32_le()? as i32) * 1000),
            opcode::IDLE => hints.idle_s = Some(reader.length()?),
            opcode::FREQUENCY => hints.frequency = Some(reader.byte()?),
            opcode::KEY_META_OR_SLOT_IMPORT if self.form.brand == Brand::Redis => {
                modules::skip_metadata(reader)?;
            }
            _ => return Ok(false),
        }
        self.hints = Some(hints);
        Ok(true)
    }

    fn record<'a>(
        &mut self,
        byte: u8,
        reader: &mut Reader<'a>,
        offset: u64,
        end: u64,
    ) -> Result<Record<'a>, Stop> {
        let known = match byte {
            MODULE_VALUE => None,
            MODULE_VALUE_OLD => return Err((Doing::ModuleValue, Error::Unsupported(byte))),
            byte => Some(self.form.brand.type_of(byte).map_err(|error| (Doing::Opcode, error))?),
        };
        let key = reader.string().map_err(|error| (Doing::Key, error))?;
        let whole = reader.rest();
        let layout = match known {
            Some(kind) => {
                skip::value(kind, reader).map_err(|error| (Doing::Value(kind), error))?;
                Layout::Known(kind)
            }
            None => Layout::Module(modules::skip_value(reader).map_err(|error| (Doing::ModuleValue, error))?),
        };
        let value = &whole[..whole.len() - reader.rest().len()];
        let Hints { expire_ms, idle_s, frequency } = self.hints.take().unwrap_or_default();
        let (db, value_offset) = (self.db, end - whole.len() as u64);
        Ok(Record { db, key, expire_ms, idle_s, frequency, layout, value, offset, value_offset })
    }

    fn other<'a>(&mut self, byte: u8, reader: &mut Reader<'a>) -> Result<Item<'a>, Stop> {
        let doing = match byte {
            opcode::AUX => Doing::Aux,
            opcode::SELECT_DB | opcode::RESIZE_DB | opcode::SLOT_INFO => Doing::Database,
            opcode::FUNCTION | opcode::FUNCTION_OLD => Doing::Function,
            opcode::MODULE_AUX => Doing::ModuleAux,
            opcode::KEY_META_OR_SLOT_IMPORT => Doing::SlotImport,
            _ => Doing::Opcode,
        };
        self.body(byte, reader).map_err(|error| (doing, error))
    }

    fn body<'a>(&mut self, byte: u8, reader: &mut Reader<'a>) -> Result<Item<'a>, Error> {
        Ok(match byte {
            opcode::AUX => Item::Aux { name: reader.string()?, value: reader.string()? },
            opcode::SELECT_DB => {
                let number = reader.length()?;
                self.db = u32::try_from(number).map_err(|_| Error::Corrupt("number of a database"))?;
                Item::Database(self.db)
            }
            opcode::RESIZE_DB => Item::Sizes { keys: reader.length()?, expiring: reader.length()? },
            opcode::SLOT_INFO => {
                let (slot, keys) = (reader.length()?, reader.length()?);
                Item::SlotSizes { slot, keys, expiring: reader.length()? }
            }
            opcode::KEY_META_OR_SLOT_IMPORT => {
                // The name of the job, then first and last slot of each range.
                reader.skip_string()?;
                for _ in 0..reader.length()? {
                    reader.length()?;
                    reader.length()?;
                }
                Item::SlotImport
            }
            opcode::FUNCTION => Item::Function(reader.string()?),
            opcode::FUNCTION_OLD => return Err(Error::OldFunctions),
            opcode::MODULE_AUX => Item::ModuleAux(modules::skip_aux(reader)?),
            opcode::END if self.expects_key() => return Err(Error::Corrupt("a key should follow")),
            opcode::END => Item::End(CheckSum::Unchecked),
            byte => return Err(Error::Unsupported(byte)),
        })
    }

    /// Bytes of the check sum behind the end.
    pub fn sum_bytes(&self) -> usize {
        if self.form.version >= VERSION_WITH_SUM { 8 } else { 0 }
    }

    /// Whether something was said about a key that has not come yet.
    pub fn expects_key(&self) -> bool {
        self.hints.is_some()
    }
}

/// Compares the check sum that was written with that of the bytes, if anybody wants to know the latter.
pub(super) fn compare(stored: Option<u64>, found: Option<u64>) -> Result<CheckSum, Error> {
    match (stored, found) {
        (None | Some(0), _) => Ok(CheckSum::None),
        (_, None) => Ok(CheckSum::Unchecked),
        (Some(stored), Some(found)) if stored == found => Ok(CheckSum::Right),
        (Some(stored), Some(found)) => Err(Error::CheckSum { stored, found }),
    }
}

/// The items of a file, or of a part of one, that lies in memory.
pub struct Items<'a> {
    bytes: &'a [u8],
    /// How much of them is read.
    read: usize,
    /// Where in the file they begin.
    from: u64,
    state: State,
    /// The check sum of so many bytes, if it is wanted.
    sum: Option<(u64, usize)>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Ends with an item that says so.
    File,
    /// Ends where its bytes end.
    Part,
    Over,
}

/// So much is summed at once: the bytes are still in the cache.
const SUM_BYTES: usize = 64 << 10;

impl<'a> Items<'a> {
    /// Of a file. `sums`: whether its check sum is to be verified at its end.
    ///
    /// # Errors
    /// When it is none, or of a version that is not known.
    pub fn of_file(bytes: &'a [u8], sums: bool) -> Result<Self, Damage> {
        let mut reader = Reader::new(bytes);
        let form = Form::read(&mut reader).map_err(|error| Damage {
            offset: 0,
            item: 0,
            doing: Doing::Header,
            key: None,
            error,
        })?;
        let sum = sums.then_some((0, 0));
        Ok(Self { bytes, read: HEADER_BYTES, from: 0, state: State::new(form), sum, kind: Kind::File })
    }

    /// Of a part of a file that lies between items and ends with one.
    pub(super) fn of_part(form: Form, bytes: &'a [u8], from: u64) -> Self {
        Self { bytes, read: 0, from, state: State::new(form), sum: None, kind: Kind::Part }
    }

    /// Of the part with the header.
    pub(super) fn of_head(form: Form, bytes: &'a [u8]) -> Self {
        Self { read: HEADER_BYTES, ..Self::of_part(form, bytes, 0) }
    }

    pub fn form(&self) -> Form {
        self.state.form
    }

    /// Where in the file the next item begins.
    pub fn offset(&self) -> u64 {
        self.from + self.read as u64
    }

    /// What has not been read; at the end, what stands behind the file.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.read..]
    }

    /// The next item; `None` after the last.
    ///
    /// # Errors
    /// After damage nothing more is read.
    pub fn next_item(&mut self) -> Result<Option<Item<'a>>, Damage> {
        if self.kind == Kind::Over {
            return Ok(None);
        }
        if self.kind == Kind::Part && self.read == self.bytes.len() {
            self.kind = Kind::Over;
            return if self.state.expects_key() { Err(self.cut(Doing::Key)) } else { Ok(None) };
        }
        let mut reader = Reader::new(self.rest());
        let end = self.from + self.bytes.len() as u64;
        let item = self.state.next(&mut reader, end).map_err(|damage| {
            self.kind = Kind::Over;
            *damage
        })?;
        self.read = self.bytes.len() - reader.rest().len();
        self.add_up(SUM_BYTES);
        match item {
            Item::End(_) => self.end().map(Some),
            item => Ok(Some(item)),
        }
    }

    /// Sums what was read, if that is so much.
    #[inline]
    fn add_up(&mut self, bytes_min: usize) {
        if let Some((sum, summed)) = &mut self.sum
            && self.read - *summed >= bytes_min
        {
            *sum = crc64(*sum, &self.bytes[*summed..self.read]);
            *summed = self.read;
        }
    }

    fn end(&mut self) -> Result<Item<'a>, Damage> {
        if self.kind == Kind::Part {
            self.kind = Kind::Over;
            return Err(Damage { error: Error::Corrupt("a part has the end"), ..self.cut(Doing::Opcode) });
        }
        self.kind = Kind::Over;
        self.add_up(0);
        let Some(stored) = self.rest().get(..self.state.sum_bytes()) else {
            return Err(self.cut(Doing::CheckSum));
        };
        let stored = <[u8; 8]>::try_from(stored).ok().map(u64::from_le_bytes);
        let compared = compare(stored, self.sum.map(|(sum, _)| sum));
        let damage = |error| Damage { error, ..self.cut(Doing::CheckSum) };
        let compared = compared.map_err(damage)?;
        self.read += self.state.sum_bytes();
        Ok(Item::End(compared))
    }

    fn cut(&self, doing: Doing) -> Damage {
        Damage { offset: self.offset(), item: self.offset(), doing, key: None, error: Error::Truncated }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_item().transpose()
    }
}
