//! `print`, `println` and `printf`, as Go's package `fmt` writes.

use crate::field::{Field, float};

/// `fmt.Sprint`: a blank between two values neither of which is a string.
pub(super) fn print(values: &[Field]) -> String {
    let mut out = String::new();
    let mut before_was_text = true;
    for (index, value) in values.iter().enumerate() {
        let is_text = matches!(value, Field::String(_));
        if index > 0 && !is_text && !before_was_text {
            out.push(' ');
        }
        out.push_str(&plain(value));
        before_was_text = is_text;
    }
    out
}

/// `fmt.Sprintln`.
pub(super) fn println(values: &[Field]) -> String {
    let mut out = values.iter().map(plain).collect::<Vec<_>>().join(" ");
    out.push('\n');
    out
}

fn plain(value: &Field) -> String {
    match value {
        Field::Nil => "<nil>".to_owned(),
        value => value.to_string(),
    }
}

/// The widest that a value is made; Go's limit is higher, but nobody pads so far.
const WIDEST: usize = 10_000;

/// Flags, width and precision of a directive.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// `fmt.Sprintf`.
pub(super) fn printf(format: &str, values: &[Field]) -> String {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let shape = shape(&mut rest);
        let Some(verb) = rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        match values.next() {
            Some(value) => out.push_str(&directive(verb, shape, value)),
            None => out.push_str(&format!("%!{verb}(MISSING)")),
        }
    }
    out.push_str(rest);
    let extra: Vec<_> = values.map(|value| format!("{}={}", type_name(value), plain(value))).collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn shape(rest: &mut &str) -> Shape {
    let mut shape = Shape::default();
    while let Some(flag) = rest.chars().next() {
        match flag {
            '+' => shape.plus = true,
            '-' => shape.minus = true,
            '#' => shape.sharp = true,
            ' ' => shape.space = true,
            '0' => shape.zero = true,
            _ => break,
        }
        *rest = &rest[1..];
    }
    shape.width = number(rest).unwrap_or(0);
    if let Some(after) = rest.strip_prefix('.') {
        *rest = after;
        shape.precision = Some(number(rest).unwrap_or(0));
    }
    shape
}

fn number(rest: &mut &str) -> Option<usize> {
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number = rest[..digits].parse::<usize>().ok().map(|number| number.min(WIDEST));
    *rest = &rest[digits..];
    number
}

fn directive(verb: char, shape: Shape, value: &Field) -> String {
    let text = match (verb, value) {
        ('v' | 's', Field::String(text)) => cut(text, shape),
        ('q', Field::String(text)) => format!("{text:?}"),
        ('x', Field::String(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('X', Field::String(text)) => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ('v' | 'd', Field::Int(number)) => signed(*number, number.unsigned_abs().to_string(), shape),
        ('x', Field::Int(number)) => signed(*number, format!("{:x}", number.unsigned_abs()), shape),
        ('X', Field::Int(number)) => signed(*number, format!("{:X}", number.unsigned_abs()), shape),
        ('o', Field::Int(number)) => signed(*number, format!("{:o}", number.unsigned_abs()), shape),
        ('b', Field::Int(number)) => signed(*number, format!("{:b}", number.unsigned_abs()), shape),
        ('c', Field::Int(number)) => character(*number).to_string(),
        ('q', Field::Int(number)) => format!("{:?}", character(*number)),
        ('v' | 'g', Field::Float(number)) => float(*number),
        ('f' | 'F', Field::Float(number)) => format!("{number:.*}", shape.precision.unwrap_or(6)),
        ('e', Field::Float(number)) => exponential(*number, shape.precision.unwrap_or(6)),
        ('v' | 't', Field::Bool(truth)) => truth.to_string(),
        ('v', other) => plain(other),
        ('s' | 'd', Field::List(_) | Field::Map(_)) => plain(value),
        (verb, Field::Nil) => format!("%!{verb}(<nil>)"),
        (verb, other) => return format!("%!{verb}({}={})", type_name(other), plain(other)),
    };
    pad(text, shape, value)
}

fn cut(text: &str, shape: Shape) -> String {
    match shape.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    }
}

/// A whole number with its sign, filled up with zeros where the format says so.
fn signed(number: i64, mut digits: String, shape: Shape) -> String {
    let sign = match number {
        ..0 => "-",
        _ if shape.plus => "+",
        _ if shape.space => " ",
        _ => "",
    };
    let least = match shape.precision {
        Some(precision) => precision,
        None if shape.zero && !shape.minus => shape.width.saturating_sub(sign.len()),
        None => 0,
    };
    if digits.len() < least {
        digits = "0".repeat(least - digits.len()) + &digits;
    }
    format!("{sign}{digits}")
}

fn character(number: i64) -> char {
    u32::try_from(number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
}

/// Go writes at least two digits of an exponent.
fn exponential(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{mantissa}e-{exponent:0>2}"),
            None => format!("{mantissa}e+{exponent:0>2}"),
        },
        None => text,
    }
}

fn pad(text: String, shape: Shape, value: &Field) -> String {
    let missing = shape.width.saturating_sub(text.chars().count());
    let fill = || " ".repeat(missing);
    match (missing, shape.minus) {
        (0, _) => text,
        (_, true) => text + &fill(),
        // Go fills strings and numbers with zeros, behind the sign.
        (_, false) if shape.zero && matches!(value, Field::String(_)) => "0".repeat(missing) + &text,
        (_, false) if shape.zero && matches!(value, Field::Float(_)) => match text.strip_prefix('-') {
            Some(digits) => format!("-{}{digits}", "0".repeat(missing)),
            None => "0".repeat(missing) + &text,
        },
        (_, false) => fill() + &text,
    }
}

/// The type as Go calls it.
fn type_name(value: &Field) -> &'static str {
    match value {
        Field::Nil => "<nil>",
        Field::String(_) => "string",
        Field::Int(_) => "int",
        Field::Float(_) => "float64",
        Field::Bool(_) => "bool",
        Field::List(_) => "[]interface {}",
        Field::Map(_) => "map[string]string",
    }
}
