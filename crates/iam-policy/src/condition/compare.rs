//! Comparing one value of a policy with one value of a request.

use std::{cmp::Ordering, net::IpAddr, str::FromStr};

use jiff::Timestamp;

use crate::{context::Context, document::Version, pattern::Pattern};

/// What a condition operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    String { test: StringTest, negated: bool },
    Numeric(OrderTest),
    Date(OrderTest),
    Bool,
    Binary,
    IpAddress { negated: bool },
    Arn { negated: bool, like: bool },
    Null,
}

/// How strings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StringTest {
    Equals,
    EqualsIgnoreCase,
    Like,
}

/// How numbers and dates are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderTest {
    Equals,
    NotEquals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

use OrderTest as Order;

const NAMES: [(&str, Comparison); 27] = [
    ("StringEquals", Comparison::String { test: StringTest::Equals, negated: false }),
    ("StringNotEquals", Comparison::String { test: StringTest::Equals, negated: true }),
    ("StringEqualsIgnoreCase", Comparison::String { test: StringTest::EqualsIgnoreCase, negated: false }),
    ("StringNotEqualsIgnoreCase", Comparison::String { test: StringTest::EqualsIgnoreCase, negated: true }),
    ("StringLike", Comparison::String { test: StringTest::Like, negated: false }),
    ("StringNotLike", Comparison::String { test: StringTest::Like, negated: true }),
    ("NumericEquals", Comparison::Numeric(Order::Equals)),
    ("NumericNotEquals", Comparison::Numeric(Order::NotEquals)),
    ("NumericLessThan", Comparison::Numeric(Order::LessThan)),
    ("NumericLessThanEquals", Comparison::Numeric(Order::LessThanEquals)),
    ("NumericGreaterThan", Comparison::Numeric(Order::GreaterThan)),
    ("NumericGreaterThanEquals", Comparison::Numeric(Order::GreaterThanEquals)),
    ("DateEquals", Comparison::Date(Order::Equals)),
    ("DateNotEquals", Comparison::Date(Order::NotEquals)),
    ("DateLessThan", Comparison::Date(Order::LessThan)),
    ("DateLessThanEquals", Comparison::Date(Order::LessThanEquals)),
    ("DateGreaterThan", Comparison::Date(Order::GreaterThan)),
    ("DateGreaterThanEquals", Comparison::Date(Order::GreaterThanEquals)),
    ("Bool", Comparison::Bool),
    ("BinaryEquals", Comparison::Binary),
    ("IpAddress", Comparison::IpAddress { negated: false }),
    ("NotIpAddress", Comparison::IpAddress { negated: true }),
    ("ArnEquals", Comparison::Arn { negated: false, like: false }),
    ("ArnNotEquals", Comparison::Arn { negated: true, like: false }),
    ("ArnLike", Comparison::Arn { negated: false, like: true }),
    ("ArnNotLike", Comparison::Arn { negated: true, like: true }),
    ("Null", Comparison::Null),
];

impl Comparison {
    pub(super) fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, comparison)| *comparison)
    }

    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, comparison)| *comparison == self).map_or("", |(name, _)| name)
    }

    /// Whether the operator holds where nothing matches.
    pub(super) fn negates(self) -> bool {
        match self {
            Self::String { negated, .. } | Self::IpAddress { negated } | Self::Arn { negated, .. } => negated,
            Self::Numeric(test) | Self::Date(test) => test == Order::NotEquals,
            Self::Bool | Self::Binary | Self::Null => false,
        }
    }

    /// Whether a value is one the operator can work with.
    pub(crate) fn accepts(self, value: &str) -> bool {
        match self {
            Self::Numeric(_) => number(value).is_some(),
            Self::Date(_) => date(value).is_some(),
            Self::Bool | Self::Null => is_bool(value),
            Self::IpAddress { .. } => Network::from_str(value).is_ok(),
            Self::String { .. } | Self::Binary | Self::Arn { .. } => true,
        }
    }

    /// Whether the values match, before any negation. Values that cannot be read match nothing.
    pub(super) fn holds(self, policy: &str, given: &str, context: &Context, version: Version) -> bool {
        let pattern = || match version {
            Version::V2008 => Some(Pattern::plain(policy)),
            Version::V2012 => Pattern::with_variables(policy, context),
        };
        match self {
            Self::String { test, .. } => pattern().is_some_and(|pattern| match test {
                StringTest::Equals => pattern.literal() == given,
                StringTest::EqualsIgnoreCase => pattern.literal().to_lowercase() == given.to_lowercase(),
                StringTest::Like => pattern.matches(given),
            }),
            Self::Arn { .. } => pattern().is_some_and(|pattern| arn_matches(&pattern, given)),
            Self::Numeric(test) => {
                let order =
                    number(given).zip(number(policy)).and_then(|(given, policy)| given.partial_cmp(&policy));
                order.is_some_and(|order| test.holds(order))
            }
            Self::Date(test) => {
                date(given).zip(date(policy)).is_some_and(|(given, policy)| test.holds(given.cmp(&policy)))
            }
            Self::Bool => is_bool(given) && policy.eq_ignore_ascii_case(given),
            Self::Binary => policy == given,
            Self::IpAddress { .. } => {
                let address = IpAddr::from_str(given).ok();
                let network = Network::from_str(policy).ok();
                address.zip(network).is_some_and(|(address, network)| network.contains(address))
            }
            Self::Null => false,
        }
    }
}

impl OrderTest {
    /// Whether the test matches, before any negation: `NotEquals` is the negation of `Equals`.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equals | Self::NotEquals => order.is_eq(),
            Self::LessThan => order.is_lt(),
            Self::LessThanEquals => order.is_le(),
            Self::GreaterThan => order.is_gt(),
            Self::GreaterThanEquals => order.is_ge(),
        }
    }
}

/// ARNs match part by part: a wildcard does not reach over a colon, but in the last part.
fn arn_matches(pattern: &Pattern, given: &str) -> bool {
    const PARTS: usize = 6;
    let patterns = pattern.split(PARTS);
    let parts: Vec<&str> = given.splitn(PARTS, ':').collect();
    patterns.len() == PARTS
        && parts.len() == PARTS
        && patterns.iter().zip(parts).all(|(pattern, part)| pattern.matches(part))
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// A date as IAM writes them: ISO 8601 in full, a day alone, or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}

fn is_bool(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

/// An address block.
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().map_err(drop)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(drop)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        if prefix <= width { Ok(Self { address, prefix }) } else { Err(()) }
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u32::from(network) ^ u32::from(address);
                differing.checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = u128::from(network) ^ u128::from(address);
                differing.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}
