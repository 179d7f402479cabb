//! Selectors of properties: `$.user.roles[0]`, `$.items[*].id`, `$.['content-type']`.

use super::PatternError;
use super::cursor::Cursor;
use crate::json::Step;

/// How deep a selector may go.
const MAX_STEPS: usize = 100;

/// The way to a property, and how the pattern writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) steps: Vec<Step>,
    pub(super) written: String,
}

impl Selector {
    /// Reads a selector.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Selector, PatternError> {
        let start = cursor.clone();
        if !cursor.eat("$") {
            return Err(cursor.expected("a selector ('$.name') or '('"));
        }
        let mut steps = Vec::new();
        loop {
            let step = match cursor.peek() {
                Some('.') => {
                    cursor.next();
                    match cursor.peek() {
                        Some('[') => bracket(cursor)?,
                        _ => key(cursor)?,
                    }
                }
                Some('[') => bracket(cursor)?,
                _ => break,
            };
            steps.push(step);
            if steps.len() > MAX_STEPS {
                return Err(start.error(format!("the selector goes deeper than {MAX_STEPS} steps")));
            }
        }
        if steps.is_empty() {
            return Err(cursor.expected("'.' and the name of a property after '$'"));
        }
        let written = start.rest()[..cursor.at() - start.at()].to_owned();
        Ok(Selector { steps, written })
    }
}

fn key(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    let name = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '@'));
    match name.is_empty() {
        true => {
            Err(cursor.expected("the name of a property (letters, digits, '_', '-'; others as ['name'])"))
        }
        false => Ok(Step::Key(name.to_owned())),
    }
}

fn bracket(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    cursor.next();
    let start = cursor.clone();
    let step = match cursor.peek() {
        Some('*') => {
            cursor.next();
            Step::Every
        }
        Some('"') => Step::Key(cursor.quoted()?),
        Some('\'') => {
            cursor.next();
            match cursor.take_until('\'') {
                Some(name) => Step::Key(name.to_owned()),
                None => return Err(start.error("the single quote that begins here is not closed")),
            }
        }
        _ => match cursor.take_while(|c| c.is_ascii_digit()).parse() {
            Ok(index) => Step::Index(index),
            Err(_) => return Err(start.expected("an index, '*' or a name in quotes")),
        },
    };
    match cursor.eat("]") {
        true => Ok(step),
        false => Err(cursor.expected("']'")),
    }
}
