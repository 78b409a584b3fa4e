//! Single commands: their words, and what their replies tell.

use crate::history::{Effect, Key, Number};
use crate::world::World;
use testkit::Value;

/// The group of each stream that has one.
pub const GROUP: &str = "g";

/// A command on keys, alone or in a transaction.
#[derive(Clone, Debug)]
pub enum Step {
    Append(Key, Vec<Number>),
    List(Key),
    /// XREAD of whole streams.
    ReadAll(Vec<Key>),
    Put(Key, Number),
    Get(Key),
    /// SET … GET
    Swap(Key, Number),
    PutAll(Vec<(Key, Number)>),
    GetAll(Vec<Key>),
    Exist(Vec<Key>),
    Push(Key, Vec<Number>),
    Pop(Key),
    Move(Key, Key),
    /// With a time limit in ms.
    AwaitPop(Vec<Key>, u64),
    AwaitMove(Key, Key, u64),
}

impl Step {
    pub fn name(&self) -> &'static str {
        match self {
            Step::Append(Key::Stream(_), _) | Step::Push(Key::Group(_), _) => "XADD",
            Step::Pop(Key::Group(_)) | Step::List(Key::Group(_)) => "XREADGROUP",
            Step::AwaitPop(keys, _) if matches!(keys[..], [Key::Group(_)]) => "XREADGROUP, waiting",
            Step::Append(..) | Step::Push(..) => "RPUSH",
            Step::List(Key::Stream(_)) => "XRANGE",
            Step::List(_) => "LRANGE",
            Step::ReadAll(_) => "XREAD",
            Step::Put(..) => "SET",
            Step::Get(_) => "GET",
            Step::Swap(..) => "SET GET",
            Step::PutAll(_) => "MSET",
            Step::GetAll(_) => "MGET",
            Step::Exist(_) => "EXISTS",
            Step::Pop(_) => "LPOP",
            Step::Move(..) => "LMOVE",
            Step::AwaitPop(..) => "BLPOP",
            Step::AwaitMove(..) => "BLMOVE",
        }
    }

    /// The command.
    pub fn words(&self, world: &World) -> Vec<String> {
        let name = |key: &Key| world.name(*key);
        let line = |command: &str, rest: Vec<String>| [vec![command.to_owned()], rest].concat();
        let with = |command: &str, key: &Key, numbers: &[Number]| {
            line(command, [vec![name(key)], numbers.iter().map(Number::to_string).collect()].concat())
        };
        let seconds = |timeout_ms: &u64| format!("{}.{:03}", timeout_ms / 1000, timeout_ms % 1000);
        let ends = || ["LEFT".to_owned(), "RIGHT".to_owned()];
        match self {
            Step::Append(key @ Key::Stream(_), elements) | Step::Push(key @ Key::Group(_), elements) => {
                let pairs = elements.iter().flat_map(|element| ["e".to_owned(), element.to_string()]);
                line("XADD", [name(key), "*".into()].into_iter().chain(pairs).collect())
            }
            Step::Pop(key @ Key::Group(_)) => read_group(&["COUNT", "1"], name(key)),
            Step::List(key @ Key::Group(_)) => read_group(&[], name(key)),
            Step::AwaitPop(keys, timeout_ms) if matches!(keys[..], [Key::Group(_)]) => {
                read_group(&["COUNT", "1", "BLOCK", &timeout_ms.to_string()], name(&keys[0]))
            }
            Step::Append(key, elements) | Step::Push(key, elements) => with("RPUSH", key, elements),
            Step::List(key @ Key::Stream(_)) => line("XRANGE", vec![name(key), "-".into(), "+".into()]),
            Step::ReadAll(keys) => {
                let ids = vec!["0".to_owned(); keys.len()];
                line("XREAD", [vec!["STREAMS".to_owned()], keys.iter().map(name).collect(), ids].concat())
            }
            Step::List(key) => line("LRANGE", vec![name(key), "0".into(), "-1".into()]),
            Step::Put(key, value) => with("SET", key, &[*value]),
            Step::Get(key) => with("GET", key, &[]),
            Step::Swap(key, value) => [with("SET", key, &[*value]), vec!["GET".into()]].concat(),
            Step::PutAll(pairs) => {
                let pairs = pairs.iter().flat_map(|(key, value)| [name(key), value.to_string()]);
                line("MSET", pairs.collect())
            }
            Step::GetAll(keys) => line("MGET", keys.iter().map(name).collect()),
            // Each named twice as often as the one before, so that the sum tells which are there.
            Step::Exist(keys) => {
                let names = keys.iter().enumerate().flat_map(|(at, key)| vec![name(key); 1 << at]);
                line("EXISTS", names.collect())
            }
            Step::Pop(key) => with("LPOP", key, &[]),
            Step::Move(from, to) => line("LMOVE", [vec![name(from), name(to)], ends().to_vec()].concat()),
            Step::AwaitPop(keys, timeout_ms) => {
                line("BLPOP", keys.iter().map(name).chain([seconds(timeout_ms)]).collect())
            }
            Step::AwaitMove(from, to, timeout_ms) => {
                let keys = vec![name(from), name(to)];
                line("BLMOVE", [keys, ends().to_vec(), vec![seconds(timeout_ms)]].concat())
            }
        }
    }

    /// What the reply tells.
    ///
    /// # Errors
    /// When it is no reply to such a command.
    pub fn effects(&self, world: &World, reply: &Value) -> Result<Vec<Effect>, String> {
        let wrong = || format!("{} cannot be answered by {reply}", self.words(world).join(" "));
        Ok(match self {
            Step::Append(Key::Stream(_), _) => {
                id(reply).ok_or_else(wrong)?;
                self.intended()
            }
            Step::Append(key, elements) => {
                let length =
                    reply.integer().and_then(|length| u32::try_from(length).ok()).ok_or_else(wrong)?;
                let first = (length + 1).checked_sub(elements.len() as u32).ok_or_else(wrong)?;
                let lengths = (first..).map(Some);
                let each = elements.iter().zip(lengths);
                each.map(|(&element, length)| Effect::Append { key: *key, element, length }).collect()
            }
            Step::List(key @ Key::Stream(_)) => {
                vec![Effect::List { key: *key, elements: entries(reply).ok_or_else(wrong)? }]
            }
            Step::ReadAll(keys) => {
                let streams = if reply.is_null() { &[] } else { reply.items().ok_or_else(wrong)? };
                let mut effects = Vec::new();
                let mut streams = streams.iter().peekable();
                for &key in keys {
                    let is_it = |stream: &&Value| {
                        stream.items().is_some_and(|it| it[0].string() == Some(world.name(key)))
                    };
                    // Those without entries are left out.
                    let elements = match streams.next_if(is_it).and_then(Value::items) {
                        None => Box::default(),
                        Some(stream) => entries(&stream[1]).ok_or_else(wrong)?,
                    };
                    effects.push(Effect::List { key, elements });
                }
                if streams.next().is_some() {
                    return Err(wrong());
                }
                effects
            }
            Step::List(key @ Key::Group(_)) => {
                vec![Effect::List { key: *key, elements: of_group(world, *key, reply).ok_or_else(wrong)? }]
            }
            Step::List(key) => vec![Effect::List { key: *key, elements: numbers(reply).ok_or_else(wrong)? }],
            Step::Put(..) | Step::PutAll(_) if reply.is_ok() => self.intended(),
            Step::Put(..) | Step::PutAll(_) => return Err(wrong()),
            Step::Get(key) => vec![Effect::Got { key: *key, value: number(reply).ok_or_else(wrong)? }],
            Step::Swap(key, value) => {
                let before = number(reply).ok_or_else(wrong)?;
                vec![Effect::Got { key: *key, value: before }, Effect::Put { key: *key, value: *value }]
            }
            Step::GetAll(keys) => {
                let items = reply.items().filter(|items| items.len() == keys.len()).ok_or_else(wrong)?;
                let got = |(&key, item)| Some(Effect::Got { key, value: number(item)? });
                keys.iter().zip(items).map(got).collect::<Option<_>>().ok_or_else(wrong)?
            }
            Step::Exist(keys) => {
                let sum =
                    reply.integer().filter(|sum| (0..1 << keys.len()).contains(sum)).ok_or_else(wrong)?;
                let each = keys.iter().enumerate();
                each.map(|(at, &key)| Effect::Exists { key, is_there: sum >> at & 1 == 1 }).collect()
            }
            Step::Push(Key::Group(_), _) => {
                id(reply).ok_or_else(wrong)?;
                self.intended()
            }
            Step::Push(..) if reply.integer().is_some_and(|length| length > 0) => self.intended(),
            Step::Push(..) => return Err(wrong()),
            Step::Pop(key @ Key::Group(_)) => of_one(world, *key, reply).ok_or_else(wrong)?,
            Step::AwaitPop(keys, _) if matches!(keys[..], [Key::Group(_)]) => {
                of_one(world, keys[0], reply).ok_or_else(wrong)?
            }
            Step::Pop(key) => match number(reply).ok_or_else(wrong)? {
                None => vec![Effect::Nothing { key: *key }],
                Some(element) => vec![Effect::Pop { key: *key, element }],
            },
            Step::Move(from, to) | Step::AwaitMove(from, to, _) => match number(reply).ok_or_else(wrong)? {
                None => vec![Effect::Nothing { key: *from }],
                Some(element) => vec![
                    Effect::Pop { key: *from, element },
                    Effect::Append { key: *to, element, length: None },
                ],
            },
            Step::AwaitPop(keys, _) => {
                let nothing =
                    |keys: &[Key]| keys.iter().map(|&key| Effect::Nothing { key }).collect::<Vec<_>>();
                if reply.is_null() {
                    return Ok(nothing(keys));
                }
                let Some([from, element]) = reply.items() else { return Err(wrong()) };
                let element = number(element).flatten().ok_or_else(wrong)?;
                let is_it = |key: &Key| from.string() == Some(world.name(*key));
                let place = keys.iter().position(is_it).ok_or_else(wrong)?;
                let mut effects = nothing(&keys[..place]);
                effects.push(Effect::Pop { key: keys[place], element });
                effects
            }
        })
    }

    /// What it changes if it happens, or may take.
    pub fn intended(&self) -> Vec<Effect> {
        match self {
            Step::Append(key, elements) => {
                elements.iter().map(|&element| Effect::Append { key: *key, element, length: None }).collect()
            }
            Step::Push(key, elements) => {
                elements.iter().map(|&element| Effect::Push { key: *key, element }).collect()
            }
            Step::Put(key, value) | Step::Swap(key, value) => vec![Effect::Put { key: *key, value: *value }],
            Step::PutAll(pairs) => pairs.iter().map(|&(key, value)| Effect::Put { key, value }).collect(),
            Step::Pop(from) => vec![Effect::MayMove { from: [*from].into(), to: None }],
            Step::Move(from, to) | Step::AwaitMove(from, to, _) => {
                vec![Effect::MayMove { from: [*from].into(), to: Some(*to) }]
            }
            Step::AwaitPop(keys, _) => vec![Effect::MayMove { from: keys[..].into(), to: None }],
            Step::List(_) | Step::ReadAll(_) | Step::Get(_) | Step::GetAll(_) | Step::Exist(_) => Vec::new(),
        }
    }
}

/// XREADGROUP of one stream. What is read is as if acknowledged.
fn read_group(options: &[&str], name: String) -> Vec<String> {
    let words = ["XREADGROUP", "GROUP", GROUP, "consumer"].iter().chain(options);
    words.chain(&["NOACK", "STREAMS"]).map(|word| (*word).to_owned()).chain([name, ">".to_owned()]).collect()
}

/// What a group has given.
fn of_group(world: &World, key: Key, reply: &Value) -> Option<Box<[Number]>> {
    if reply.is_null() {
        return Some(Box::default());
    }
    let [stream] = reply.items()? else { return None };
    let [name, list] = stream.items()? else { return None };
    (name.string()? == world.name(key)).then(|| entries(list))?
}

/// The same where one entry was asked for.
fn of_one(world: &World, key: Key, reply: &Value) -> Option<Vec<Effect>> {
    match of_group(world, key, reply)?[..] {
        [] => Some(vec![Effect::Nothing { key }]),
        [element] => Some(vec![Effect::Pop { key, element }]),
        _ => None,
    }
}

/// A number, or none.
pub fn number(reply: &Value) -> Option<Option<Number>> {
    if reply.is_null() {
        return Some(None);
    }
    reply.string()?.parse().ok().map(Some)
}

/// The elements of a list.
pub fn numbers(reply: &Value) -> Option<Box<[Number]>> {
    reply.items()?.iter().map(|item| number(item).flatten()).collect()
}

/// The id of an entry.
fn id(reply: &Value) -> Option<(u64, u64)> {
    let text = reply.string()?;
    let (ms, seq) = text.split_once('-')?;
    Some((ms.parse().ok()?, seq.parse().ok()?))
}

/// What the entries of a stream hold, if their ids ascend.
fn entries(reply: &Value) -> Option<Box<[Number]>> {
    let (mut elements, mut last) = (Vec::new(), (0, 0));
    for entry in reply.items()? {
        let [at, words] = entry.items()? else { return None };
        let before = std::mem::replace(&mut last, id(at)?);
        let is_behind = before < last;
        let values = words.items()?.iter().skip(1).step_by(2);
        elements.extend(is_behind.then_some(values)?.map(|value| number(value).flatten()));
    }
    elements.into_iter().collect()
}
