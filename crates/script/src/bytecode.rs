//! Reads what `lua_dump` writes: compiled functions, for analysis alone. The bytes come from our own compiler.

use crate::lua::{Lua, State};
use crate::number_text::append_argument;
use std::ffi::{c_int, c_void};

/// A compiled function.
pub struct Proto {
    pub upvalues: u8,
    pub registers: usize,
    pub code: Vec<Instruction>,
    pub constants: Vec<Constant>,
    pub protos: Vec<Proto>,
    pub locals: Vec<Local>,
}

/// A local variable, and where it is in scope: from `from` to before `to`.
pub struct Local {
    pub from: usize,
    pub to: usize,
}

/// Strings and numbers as texts; numbers as a command would get them.
pub enum Constant {
    Text(Vec<u8>),
    Other,
}

/// An instruction of Lua 5.1: 6 bits operation, 8 bits A, 9 bits C, 9 bits B.
#[derive(Clone, Copy)]
pub struct Instruction(u32);

impl Instruction {
    pub fn operation(self) -> u32 {
        self.0 & 63
    }

    pub fn a(self) -> usize {
        (self.0 >> 6) as usize & 0xff
    }

    pub fn c(self) -> usize {
        (self.0 >> 14) as usize & 0x1ff
    }

    pub fn b(self) -> usize {
        (self.0 >> 23) as usize
    }

    pub fn bx(self) -> usize {
        (self.0 >> 14) as usize
    }

    /// A jump, from behind the instruction.
    pub fn jump(self) -> isize {
        self.bx() as isize - 131_071
    }
}

/// Reads the function on top of the stack; `None` if it is not as expected.
pub fn read(lua: Lua) -> Option<Proto> {
    let mut bytes: Vec<u8> = Vec::new();
    if lua.dump(append, std::ptr::from_mut(&mut bytes).cast()) != 0 {
        return None;
    }
    let mut reader = Reader { bytes: &bytes };
    // Version 5.1, little endian, int 4, size_t 8, instructions 4, numbers 8 bytes of floating point.
    (reader.take(12)? == b"\x1bLua\x51\0\x01\x04\x08\x04\x08\0").then_some(())?;
    reader.function(0)
}

unsafe extern "C" fn append(_: *mut State, data: *const c_void, len: usize, out: *mut c_void) -> c_int {
    // SAFETY: Lua passes what `read` gave, and bytes of its own.
    unsafe { (*out.cast::<Vec<u8>>()).extend_from_slice(std::slice::from_raw_parts(data.cast(), len)) };
    0
}

/// Functions nest no deeper than the parser lets them.
const DEPTH_MAX: u32 = 250;

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn int(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(i32::from_le_bytes(bytes)).ok()
    }

    /// Without the zero byte at its end.
    fn text(&mut self) -> Option<&'a [u8]> {
        let len = u64::from_le_bytes(self.take(8)?.try_into().ok()?) as usize;
        let text = self.take(len)?;
        Some(text.strip_suffix(b"\0").unwrap_or(text))
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.int()?;
        (0..len).map(|_| item(self)).collect()
    }

    fn function(&mut self, depth: u32) -> Option<Proto> {
        (depth < DEPTH_MAX).then_some(())?;
        self.text()?;
        self.take(8)?;
        let upvalues = self.byte()?;
        self.take(2)?;
        let registers = usize::from(self.byte()?);
        let code = self.list(|it| Some(Instruction(it.take(4)?.try_into().ok().map(u32::from_le_bytes)?)))?;
        let constants = self.list(Self::constant)?;
        let protos = self.list(|it| it.function(depth + 1))?;
        self.list(|it| it.take(4).map(|_| ()))?;
        let locals = self.list(|it| {
            it.text()?;
            Some(Local { from: it.int()?, to: it.int()? })
        })?;
        self.list(|it| it.text().map(|_| ()))?;
        Some(Proto { upvalues, registers, code, constants, protos, locals })
    }

    fn constant(&mut self) -> Option<Constant> {
        Some(match self.byte()? {
            0 => Constant::Other,
            1 => {
                self.byte()?;
                Constant::Other
            }
            3 => {
                let number = f64::from_le_bytes(self.take(8)?.try_into().ok()?);
                let mut text = Vec::new();
                append_argument(&mut text, number);
                Constant::Text(text)
            }
            4 => Constant::Text(self.text()?.to_vec()),
            _ => return None,
        })
    }
}

/// The operations of Lua 5.1.
pub mod operation {
    pub const MOVE: u32 = 0;
    pub const LOADK: u32 = 1;
    pub const LOADBOOL: u32 = 2;
    pub const LOADNIL: u32 = 3;
    pub const GETUPVAL: u32 = 4;
    pub const GETGLOBAL: u32 = 5;
    pub const GETTABLE: u32 = 6;
    pub const SETGLOBAL: u32 = 7;
    pub const SETUPVAL: u32 = 8;
    pub const SETTABLE: u32 = 9;
    pub const NEWTABLE: u32 = 10;
    pub const SELF: u32 = 11;
    pub const ADD: u32 = 12;
    pub const POW: u32 = 17;
    pub const UNM: u32 = 18;
    pub const NOT: u32 = 19;
    pub const LEN: u32 = 20;
    pub const CONCAT: u32 = 21;
    pub const JMP: u32 = 22;
    pub const EQ: u32 = 23;
    pub const LT: u32 = 24;
    pub const LE: u32 = 25;
    pub const TEST: u32 = 26;
    pub const TESTSET: u32 = 27;
    pub const CALL: u32 = 28;
    pub const TAILCALL: u32 = 29;
    pub const RETURN: u32 = 30;
    pub const FORLOOP: u32 = 31;
    pub const FORPREP: u32 = 32;
    pub const TFORLOOP: u32 = 33;
    pub const SETLIST: u32 = 34;
    pub const CLOSE: u32 = 35;
    pub const CLOSURE: u32 = 36;
    pub const VARARG: u32 = 37;
}
