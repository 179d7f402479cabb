//! The commands but `stats`.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::super::error::QueryError;
use super::super::expression::Expression;
use super::super::extract::{Extraction, Glob, Pattern};
use super::super::lexer::Token;
use super::super::plan::{MAX_RESULTS, Sort, SortBy, Stage};
use super::{MAX_REGEXES, Parser};
use crate::regexes::complaint;

/// What a compiled regular expression may take, in bytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Commands of the language that are not supported here.
pub(in crate::insights) const REFUSED: [&str; 10] =
    ["anomaly", "diff", "expand", "filterIndex", "join", "lookup", "pattern", "SOURCE", "unmask", "unnest"];

const SUPPORTED: &str = "fields, display, filter, stats, sort, limit, parse or dedup";

impl Parser<'_> {
    /// Reads all commands.
    pub(super) fn commands(&mut self) -> Result<(), QueryError> {
        // A query may begin with the `|` that continues it.
        self.eat("|")?;
        loop {
            self.command()?;
            if self.token == Token::End {
                return Ok(());
            }
            if !self.eat("|")? {
                return Err(self.expected("'|' and a further command, or the end,"));
            }
        }
    }

    fn command(&mut self) -> Result<(), QueryError> {
        let name = match &self.token {
            Token::Name { name, quoted: false } => name.to_ascii_lowercase(),
            _ => return Err(self.expected(&format!("a command ({SUPPORTED})"))),
        };
        if name != "limit" && self.deduped() {
            return Err(self.error(self.span.clone(), format!("only limit may follow dedup, not {name}")));
        }
        match name.as_str() {
            "fields" => self.fields(),
            "display" => self.display(),
            "filter" => self.filter(),
            "sort" => self.sort(),
            "limit" => self.limit(),
            "parse" => self.parse(),
            "dedup" => self.dedup(),
            "stats" => self.stats(),
            _ => Err(self.no_command(&name)),
        }
    }

    fn deduped(&self) -> bool {
        self.stages.iter().any(|stage| matches!(stage, Stage::Dedup(_)))
    }

    fn no_command(&self, name: &str) -> QueryError {
        let refused = REFUSED.iter().find(|refused| refused.eq_ignore_ascii_case(name));
        let message = match (refused, name) {
            (Some(refused), _) => format!("the command {refused} is not supported here"),
            (None, "head" | "tail") => format!("the command {name} is not supported any more: use limit"),
            (None, _) => format!("'{name}' is no command: {SUPPORTED} is expected"),
        };
        self.error(self.span.clone(), message)
    }

    fn fields(&mut self) -> Result<(), QueryError> {
        self.advance()?;
        let items = self.items()?;
        self.shown.fields = true;
        self.shown.named.extend(items);
        Ok(())
    }

    fn display(&mut self) -> Result<(), QueryError> {
        self.advance()?;
        self.shown.display = Some(self.items()?);
        Ok(())
    }

    /// Expressions with or without `as` and a name, divided by commas.
    fn items(&mut self) -> Result<Vec<(String, usize)>, QueryError> {
        let (mut items, mut computed) = (Vec::new(), Vec::new());
        loop {
            let start = self.span.start;
            let expression = self.expression()?;
            let written = self.name_of(&expression, start);
            let alias = self.alias()?;
            let name = alias.clone().unwrap_or(written);
            let slot = match (expression, alias) {
                (Expression::Slot(slot), None) => slot,
                (Expression::Slot(slot), Some(alias)) => {
                    self.scope.alias(alias, slot);
                    slot
                }
                (expression, _) => {
                    let slot = self.scope.define(name.clone());
                    computed.push((slot, expression));
                    slot
                }
            };
            items.push((name, slot));
            if !self.eat(",")? {
                break;
            }
        }
        if !computed.is_empty() {
            self.stages.push(Stage::Compute(computed));
        }
        Ok(items)
    }

    /// How results name an expression that has no alias: as it is written, without the backticks of a field.
    pub(super) fn name_of(&self, expression: &Expression, start: usize) -> String {
        let written = self.source(start);
        match expression {
            Expression::Slot(_) | Expression::Path(..) => written.replace('`', ""),
            _ => written.to_owned(),
        }
    }

    /// `as name`, if it is next.
    pub(super) fn alias(&mut self) -> Result<Option<String>, QueryError> {
        if !self.eat_word("as")? {
            return Ok(None);
        }
        self.new_name().map(Some)
    }

    /// A name for something new.
    fn new_name(&mut self) -> Result<String, QueryError> {
        match &self.token {
            Token::Name { .. } => match self.advance()? {
                Token::Name { name, .. } => Ok(name),
                _ => Err(self.expected("a name")),
            },
            _ => Err(self.expected("a name")),
        }
    }

    fn filter(&mut self) -> Result<(), QueryError> {
        self.advance()?;
        let condition = self.expression()?;
        self.stages.push(Stage::Filter(condition));
        Ok(())
    }

    fn sort(&mut self) -> Result<(), QueryError> {
        self.advance()?;
        self.eat_word("by")?;
        let mut keys = Vec::new();
        loop {
            let expression = self.expression()?;
            let descending = self.eat_word("desc")?;
            if !descending {
                self.eat_word("asc")?;
            }
            keys.push(SortBy { expression, descending });
            if !self.eat(",")? {
                break;
            }
        }
        self.stages.push(Stage::Sort(Sort { keys, keep: None }));
        Ok(())
    }

    fn limit(&mut self) -> Result<(), QueryError> {
        self.advance()?;
        let wanted = format!("a whole number from 1 to {MAX_RESULTS}");
        let number = match self.token {
            #[expect(clippy::cast_precision_loss, reason = "10,000 is exact")]
            Token::Number(number)
                if number.fract() == 0.0 && (1.0..=MAX_RESULTS as f64).contains(&number) =>
            {
                number
            }
            _ => return Err(self.expected(&wanted)),
        };
        self.advance()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is from 1 to 10,000"
        )]
        self.stages.push(Stage::Limit(number as usize));
        Ok(())
    }

    fn dedup(&mut self) -> Result<(), QueryError> {
        self.advance()?;
        let mut keys = Vec::new();
        loop {
            keys.push(self.field()?);
            if !self.eat(",")? {
                break;
            }
        }
        self.stages.push(Stage::Dedup(keys));
        Ok(())
    }

    /// A field by its name.
    fn field(&mut self) -> Result<Expression, QueryError> {
        let span = self.span.clone();
        match &self.token {
            Token::Name { .. } => match self.advance()? {
                Token::Name { name, .. } => self.resolve(&name, span),
                _ => Err(self.expected("a field")),
            },
            _ => Err(self.expected("a field")),
        }
    }

    fn parse(&mut self) -> Result<(), QueryError> {
        self.advance()?;
        let source = match self.field()? {
            Expression::Slot(slot) => slot,
            other => {
                let slot = self.scope.define(String::new());
                self.stages.push(Stage::Compute(vec![(slot, other)]));
                slot
            }
        };
        let start = self.span.clone();
        let (pattern, names) = match &self.token {
            Token::Text(glob) => {
                let glob = Glob::new(glob);
                self.advance()?;
                let parts = glob.parts();
                if parts == 0 {
                    return Err(self.error(start, "a '*' is expected in the glob for every part to take out"));
                }
                let names = self.names_of_parts(parts, start)?;
                (Pattern::Glob(glob), names)
            }
            Token::Symbol("/") => self.parse_regex()?,
            _ => return Err(self.expected("a glob in quotes or a /regular expression/")),
        };
        let mut targets = Vec::new();
        for name in names {
            let slot = self.scope.define(name.clone());
            self.shown.named.push((name, slot));
            targets.push(slot);
        }
        self.stages.push(Stage::Extract(Extraction { source, pattern, targets }));
        Ok(())
    }

    /// A regular expression of `parse`: its named groups are the parts, or all groups if names follow it.
    fn parse_regex(&mut self) -> Result<(Pattern, Vec<String>), QueryError> {
        let (regex, start) = self.regex()?;
        let groups = regex.captures_len() - 1;
        if self.is_word("as") {
            let names = self.names_of_parts(groups, start)?;
            return Ok((Pattern::Regex(regex, (1..=groups).collect()), names));
        }
        let named = regex.capture_names().enumerate();
        let (numbers, names): (Vec<_>, Vec<_>) =
            named.filter_map(|(number, name)| Some((number, name?.to_owned()))).unzip();
        match names.is_empty() {
            true => Err(self.error(
                start,
                "a group with a name, (?<name>…), is expected in the expression for every part to take out",
            )),
            false => Ok((Pattern::Regex(regex, numbers), names)),
        }
    }

    /// `as a, b, c`, as many names as there are parts.
    fn names_of_parts(&mut self, parts: usize, pattern: Range<usize>) -> Result<Vec<String>, QueryError> {
        if !self.eat_word("as")? {
            return Err(self.expected("'as' and the names of the parts"));
        }
        let mut names = vec![self.new_name()?];
        while self.eat(",")? {
            names.push(self.new_name()?);
        }
        match names.len() == parts {
            true => Ok(names),
            false => {
                let message = format!("the pattern takes out {parts} parts, and {} are named", names.len());
                Err(self.error(pattern, message))
            }
        }
    }

    /// A regular expression whose first `/` is next, and its place.
    pub(super) fn regex(&mut self) -> Result<(Regex, Range<usize>), QueryError> {
        let (expression, span) = self.lexer.regex(self.span.start)?;
        self.span = span.clone();
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            return Err(self.error(span, format!("a query has at most {MAX_REGEXES} regular expressions")));
        }
        self.advance()?;
        match RegexBuilder::new(&expression).size_limit(MAX_COMPILED_BYTES).build() {
            Ok(regex) => Ok((regex, span)),
            Err(error) => {
                let message = format!("the regular expression is not valid: {}", complaint(&error));
                Err(self.error(span, message))
            }
        }
    }
}
