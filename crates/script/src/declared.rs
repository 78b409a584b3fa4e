//! Does a script touch only keys that it was given?
//!
//! A proof over the bytecode, by abstract values in registers: the table `redis`, its `call` and `pcall`, the table KEYS,
//! elements of it, literals. Every command called must be a literal, and its keys elements of KEYS. Whatever is not
//! understood makes the answer no: `redis`, its functions or KEYS stored, passed on or returned, globals that could lead to
//! them another way (`_G`, `loadstring`), a variable that is now one, now another.
//!
//! Captured variables: a closure sees what the variable held when it was made, if nothing is assigned to it in its whole
//! scope; a captured variable that is assigned may hold nothing of the above.

use crate::bytecode::{Constant, Instruction, Proto};

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

/// The place in `locals` of the variable in a register at an instruction.
fn local_at(proto: &Proto, register: usize, pc: usize) -> Option<usize> {
    let active = proto.locals.iter().enumerate().filter(|(_, local)| local.from <= pc && pc < local.to);
    active.map(|(index, _)| index).nth(register)
}

/// The variables that closures capture.
fn captured_locals(proto: &Proto) -> Proof<Vec<usize>> {
    let mut captured = Vec::new();
    for (pc, instruction) in proto.code.iter().enumerate() {
        if instruction.operation() != CLOSURE {
            continue;
        }
        let inner = proto.protos.get(instruction.bx())?;
        for capture in proto.code.get(pc + 1..=pc + usize::from(inner.upvalues))? {
            if capture.operation() == MOVE {
                // A local function is captured by itself before its scope begins.
                let places = [pc, pc + 1 + usize::from(inner.upvalues)];
                captured.extend(places.into_iter().filter_map(|pc| local_at(proto, capture.b(), pc)));
            }
        }
    }
    Some(captured)
}

/// Whether the variable in `register` at `pc` is assigned in its scope.
fn is_assigned(proto: &Proto, register: usize, pc: usize) -> Proof<bool> {
    let Some(local) = local_at(proto, register, pc) else { return Some(true) };
    let local = &proto.locals[local];
    let mut pc = local.from;
    while pc < local.to.min(proto.code.len()) {
        let instruction = proto.code[pc];
        if writes(instruction, register) {
            return Some(true);
        }
        pc += 1;
        if instruction.operation() == CLOSURE {
            // What it captures is listed behind it, in the form of instructions.
            pc += usize::from(proto.protos.get(instruction.bx())?.upvalues);
        }
    }
    Some(false)
}

/// Whether the function, or one inside it, assigns to an upvalue that holds something to be followed.
fn assigns_upvalue_anywhere(proto: &Proto, upvalues: &[Value]) -> Proof<bool> {
    let is_followed = |value: &Value| !matches!(value, Value::Plain);
    for instruction in &proto.code {
        if instruction.operation() == SETUPVAL && upvalues.get(instruction.b()).is_some_and(is_followed) {
            return Some(true);
        }
    }
    for (pc, instruction) in proto.code.iter().enumerate().filter(|(_, it)| it.operation() == CLOSURE) {
        let inner = proto.protos.get(instruction.bx())?;
        let captures = proto.code.get(pc + 1..=pc + usize::from(inner.upvalues))?;
        let passed: Vec<Value> = captures
            .iter()
            .map(|capture| match capture.operation() {
                GETUPVAL => upvalues.get(capture.b()).copied().unwrap_or(Value::Plain),
                _ => Value::Plain,
            })
            .collect();
        if passed.iter().any(is_followed) && assigns_upvalue_anywhere(inner, &passed)? {
            return Some(true);
        }
    }
    Some(false)
}

/// Whether an instruction may write the register.
fn writes(instruction: Instruction, register: usize) -> bool {
    let a = instruction.a();
    match instruction.operation() {
        SETGLOBAL | SETUPVAL | SETTABLE | JMP | EQ | LT | LE | TEST | RETURN | SETLIST | CLOSE => false,
        LOADNIL => (a..=instruction.b()).contains(&register),
        SELF => register == a || register == a + 1,
        CALL | TAILCALL | VARARG | TFORLOOP => register >= a,
        FORLOOP | FORPREP => (a..=a + 3).contains(&register),
        _ => register == a,
    }
}

const MOVE: u32 = 0;
const LOADK: u32 = 1;
const LOADBOOL: u32 = 2;
const LOADNIL: u32 = 3;
const GETUPVAL: u32 = 4;
const GETGLOBAL: u32 = 5;
const GETTABLE: u32 = 6;
const SETGLOBAL: u32 = 7;
const SETUPVAL: u32 = 8;
const SETTABLE: u32 = 9;
const NEWTABLE: u32 = 10;
const SELF: u32 = 11;
const ADD: u32 = 12;
const POW: u32 = 17;
const UNM: u32 = 18;
const NOT: u32 = 19;
const LEN: u32 = 20;
const CONCAT: u32 = 21;
const JMP: u32 = 22;
const EQ: u32 = 23;
const LT: u32 = 24;
const LE: u32 = 25;
const TEST: u32 = 26;
const TESTSET: u32 = 27;
const CALL: u32 = 28;
const TAILCALL: u32 = 29;
const RETURN: u32 = 30;
const FORLOOP: u32 = 31;
const FORPREP: u32 = 32;
const TFORLOOP: u32 = 33;
const SETLIST: u32 = 34;
const CLOSE: u32 = 35;
const CLOSURE: u32 = 36;
const VARARG: u32 = 37;

/// One instruction: from the registers before it to those before its successors.
struct Step<'s, 'a> {
    analysis: &'s Analysis<'a>,
    proto: &'a Proto,
    of: usize,
    upvalues: &'s [Value],
    captured: &'s [usize],
    pc: usize,
    next: Vec<(usize, Registers)>,
}

impl Step<'_, '_> {
    fn to(&mut self, offset: isize, state: Registers) -> Proof<()> {
        let target = usize::try_from(self.pc as isize + 1 + offset).ok()?;
        self.next.push((target, state));
        Some(())
    }

    /// Writes a register. Variables that closures capture hold nothing guarded but what they begin with.
    fn set(&self, state: &mut Registers, register: usize, value: Value) -> Proof<()> {
        if value.is_guarded() {
            let local = local_at(self.proto, register, self.pc);
            if local.is_some_and(|local| self.captured.contains(&local)) {
                return None;
            }
        }
        *state.values.get_mut(register)? = value;
        Some(())
    }

    /// A register or a constant.
    fn operand(&self, state: &Registers, place: usize) -> Proof<Value> {
        if place >= 256 {
            return Some(Value::Literal { of: self.of, index: place - 256 });
        }
        state.values.get(place).copied()
    }

    /// A register or a constant that may go anywhere.
    fn free(&self, state: &Registers, place: usize) -> Proof<Value> {
        self.operand(state, place).filter(|value| !value.is_guarded())
    }

    fn constant(&self, index: usize) -> Proof<&[u8]> {
        match self.proto.constants.get(index)? {
            Constant::Text(text) => Some(text),
            Constant::Other => None,
        }
    }

    fn run(&mut self, mut state: Registers) -> Proof<()> {
        let instruction = self.proto.code[self.pc];
        let (a, b, c) = (instruction.a(), instruction.b(), instruction.c());
        match instruction.operation() {
            MOVE => {
                let value = *state.values.get(b)?;
                // A mixed value may be moved along, but not used.
                self.set(&mut state, a, value)?;
            }
            LOADK => self.set(&mut state, a, Value::Literal { of: self.of, index: instruction.bx() })?,
            LOADBOOL => {
                self.set(&mut state, a, Value::Plain)?;
                return self.to(isize::from(c != 0), state);
            }
            LOADNIL => (a..=b).try_for_each(|register| self.set(&mut state, register, Value::Plain))?,
            GETUPVAL => {
                let value = *self.upvalues.get(b)?;
                self.set(&mut state, a, value)?;
            }
            GETGLOBAL => {
                let value = global(self.constant(instruction.bx())?)?;
                self.set(&mut state, a, value)?;
            }
            GETTABLE => {
                let value = self.field(&state, *state.values.get(b)?, c)?;
                self.set(&mut state, a, value)?;
            }
            SETGLOBAL | SETUPVAL => {
                self.free(&state, a)?;
            }
            SETTABLE => {
                for place in [a, b, c] {
                    self.free(&state, place)?;
                }
            }
            NEWTABLE | VARARG => return self.fresh(instruction, state),
            SELF => {
                let object = self.free(&state, b)?;
                self.set(&mut state, a + 1, object)?;
                self.set(&mut state, a, Value::Plain)?;
            }
            ADD..=POW => self.set(&mut state, a, Value::Plain)?,
            // The length of KEYS may be asked; other operators on it are errors at run time.
            UNM | NOT | LEN | CONCAT => self.set(&mut state, a, Value::Plain)?,
            JMP => return self.to(instruction.jump(), state),
            EQ | LT | LE | TEST => {
                self.to(0, state.clone())?;
                return self.to(1, state);
            }
            TESTSET => {
                let value = *state.values.get(b)?;
                self.to(1, state.clone())?;
                self.set(&mut state, a, value)?;
            }
            CALL | TAILCALL => self.call(&mut state, a, b, c)?,
            RETURN => return self.end(&state, a, b),
            FORPREP => {
                (a..=a + 3).try_for_each(|register| self.set(&mut state, register, Value::Plain))?;
                return self.to(instruction.jump(), state);
            }
            FORLOOP => {
                (a..=a + 3).try_for_each(|register| self.set(&mut state, register, Value::Plain))?;
                self.to(instruction.jump(), state.clone())?;
            }
            TFORLOOP => return self.iterate(state, a, c),
            SETLIST => {
                let last = if b == 0 { state.open?.0 } else { a + b + 1 };
                (a..last).try_for_each(|register| self.free(&state, register).map(|_| ()))?;
                if b == 0 && state.open?.1.is_guarded() {
                    return None;
                }
                state.open = None;
                return self.to(isize::from(c == 0), state);
            }
            CLOSE => {}
            CLOSURE => {
                let skipped = self.proto.protos.get(instruction.bx())?.upvalues;
                self.set(&mut state, a, Value::Plain)?;
                return self.to(isize::from(i16::from(skipped)), state);
            }
            _ => return None,
        }
        self.to(0, state)
    }

    /// `table[key]`
    fn field(&self, state: &Registers, table: Value, key: usize) -> Proof<Value> {
        let key = self.free(state, key)?;
        let name = self.analysis.literal(key);
        Some(match table {
            Value::Mixed => return None,
            Value::Redis => match name? {
                b"call" | b"pcall" => Value::Call,
                _ => Value::Plain,
            },
            Value::Keys => Value::Key,
            Value::Library => match name {
                Some(b"concat" | b"getn" | b"maxn" | b"encode" | b"pack") => Value::Look,
                _ => Value::Plain,
            },
            // A function has no fields.
            Value::Call => return None,
            _ => Value::Plain,
        })
    }

    fn fresh(&mut self, instruction: Instruction, mut state: Registers) -> Proof<()> {
        let (a, b) = (instruction.a(), instruction.b());
        if instruction.operation() == VARARG {
            if b == 0 {
                state.open = Some((a, Value::Plain));
            }
            (a..(a + b).saturating_sub(1))
                .try_for_each(|register| self.set(&mut state, register, Value::Plain))?;
        } else {
            self.set(&mut state, a, Value::Plain)?;
        }
        self.to(0, state)
    }

    fn call(&self, state: &mut Registers, a: usize, b: usize, c: usize) -> Proof<()> {
        let open = if b == 0 { Some(state.open?) } else { None };
        let last = open.map_or(a + b, |(from, _)| from);
        let args: Vec<Value> = state.values.get(a + 1..last)?.to_vec();
        let more = open.map(|(_, value)| value);
        let result = match *state.values.get(a)? {
            Value::Call => {
                self.analysis.command(&args, more)?;
                Value::Plain
            }
            Value::Protect if args.first() == Some(&Value::Call) => {
                self.analysis.command(&args[1..], more)?;
                Value::Plain
            }
            function => self.other_call(function, &args, more)?,
        };
        // What stood above is gone.
        state.values[a..].fill(Value::Plain);
        let is_walk = result == Value::Iterator;
        // Of what a walk gives, KEYS is one.
        state.open = (c == 0).then_some((a, if is_walk { Value::Keys } else { result }));
        let results = c.saturating_sub(1);
        for (at, register) in (a..a + results).enumerate() {
            let value = match at {
                1 if is_walk => Value::Keys,
                2.. if is_walk => Value::Plain,
                _ => result,
            };
            self.set(state, register, value)?;
        }
        Some(())
    }

    /// A call of anything but `redis.call`: what it gives.
    fn other_call(&self, function: Value, args: &[Value], more: Option<Value>) -> Proof<Value> {
        let has_keys_first = args.first() == Some(&Value::Keys);
        let rest = if has_keys_first { &args[1..] } else { args };
        if rest.iter().chain(more.iter()).any(|value| value.is_guarded()) {
            return None;
        }
        match function {
            Value::Mixed | Value::Redis | Value::Keys => None,
            Value::Walk if has_keys_first => Some(Value::Iterator),
            Value::Unpack if has_keys_first => Some(Value::Key),
            Value::Look => Some(Value::Plain),
            _ if has_keys_first => None,
            _ => Some(Value::Plain),
        }
    }

    fn iterate(&mut self, mut state: Registers, a: usize, c: usize) -> Proof<()> {
        let is_walk =
            state.values.get(a) == Some(&Value::Iterator) && state.values.get(a + 1) == Some(&Value::Keys);
        if !is_walk {
            (a..a + 3).try_for_each(|register| self.free(&state, register).map(|_| ()))?;
        }
        for (at, register) in (a + 3..a + 3 + c).enumerate() {
            let value = if is_walk && at == 1 { Value::Key } else { Value::Plain };
            self.set(&mut state, register, value)?;
        }
        self.set(&mut state, a + 2, Value::Plain)?;
        self.to(0, state.clone())?;
        self.to(1, state)
    }

    /// What the main function returns goes to the client; from others, nothing that is followed may come.
    fn end(&self, state: &Registers, a: usize, b: usize) -> Proof<()> {
        let open = if b == 0 { Some(state.open?) } else { None };
        let last = open.map_or((a + b).saturating_sub(1), |(from, _)| from);
        let is_inner = self.of > 0;
        for register in a..last {
            let value = *state.values.get(register)?;
            if is_inner && value.is_guarded() {
                return None;
            }
        }
        (!is_inner || open.is_none_or(|(_, value)| !value.is_guarded())).then_some(())
    }
}
