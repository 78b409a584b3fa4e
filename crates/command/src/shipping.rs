//! Values on their way to another server (MIGRATE), and what has come of them.

use journal::chunk::append_command;

/// Values that another server is to take, with the commands that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shipment {
    pub host: Vec<u8>,
    /// As it was given.
    pub port: Vec<u8>,
    /// For each step: to connect, to send 64 KiB, to wait for a line.
    pub timeout_ms: u64,
    /// The database there.
    pub db: i64,
    /// AUTH with its arguments, as a request; empty for none.
    pub auth: Vec<u8>,
    pub keys: Vec<Vec<u8>>,
    /// A RESTORE for each key.
    pub restores: Vec<u8>,
}

/// What has come of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub keys: Vec<Vec<u8>>,
    /// Which of the keys the other server has taken.
    pub taken: Vec<bool>,
    /// The error for the client, without `-`.
    pub error: Option<Vec<u8>>,
}

/// Who carries it.
pub trait Migrator: Send + Sync {
    /// Carries it now; returns when it is over.
    fn carry(&self, shipment: Shipment) -> Delivery;

    /// How many connections are kept open for what comes next.
    fn kept_connections(&self) -> usize;
}

/// Appends a request.
pub fn append_request(out: &mut Vec<u8>, words: &[&[u8]]) {
    append_command(out, words.iter().copied());
}
