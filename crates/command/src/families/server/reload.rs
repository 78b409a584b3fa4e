//! DEBUG RELOAD and DEBUG LOADAOF: what files say takes the place of the data.
//!
//! They go in steps, each a command for all shards that are left alone meanwhile (the `shard` crate has the steps): what there is is
//! saved; every shard loads its part beside what it has; then, if all have succeeded, it takes the place. So a file that is not there or
//! damaged changes nothing.

use super::process::postpone_rewrite;
use crate::change::DbKey;
use crate::indexes::saved::Statement;
use crate::saving::{Purpose, Reload, Source};
use crate::scripting::libraries::Shelf;
use crate::{Args, Command, Cx, Error, Outcome, ShardCx};
use keyspace::{Databases, Found, Free, Key};
use resp::Reply;
use std::sync::Arc;

/// The steps. The word behind the name says which; what follows is for the last.
pub const STEP: Command = Command::on_all("RELOAD", part, done).prepare(begin);

/// What there is is on its way to the files.
pub const HAND_OVER: &[u8] = b"hand-over";
pub const SAVE: &[u8] = b"save";
pub const LOAD: &[u8] = b"load";
pub const TAKE: &[u8] = b"take";
/// Nothing comes of it.
pub const LEAVE: &[u8] = b"leave";

/// DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE], DEBUG LOADAOF
///
/// # Errors
/// It is neither.
pub fn read(args: Args<'_>) -> Result<Reload, Error> {
    if args.is(1, "LOADAOF") {
        return Ok(Reload { source: Source::Log, saves: false, flushes: true, merges: false });
    }
    let mut reload = Reload { source: Source::Snapshot, saves: true, flushes: true, merges: false };
    for at in 2..args.len() {
        match () {
            () if args.is(at, "MERGE") => reload.merges = true,
            () if args.is(at, "NOFLUSH") => reload.flushes = false,
            () if args.is(at, "NOSAVE") => reload.saves = false,
            () => {
                let text = "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.";
                return Err(Error::err(text));
            }
        }
    }
    Ok(reload)
}

/// The words of a step.
pub fn words(step: &[u8], reload: Reload) -> Vec<Vec<u8>> {
    let digit = |yes: bool| vec![b'0' + u8::from(yes)];
    let source = digit(reload.source == Source::Log);
    let flags = [reload.saves, reload.flushes, reload.merges].map(digit);
    [b"RELOAD".to_vec(), step.to_vec(), source].into_iter().chain(flags).collect()
}

fn reload_of(args: Args<'_>) -> Reload {
    let flag = |at: usize| args.get(at) == Some(b"1");
    let source = if flag(2) { Source::Log } else { Source::Snapshot };
    Reload { source, saves: flag(3), flushes: flag(4), merges: flag(5) }
}

fn failed(source: Source) -> Error {
    Error::err(match source {
        Source::Snapshot => "Error trying to load the RDB dump",
        Source::Log => "Error trying to load the AOF files, check server logs",
    })
}

/// What one shard does for all before a step.
fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let reload = reload_of(args);
    let saver = cx.shard.saver.clone().ok_or_else(|| failed(reload.source))?;
    match &args[1] {
        SAVE => {
            // One save at a time: this one has all that another would have.
            postpone_rewrite(cx);
            saver.give_up();
            cx.shard.open_save(Purpose::Snapshot).map_err(|_| Error::text("ERR"))?;
        }
        LOAD => {
            postpone_rewrite(cx);
            if !saver.open_reload(cx.shard, reload.source) {
                return Err(failed(reload.source));
            }
        }
        _ => {}
    }
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

fn part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (shard, reload) = (&mut *cx.shard, reload_of(args));
    match &args[1] {
        SAVE => {
            shard.begin_saving();
            while shard.save_on() {}
        }
        LOAD if !shard.load_aside(reload) => return Err(failed(reload.source)),
        TAKE => shard.take_aside(reload),
        LEAVE => shard.aside = None,
        _ => {}
    }
    out.ok();
    Ok(())
}

fn done(cx: &mut ShardCx, args: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    let Some(saver) = cx.saver.clone() else { return Err(failed(reload_of(args).source)) };
    match &args[1] {
        SAVE if !saver.wait() => return Err(Error::text("ERR")),
        TAKE => {
            cx.tell_flushed();
            saver.close_reload(Some(reload_of(args).source));
        }
        LEAVE => saver.close_reload(None),
        _ => {}
    }
    out.ok();
    Ok(())
}

/// What has been loaded and is not in its place.
pub struct Aside {
    dbs: Databases,
    libraries: Shelf,
    indexes: Vec<Statement>,
}

impl ShardCx {
    /// Loads this shard's part beside what there is; whether it can take its place.
    fn load_aside(&mut self, reload: Reload) -> bool {
        let Some(saver) = self.saver.clone() else { return false };
        let fresh = self.dbs.anew();
        let kept = std::mem::replace(&mut self.dbs, fresh);
        let shelf = std::mem::take(&mut self.scripts.functions.shelf);
        let indexes = self.indexes.set_aside();
        let is_loaded = saver.reload(self, reload.source);
        let dbs = std::mem::replace(&mut self.dbs, kept);
        let libraries = std::mem::replace(&mut self.scripts.functions.shelf, shelf);
        let loaded = self.indexes.bring_back(indexes);
        self.set_listening();
        let aside = Aside { dbs, libraries, indexes: loaded.statements() };
        let fits = is_loaded && (reload.flushes || self.has_room_for(&aside, reload.merges));
        self.aside = Some(Box::new(aside));
        fits
    }

    /// Whether that can be added to what there is, or, with `merges`, take the place of what has the same name.
    fn has_room_for(&mut self, aside: &Aside, merges: bool) -> bool {
        let seed = self.seed.clone();
        let mut all =
            aside.dbs.numbered().flat_map(|(number, db)| db.iter().map(move |(key, ..)| (number, key)));
        let dbs = &mut self.dbs;
        let is_there =
            |(db, key): (u16, &[u8])| !matches!(dbs[db.into()].find(Key::new(key, &seed), 0), Found::Missing);
        self.scripts.functions.shelf.can_take(&aside.libraries, merges).is_ok()
            && (merges || !all.any(is_there))
    }

    /// What has been loaded takes the place of what there is, or joins it.
    fn take_aside(&mut self, reload: Reload) {
        let Some(aside) = self.aside.take() else { return };
        // A save or a rewrite that has begun contains what there was.
        while self.save_on() {}
        for db in 0..self.dbs.count() as u16 {
            self.touch_watched_in(db, None);
            self.awaited.note_all(db);
        }
        self.begin_tracked_flush();
        let Aside { dbs, libraries, indexes } = *aside;
        let is_news = reload.source == Source::Snapshot && !(reload.saves && reload.flushes);
        let (keys, codes) = match is_news && self.logs() {
            true => {
                (names(&dbs), libraries.libraries().map(|(_, library)| Arc::clone(&library.code)).collect())
            }
            false => (Vec::new(), Vec::new()),
        };
        if reload.flushes {
            self.dbs.iter_mut().for_each(|db| db.clear(Free::Now));
            self.dbs = dbs;
            self.scripts.functions.flush();
        } else {
            self.join(dbs);
        }
        self.take_indexes(&indexes, reload.flushes);
        let joined = self.scripts.functions.shelf.join(libraries, true);
        assert!(joined.is_ok(), "that was looked at before");
        if is_news {
            self.write_reloaded(reload.flushes, &keys, &codes, &indexes);
        }
        if reload.source == Source::Log {
            self.dirty = 0;
        }
    }

    /// Has the indexes of a file in place of all others, or keeps those that there are; all keys are looked at.
    fn take_indexes(&mut self, statements: &[Statement], replaces: bool) {
        if replaces {
            self.indexes.clear();
            for words in statements {
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                let restored = self.restore_index(&words);
                assert!(restored.is_ok(), "it was made of this file before");
            }
        }
        self.index_all_anew();
    }

    /// Adds what other databases have; it takes the place of what is there.
    fn join(&mut self, mut others: Databases) {
        std::mem::swap(&mut self.dbs, &mut others);
        let mut coming = Vec::new();
        self.take_all(|db, key, entry| coming.push((db, key, entry)));
        std::mem::swap(&mut self.dbs, &mut others);
        let seed = self.seed.clone();
        for (number, key, entry) in coming {
            let db = &mut self.dbs[usize::from(number)];
            if let Found::Live(pos) = db.find(Key::new(&key, &seed), 0) {
                drop(db.take(pos));
            }
            let is_new = self.load(number, &key, entry);
            debug_assert!(is_new, "it has been taken away");
        }
    }
}

fn names(dbs: &Databases) -> Vec<DbKey> {
    dbs.numbered().flat_map(|(number, db)| db.iter().map(move |(key, ..)| (number, key.to_vec()))).collect()
}
