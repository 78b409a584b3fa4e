//! Does a script touch only keys that it was given?
//!
//! A proof over the bytecode, by abstract values in registers: the table `redis`, its `call` and `pcall`, the table KEYS,
//! elements of it, literals. Every command called must be a literal, and its keys elements of KEYS. Whatever is not
//! understood makes the answer no: `redis`, its functions or KEYS stored, passed on or returned, globals that could lead to
//! them another way (`_G`, `loadstring`), a variable that is now one, now another.
//!
//! Captured variables: a closure sees what the variable held when it was made, if nothing is assigned to it in its whole
//! scope; a captured variable that is assigned may hold nothing of the above.

mod captures;
mod step;

use crate::bytecode::operation::{CLOSURE, GETUPVAL, MOVE};
use crate::bytecode::{Constant, Proto};
use captures::{assigns_upvalue_anywhere, captured_locals, is_assigned};
use step::Step;

/// What a register holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value {
    /// Nothing of the following.
    Plain,
    /// Now one thing, now another: it must not be used.
    Mixed,
    Redis,
    Call,
    Keys,
    Key,
    /// What `ipairs(KEYS)` and `pairs(KEYS)` give first.
    Iterator,
    /// `pcall`
    Protect,
    /// `ipairs`, `pairs`
    Walk,
    Unpack,
    /// A function that may look at KEYS: it neither keeps, changes nor returns it.
    Look,
    /// A library's table.
    Library,
    /// A literal: the function's constant of this index, where `of` is the function's place in `Analysis::functions`.
    Literal {
        of: usize,
        index: usize,
    },
}

impl Value {
    /// May only be where it is followed.
    fn is_guarded(self) -> bool {
        matches!(self, Value::Mixed | Value::Redis | Value::Call | Value::Keys)
    }

    fn join(self, other: Value) -> Value {
        if self == other {
            self
        } else if self.is_guarded() || other.is_guarded() {
            Value::Mixed
        } else {
            Value::Plain
        }
    }
}

/// Globals that lead to nothing else.
const HARMLESS: [&str; 22] = [
    "ARGV",
    "assert",
    "bit",
    "cjson",
    "cmsgpack",
    "coroutine",
    "error",
    "getmetatable",
    "math",
    "os",
    "rawequal",
    "rawget",
    "rawset",
    "select",
    "setmetatable",
    "string",
    "struct",
    "table",
    "tonumber",
    "xpcall",
    "_VERSION",
    "gcinfo",
];
const LIBRARIES: [&str; 4] = ["table", "cjson", "cmsgpack", "string"];

fn global(name: &[u8]) -> Option<Value> {
    Some(match name {
        b"redis" | b"server" => Value::Redis,
        b"KEYS" => Value::Keys,
        b"pcall" => Value::Protect,
        b"ipairs" | b"pairs" => Value::Walk,
        b"unpack" => Value::Unpack,
        b"tostring" | b"type" | b"next" => Value::Look,
        _ if LIBRARIES.iter().any(|it| it.as_bytes() == name) => Value::Library,
        _ if HARMLESS.iter().any(|it| it.as_bytes() == name) => Value::Plain,
        _ => return None,
    })
}

/// The registers before an instruction, and what a list of open length that ends the registers consists of.
#[derive(Clone, PartialEq, Eq)]
struct Registers {
    values: Vec<Value>,
    open: Option<(usize, Value)>,
}

/// Which arguments of a command are keys: asked with what is known of its arguments (the name is), answered with their places,
/// or `None` if that cannot be said: the command is unknown, looks at keys it was not given, or an argument that is not known
/// (it may be anything) could change the places.
pub type KeyPlaces<'a> = dyn Fn(&[Option<&[u8]>]) -> Option<Vec<usize>> + 'a;

/// Steps after which a script is too complicated.
const STEPS_MAX: usize = 100_000;

struct Analysis<'a> {
    places: &'a KeyPlaces<'a>,
    functions: Vec<&'a Proto>,
    steps: usize,
}

/// Whether all keys of all commands that the function can call are elements of KEYS.
pub fn keys_are_declared(main: &Proto, places: &KeyPlaces<'_>) -> bool {
    let mut analysis = Analysis { places, functions: Vec::new(), steps: 0 };
    analysis.function(main, &[]).is_some()
}

/// `None` wherever the proof fails.
type Proof<T> = Option<T>;

impl<'a> Analysis<'a> {
    /// A function whose upvalues hold these.
    fn function(&mut self, proto: &'a Proto, upvalues: &[Value]) -> Proof<()> {
        let of = self.functions.len();
        self.functions.push(proto);
        let start = Registers { values: vec![Value::Plain; proto.registers + 2], open: None };
        let mut states: Vec<Option<Registers>> = vec![None; proto.code.len()];
        let mut work = Vec::new();
        let captured = captured_locals(proto)?;
        flow(&mut states, &mut work, 0, start)?;
        while let Some(pc) = work.pop() {
            self.steps += 1;
            (self.steps < STEPS_MAX).then_some(())?;
            let before = states[pc].clone().expect("what is worked on has a state");
            let mut step =
                Step { analysis: self, proto, of, upvalues, captured: &captured, pc, next: Vec::new() };
            step.run(before)?;
            for (target, state) in step.next {
                flow(&mut states, &mut work, target, state)?;
            }
        }
        self.closures(proto, upvalues, &states)
    }

    /// The functions that this one makes, with what they capture.
    fn closures(&mut self, proto: &'a Proto, upvalues: &[Value], states: &[Option<Registers>]) -> Proof<()> {
        for (pc, instruction) in proto.code.iter().enumerate() {
            let (CLOSURE, Some(state)) = (instruction.operation(), &states[pc]) else { continue };
            let inner = proto.protos.get(instruction.bx())?;
            let mut captured = Vec::new();
            for capture in proto.code.get(pc + 1..=pc + usize::from(inner.upvalues))? {
                captured.push(match capture.operation() {
                    GETUPVAL => *upvalues.get(capture.b())?,
                    MOVE => {
                        let value = *state.values.get(capture.b())?;
                        let is_fixed = !is_assigned(proto, capture.b(), pc)?;
                        match (is_fixed, value.is_guarded()) {
                            (_, true) if !is_fixed || value == Value::Mixed => return None,
                            (true, _) => value,
                            (false, _) => Value::Plain,
                        }
                    }
                    _ => return None,
                });
            }
            if assigns_upvalue_anywhere(inner, &captured)? {
                return None;
            }
            self.function(inner, &captured)?;
        }
        Some(())
    }

    fn literal(&self, value: Value) -> Option<&'a [u8]> {
        let Value::Literal { of, index } = value else { return None };
        match self.functions[of].constants.get(index)? {
            Constant::Text(text) => Some(text),
            Constant::Other => None,
        }
    }

    /// A command with these arguments, maybe followed by more of the kind `open`.
    fn command(&self, args: &[Value], open: Option<Value>) -> Proof<()> {
        self.literal(*args.first()?)?;
        if args.iter().chain(open.iter()).any(|value| value.is_guarded()) {
            return None;
        }
        let mut known: Vec<Option<&[u8]>> = args.iter().map(|value| self.literal(*value)).collect();
        let are_all_keys = args[1..].iter().chain(open.iter()).all(|value| *value == Value::Key);
        // Of an open list, as many as show every rule by which keys follow each other.
        for _ in 0..=if open.is_some() { OPEN_TRIED } else { 0 } {
            let places = (self.places)(&known)?;
            let is_key = |place: &usize| args.get(*place).copied().or(open) == Some(Value::Key);
            if !are_all_keys && !places.iter().all(is_key) {
                return None;
            }
            known.push(None);
        }
        Some(())
    }
}

/// Lengths that are tried for a list of open length: places of keys repeat after at most three arguments.
const OPEN_TRIED: usize = 6;

/// Joins a state into that before `pc`.
fn flow(states: &mut [Option<Registers>], work: &mut Vec<usize>, pc: usize, state: Registers) -> Proof<()> {
    match states.get_mut(pc)? {
        place @ None => *place = Some(state),
        Some(old) => {
            let values = old.values.iter().zip(&state.values).map(|(a, b)| a.join(*b)).collect();
            let open = if old.open == state.open { state.open } else { None };
            let joined = Registers { values, open };
            if joined == *old {
                return Some(());
            }
            *old = joined;
        }
    }
    work.push(pc);
    Some(())
}
