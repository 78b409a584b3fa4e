//! The accounts of a database, kept and counted anew. They must never differ; tests compare them.

use crate::db::Db;
use crate::record::{self, EXPIRE_MAX_MS};

/// What a database keeps account of beside its table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Records with an expiry.
    pub expiring: usize,
    /// Bytes that records own outside the table.
    pub outside_bytes: usize,
    /// Bytes of the records themselves.
    pub record_bytes: usize,
    /// Records whose expiry does not fit them.
    pub far: usize,
}

impl Db {
    /// The accounts as they are kept.
    pub fn accounts(&self) -> Accounts {
        Accounts {
            expiring: self.expiring,
            outside_bytes: self.outside,
            record_bytes: self.live,
            far: self.far.len(),
        }
    }

    /// The accounts as all records together give them. Looks at every record.
    pub fn recount(&self) -> Accounts {
        let mut sum = Accounts::default();
        for record in self.table.iter() {
            let expire = record::expire(record);
            sum.expiring += usize::from(expire.is_some());
            sum.outside_bytes += record::outside_bytes(record);
            sum.record_bytes += record.len();
            sum.far += usize::from(expire == Some(EXPIRE_MAX_MS));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Value};
    use base::hash::HashSeed;

    #[test]
    fn accounts_are_what_a_recount_gives() {
        let seed = HashSeed::new(1, 2);
        let mut db = Db::new(seed.clone());
        let long = vec![b'k'; 1000];
        for (key, len, expire) in [(&b"a"[..], 3, None), (b"b", 5000, Some(9)), (&long, 1, Some(1 << 60))] {
            db.put(Key::new(key, &seed), None, Value::string(&vec![b'v'; len]), expire, 0);
        }
        let counted = db.recount();
        assert_eq!(db.accounts(), counted);
        assert_eq!((counted.expiring, counted.far), (2, 1));
        assert!(counted.outside_bytes >= 6000 && counted.record_bytes > 0);
    }
}
