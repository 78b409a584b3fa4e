//! Variables that closures share with the function around them.

use super::{Proof, Value};
use crate::bytecode::operation::{
    CALL, CLOSE, CLOSURE, EQ, FORLOOP, FORPREP, GETUPVAL, JMP, LE, LOADNIL, LT, MOVE, RETURN, SELF,
    SETGLOBAL, SETLIST, SETTABLE, SETUPVAL, TAILCALL, TEST, TFORLOOP, VARARG,
};
use crate::bytecode::{Instruction, Proto};

/// The place in `locals` of the variable in a register at an instruction.
pub fn local_at(proto: &Proto, register: usize, pc: usize) -> Option<usize> {
    let active = proto.locals.iter().enumerate().filter(|(_, local)| local.from <= pc && pc < local.to);
    active.map(|(index, _)| index).nth(register)
}

/// The variables that closures capture.
pub fn captured_locals(proto: &Proto) -> Proof<Vec<usize>> {
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
pub fn is_assigned(proto: &Proto, register: usize, pc: usize) -> Proof<bool> {
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
pub fn assigns_upvalue_anywhere(proto: &Proto, upvalues: &[Value]) -> Proof<bool> {
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
