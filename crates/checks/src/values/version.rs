//! Versions of packages, compared as the package managers do.

use std::cmp::Ordering;
use std::fmt;

use serde::Deserialize;

/// Whose rules of comparison hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Debian's (deb-version(7)).
    Dpkg,
    /// RPM's (rpm-version(7)).
    Rpm,
}

impl Format {
    /// The package manager's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dpkg => "dpkg",
            Self::Rpm => "rpm",
        }
    }
}

/// Conditions on a version, all of which must hold: `">= 17.09, < 21"`. A version alone must be met exactly.
///
/// Only what a condition names is compared: one without an epoch (`1:`) leaves out the epoch, one without a release
/// (`-2.amzn1`, Debian's revision) leaves out the release. So `"17.09.1"` holds for `17.09.1-1.amzn1`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Requirement(Vec<Condition>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    operator: Operator,
    version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Equal,
    NotEqual,
    AtLeast,
    Greater,
}

/// Longer operators first, so that `>=` is not taken for `>`.
const OPERATORS: [(&str, Operator); 7] = [
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("!=", Operator::NotEqual),
    ("==", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=", Operator::Equal),
];

impl Operator {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::AtLeast => ordering.is_ge(),
            Self::Greater => ordering.is_gt(),
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::AtLeast => ">=",
            Self::Greater => ">",
        }
    }
}

impl TryFrom<String> for Requirement {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let condition = |part: &str| {
            let part = part.trim();
            let (operator, version) = OPERATORS
                .iter()
                .find_map(|(sign, operator)| Some((*operator, part.strip_prefix(sign)?)))
                .unwrap_or((Operator::Equal, part));
            let version = version.trim();
            let allowed = |c: char| c.is_ascii_alphanumeric() || ".+~^-:_".contains(c);
            let good =
                version.starts_with(|c: char| c.is_ascii_alphanumeric()) && version.chars().all(allowed);
            good.then(|| Condition { operator, version: version.to_owned() })
        };
        let conditions: Option<Vec<Condition>> = text.split(',').map(condition).collect();
        conditions.map(Self).ok_or_else(|| {
            format!("\"{text}\" is no condition on a version, such as \">= 1.5\" or \">= 17, < 21\"")
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Condition { operator, version }) in self.0.iter().enumerate() {
            write!(f, "{}{} {version}", if at == 0 { "" } else { ", " }, operator.sign())?;
        }
        Ok(())
    }
}

impl Requirement {
    /// Whether a version meets all conditions.
    pub fn holds(&self, format: Format, version: &str) -> bool {
        self.0.iter().all(|condition| {
            condition.operator.holds(compare(
                format,
                &Version::parse(version),
                &Version::parse(&condition.version),
            ))
        })
    }
}

/// `[EPOCH:]VERSION[-RELEASE]`.
struct Version<'a> {
    epoch: Option<&'a str>,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => (Some(epoch), rest),
            None => (None, text),
        };
        match rest.rsplit_once('-') {
            Some((version, release)) => Self { epoch, version, release: Some(release) },
            None => Self { epoch, version: rest, release: None },
        }
    }
}

/// Compares what both versions can be compared by: the condition's epoch and release only if it has them.
fn compare(format: Format, found: &Version<'_>, wanted: &Version<'_>) -> Ordering {
    let part = |found: &str, wanted: &str| match format {
        Format::Dpkg => dpkg(found, wanted),
        Format::Rpm => rpm(found, wanted),
    };
    // Who has no epoch has epoch 0, who has no release the lowest.
    let epoch = wanted.epoch.map_or(Ordering::Equal, |wanted| part(found.epoch.unwrap_or("0"), wanted));
    let release =
        || wanted.release.map_or(Ordering::Equal, |wanted| part(found.release.unwrap_or(""), wanted));
    epoch.then_with(|| part(found.version, wanted.version)).then_with(release)
}

/// A number of any length, without its zeros in front.
fn number<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.trim_start_matches('0')
}

fn by_value(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Debian's rule: pieces without digits and numbers by turns; in the former `~` sorts before the end, the end before
/// letters, letters before the rest.
fn dpkg(mut a: &str, mut b: &str) -> Ordering {
    let weight = |c: Option<char>| match c {
        Some('~') => -1,
        None => 0,
        Some(c) if c.is_ascii_digit() => 0,
        Some(c) if c.is_ascii_alphabetic() => c as i32,
        Some(c) => c as i32 + 256,
    };
    while !a.is_empty() || !b.is_empty() {
        loop {
            let (left, right) = (a.chars().next(), b.chars().next());
            let ended = |c: Option<char>| c.is_none_or(|c| c.is_ascii_digit());
            if ended(left) && ended(right) {
                break;
            }
            match weight(left).cmp(&weight(right)) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
            // Equal weights of which one is not the end are the same character.
            a = &a[left.map_or(0, char::len_utf8)..];
            b = &b[right.map_or(0, char::len_utf8)..];
        }
        match by_value(number(&mut a), number(&mut b)) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    Ordering::Equal
}

/// RPM's rule: pieces of letters and of digits, whatever else stands between them; a number is newer than letters; `~`
/// is older than the end, `^` newer than the end but older than anything else.
fn rpm(mut a: &str, mut b: &str) -> Ordering {
    let separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    loop {
        a = a.trim_start_matches(separator);
        b = b.trim_start_matches(separator);
        match (a.strip_prefix('~'), b.strip_prefix('~')) {
            (Some(left), Some(right)) => {
                (a, b) = (left, right);
                continue;
            }
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        match (a.strip_prefix('^'), b.strip_prefix('^')) {
            (Some(left), Some(right)) => {
                (a, b) = (left, right);
                continue;
            }
            (Some(_), None) => return if b.is_empty() { Ordering::Greater } else { Ordering::Less },
            (None, Some(_)) => return if a.is_empty() { Ordering::Less } else { Ordering::Greater },
            (None, None) => {}
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        match rpm_piece(&mut a, &mut b) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
}

fn rpm_piece(a: &mut &str, b: &mut &str) -> Ordering {
    let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match (digit(a), digit(b)) {
        (true, true) => by_value(number(a), number(b)),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => letters(a).cmp(letters(b)),
    }
}

fn letters<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (piece, rest) = text.split_at(end);
    *text = rest;
    piece
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering::{Equal, Greater, Less};

    /// From deb-version(7) and dpkg's own behaviour (`dpkg --compare-versions`).
    #[test]
    fn debian_versions() {
        for (a, b, expected) in [
            ("1.0", "1.0", Equal),
            ("1.0~rc1", "1.0", Less),
            ("~~", "~~a", Less),
            ("~~a", "~", Less),
            ("~", "", Less),
            ("", "a", Less),
            ("1.2.3", "1.10", Less),
            ("0.001", "0.1", Equal),
            ("1.0a", "1.0+", Less),
            ("2.0", "10.0", Less),
            ("1.0.", "1.0", Greater),
            ("20.10.24+dfsg1", "20.10.24", Greater),
            ("99999999999999999999", "100000000000000000000", Less),
        ] {
            assert_eq!(dpkg(a, b), expected, "{a} {b}");
            assert_eq!(dpkg(b, a), expected.reverse(), "{b} {a}");
        }
    }

    /// From rpm's own table of cases (tests/rpmvercmp.at).
    #[test]
    fn rpm_versions() {
        for (a, b, expected) in [
            ("1.0", "1.0", Equal),
            ("1.0", "2.0", Less),
            ("2.0.1", "2.0", Greater),
            ("2.0.1a", "2.0.1", Greater),
            ("5.5p1", "5.5p2", Less),
            ("5.5p10", "5.5p1", Greater),
            ("10xyz", "10.1xyz", Less),
            ("xyz10", "xyz10.1", Less),
            ("xyz.4", "8", Less),
            ("5.5p2", "5.6p1", Less),
            ("6.0.rc1", "6.0", Greater),
            ("10b2", "10a1", Greater),
            ("1.0aa", "1.0a", Greater),
            ("10.0001", "10.1", Equal),
            ("10.0001", "10.0039", Less),
            ("20101121", "20101122", Less),
            ("2_0", "2.0", Equal),
            ("a+", "a_", Equal),
            ("1.0~rc1", "1.0", Less),
            ("1.0~rc1~git123", "1.0~rc1", Less),
            ("1.0^", "1.0", Greater),
            ("1.0^git1", "1.01", Less),
            ("1.0^20160101", "1.0.1", Less),
            ("1.0~rc1^git1", "1.0~rc1", Greater),
            ("1.0^git1~pre", "1.0^git1", Less),
        ] {
            assert_eq!(rpm(a, b), expected, "{a} {b}");
            assert_eq!(rpm(b, a), expected.reverse(), "{b} {a}");
        }
    }

    #[test]
    fn requirements() {
        let cases = [
            (">= 17.09", Format::Rpm, "17.09.1-1.amzn1", true),
            ("17.09.1", Format::Rpm, "17.09.1-1.amzn1", true),
            ("17.09.1-1.amzn1", Format::Rpm, "17.09.1-1.amzn1", true),
            ("= 17.09.1-2.amzn1", Format::Rpm, "17.09.1-1.amzn1", false),
            ("> 17.09.1", Format::Rpm, "17.09.1-1.amzn1", false),
            (">= 17, < 21", Format::Dpkg, "20.10.24+dfsg1-1+deb12u1", true),
            (">= 17, < 20", Format::Dpkg, "20.10.24+dfsg1-1+deb12u1", false),
            ("!= 1.6", Format::Dpkg, "1.6-2.1", false),
            ("1.6", Format::Dpkg, "2:1.6-2.1", true),
            ("1:1.6", Format::Dpkg, "2:1.6-2.1", false),
            ("> 0:1.6", Format::Dpkg, "1:1.0", true),
            ("== 1.6", Format::Dpkg, "1.6", true),
        ];
        for (requirement, format, version, expected) in cases {
            let parsed = Requirement::try_from(requirement.to_owned()).unwrap();
            assert_eq!(parsed.holds(format, version), expected, "{version} {requirement}");
        }
        for bad in ["", "> ", ">= 1, ", "~> 1.0", "latest version", "1.*"] {
            assert!(Requirement::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert_eq!(Requirement::try_from(">=1,<2".to_owned()).unwrap().to_string(), ">= 1, < 2");
    }
}
