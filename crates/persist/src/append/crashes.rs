//! Append-only files on a disk that fails and loses power at any step: what was acknowledged is there, of the rest a prefix per shard, of
//! transactions of several shards all parts or none, and the manifest names files that are there.
//!
//! A [`World`] is a process that hands over effects, writes rounds and makes new bases, as a seed says; what it has been told is safe is written down.
//! Then the power goes, or only the process, and another reads what is left and goes on.

use super::writer::Syncing;
use super::{SyncPolicy, Writer};
use base::random::Random;
use disk::simulated::{Loss, Omission, Rates, SimulatedDisk, SimulatedFile};
use disk::{Disk, DiskFile, NewFile};
use journal::TxId;
use journal::chunk::Chunk;
use journal::manifest::{Manifest, Rewrite};
use journal::queue::{Added, Queue, Ticket};
use journal::reader::{Entry, Reader};
use journal::recovery::{Remains, cuts};
use journal::survey::{Form, Found, survey};
use std::path::Path;

const DIRECTORY: &str = "appendonlydir";
const PREFIX: &str = "appendonly.aof";
const POLICIES: [SyncPolicy; 3] = [SyncPolicy::Always, SyncPolicy::EverySecond, SyncPolicy::Never];

/// The effects of each shard, in their order. What concerns all databases is an effect of each.
type Lists = Vec<Vec<u64>>;

/// What a process has been told.
#[derive(Clone, Debug)]
struct Told {
    /// Everything handed over.
    lists: Lists,
    /// How many of each shard's are written, and how many are on disk for certain.
    written: Vec<usize>,
    safe: Vec<usize>,
    /// The effects that are parts of a transaction of several shards.
    transactions: Vec<Vec<(usize, u64)>>,
}

/// A base that is being made.
struct NewBase {
    epoch: u64,
    lists: Lists,
}

/// A process, its files and what it knows.
struct World {
    disk: SimulatedDisk,
    random: Random,
    policy: SyncPolicy,
    queue: Queue,
    writer: Writer<SimulatedDisk>,
    told: Told,
    /// With the lengths of the lists at each hand-over.
    tickets: Vec<(Ticket, Vec<usize>)>,
    /// Transactions of which not all parts are known to be there.
    open: Vec<TxId>,
    next: u64,
    /// Generations that have been ended.
    ends: u64,
    base: Option<NewBase>,
    /// A sync that has been done, and nobody has looked at it yet; and what was written when it began.
    under_way: Option<(Syncing<SimulatedFile>, Vec<usize>)>,
}

/// What there is to say when a process ends.
type Ended = String;

impl World {
    /// Goes on with what was found.
    fn start(disk: &SimulatedDisk, seed: u64, policy: SyncPolicy, found: Recovered) -> Result<Self, Ended> {
        let Recovered { manifest, lists, next } = found;
        let (mut random, shards) = (Random::from_seed(seed), lists.len() as u16);
        let is_provisional = manifest.is_empty() && random.below(2) == 0;
        let mut writer =
            Writer::new(disk.clone(), DIRECTORY.into(), manifest, shards).map_err(|it| it.to_string())?;
        writer.open(is_provisional).map_err(|failure| failure.to_string())?;
        let lens: Vec<usize> = lists.iter().map(Vec::len).collect();
        let told = Told { written: lens.clone(), safe: lens, transactions: Vec::new(), lists };
        let base = is_provisional.then(|| NewBase { epoch: 0, lists: told.lists.clone() });
        Ok(Self {
            disk: disk.clone(),
            random,
            policy,
            queue: Queue::new(shards),
            writer,
            told,
            tickets: Vec::new(),
            open: Vec::new(),
            next,
            ends: 0,
            base,
            under_way: None,
        })
    }

    fn shards(&self) -> usize {
        self.told.lists.len()
    }

    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Some effect, of a length at random.
    fn effect(&mut self, chunk: &mut Chunk, shard: usize) -> u64 {
        let id = self.next();
        let max = [10, 100, 3000][self.random.index(3)];
        let filler = vec![b'x'; self.random.index(max)];
        chunk.command((id % 3) as u16, [&b"ADD"[..], id.to_string().as_bytes(), &filler]);
        self.told.lists[shard].push(id);
        id
    }

    fn hand_over(&mut self, chunks: Vec<(usize, Chunk)>, closed: Vec<TxId>) {
        let chunks = chunks.into_iter().map(|(shard, chunk)| (shard as u16, chunk)).collect();
        let ticket = self.queue.hand_over(Added { chunks, closed });
        self.tickets.push((ticket, self.told.lists.iter().map(Vec::len).collect()));
    }

    /// A turn of a shard.
    fn hand_over_own(&mut self) {
        let (shard, mut chunk) = (self.random.index(self.shards()), Chunk::default());
        for _ in 0..=self.random.index(3) {
            let is_block = self.random.below(3) == 0;
            if is_block {
                chunk.begin_block();
                self.effect(&mut chunk, shard);
            }
            self.effect(&mut chunk, shard);
            if is_block {
                chunk.end_block();
            }
        }
        self.hand_over(vec![(shard, chunk)], Vec::new());
    }

    /// A transaction of several shards, handed over at once or piece by piece.
    fn hand_over_together(&mut self) {
        let tx = TxId(self.next());
        let mut shards: Vec<usize> = (0..self.shards()).collect();
        self.random.shuffle(&mut shards);
        shards.truncate(2 + self.random.index(self.shards()));
        let (mut chunks, mut parts) = (Vec::new(), Vec::new());
        for shard in shards {
            let mut chunk = Chunk::default();
            chunk.begin_part(tx);
            for _ in 0..1 + self.random.index(2) {
                let id = self.effect(&mut chunk, shard);
                parts.push((shard, id));
            }
            chunk.end_part();
            chunks.push((shard, chunk));
        }
        self.told.transactions.push(parts);
        if self.random.below(2) == 0 {
            return self.hand_over(chunks, vec![tx]);
        }
        // What others hand over meanwhile is older or newer than the parts, but not between a shard's effects and its file.
        for (shard, chunk) in chunks {
            self.hand_over(vec![(shard, chunk)], Vec::new());
        }
        self.open.push(tx);
    }

    /// All shards end their generation, and all databases may be emptied at that.
    fn end_generation(&mut self, empties: bool) {
        let id = empties.then(|| self.next());
        let text = id.unwrap_or(0).to_string();
        let chunks = (0..self.shards()).map(|shard| {
            let mut chunk = Chunk::default();
            let words: [&[u8]; 2] = [b"FLUSHALL", text.as_bytes()];
            chunk.end_generation((empties && shard == 0).then_some((0, &words[..])));
            (shard, chunk)
        });
        let chunks = chunks.collect();
        self.told.lists.iter_mut().for_each(|list| list.extend(id));
        self.ends += 1;
        self.hand_over(chunks, Vec::new());
    }

    fn close_one(&mut self) {
        if !self.open.is_empty() {
            let place = self.random.index(self.open.len());
            let tx = self.open.swap_remove(place);
            self.hand_over(Vec::new(), vec![tx]);
        }
    }

    /// Does one thing or another.
    fn step(&mut self) -> Result<(), Ended> {
        match self.random.below(20) {
            0..6 => self.hand_over_own(),
            6..8 if self.shards() > 1 => self.hand_over_together(),
            8..10 => self.close_one(),
            10..14 => return self.write(),
            14..17 if self.policy != SyncPolicy::Never => return self.sync(),
            17 => self.end_generation(true),
            18 if self.base.is_none() => {
                self.end_generation(false);
                self.base = Some(NewBase { epoch: self.ends, lists: self.told.lists.clone() });
            }
            _ => return self.end_base(),
        }
        Ok(())
    }

    /// As a shard does it, or the log's thread.
    fn write(&mut self) -> Result<(), Ended> {
        if !self.writer.has_round() {
            let is_shard = self.random.below(2) == 0;
            if !is_shard && self.under_way.is_some() {
                // The thread syncs.
                self.end_sync()?;
            }
            let round = if is_shard { self.queue.take_appends() } else { self.queue.take_round() };
            let Some(round) = round else { return Ok(()) };
            self.writer.begin(round);
        } else {
            self.end_sync()?;
        }
        let is_strict = self.policy == SyncPolicy::Always;
        match self.writer.go_on(is_strict) {
            Ok(round) => round.into_iter().for_each(|round| self.queue.done(round)),
            Err(failure) => return if is_strict { Err(failure.to_string()) } else { Ok(()) },
        }
        if self.writer.is_provisional() {
            // Nothing is promised before there is a base.
            return Ok(());
        }
        let done = self.queue.done_up_to();
        if let Some((_, lens)) = self.tickets.iter().rev().find(|(ticket, _)| *ticket <= done) {
            self.told.written.clone_from(lens);
        }
        Ok(())
    }

    /// Begins a sync, or ends the one that is under way. The disk does it at once, so that nothing is kept that comes later.
    fn sync(&mut self) -> Result<(), Ended> {
        if self.under_way.is_some() {
            return self.end_sync();
        }
        if self.writer.is_lost() || self.writer.is_provisional() {
            return Ok(());
        }
        let Some(mut syncing) = self.writer.begin_sync() else { return Ok(()) };
        self.disk.sync_each(&mut syncing.files);
        self.under_way = Some((syncing, self.told.written.clone()));
        Ok(())
    }

    fn end_sync(&mut self) -> Result<(), Ended> {
        let Some((syncing, written)) = self.under_way.take() else { return Ok(()) };
        match self.writer.end_sync(syncing) {
            Ok(()) => self.told.safe = written,
            Err(failure) if self.policy == SyncPolicy::Always => return Err(failure.to_string()),
            Err(_) => {}
        }
        Ok(())
    }

    /// Makes the new base, once the generation before which it stands has ended.
    fn end_base(&mut self) -> Result<(), Ended> {
        self.end_sync()?;
        let Some(base) = self.base.take_if(|base| self.writer.epoch() >= base.epoch) else { return Ok(()) };
        let manifest = self.writer.manifest();
        let generation = manifest.generation() - (self.writer.epoch() - base.epoch);
        let path = Path::new(DIRECTORY).join(manifest.next_base_name(true));
        let temporary = Path::new(DIRECTORY).join("temp-base");
        let text = base_text(&base.lists);
        let written = NewFile::create(self.disk.clone(), temporary)
            .map_err(|error| error.to_string())
            .and_then(|mut file| file.write(0, &text).and_then(|()| file.replace(&path)));
        // One that fails is given up.
        let _ = written.is_ok()
            && self.writer.end_rewrite(Path::new(DIRECTORY), Rewrite { generation }, true).is_ok();
        Ok(())
    }
}

/// A base stands for an RDB file: it is whole or it cannot be read.
fn base_text(lists: &Lists) -> Vec<u8> {
    let mut text = String::new();
    for list in lists {
        list.iter().for_each(|id| text.push_str(&format!("{id} ")));
        text.push('\n');
    }
    let sum = base::crc64::crc64(0, text.as_bytes());
    text.push_str(&format!("{sum:016x}"));
    text.into_bytes()
}

fn parse_base(bytes: &[u8], shards: usize) -> Option<Lists> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (body, sum) = text.split_at_checked(text.len().checked_sub(16)?)?;
    (format!("{:016x}", base::crc64::crc64(0, body.as_bytes())) == sum).then_some(())?;
    let lists: Option<Lists> =
        body.lines().map(|line| line.split_whitespace().map(|id| id.parse().ok()).collect()).collect();
    lists.filter(|lists| lists.len() == shards)
}

/// What a start has found.
struct Recovered {
    manifest: Manifest,
    lists: Lists,
    /// Higher than any id.
    next: u64,
}

fn map(disk: &SimulatedDisk, name: &str) -> Result<Vec<u8>, String> {
    disk.map(&Path::new(DIRECTORY).join(name)).map_err(|error| format!("{name}: {error}"))
}

/// Reads what is there as the server does, and cuts off what is not to be read again.
fn recover(disk: &SimulatedDisk, shards: usize, next: u64) -> Result<Recovered, String> {
    let manifest = match map(disk, &Manifest::new(PREFIX).name()) {
        Ok(text) => Manifest::parse(PREFIX, &text).map_err(|wrong| wrong.to_string())?,
        Err(_) => Manifest::new(PREFIX),
    };
    let mut lists = vec![Vec::new(); shards];
    if let Some(base) = manifest.base() {
        lists = parse_base(&map(disk, &base.name)?, shards).ok_or("the base is not whole")?;
    }
    let generations: Vec<_> = manifest.generations().collect();
    for (place, generation) in generations.iter().enumerate() {
        let files: Vec<_> = generation.iter().map(|file| map(disk, &file.name)).collect::<Result<_, _>>()?;
        let surveys: Vec<_> =
            files.iter().map(|bytes| survey(bytes, Form { start: 0, is_ours: true }, |_, _| {})).collect();
        for (file, survey) in generation.iter().zip(&surveys) {
            match &survey.flaw {
                Some(Found::Tail(_)) if place + 1 == generations.len() => {}
                Some(flaw) => return Err(format!("{}: {flaw:?}", file.name)),
                None => {}
            }
        }
        let ends =
            cuts(&surveys.iter().map(Remains::from).collect::<Vec<_>>()).map_err(|lost| lost.to_string())?;
        let is_cut = surveys.iter().zip(&ends).any(|(survey, end)| *end < survey.whole_bytes);
        if is_cut && place + 1 < generations.len() {
            return Err("something has been lost in the middle".to_owned());
        }
        for (shard, (bytes, end)) in files.iter().zip(&ends).enumerate() {
            play(&bytes[..*end as usize], shard, &mut lists)?;
        }
        for ((file, bytes), end) in generation.iter().zip(&files).zip(ends) {
            // What nobody has synced so far is relied on from now on.
            let is_cut = end < bytes.len() as u64;
            let opened = disk.open(&Path::new(DIRECTORY).join(&file.name));
            let kept = opened.and_then(|mut opened| {
                if is_cut {
                    opened.set_len(end)?;
                }
                opened.sync_all()
            });
            kept.map_err(|error| format!("{}: {error}", file.name))?;
        }
    }
    let next = lists.iter().flatten().copied().max().unwrap_or(0).max(next);
    Ok(Recovered { manifest, lists, next })
}

/// Plays the file of a shard.
fn play(bytes: &[u8], shard: usize, lists: &mut Lists) -> Result<(), String> {
    let (mut reader, mut db) = (Reader::new(bytes, 0), 0);
    let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse::<u64>().ok();
    while let Some((_, entry)) = reader.next_entry().map_err(|flaw| flaw.to_string())? {
        let Entry::Command(words) = entry else { continue };
        match (words[0], words.get(1).and_then(|word| number(word))) {
            (b"SELECT", Some(number)) => db = number,
            (b"MULTI" | b"EXEC", None) => {}
            (b"ADD", Some(id)) if id % 3 == db => lists[shard].push(id),
            (b"FLUSHALL", Some(id)) if shard == 0 => lists.iter_mut().for_each(|list| list.push(id)),
            _ => return Err(format!("{:?} in database {db}", words[0].escape_ascii().to_string())),
        }
    }
    Ok(())
}

/// Whether what was found is what may be.
fn check(told: &Told, found: &Lists, has_power_gone: bool) -> Result<(), String> {
    let least = if has_power_gone { &told.safe } else { &told.written };
    for (shard, (list, found)) in told.lists.iter().zip(found).enumerate() {
        if !list.starts_with(found) {
            return Err(format!("shard {shard} has no prefix of what it handed over"));
        }
        if found.len() < least[shard] {
            let (found, least) = (found.len(), least[shard]);
            return Err(format!("shard {shard} has {found} effects, and {least} were acknowledged"));
        }
    }
    for parts in &told.transactions {
        let there = parts.iter().filter(|(shard, id)| found[*shard].contains(id)).count();
        if there != 0 && there != parts.len() {
            return Err(format!("of a transaction of {} parts {there} are there", parts.len()));
        }
    }
    Ok(())
}

/// How a run goes.
#[derive(Clone, Copy, Debug)]
struct Plan {
    seed: u64,
    policy: SyncPolicy,
    shards: usize,
    /// How many things a process does.
    things: usize,
    rates: Option<Rates>,
    omission: Option<Omission>,
}

/// A process does this and that until the power goes before a step of the disk, or it stops.
fn live(plan: Plan, disk: &SimulatedDisk, found: Recovered, life: u64) -> (Told, u64, bool) {
    let (lists, next) = (found.lists.clone(), found.next);
    let lens: Vec<usize> = lists.iter().map(Vec::len).collect();
    let told = Told { written: lens.clone(), safe: lens, transactions: Vec::new(), lists };
    let Ok(mut world) = World::start(disk, plan.seed * 1000 + life, plan.policy, found) else {
        return (told, next, disk.failures() > 0);
    };
    for _ in 0..plan.things {
        if world.step().is_err() {
            break;
        }
    }
    let is_lost = world.writer.is_lost();
    (world.told, world.next, is_lost)
}

/// Three processes, one after the other, of which the first ends before a step of the disk: what the others find.
fn lives(plan: Plan, crash_at: u64, loss: Loss, loss_seed: u64) -> Result<u64, String> {
    let mut disk = SimulatedDisk::new(plan.seed);
    let mut next = 0;
    let mut steps = 0;
    for life in 0..3 {
        plan.rates.into_iter().for_each(|rates| disk.fail_at_random(rates));
        plan.omission.into_iter().for_each(|omission| disk.omit(omission));
        // The first at this step, the next at any.
        let mut random = Random::from_seed(plan.seed ^ loss_seed << 20 ^ life);
        let at = if life == 0 { crash_at } else { random.below(crash_at + 1) };
        let found = match life {
            0 => Recovered { manifest: Manifest::new(PREFIX), lists: vec![Vec::new(); plan.shards], next },
            _ => {
                disk.heal();
                recover(&disk, plan.shards, next)?
            }
        };
        plan.rates.into_iter().for_each(|rates| disk.fail_at_random(rates));
        let begun = disk.steps();
        disk.crash_at(begun + at);
        let (told, last, is_lost) = live(plan, &disk, found, life);
        next = last;
        if life == 0 {
            steps = disk.steps() - begun;
        }
        // After a sync that has failed nobody knows what is on disk. Who has started before it is known has no way to find out.
        let loss = if is_lost && loss == Loss::Nothing { Loss::Some } else { loss };
        disk = disk.after_crash(loss, loss_seed);
        let found = recover(&disk, plan.shards, next)
            .map_err(|reason| format!("life {life}: it does not start: {reason}"))?;
        check(&told, &found.lists, loss != Loss::Nothing).map_err(|what| format!("life {life}: {what}"))?;
    }
    Ok(steps)
}

/// Ends the first process at every step, in several ways.
fn crash_everywhere(plan: Plan, others: u64) -> Result<u64, String> {
    let all = lives(plan, u64::MAX >> 1, Loss::Nothing, 0)?;
    let mut runs = 0;
    for at in 0..=all {
        let ways = [(Loss::Nothing, 0), (Loss::Everything, 0)].into_iter();
        for (loss, seed) in ways.chain((0..others).map(|seed| (Loss::Some, seed))) {
            lives(plan, at, loss, seed).map_err(|what| {
                format!("{plan:?}, step {at} of {all}, {loss:?} lost, seed {seed}: {what}")
            })?;
            runs += 1;
        }
    }
    Ok(runs)
}

fn plan(seed: u64, policy: SyncPolicy) -> Plan {
    Plan { seed, policy, shards: 1 + (seed % 4) as usize, things: 60, rates: None, omission: None }
}

#[test]
fn a_crash_at_any_step_loses_nothing_that_was_acknowledged() {
    let mut runs = 0;
    for policy in POLICIES {
        for seed in 0..6 {
            runs += crash_everywhere(plan(seed, policy), 4).unwrap();
        }
    }
    assert!(runs > 3000, "{runs}");
}

#[test]
fn faults_at_random_lose_nothing_that_was_acknowledged() {
    for policy in POLICIES {
        for seed in 100..700 {
            let mut random = Random::from_seed(seed);
            let rates = Rates { eio: 1, enospc: 1, short: 5 };
            let plan = Plan { rates: Some(rates), things: 100, ..plan(seed, policy) };
            let loss = [Loss::Nothing, Loss::Everything, Loss::Some][random.index(3)];
            let at = random.below(300);
            lives(plan, at, loss, seed)
                .unwrap_or_else(|what| panic!("{plan:?}, step {at}, {loss:?}: {what}"));
        }
    }
}

/// Each mistake that a writer could make is found.
#[test]
fn each_planted_mistake_is_found() {
    for omission in Omission::ALL {
        let is_found = (0..40).any(|seed| {
            let rates = (omission == Omission::WriteErrors).then_some(Rates { eio: 0, enospc: 3, short: 5 });
            let plan = Plan { rates, omission: Some(omission), ..plan(seed, SyncPolicy::Always) };
            let mut random = Random::from_seed(seed);
            (0..50).any(|loss_seed| lives(plan, random.below(120), Loss::Some, loss_seed).is_err())
        });
        assert!(is_found, "{omission:?}");
    }
}
