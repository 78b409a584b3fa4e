//! Processes with append-only files and `appendfsync always` whose power goes at any moment: what was acknowledged is there afterwards, what anybody has
//! read, too; and what belongs together is there as a whole or not at all.
//!
//! A run follows from its seed. The shards, the journal's rounds, the writer and the start with what is left are the real ones; turns, mailboxes, connections
//! and the disk are simulated as elsewhere in this crate. The gate, which holds back replies until what they tell of is on disk, is modelled
//! in [`crate::shard_thread`]; bases are not made.
//!
//! Each client has keys of its own: a list that grows, strings that are written together by MSET, EXEC and a script, each time with the next number. Others read them. So
//! what must be there after a crash is a number between what was acknowledged or seen and what was sent.

mod client;
mod life;

use self::client::Client;
use self::life::Life;
use base::random::Random;
use disk::simulated::{Loss, SimulatedDisk};

/// What a process does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Replies leave before what they tell of is on disk.
    Gate,
    /// What was written counts as synced.
    Sync,
    /// Some parts of transactions of several shards are lost.
    Part,
    /// What a turn has done is handed over when its messages and replies have left.
    Late,
}

impl Mistake {
    pub const ALL: [Self; 4] = [Self::Gate, Self::Sync, Self::Part, Self::Late];
}

/// What has come of a run in which everything was as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survived {
    /// Ends of processes, and among them those in the middle of a step of the disk.
    pub crashes: u64,
    pub crashes_of_disk: u64,
    /// Ends while something had been handed over that was not safe.
    pub crashes_amid: u64,
    /// Operations that were acknowledged, and rounds.
    pub acknowledged: u64,
    pub rounds: u64,
    /// Starts with another number of shards than before.
    pub other_shards: u64,
}

/// Processes, one after the other, on one disk.
const LIVES: u64 = 4;

/// Runs a seed.
///
/// # Errors
/// What is there that should not be, or is not there that should be.
pub fn run(seed: u64, mistake: Option<Mistake>) -> Result<Survived, String> {
    let mut random = Random::from_seed(seed);
    let mut disk = SimulatedDisk::new(seed);
    let mut clients: Vec<Client> = (0..2 + random.index(4)).map(Client::new).collect();
    let mut survived = Survived::default();
    let mut before = None;
    for life in 0..=LIVES {
        let shards = [1, 2, 3, 4][random.index(4)];
        survived.other_shards += u64::from(before.is_some_and(|before| before != shards));
        before = Some(shards);
        let what = |wrong: String| format!("seed {seed}, life {life}, {shards} shards: {wrong}");
        let mut process = Life::start(&disk, shards, mistake, random.fork()).map_err(what)?;
        for client in &mut clients {
            client.check(&mut |key| process.read(key)).map_err(what)?;
        }
        if life == LIVES {
            break;
        }
        process.live(&mut clients).map_err(what)?;
        survived.crashes += 1;
        survived.crashes_of_disk += u64::from(disk.has_crashed());
        survived.crashes_amid += u64::from(process.is_amid());
        survived.rounds += process.rounds();
        let loss = [Loss::Some, Loss::Some, Loss::Everything, Loss::Nothing][random.index(4)];
        disk = disk.after_crash(loss, random.next_u64());
    }
    survived.acknowledged = clients.iter().map(Client::acknowledged).sum();
    Ok(survived)
}
