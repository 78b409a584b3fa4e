//! `=> { $name: value; … }` behind a part of a query.

use super::grammar::Context;
use super::scanner::{Scanner, is_word};
use super::{Kind, Node, vector};
use crate::error::{Code, Error, shown};
use base::number::{parse_f64, parse_i64};

/// Reads what begins with `{`, and says it of `node`; of nothing if the part was a stop word.
pub(super) fn parse(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    mut node: Option<&mut Node>,
) -> Result<(), Error> {
    scanner.at += 1;
    loop {
        scanner.skip_blanks();
        if scanner.take(b";") {
            continue;
        }
        if scanner.take(b"}") {
            return Ok(());
        }
        if !scanner.take(b"$") {
            return Err(scanner.syntax());
        }
        let name = scanner.word().to_ascii_lowercase();
        scanner.skip_blanks();
        if !scanner.take(b":") {
            return Err(scanner.syntax());
        }
        scanner.skip_blanks();
        let value = value(context, scanner)?;
        if let Some(node) = node.as_deref_mut() {
            set(context, node, &name, &value)?;
        }
    }
}

/// A number, a word, something quoted, or a parameter.
pub(super) fn value(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Vec<u8>, Error> {
    let start = scanner.at;
    let number = scanner.number_length(false);
    match scanner.peek() {
        Some(b'$') if !context.is_legacy => Ok(super::modern::parameter_value(context, scanner)?.to_vec()),
        Some(b'"' | b'\'') => Ok(scanner.quoted()?.to_vec()),
        _ if number > 0 && !scanner.peek_at(number).is_some_and(is_word) => {
            scanner.at += number;
            Ok(scanner.note(start).to_vec())
        }
        Some(_) => {
            let word = scanner.word();
            if word.is_empty() { Err(scanner.syntax()) } else { Ok(word.to_vec()) }
        }
        None => Err(scanner.syntax()),
    }
}

fn set(context: &Context<'_>, node: &mut Node, name: &[u8], value: &[u8]) -> Result<(), Error> {
    let invalid =
        || Error::new(Code::Syntax, format!("Invalid value ({}) for `{}`", shown(value), shown(name)));
    match name {
        b"weight" => {
            let weight = parse_f64(value).filter(|weight| *weight >= 0.0 && weight.is_finite());
            node.attributes.weight = Some(weight.ok_or_else(invalid)?);
        }
        b"slop" => {
            let slop = parse_i64(value).filter(|slop| *slop >= -1 && *slop <= i64::from(u32::MAX));
            node.attributes.slop = Some(slop.ok_or_else(invalid)?);
        }
        b"inorder" => node.attributes.in_order = Some(flag(value).ok_or_else(invalid)?),
        b"phonetic" => {
            let wanted = flag(value).ok_or_else(invalid)?;
            let phonetic = context.schema.mask(|_, text| text.phonetic.is_some());
            if node.fields != crate::schema::ALL_FIELDS && node.fields & !phonetic != 0 {
                return Err(Error::new(Code::Syntax, "field does not support phonetics"));
            }
            node.attributes.phonetic = Some(wanted);
        }
        _ => match &mut node.kind {
            Kind::Nearest { .. } | Kind::Within(_) => vector::set_option(node, name, value, &invalid)?,
            _ => {
                let text = format!("Invalid attribute {}", shown(name));
                return Err(Error::new(Code::Option, text));
            }
        },
    }
    Ok(())
}

fn flag(value: &[u8]) -> Option<bool> {
    match value.to_ascii_lowercase().as_slice() {
        b"true" | b"1" => Some(true),
        b"false" | b"0" => Some(false),
        _ => None,
    }
}
