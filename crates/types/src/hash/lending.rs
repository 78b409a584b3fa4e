//! A long hash some of whose values lie in an index, which needs them anyway: of a document with a vector there is one copy then.
//!
//! The fields stand in a listpack as those of any long hash, in their order and with their expire times; where a value lies elsewhere nothing stands in its place.
//! Reading puts it together. Whoever changes the hash, in whatever way, takes all of its values back first ([`Hash::take_back`]): what has changed is indexed anew, and lent again by
//! whoever does that.

use super::packed::Packed;
use super::value::Value;
use super::{Entry, Hash, Iter};
use crate::listpack::{At, Item, Listpack};
use vector::Loan;

/// Values shorter than this stay: a reference takes some of them as well.
pub const LENT_BYTES_MIN: usize = 256;

/// A hash with values that lie elsewhere.
pub struct Lending {
    listpack: Listpack,
    loans: Loans,
}

/// The values that lie elsewhere, nearly always one, which then needs no block of its own.
enum Loans {
    One(Lent),
    Several(Box<[Lent]>),
}

/// Where a field stands whose value lies elsewhere, and where that is.
struct Lent {
    loan: Loan,
    at: u32,
    /// Entries of the listpack that make one field: the same for all of a hash.
    width: u8,
}

/// There is one for each document with a vector.
const _: () = assert!(size_of::<Lending>() == 48, "no more than its parts");

impl Loans {
    /// Of at least one.
    fn new(mut loans: Vec<Lent>) -> Self {
        match loans.pop() {
            Some(one) if loans.is_empty() => Self::One(one),
            last => Self::Several(loans.into_iter().chain(last).collect()),
        }
    }

    #[inline]
    fn all(&self) -> &[Lent] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }

    /// Bytes outside of it.
    fn bytes(&self) -> usize {
        if let Self::Several(several) = self { size_of_val(&**several) } else { 0 }
    }
}

impl Lending {
    #[inline]
    pub(super) fn packed(&self) -> Packed<'_> {
        Packed { listpack: &self.listpack, width: self.width() }
    }

    fn width(&self) -> usize {
        self.loans.all().first().map_or(2, |lent| lent.width.into())
    }

    /// Bytes of the block, of what it owns, and of the values that lie elsewhere: no account has those but that of who has the hash.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.listpack.bytes() + self.loans.bytes() + self.lent_bytes()
    }

    fn lent_bytes(&self) -> usize {
        self.loans.all().iter().map(|lent| lent.loan.sent_bytes()).sum()
    }

    pub(super) fn iter(&self) -> Iter<'_> {
        Iter::Lending { hash: self, next: self.listpack.first() }
    }

    /// The field that starts at `at`, and the place of the next.
    pub(super) fn read(&self, at: At) -> (Entry<'_>, Option<At>) {
        let (mut entry, next) = self.packed().read(at);
        if let Some(lent) = self.loans.all().iter().find(|lent| lent.at as usize == at.offset()) {
            entry.value = Value::Lent(&lent.loan);
        }
        (entry, next)
    }

    pub(super) fn entry(&self, field: &[u8]) -> Option<Entry<'_>> {
        Some(self.read(self.packed().find(field)?).0)
    }

    /// The same with all values of its own.
    pub(super) fn whole(&self) -> Hash {
        let mut listpack = Listpack::with_capacity(self.listpack.total_bytes() + self.lent_bytes() + 16);
        let width = self.width();
        for entry in self.iter() {
            match entry.value {
                Value::Lent(loan) => append(&mut listpack, &entry, Item::Str(&loan.to_vec()), width),
                Value::Str(bytes) => append(&mut listpack, &entry, Item::Str(bytes), width),
                Value::Int(value) => append(&mut listpack, &entry, Item::Int(value), width),
            }
        }
        if width == 3 { Hash::LongEx(listpack) } else { Hash::Long(listpack) }
    }
}

fn append(listpack: &mut Listpack, entry: &Entry<'_>, value: Item<'_>, width: usize) {
    let row = [entry.field, value, Item::Int(entry.expire.unwrap_or(0) as i64)];
    listpack.insert_row(listpack.end(), &row[..width]);
}

impl Hash {
    /// Whether a value of this length may lie elsewhere, if the hash has a form in which that can be.
    pub fn can_lend(&self, value_bytes: usize) -> bool {
        value_bytes >= LENT_BYTES_MIN && matches!(self, Self::Long(_) | Self::LongEx(_) | Self::Lending(_))
    }

    /// How many values lie elsewhere.
    pub fn lent_len(&self) -> usize {
        if let Self::Lending(lending) = self { lending.loans.all().len() } else { 0 }
    }

    /// Bytes of the values that lie elsewhere.
    pub fn lent_bytes(&self) -> usize {
        if let Self::Lending(lending) = self { lending.lent_bytes() } else { 0 }
    }

    /// Where the value of a field lies, if that is elsewhere.
    pub fn lent(&self, field: &[u8]) -> Option<&Loan> {
        let Self::Lending(lending) = self else { return None };
        match lending.entry(field)?.value {
            Value::Lent(loan) => Some(loan),
            _ => None,
        }
    }

    /// Lets the values of these fields lie where the loans say, and all others here. A loan of other bytes than the value is not taken.
    ///
    /// # Panics
    /// If [`Hash::can_lend`] says no.
    pub fn lend<'a>(&mut self, loans: impl IntoIterator<Item = (&'a [u8], Loan)>) {
        self.take_back();
        let Some(Packed { listpack: whole, width }) = self.packed().filter(|_| self.is_long()) else {
            panic!("a long hash lends")
        };
        let mut loans: Vec<(&[u8], Loan)> = loans.into_iter().collect();
        let mut lent = Vec::with_capacity(loans.len());
        let mut listpack = Listpack::new();
        let mut items = whole.iter();
        while let (Some(field), Some(value)) = (items.next(), items.next()) {
            let row =
                [field, value, if width == 3 { items.next().unwrap_or(Item::Int(0)) } else { Item::Int(0) }];
            let found = loans.iter().position(|(of, _)| field.eq_bytes(of));
            let loan = found.map(|at| loans.swap_remove(at).1);
            let at = listpack.end();
            match loan.filter(|loan| value.eq_bytes(&loan.to_vec())) {
                Some(loan) => {
                    lent.push(Lent { loan, at: at.offset() as u32, width: width as u8 });
                    listpack.insert_row(at, &[field, Item::Str(b""), row[2]][..width]);
                }
                None => listpack.insert_row(at, &row[..width]),
            }
        }
        if !lent.is_empty() {
            listpack.shrink_to_fit();
            *self = Self::Lending(Box::new(Lending { listpack, loans: Loans::new(lent) }));
        }
    }

    /// Has all values lie here again.
    #[inline]
    pub fn take_back(&mut self) {
        if let Self::Lending(lending) = self {
            *self = lending.whole();
        }
    }

    /// The same if there is something to change: what is as before is not indexed again, so that nobody would lend the values again.
    #[inline]
    pub(super) fn take_back_if(&mut self, changes: impl FnOnce(&Lending) -> bool) {
        if let Self::Lending(lending) = self
            && changes(lending)
        {
            *self = lending.whole();
        }
    }
}
