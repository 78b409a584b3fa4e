//! Requests: single commands, transactions and scripts, as commands to send and as what their replies tell.

use crate::history::{Effect, Key, Number, Outcome};
use crate::step::{Step, number, numbers};
use crate::world::{TAG, World};
use testkit::Value;

/// Runs steps: of each, in ARGV, what to do, the key (or nothing, for the next one in KEYS) and an argument. After the step whose
/// number stands in front it fails; what it has done by then is done.
pub const STEPS: &str = "\
local out, declared = {}, 0
for i = 2, #ARGV, 3 do
  local what, key, arg = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if key == '' then declared = declared + 1; key = KEYS[declared] end
  if what == 'append' then out[#out + 1] = redis.call('RPUSH', key, arg)
  elseif what == 'add' then out[#out + 1] = redis.call('XADD', key, '*', 'e', arg)
  elseif what == 'range' then out[#out + 1] = redis.call('XRANGE', key, '-', '+')
  elseif what == 'list' then out[#out + 1] = redis.call('LRANGE', key, 0, -1)
  elseif what == 'get' then out[#out + 1] = redis.call('GET', key)
  elseif what == 'put' then out[#out + 1] = redis.call('SET', key, arg)
  else out[#out + 1] = redis.call('SET', key, arg, 'GET') end
  if (i + 1) / 3 == tonumber(ARGV[1]) then error('enough') end
end
return out";

/// The same as another script, for requests that declare all keys: the server may remember of the other that it does not.
pub fn steps_on_declared() -> String {
    format!("-- all keys are declared\n{STEPS}")
}

/// Reads a register; what it holds says which key holds the tag of the list to append to. Only the register is declared. Then it sets
/// the register, if it is told to.
pub const INDIRECT: &str = "\
local value = redis.call('GET', KEYS[1])
local tag = redis.call('GET', 'tag:' .. (tonumber(value) or 0) % tonumber(ARGV[1]))
local key = '{' .. tag .. '}:l:' .. ARGV[2]
local before = redis.call('LRANGE', key, 0, -1)
local length = redis.call('RPUSH', key, ARGV[3])
if ARGV[4] ~= '' then redis.call('SET', KEYS[1], ARGV[4]) end
return {value, before, length}";

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Exec,
    Discard,
    /// EXEC, after a command that was refused when it was queued.
    Broken,
    /// EXEC, and one of the commands fails when it is run, which does not matter to the others.
    Failing,
}

/// A request.
#[derive(Clone, Debug)]
pub enum Request {
    Single(Step),
    /// WATCH of keys, with commands that read them.
    Watch(Vec<Step>),
    /// A transaction. `seen`: what was seen of the keys since they were watched. `looks`: watches and reads before it begins.
    Block {
        looks: Vec<Step>,
        seen: Vec<Effect>,
        steps: Vec<Step>,
        ending: Ending,
    },
    /// The first so many keys are declared. `fails_after`: the step after which it fails, counted from 1.
    Script {
        steps: Vec<Step>,
        declared: usize,
        fails_after: Option<usize>,
        by_hash: bool,
    },
    Indirect {
        register: Key,
        generation: u32,
        element: Number,
        value: Option<Number>,
        by_hash: bool,
    },
    /// CLIENT KILL of a connection, and the number by which the server knows it.
    Kill {
        connection: u32,
        server_id: u64,
    },
}

/// The hashes by which the server knows the scripts.
#[derive(Clone, Debug, Default)]
pub struct Hashes {
    pub steps: String,
    pub on_declared: String,
    pub indirect: String,
}

fn line(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Request {
    /// What it is called in histories.
    pub fn name(&self) -> &'static str {
        match self {
            Request::Single(step) => step.name(),
            Request::Watch(_) => "WATCH and reads",
            Request::Block { looks, seen, ending, .. } => match ending {
                Ending::Discard => "MULTI … DISCARD",
                Ending::Broken => "MULTI … EXEC with an unknown command",
                Ending::Failing => "MULTI … EXEC with a command that fails",
                Ending::Exec if looks.is_empty() && seen.is_empty() => "MULTI … EXEC",
                Ending::Exec => "WATCH … MULTI … EXEC",
            },
            Request::Script { fails_after: Some(_), .. } => "EVAL that fails in the middle",
            Request::Script { declared: 0, .. } => "EVAL without declared keys",
            Request::Script { steps, declared, .. } if *declared < steps.len() => "EVAL, some keys declared",
            Request::Script { .. } => "EVAL",
            Request::Indirect { .. } => "EVAL, keys known from data",
            Request::Kill { .. } => "CLIENT KILL",
        }
    }

    /// Whether it may be refused.
    pub fn is_conditional(&self) -> bool {
        matches!(self, Request::Block { looks, seen, .. } if !looks.is_empty() || !seen.is_empty())
    }

    /// Whether keys may be asked for while it runs.
    pub fn asks_late(&self) -> bool {
        match self {
            Request::Script { steps, declared, .. } => *declared < steps.len(),
            Request::Indirect { .. } => true,
            _ => false,
        }
    }

    /// Whether nothing may ever be seen of it, with a reply or without.
    pub fn is_refused(&self) -> bool {
        matches!(self, Request::Block { ending: Ending::Discard | Ending::Broken, .. })
    }

    /// The commands; each has one reply.
    pub fn commands(&self, world: &World, hashes: &Hashes) -> Vec<Vec<String>> {
        match self {
            Request::Single(step) => vec![step.words(world)],
            Request::Watch(looks) => watch(looks, world),
            Request::Block { looks, steps, ending, .. } => {
                let mut commands = if looks.is_empty() { Vec::new() } else { watch(looks, world) };
                commands.push(line(&["MULTI"]));
                commands.extend(steps.iter().map(|step| step.words(world)));
                match ending {
                    Ending::Broken => commands.push(line(&["NO-SUCH-COMMAND"])),
                    Ending::Failing => commands.push(line(&["HGET", &format!("{TAG}0"), "field"])),
                    Ending::Exec | Ending::Discard => {}
                }
                commands.push(line(&[if *ending == Ending::Discard { "DISCARD" } else { "EXEC" }]));
                commands
            }
            Request::Script { steps, declared, fails_after, by_hash } => {
                let keys: Vec<String> =
                    steps[..*declared].iter().map(|step| step.words(world)[1].clone()).collect();
                let mut words = match *declared == steps.len() {
                    true => begin(*by_hash, &steps_on_declared(), &hashes.on_declared),
                    false => begin(*by_hash, STEPS, &hashes.steps),
                };
                words.extend([vec![declared.to_string()], keys].concat());
                words.push(fails_after.unwrap_or(0).to_string());
                for (at, step) in steps.iter().enumerate() {
                    let (what, arg) = in_script(step);
                    let key = if at < *declared { String::new() } else { step.words(world)[1].clone() };
                    words.extend([what.to_owned(), key, arg.map_or_else(String::new, |arg| arg.to_string())]);
                }
                vec![words]
            }
            Request::Indirect { register, generation, element, value, by_hash } => {
                let mut words = begin(*by_hash, INDIRECT, &hashes.indirect);
                words.extend(["1".to_owned(), world.name(*register), world.lists().to_string()]);
                words.extend([generation.to_string(), element.to_string()]);
                words.push(value.map_or_else(String::new, |value| value.to_string()));
                vec![words]
            }
            Request::Kill { server_id, .. } => vec![line(&["CLIENT", "KILL", "ID", &server_id.to_string()])],
        }
    }

    /// What the replies tell.
    ///
    /// # Errors
    /// When they are no replies to these commands.
    pub fn judge(&self, world: &World, replies: &[Value]) -> Result<(Outcome, Vec<Effect>), String> {
        match self {
            Request::Single(step) => Ok((Outcome::Done, step.effects(world, &replies[0])?)),
            Request::Watch(looks) => Ok((Outcome::Done, judge_watch(looks, world, replies)?)),
            Request::Block { .. } => self.judge_block(world, replies),
            Request::Script { steps, fails_after, .. } => {
                let reply = &replies[0];
                if let Some(count) = fails_after {
                    let is_it =
                        reply.is_error() && reply.string().is_some_and(|text| text.contains("enough"));
                    let effects = steps[..*count].iter().flat_map(Step::intended).collect();
                    return if is_it {
                        Ok((Outcome::Done, effects))
                    } else {
                        Err(format!("not the error: {reply}"))
                    };
                }
                let items = reply.items().filter(|items| items.len() == steps.len());
                let items = items.ok_or_else(|| format!("a script was answered by {reply}"))?;
                Ok((Outcome::Done, effects_of(steps, items, world)?))
            }
            Request::Indirect { register, generation, element, value, .. } => {
                let wrong = || format!("a script was answered by {}", replies[0]);
                let Some([got, before, length]) = replies[0].items() else { return Err(wrong()) };
                let got = number(got).ok_or_else(wrong)?;
                let key = world.list_at(*generation, got.unwrap_or(0));
                let length = length.integer().and_then(|length| u32::try_from(length).ok());
                let mut effects = vec![
                    Effect::Got { key: *register, value: got },
                    Effect::List { key, elements: numbers(before).ok_or_else(wrong)? },
                    Effect::Append { key, element: *element, length: Some(length.ok_or_else(wrong)?) },
                ];
                effects.extend(value.map(|value| Effect::Put { key: *register, value }));
                Ok((Outcome::Done, effects))
            }
            Request::Kill { .. } => match replies[0].integer() {
                Some(0 | 1) => Ok((Outcome::Done, Vec::new())),
                _ => Err(format!("CLIENT KILL was answered by {}", replies[0])),
            },
        }
    }

    fn judge_block(&self, world: &World, replies: &[Value]) -> Result<(Outcome, Vec<Effect>), String> {
        let Request::Block { looks, seen, steps, ending } = self else { unreachable!("only transactions") };
        let (before, replies) = replies.split_at(if looks.is_empty() { 0 } else { looks.len() + 1 });
        let mut effects = seen.clone();
        if !looks.is_empty() {
            effects.extend(judge_watch(looks, world, before)?);
        }
        let (last, queued) = replies.split_last().expect("there is a last command");
        let is_queued = |reply: &Value| *reply == Value::simple("QUEUED");
        let others = &queued[1..=steps.len()];
        if !queued[0].is_ok() || !others.iter().all(is_queued) {
            return Err(format!("a transaction was not begun: {queued:?}"));
        }
        let begins =
            |start: &str| last.is_error() && last.string().is_some_and(|text| text.starts_with(start));
        let is_refused = match ending {
            Ending::Discard if last.is_ok() => true,
            Ending::Broken if queued[1 + steps.len()].is_error() && begins("EXECABORT") => true,
            Ending::Exec | Ending::Failing => last.is_null() && self.is_conditional(),
            Ending::Discard | Ending::Broken => return Err(format!("a transaction ended with {last}")),
        };
        if is_refused {
            return Ok((Outcome::Refused, steps.iter().flat_map(Step::intended).collect()));
        }
        let count = steps.len() + usize::from(*ending == Ending::Failing);
        let items = last.items().filter(|items| items.len() == count);
        let items = items.ok_or_else(|| format!("a transaction was answered by {last}"))?;
        if *ending == Ending::Failing && !items[steps.len()].is_error() {
            return Err(format!("HGET of a string was answered by {}", items[steps.len()]));
        }
        effects.extend(effects_of(steps, items, world)?);
        Ok((Outcome::Done, effects))
    }

    /// What it changes if it happens.
    pub fn intended(&self) -> Vec<Effect> {
        match self {
            Request::Single(step) => step.intended(),
            Request::Block { steps, .. } => steps.iter().flat_map(Step::intended).collect(),
            Request::Script { steps, fails_after, .. } => {
                let count = fails_after.unwrap_or(steps.len());
                steps[..count].iter().flat_map(Step::intended).collect()
            }
            // Which list it is only the register knows: see [`crate::player`].
            Request::Indirect { register, element, value, .. } => {
                let key = Key::List(u32::MAX);
                let mut effects = vec![Effect::Append { key, element: *element, length: None }];
                effects.extend(value.map(|value| Effect::Put { key: *register, value }));
                effects
            }
            Request::Watch(_) | Request::Kill { .. } => Vec::new(),
        }
    }
}

fn begin(by_hash: bool, script: &str, hash: &str) -> Vec<String> {
    if by_hash { line(&["EVALSHA", hash]) } else { line(&["EVAL", script]) }
}

/// WATCH of what these steps read, and the steps.
fn watch(looks: &[Step], world: &World) -> Vec<Vec<String>> {
    let lines: Vec<Vec<String>> = looks.iter().map(|look| look.words(world)).collect();
    let keys = lines.iter().map(|line| line[1].clone());
    let first = [line(&["WATCH"]), keys.collect()].concat();
    [vec![first], lines].concat()
}

fn judge_watch(looks: &[Step], world: &World, replies: &[Value]) -> Result<Vec<Effect>, String> {
    if !replies[0].is_ok() {
        return Err(format!("WATCH was answered by {}", replies[0]));
    }
    effects_of(looks, &replies[1..], world)
}

fn effects_of(steps: &[Step], replies: &[Value], world: &World) -> Result<Vec<Effect>, String> {
    let each = steps.iter().zip(replies).map(|(step, reply)| step.effects(world, reply));
    each.collect::<Result<Vec<_>, _>>().map(|effects| effects.concat())
}

/// What [`STEPS`] calls it, and its argument.
fn in_script(step: &Step) -> (&'static str, Option<Number>) {
    match step {
        Step::Append(Key::Stream(_), elements) => ("add", elements.first().copied()),
        Step::List(Key::Stream(_)) => ("range", None),
        Step::Append(_, elements) => ("append", elements.first().copied()),
        Step::List(_) => ("list", None),
        Step::Get(_) => ("get", None),
        Step::Put(_, value) => ("put", Some(*value)),
        Step::Swap(_, value) => ("swap", Some(*value)),
        other => unreachable!("{other:?} is not for scripts"),
    }
}
