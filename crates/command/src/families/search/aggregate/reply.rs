//! Rows as FT.AGGREGATE answers them.

use crate::families::search::query::reply::begin_map;
use crate::families::search::query::warnings::Warnings;
use resp::Reply;
use search::aggregate::Fields;
use search::expression::Value;

/// What a reply looks like.
#[derive(Clone, Copy)]
pub struct Shape {
    pub resp3: bool,
    pub expands: bool,
    pub warnings: Warnings,
}

/// How many rows there are said to be if nobody has counted them: those that are shown, or in RESP2 that there are any.
pub fn uncounted(shape: Shape, shown: usize) -> u64 {
    if shape.resp3 { shown as u64 } else { u64::from(shown > 0) }
}

/// Writes rows with their number.
pub fn write(shape: Shape, total: u64, rows: &[Fields], out: &mut Reply) {
    begin(shape, total, rows.len(), out);
    rows.iter().for_each(|row| write_one(shape, row, out));
}

/// Writes what comes before the rows, which are so many.
pub fn begin(shape: Shape, total: u64, count: usize, out: &mut Reply) {
    if shape.resp3 {
        begin_map(shape.warnings, total, shape.expands, out);
        return out.array(count);
    }
    out.array(1 + count);
    out.natural(total);
}

/// Writes a row in its place.
pub fn write_one(shape: Shape, row: &Fields, out: &mut Reply) {
    if !shape.resp3 {
        return write_row(row, out);
    }
    out.map(2);
    out.status("extra_attributes");
    write_row(row, out);
    out.status("values");
    out.array(0);
}

/// Writes a row: names and values.
pub fn write_row(row: &Fields, out: &mut Reply) {
    out.map(row.iter().count());
    for (name, value) in row.iter() {
        out.bulk(name);
        write_value(value, out);
    }
}

fn write_value(value: &Value, out: &mut Reply) {
    match value {
        Value::Null => out.null(),
        Value::List(values) => {
            out.array(values.len());
            values.iter().for_each(|value| write_value(value, out));
        }
        Value::Map(pairs) => {
            out.map(pairs.len());
            for (name, value) in pairs {
                out.bulk(name);
                write_value(value, out);
            }
        }
        Value::Number(_) | Value::Text(_) => out.bulk(&value.shown().unwrap_or_default()),
    }
}
