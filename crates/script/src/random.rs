//! The generator behind `math.random`: the 48-bit linear congruence of POSIX `lrand48`, which Redis carries along so that
//! scripts see the same numbers everywhere.

use crate::lua::Lua;
use std::ffi::c_int;

/// The state, 48 bits.
#[derive(Clone, Copy)]
pub struct Random48(u64);

const MASK: u64 = (1 << 48) - 1;
const MAX: i32 = i32::MAX;

impl Default for Random48 {
    fn default() -> Self {
        Self(0x1234_abcd_330e)
    }
}

impl Random48 {
    pub fn from_seed(seed: i32) -> Self {
        Self((u64::from(seed as u32) << 16) | 0x330e)
    }

    /// The next number, 31 bits.
    pub fn next(&mut self) -> i32 {
        self.0 = (self.0.wrapping_mul(0x5_deec_e66d).wrapping_add(0xb)) & MASK;
        (self.0 >> 17) as i32
    }
}

/// `math.random([m [, n]])`
pub fn random(lua: Lua) -> c_int {
    let state = &lua.vm().random;
    let mut generator = state.get();
    let fraction = f64::from(generator.next() % MAX) / f64::from(MAX);
    state.set(generator);
    let number = match lua.top() {
        0 => fraction,
        1 => {
            let upper = lua.check_int(1);
            if upper < 1 {
                lua.argument_error(1, c"interval is empty");
            }
            (fraction * f64::from(upper)).floor() + 1.0
        }
        2 => {
            let (lower, upper) = (lua.check_int(1), lua.check_int(2));
            if lower > upper {
                lua.argument_error(2, c"interval is empty");
            }
            // The width is computed as C's int is: it may wrap.
            (fraction * f64::from(upper.wrapping_sub(lower).wrapping_add(1))).floor() + f64::from(lower)
        }
        _ => lua.fail(b"wrong number of arguments"),
    };
    lua.push_number(number);
    1
}

/// `math.randomseed(n)`
pub fn seed(lua: Lua) -> c_int {
    lua.vm().random.set(Random48::from_seed(lua.check_int(1)));
    0
}
