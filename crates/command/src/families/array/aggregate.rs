//! AROP: one number out of the elements of a range.

use super::{index, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use base::extended::Extended;
use resp::Reply;
use types::Array;
use types::array::{Element, exact_double};

pub const COMMANDS: &[Command] = &[row("AROP", arop)
    .arity(-5)
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .complexity("O(N) where N is the number of existing elements in the range")
    .summary("Returns the sum, the least, the greatest … of the elements of a range of an array.")
    .syntax(
        "key:key start:integer end:integer \
         operation(sum=SUM|min=MIN|max=MAX|and=AND|or=OR|xor=XOR|\
         match{match=MATCH value:string}|used=USED)",
    )];

#[derive(Clone, Copy)]
enum Operation {
    Sum,
    Least,
    Greatest,
    Bits(fn(i64, i64) -> i64),
}

/// A number as C's `long double` has it; integers stay integers while they fit.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Wide(Extended),
}

impl Number {
    fn of(element: Element<'_>) -> Option<Self> {
        if let Element::Int(value) = element {
            return Some(Self::Int(value));
        }
        element.with_text(|text| {
            let wide = exact_double(text).map(Extended::from_f64);
            wide.or_else(|| Extended::parse(text)).map(Self::Wide)
        })
    }

    fn wide(self) -> Extended {
        match self {
            Self::Int(value) => Extended::from_i64(value),
            Self::Wide(value) => value,
        }
    }

    /// Without its fraction, if with it it is not beyond what fits.
    fn whole(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Wide(value) => {
                let (least, most) = (Extended::from_i64(i64::MIN), Extended::from_i64(i64::MAX));
                if value.exceeds(most) || least.exceeds(value) { None } else { value.whole() }
            }
        }
    }

    fn plus(self, other: Self) -> Self {
        if let (Self::Int(a), Self::Int(b)) = (self, other)
            && let Some(sum) = a.checked_add(b)
        {
            return Self::Int(sum);
        }
        Self::Wide(self.wide().plus(other.wide()))
    }

    fn exceeds(self, other: Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a > b,
            (a, b) => a.wide().exceeds(b.wide()),
        }
    }
}

/// AROP key start end SUM | MIN | MAX | AND | OR | XOR | MATCH value | USED
fn arop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (start, end) = (index(args, 2)?, index(args, 3)?);
    let (low, high) = (start.min(end), start.max(end));
    let operation = match args[4].to_ascii_uppercase().as_slice() {
        b"SUM" => Operation::Sum,
        b"MIN" => Operation::Least,
        b"MAX" => Operation::Greatest,
        b"AND" => Operation::Bits(|a, b| a & b),
        b"OR" => Operation::Bits(|a, b| a | b),
        b"XOR" => Operation::Bits(|a, b| a ^ b),
        b"MATCH" if args.len() == 6 => return count_equal(cx, args, (low, high), out),
        b"MATCH" => return Err(Error::err("MATCH requires a value argument")),
        b"USED" if args.len() == 5 => {
            let array = cx.read::<Array>(args.key(1))?;
            out.natural(array.map_or(0, |array| array.count_in(low, high)));
            return Ok(());
        }
        b"USED" => return Err(Error::wrong_arity("arop")),
        _ => return Err(Error::err("unknown operation")),
    };
    if args.len() != 5 {
        return Err(Error::wrong_arity("arop"));
    }
    let array = cx.read::<Array>(args.key(1))?;
    match (operation, array.and_then(|array| aggregate(array, low, high, operation))) {
        (_, None) => out.null(),
        (Operation::Bits(_), Some(number)) => out.int(number.whole().unwrap_or(0)),
        (_, Some(number)) => {
            let mut text = Vec::new();
            number.wide().append_short(&mut text);
            out.bulk(&text);
        }
    }
    Ok(())
}

fn aggregate(array: &Array, low: u64, high: u64, operation: Operation) -> Option<Number> {
    let mut result: Option<Number> = None;
    array.visit(low, high, |_, element| {
        let Some(number) = Number::of(element) else { return true };
        let so_far = result;
        match operation {
            Operation::Sum => result = Some(so_far.map_or(number, |sum| sum.plus(number))),
            Operation::Least if so_far.is_none_or(|least| least.exceeds(number)) => result = Some(number),
            Operation::Greatest if so_far.is_none_or(|most| number.exceeds(most)) => result = Some(number),
            Operation::Least | Operation::Greatest => {}
            Operation::Bits(combine) => {
                if let Some(bits) = number.whole() {
                    let so_far = so_far.and_then(Number::whole);
                    result = Some(Number::Int(so_far.map_or(bits, |so_far| combine(so_far, bits))));
                }
            }
        }
        true
    });
    result
}

fn count_equal(cx: &mut Cx<'_>, args: Args<'_>, (low, high): (u64, u64), out: &mut Reply) -> Outcome {
    let mut count = 0;
    if let Some(array) = cx.read::<Array>(args.key(1))? {
        array.visit(low, high, |_, element| {
            count += usize::from(element.with_text(|text| text == &args[5]));
            true
        });
    }
    out.count(count);
    Ok(())
}
