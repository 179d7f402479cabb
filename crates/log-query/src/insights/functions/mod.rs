//! The functions of expressions: their names, what they take, what they give.

mod address;
mod general;
mod numeric;
mod text;
mod time;

use super::expression::{Expression, Frame};
use super::period::Period;
use super::value::Value;

/// A function that is called, with what is settled when a query is parsed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Function {
    Plain(&'static Plain),
    /// `bin(5m)` looks at the place of `@timestamp`.
    Bin(usize, Period),
    DateFloor(Period),
    DateCeil(Period),
}

/// A function of values only.
#[derive(Debug)]
pub(super) struct Plain {
    /// As its documentation writes it. Queries may use any mixture of cases.
    pub(super) name: &'static str,
    /// The fewest and the most arguments.
    pub(super) arity: (usize, usize),
    call: Call,
}

/// How the work is done: with the values of all arguments.
type Call = for<'f> fn(&mut Arguments<'f, '_>) -> Value<'f>;

const MANY: usize = usize::MAX;

const fn plain(name: &'static str, least: usize, most: usize, call: Call) -> Plain {
    Plain { name, arity: (least, most), call }
}

/// All functions that take values only.
const PLAIN: &[Plain] = &[
    plain("abs", 1, 1, numeric::abs),
    plain("ceil", 1, 1, numeric::ceil),
    plain("floor", 1, 1, numeric::floor),
    plain("greatest", 1, MANY, numeric::greatest),
    plain("least", 1, MANY, numeric::least),
    plain("log", 1, 1, numeric::log),
    plain("sqrt", 1, 1, numeric::sqrt),
    plain("isPresent", 1, 1, general::is_present),
    plain("coalesce", 1, MANY, general::coalesce),
    plain("isEmpty", 1, 1, general::is_empty),
    plain("isBlank", 1, 1, general::is_blank),
    plain("jsonParse", 1, 1, general::json_parse),
    plain("jsonStringify", 1, 1, general::json_stringify),
    plain("concat", 1, MANY, text::concat),
    plain("strlen", 1, 1, text::strlen),
    plain("toupper", 1, 1, text::toupper),
    plain("tolower", 1, 1, text::tolower),
    plain("trim", 1, 2, text::trim),
    plain("ltrim", 1, 2, text::ltrim),
    plain("rtrim", 1, 2, text::rtrim),
    plain("substr", 2, 3, text::substr),
    plain("replace", 3, 3, text::replace),
    plain("strcontains", 2, 2, text::strcontains),
    plain("fromMillis", 1, 1, time::from_millis),
    plain("toMillis", 1, 1, time::to_millis),
    plain("now", 0, 0, time::now),
    plain("isValidIp", 1, 1, address::is_valid_ip),
    plain("isValidIpV4", 1, 1, address::is_valid_ip_v4),
    plain("isValidIpV6", 1, 1, address::is_valid_ip_v6),
    plain("isIpInSubnet", 2, 2, address::is_ip_in_subnet),
    plain("isIpv4InSubnet", 2, 2, address::is_ipv4_in_subnet),
    plain("isIpv6InSubnet", 2, 2, address::is_ipv6_in_subnet),
];

impl Plain {
    /// Finds a function by its name.
    pub(super) fn named(name: &str) -> Option<&'static Plain> {
        PLAIN.iter().find(|function| function.name.eq_ignore_ascii_case(name))
    }
}

/// The names of all functions of expressions, for complaints.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ["bin", "datefloor", "dateceil"].into_iter().chain(PLAIN.iter().map(|function| function.name))
}

impl Function {
    pub(super) fn call<'f>(&self, arguments: &'f [Expression], frame: Frame<'f, '_>) -> Value<'f> {
        let mut arguments = Arguments { expressions: arguments.iter(), frame };
        match self {
            Function::Plain(plain) => (plain.call)(&mut arguments),
            Function::Bin(slot, period) => {
                let time = frame.values.get(*slot).and_then(Value::time);
                time.map_or(Value::Null, |time| Value::Time(period.floor(time)))
            }
            Function::DateFloor(period) => {
                arguments.next().time().map_or(Value::Null, |time| Value::Time(period.floor(time)))
            }
            Function::DateCeil(period) => {
                arguments.next().time().map_or(Value::Null, |time| Value::Time(period.ceil(time)))
            }
        }
    }

    /// The place that the function looks at by itself.
    pub(super) fn slot(&self) -> Option<usize> {
        match self {
            Function::Bin(slot, _) => Some(*slot),
            Function::Plain(_) | Function::DateFloor(_) | Function::DateCeil(_) => None,
        }
    }
}

/// The arguments of a call, worked out one by one as they are asked for.
pub(super) struct Arguments<'f, 'r> {
    expressions: std::slice::Iter<'f, Expression>,
    frame: Frame<'f, 'r>,
}

impl<'f> Arguments<'f, '_> {
    /// The next argument; nothing after the last one.
    fn next(&mut self) -> Value<'f> {
        self.expressions.next().map_or(Value::Null, |expression| expression.value(self.frame))
    }

    /// How many are left.
    fn left(&self) -> usize {
        self.expressions.len()
    }

    /// When the query was started: milliseconds since 1970.
    fn now(&self) -> i64 {
        self.frame.now
    }
}

#[cfg(test)]
mod tests;
