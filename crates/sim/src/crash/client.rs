//! A client that knows what must be there after a crash.

use base::random::Random;
use testkit::Value;

/// Keys that are written together; on several shards, if there are several.
const TOGETHER: [&str; 3] = ["a", "b", "c"];
/// How they are.
const WAYS: [&str; 3] = ["mset", "exec", "eval"];
const SCRIPT: &str = "for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1]) end return 1";

/// Numbers of a kind of write.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    sent: u64,
    /// Acknowledged, or seen by anybody.
    known: u64,
}

/// What a reply is to.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    /// MULTI, what is queued, SWAPDB.
    Aside,
    List(u64),
    /// A way of writing several keys, by its place in [`WAYS`].
    Together(usize, u64),
    /// Somebody's keys written in a way.
    Read(usize, usize),
}

pub struct Client {
    name: usize,
    list: Numbers,
    together: [Numbers; WAYS.len()],
    awaited: Vec<Awaited>,
    acknowledged: u64,
}

fn keys(name: usize, way: usize) -> Vec<String> {
    TOGETHER.iter().map(|key| format!("{}:{key}:{name}", WAYS[way])).collect()
}

fn words(words: &[&str], keys: &[String]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).chain(keys.iter().cloned()).collect()
}

impl Client {
    pub fn new(name: usize) -> Self {
        let (list, together) = (Numbers::default(), [Numbers::default(); WAYS.len()]);
        Self { name, list, together, awaited: Vec::new(), acknowledged: 0 }
    }

    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// So many replies are outstanding.
    pub fn outstanding(&self) -> usize {
        self.awaited.len()
    }

    /// The next requests, all of one operation.
    pub fn ask(&mut self, clients: usize, random: &mut Random) -> Vec<Vec<String>> {
        match random.below(10) {
            0..3 => {
                self.list.sent += 1;
                self.awaited.push(Awaited::List(self.list.sent));
                let (key, number) = (format!("list:{}", self.name), self.list.sent.to_string());
                vec![vec!["RPUSH".to_owned(), key, number]]
            }
            3..7 => self.write_together(random.index(WAYS.len())),
            7 if random.below(4) == 0 => {
                self.awaited.push(Awaited::Aside);
                vec![words(&["SWAPDB", "2", "3"], &[])]
            }
            _ => {
                let (other, way) = (random.index(clients), random.index(WAYS.len()));
                self.awaited.push(Awaited::Read(other, way));
                vec![words(&["MGET"], &keys(other, way))]
            }
        }
    }

    fn write_together(&mut self, way: usize) -> Vec<Vec<String>> {
        let numbers = &mut self.together[way];
        numbers.sent += 1;
        let (number, keys) = (numbers.sent.to_string(), keys(self.name, way));
        let awaited = Awaited::Together(way, numbers.sent);
        match WAYS[way] {
            "mset" => {
                self.awaited.push(awaited);
                let pairs: Vec<String> = keys.into_iter().flat_map(|key| [key, number.clone()]).collect();
                vec![words(&["MSET"], &pairs)]
            }
            "exec" => {
                self.awaited.extend([Awaited::Aside; 1 + TOGETHER.len()]);
                self.awaited.push(awaited);
                let sets = keys.into_iter().map(|key| vec!["SET".to_owned(), key, number.clone()]);
                let begin = std::iter::once(words(&["MULTI"], &[]));
                begin.chain(sets).chain([words(&["EXEC"], &[])]).collect()
            }
            _ => {
                self.awaited.push(awaited);
                let count = keys.len().to_string();
                let mut request = words(&["EVAL", SCRIPT, &count], &keys);
                request.push(number);
                vec![request]
            }
        }
    }

    /// A reply has come; what of another client's keys it shows.
    ///
    /// # Errors
    /// If it is none that there can be.
    pub fn hear(&mut self, reply: &Value) -> Result<Option<(usize, usize, u64)>, String> {
        if self.awaited.is_empty() || reply.is_error() {
            return Err(format!("client {}: unexpected {reply}", self.name));
        }
        match self.awaited.remove(0) {
            Awaited::Aside => {}
            Awaited::List(number) => {
                self.list.known = self.list.known.max(number);
                self.acknowledged += 1;
            }
            Awaited::Together(way, number) => {
                self.together[way].known = self.together[way].known.max(number);
                self.acknowledged += 1;
            }
            Awaited::Read(other, way) => {
                let found: Vec<u64> = reply.items().unwrap_or_default().iter().map(number).collect();
                if found.iter().any(|one| *one != found[0]) {
                    return Err(format!("half of {} of client {other} is read: {found:?}", WAYS[way]));
                }
                return Ok(Some((other, way, found[0])));
            }
        }
        Ok(None)
    }

    /// Somebody has read a number of this client's.
    pub fn is_seen(&mut self, way: usize, number: u64) {
        let numbers = &mut self.together[way];
        numbers.known = numbers.known.max(number);
    }

    /// The process is gone: of what was not answered, nobody knows.
    pub fn is_cut_off(&mut self) {
        self.awaited.clear();
    }

    /// What is there after a start must be what may be; from there it goes on.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&mut self, read: &mut impl FnMut(&str) -> Vec<u64>) -> Result<(), String> {
        let name = self.name;
        let list = read(&format!("list:{name}"));
        if !list.iter().copied().eq(1..=list.len() as u64) {
            return Err(format!("the list of client {name} has gaps: {list:?}"));
        }
        self.list.settle("the list", name, list.len() as u64)?;
        for (way, numbers) in self.together.iter_mut().enumerate() {
            let found: Vec<u64> = keys(name, way).iter().map(|key| read(key).pop().unwrap_or(0)).collect();
            if found.iter().any(|one| *one != found[0]) {
                return Err(format!("half of {} of client {name} is there: {found:?}", WAYS[way]));
            }
            numbers.settle(WAYS[way], name, found[0])?;
        }
        Ok(())
    }
}

impl Numbers {
    fn settle(&mut self, what: &str, name: usize, found: u64) -> Result<(), String> {
        let Self { sent, known } = *self;
        if !(known..=sent).contains(&found) {
            return Err(format!("{what} of client {name} is {found}, not from {known} to {sent}"));
        }
        *self = Self { sent: found, known: found };
        Ok(())
    }
}

fn number(value: &Value) -> u64 {
    value.string().map_or(0, |text| text.parse().unwrap_or(u64::MAX))
}
