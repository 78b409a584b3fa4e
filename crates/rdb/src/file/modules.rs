//! What modules leave in files: rows of marked values, which can be passed over by who does not know the module.

use crate::error::ModuleName;
use crate::{Error, Reader};

const END: u64 = 0;
const INT: u64 = 1;
const UINT: u64 = 2;
const FLOAT: u64 = 3;
const DOUBLE: u64 = 4;
const STRING: u64 = 5;

/// That a module's metadata of a key may be passed over by who does not know the module.
const MAY_BE_IGNORED: u32 = 1;
/// A key has metadata of so many modules at most.
const MODULES_OF_KEY_MAX: u64 = 7;

/// Passes over marked values and what ends them.
fn skip_values(reader: &mut Reader<'_>) -> Result<(), Error> {
    loop {
        match reader.length()? {
            END => return Ok(()),
            INT | UINT => drop(reader.length()?),
            FLOAT => drop(reader.take(4)?),
            DOUBLE => drop(reader.take(8)?),
            STRING => reader.skip_string()?,
            _ => return Err(Error::Corrupt("data of a module")),
        }
    }
}

/// Passes over a value of a module; whose it is.
pub fn skip_value(reader: &mut Reader<'_>) -> Result<ModuleName, Error> {
    let name = ModuleName::of(reader.length()?);
    skip_values(reader)?;
    Ok(name)
}

/// Passes over what a module has written beside all keys; whose it is.
pub fn skip_aux(reader: &mut Reader<'_>) -> Result<ModuleName, Error> {
    let name = ModuleName::of(reader.length()?);
    // When it was written: before the keys or behind them.
    if reader.length()? != UINT {
        return Err(Error::Corrupt("data of a module"));
    }
    reader.length()?;
    skip_values(reader)?;
    Ok(name)
}

/// Passes over what modules have written of a key, if all of it may be.
pub fn skip_metadata(reader: &mut Reader<'_>) -> Result<(), Error> {
    let count = reader.length()?;
    if count > MODULES_OF_KEY_MAX {
        return Err(Error::Corrupt("metadata of a key"));
    }
    for _ in 0..count {
        // Four characters, a version of five bits, three flags.
        let class = reader.u32_le()?;
        skip_values(reader)?;
        if class & MAY_BE_IGNORED == 0 {
            return Err(Error::Corrupt("metadata of a module that may not be passed over"));
        }
    }
    Ok(())
}
