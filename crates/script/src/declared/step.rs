//! What one instruction does to the abstract values in the registers.

use super::captures::local_at;
use super::{Analysis, Proof, Registers, Value, global};
use crate::bytecode::operation::{
    ADD, CALL, CLOSE, CLOSURE, CONCAT, EQ, FORLOOP, FORPREP, GETGLOBAL, GETTABLE, GETUPVAL, JMP, LE, LEN,
    LOADBOOL, LOADK, LOADNIL, LT, MOVE, NEWTABLE, NOT, POW, RETURN, SELF, SETGLOBAL, SETLIST, SETTABLE,
    SETUPVAL, TAILCALL, TEST, TESTSET, TFORLOOP, UNM, VARARG,
};
use crate::bytecode::{Constant, Instruction, Proto};

/// One instruction: from the registers before it to those before its successors.
pub struct Step<'s, 'a> {
    pub analysis: &'s Analysis<'a>,
    pub proto: &'a Proto,
    pub of: usize,
    pub upvalues: &'s [Value],
    pub captured: &'s [usize],
    pub pc: usize,
    pub next: Vec<(usize, Registers)>,
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

    pub fn run(&mut self, mut state: Registers) -> Proof<()> {
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
