//! Documents that could not be indexed: how many, and the last of them.

use search::schema::FieldNumber;

/// Failures of one kind.
#[derive(Clone, Debug, Default)]
pub struct Count {
    pub count: u64,
    /// The last: what was wrong, with which key, and when (monotonic µs of the process).
    pub last: Option<Last>,
}

/// A failure.
#[derive(Clone, Debug)]
pub struct Last {
    pub error: String,
    pub key: Vec<u8>,
    pub at_us: u64,
}

/// The failures of an index on a shard.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    pub all: Count,
    /// By field; shorter than the schema while no later field has failed.
    by_field: Vec<Count>,
}

impl Count {
    fn note(&mut self, last: &Last) {
        self.count += 1;
        self.last = Some(last.clone());
    }
}

impl Failures {
    /// A document could not be indexed, because of a field or as a whole.
    pub fn note(&mut self, field: Option<FieldNumber>, last: &Last) {
        self.all.note(last);
        if let Some(field) = field.map(usize::from) {
            if self.by_field.len() <= field {
                self.by_field.resize_with(field + 1, Count::default);
            }
            self.by_field[field].note(last);
        }
    }

    /// Those of a field.
    pub fn of_field(&self, field: usize) -> Count {
        self.by_field.get(field).cloned().unwrap_or_default()
    }
}
