//! A reply as a tree. One variant for each RESP type; nothing is converted or merged, so that a test can tell
//! a null bulk from a null array, a simple string from a bulk and a set from an array.

/// A reply of the server, RESP2 or RESP3.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+`: a status line.
    Simple(Vec<u8>),
    /// `-`: an error line, with its code (`WRONGTYPE …`).
    Error(Vec<u8>),
    /// `:`
    Integer(i64),
    /// `:` beyond that.
    Natural(u64),
    /// `$`
    Bulk(Vec<u8>),
    /// `$-1` in RESP2, `_` in RESP3.
    Null,
    /// `*-1`, only in RESP2.
    NullArray,
    /// `*`
    Array(Vec<Value>),
    /// `#`
    Boolean(bool),
    /// `,`
    Double(f64),
    /// `(`: decimal digits as they came.
    BigNumber(String),
    /// `!`
    BlobError(Vec<u8>),
    /// `=`: a three letter format (`txt`, `mkd`) and the text.
    Verbatim { format: String, text: Vec<u8> },
    /// `%`: pairs in the order they came.
    Map(Vec<(Value, Value)>),
    /// `~`: elements in the order they came.
    Set(Vec<Value>),
    /// `>`: out-of-band data.
    Push(Vec<Value>),
    /// `|`: attributes, and the value they stand before.
    Attributed { attributes: Vec<(Value, Value)>, value: Box<Value> },
}

impl Value {
    /// A bulk string, for comparisons.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Value {
        Value::Bulk(bytes.as_ref().to_vec())
    }

    /// A status line, for comparisons.
    pub fn simple(text: impl AsRef<[u8]>) -> Value {
        Value::Simple(text.as_ref().to_vec())
    }

    /// An array of bulk strings, for comparisons.
    pub fn bulks<T: AsRef<[u8]>>(items: &[T]) -> Value {
        Value::Array(items.iter().map(Value::bulk).collect())
    }

    /// True for the status line `OK`.
    pub fn is_ok(&self) -> bool {
        matches!(self, Value::Simple(text) if text == b"OK")
    }

    /// True for both kinds of null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null | Value::NullArray)
    }

    /// True for both kinds of error.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_) | Value::BlobError(_))
    }

    /// The bytes of anything that is a text: bulk, status line, error, verbatim, big number.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(b) | Value::Error(b) | Value::Bulk(b) | Value::BlobError(b) => Some(b),
            Value::Verbatim { text, .. } => Some(text),
            Value::BigNumber(digits) => Some(digits.as_bytes()),
            _ => None,
        }
    }

    /// The same as [`Value::bytes`], as a string; invalid UTF-8 is replaced.
    pub fn string(&self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The number of an integer reply, or of a bulk string of decimal digits.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            Value::Bulk(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The elements of an array, set or push.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a named field in a map, or in the flat array of pairs that stands for one in RESP2.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let is_it = |key: &Value| key.bytes() == Some(name.as_bytes());
        match self {
            Value::Map(pairs) => pairs.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value),
            Value::Array(items) => items.chunks_exact(2).find(|pair| is_it(&pair[0])).map(|pair| &pair[1]),
            _ => None,
        }
    }
}
