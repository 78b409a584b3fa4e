//! Passing over a value without building it. Only what tells its length is looked at; what passes may still be no value.

use crate::module::{ModuleId, skip_fields};
use crate::{Error, Reader, Type, array};

/// Passes over a value. What follows it stays in the reader.
pub fn value(kind: Type, reader: &mut Reader<'_>) -> Result<(), Error> {
    match kind {
        Type::String
        | Type::HashZipmap
        | Type::ListZiplist
        | Type::SetIntset
        | Type::ZSetZiplist
        | Type::HashZiplist
        | Type::HashListpack
        | Type::ZSetListpack
        | Type::SetListpack
        | Type::HashListpackExEarly => reader.skip_string(),
        Type::HashListpackEx => {
            reader.take(8)?;
            reader.skip_string()
        }
        Type::List | Type::Set | Type::ListQuicklist => each(reader, |reader| reader.skip_string()),
        Type::ListQuicklist2 => each(reader, |reader| {
            reader.length()?;
            reader.skip_string()
        }),
        Type::ZSetText => each(reader, |reader| {
            reader.skip_string()?;
            match reader.byte()? {
                253.. => Ok(()),
                len => reader.take(len.into()).map(drop),
            }
        }),
        Type::ZSet => each(reader, |reader| {
            reader.skip_string()?;
            reader.take(8).map(drop)
        }),
        Type::Hash => each(reader, pair),
        Type::HashMetadata | Type::HashMetadataEarly => {
            if kind == Type::HashMetadata {
                reader.take(8)?;
            }
            each(reader, |reader| {
                reader.length()?;
                pair(reader)
            })
        }
        Type::HashValkey => each(reader, |reader| {
            pair(reader)?;
            reader.take(8).map(drop)
        }),
        Type::Stream | Type::Stream2 | Type::Stream3 | Type::Stream4 | Type::Stream5 => stream(kind, reader),
        Type::Array => array::skip(reader),
        Type::Json | Type::VectorSet | Type::Suggestions => {
            ModuleId::read(reader)?;
            skip_fields(reader)
        }
    }
}

/// As many times as the number says that comes first.
fn each(
    reader: &mut Reader<'_>,
    mut skip: impl FnMut(&mut Reader<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    (0..reader.length()?).try_for_each(|_| skip(reader))
}

fn pair(reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.skip_string()?;
    reader.skip_string()
}

fn lengths(reader: &mut Reader<'_>, count: usize) -> Result<(), Error> {
    (0..count).try_for_each(|_| reader.length().map(drop))
}

fn stream(kind: Type, reader: &mut Reader<'_>) -> Result<(), Error> {
    each(reader, pair)?;
    // Entries and last id; first id, greatest deleted id and entries ever added.
    lengths(reader, if kind == Type::Stream { 3 } else { 8 })?;
    each(reader, |reader| group(kind, reader))?;
    if !matches!(kind, Type::Stream4 | Type::Stream5) {
        return Ok(());
    }
    lengths(reader, 2)?;
    each(reader, |reader| {
        reader.skip_string()?;
        each(reader, |reader| {
            reader.skip_string()?;
            lengths(reader, 2)
        })
    })?;
    lengths(reader, 2)
}

fn group(kind: Type, reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.skip_string()?;
    lengths(reader, if kind == Type::Stream { 2 } else { 3 })?;
    each(reader, |reader| {
        reader.take(24)?;
        reader.length().map(drop)
    })?;
    each(reader, |reader| {
        reader.skip_string()?;
        reader.take(if matches!(kind, Type::Stream | Type::Stream2) { 8 } else { 16 })?;
        each(reader, |reader| reader.take(16).map(drop))
    })?;
    if kind == Type::Stream5 {
        each(reader, |reader| reader.take(16).map(drop))?;
    }
    Ok(())
}
