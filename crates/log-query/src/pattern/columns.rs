//! Patterns of columns: `[host, user, ..., status = 4* || status = 5*, bytes > 1000]`.

use memchr::memmem::Finder;

use super::condition::{Condition, Parser, Test};
use super::cursor::Cursor;
use super::{Extracted, PatternError};

/// Columns and what they must hold.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// Names from the left, up to the ellipsis if there is one. A column may have none.
    left: Vec<Option<String>>,
    /// Names after the ellipsis, counted from the right end; `None` without an ellipsis.
    right: Option<Vec<Option<String>>>,
    conditions: Vec<Condition<usize>>,
    /// What every matching message contains.
    literals: Vec<Finder<'static>>,
}

/// A column while it is parsed: names as its condition mentions them, the first being its own.
struct Draft {
    names: Vec<String>,
    condition: Option<Condition<String>>,
}

impl Columns {
    pub(super) fn parse(pattern: &str) -> Result<Columns, PatternError> {
        let mut cursor = Cursor::new(pattern);
        cursor.skip_spaces();
        cursor.next();
        let (mut left, mut right, mut regexes) = (Vec::new(), None, 0);
        loop {
            cursor.skip_spaces();
            let here = cursor.clone();
            if cursor.eat("...") || cursor.eat("…") {
                if right.replace(Vec::new()).is_some() {
                    return Err(here.error("a pattern has one ellipsis at most"));
                }
            } else {
                right.as_mut().unwrap_or(&mut left).push(draft(&mut cursor, &mut regexes)?);
            }
            cursor.skip_spaces();
            if cursor.eat("]") {
                break;
            }
            if !cursor.eat(",") {
                return Err(cursor.expected("',' or ']'"));
            }
        }
        cursor.skip_spaces();
        match cursor.peek() {
            None => Columns::resolve(left, right, &cursor),
            Some(_) => Err(cursor.error("nothing may follow the closing ']'")),
        }
    }

    /// Gives columns their places, and conditions the columns that they name.
    fn resolve(
        left: Vec<Draft>,
        right: Option<Vec<Draft>>,
        cursor: &Cursor<'_>,
    ) -> Result<Columns, PatternError> {
        let mut own: Vec<String> = Vec::new();
        for draft in left.iter().chain(right.iter().flatten()) {
            if let Some(name) = draft.names.first() {
                if own.contains(name) {
                    return Err(cursor.error_at(0, format!("two columns are named '{name}'")));
                }
                own.push(name.clone());
            }
        }
        let mut conditions = Vec::new();
        let mut place = |drafts: Vec<Draft>| {
            let mut names = Vec::new();
            for draft in drafts {
                names.push(draft.names.first().cloned());
                // `status = 4* && bytes > 1000` makes a column of `bytes` where no other column has that name.
                for further in draft.names.iter().skip(1) {
                    if !own.contains(further) {
                        own.push(further.clone());
                        names.push(Some(further.clone()));
                    }
                }
                conditions.extend(draft.condition);
            }
            names
        };
        let left = place(left);
        let right = right.map(place);
        let names: Vec<&Option<String>> = left.iter().chain(right.iter().flatten()).collect();
        let mut index = |name: String| {
            let found = names.iter().position(|own| own.as_deref() == Some(&name));
            found.ok_or_else(|| cursor.error_at(0, format!("no column is named '{name}'")))
        };
        let conditions = conditions
            .into_iter()
            .map(|condition| condition.try_map(&mut index))
            .collect::<Result<Vec<_>, _>>()?;
        let literals = literals(&conditions);
        Ok(Columns { left, right, conditions, literals })
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.literals.iter().all(|literal| literal.find(message.as_bytes()).is_some())
            && self.fields(message).is_some_and(|fields| self.hold(&fields))
    }

    pub(super) fn extract(&self, message: &str) -> Option<Extracted> {
        let fields = self.fields(message)?;
        if !self.hold(&fields) {
            return None;
        }
        let skipped = fields.len() - self.right.as_ref().map_or(0, Vec::len);
        let named = |(at, value): (usize, &&str)| {
            let name = match &self.right {
                Some(right) if at >= skipped => right[at - skipped].as_deref(),
                _ => self.left.get(at).and_then(Option::as_deref),
            };
            let name = name.map_or_else(|| format!("${}", at + 1), |name| format!("${name}"));
            (name, (*value).to_owned())
        };
        Some(fields.iter().enumerate().map(named).collect())
    }

    pub(super) fn literals(&self) -> Vec<String> {
        let text = |literal: &Finder<'_>| String::from_utf8_lossy(literal.needle()).into_owned();
        self.literals.iter().map(text).collect()
    }

    /// The fields of a message, when there are as many as the pattern wants.
    fn fields<'m>(&self, message: &'m str) -> Option<Vec<&'m str>> {
        let least = self.left.len() + self.right.as_ref().map_or(0, Vec::len);
        let mut fields = Vec::with_capacity(least);
        for field in Fields::of(message) {
            if self.right.is_none() && fields.len() == least {
                return None;
            }
            fields.push(field);
        }
        (fields.len() >= least).then_some(fields)
    }

    fn hold(&self, fields: &[&str]) -> bool {
        let holds = |column: &usize, test: &Test| {
            let place = match &self.right {
                Some(right) if *column >= self.left.len() => {
                    fields.len() - right.len() + (column - self.left.len())
                }
                _ => *column,
            };
            fields.get(place).is_some_and(|field| test.holds_for_number(field))
        };
        self.conditions.iter().all(|condition| condition.holds(&holds))
    }
}

/// Reads a column: nothing, a name, or a condition that begins with its name.
fn draft(cursor: &mut Cursor<'_>, regexes: &mut usize) -> Result<Draft, PatternError> {
    if matches!(cursor.peek(), Some(',' | ']')) {
        return Ok(Draft { names: Vec::new(), condition: None });
    }
    let mut names: Vec<String> = Vec::new();
    let mut note = |name: &str| {
        if !names.iter().any(|noted| noted == name) {
            names.push(name.to_owned());
        }
    };
    let mut before = cursor.clone();
    let plain = name(&mut before).ok().filter(|_| {
        before.skip_spaces();
        matches!(before.peek(), Some(',' | ']') | None)
    });
    if let Some(plain) = plain {
        note(&plain);
        *cursor = before;
        return Ok(Draft { names, condition: None });
    }
    let subject = |cursor: &mut Cursor<'_>| {
        let name = name(cursor)?;
        note(&name);
        Ok(name)
    };
    let condition = Parser { cursor, subject, regexes, states: false }.condition()?;
    Ok(Draft { names, condition: Some(condition) })
}

fn name(cursor: &mut Cursor<'_>) -> Result<String, PatternError> {
    cursor.eat("$");
    let name = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    match name.is_empty() {
        true => Err(cursor.expected("the name of a column")),
        false => Ok(name.to_owned()),
    }
}

fn literals(conditions: &[Condition<usize>]) -> Vec<Finder<'static>> {
    let certain = conditions.iter().flat_map(Condition::certain_tests);
    let texts = certain.flat_map(|(_, test)| match test {
        Test::Text { equal: true, text } => text.literal().map(str::to_owned).into_iter().collect(),
        Test::Regex { equal: true, regex } => regex.literals(),
        _ => Vec::new(),
    });
    texts.filter(|text| !text.is_empty()).map(|text| Finder::new(&text).into_owned()).collect()
}

/// The fields of a message: what spaces divide, and what stands between brackets or double quotes as one.
struct Fields<'m> {
    rest: &'m str,
    /// Whether no `]` is left, so that a message of nothing but `[` is not searched for one again and again.
    /// An open double quote needs no such note: any other one that could open a field would close it.
    unclosed: bool,
}

impl<'m> Fields<'m> {
    fn of(message: &'m str) -> Fields<'m> {
        Fields { rest: message, unclosed: false }
    }

    fn closing_bracket(&mut self, text: &str) -> Option<usize> {
        if self.unclosed {
            return None;
        }
        let found = text.find(']');
        self.unclosed = found.is_none();
        found
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = &'m str;

    fn next(&mut self) -> Option<&'m str> {
        let rest = self.rest.trim_start();
        let enclosed = match rest.as_bytes().first()? {
            b'[' => self.closing_bracket(&rest[1..]),
            b'"' => closing_quote(&rest[1..]),
            _ => None,
        };
        let (field, rest) = match enclosed {
            Some(end) => (&rest[1..=end], &rest[end + 2..]),
            // What is opened and not closed is a word like others.
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        self.rest = rest;
        Some(field)
    }
}

/// The quote that ends a field; a backslash takes its meaning from a quote.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}
