//! Documents that read their vectors where the graph has them, instead of keeping a copy of their own.

use crate::DocumentId;
use crate::index::Index;
use crate::schema::FieldNumber;
use vector::Loan;

/// Where a document's vector can be had.
pub struct Lender<'a> {
    index: &'a Index,
    field: FieldNumber,
    id: DocumentId,
}

impl Index {
    /// The VECTOR fields of a document, each with where hashes have it.
    pub fn lenders(&self, id: DocumentId) -> impl Iterator<Item = (&[u8], Lender<'_>)> {
        let fields = self.schema().fields.iter().zip(0..);
        fields
            .filter(move |(_, number)| self.vectors(*number).is_some_and(|vectors| vectors.lends(id)))
            .map(move |(field, number)| (field.path.as_slice(), Lender { index: self, field: number, id }))
    }

    /// Whether vectors of its documents may be lent.
    pub fn lends(&self) -> bool {
        self.graph_fields().next().is_some()
    }
}

impl Lender<'_> {
    /// The vector as it was sent, to be read for as long as who asks for it wants.
    pub fn lend(&self) -> Option<Loan> {
        self.index.vectors(self.field)?.lend(self.id)
    }

    /// Whether a loan is of that vector.
    pub fn has_lent(&self, loan: &Loan) -> bool {
        self.index.vectors(self.field).is_some_and(|vectors| vectors.has_lent(self.id, loan))
    }
}
