//! What modules leave in files: rows of marked fields ([`crate::module`]), which can be passed over by who does not know the module.

use crate::error::ModuleName;
use crate::module::{ModuleId, skip_fields, skip_unsigned};
use crate::{Error, Reader};

/// That a module's metadata of a key may be passed over by who does not know the module.
const MAY_BE_IGNORED: u32 = 1;
/// A key has metadata of so many modules at most.
const MODULES_OF_KEY_MAX: u64 = 7;

/// Passes over a value of a module; whose it is.
pub fn skip_value(reader: &mut Reader<'_>) -> Result<ModuleName, Error> {
    let name = ModuleId::read(reader)?.name();
    skip_fields(reader)?;
    Ok(name)
}

/// Passes over what a module has written beside all keys; whose it is.
pub fn skip_aux(reader: &mut Reader<'_>) -> Result<ModuleName, Error> {
    let name = ModuleId::read(reader)?.name();
    // When it was written: before the keys or behind them.
    skip_unsigned(reader)?;
    skip_fields(reader)?;
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
        skip_fields(reader)?;
        if class & MAY_BE_IGNORED == 0 {
            return Err(Error::Corrupt("metadata of a module that may not be passed over"));
        }
    }
    Ok(())
}
