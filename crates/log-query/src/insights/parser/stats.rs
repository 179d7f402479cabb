//! `stats`: `stats avg(took) as mean, max(took) by host, bin(5m)`.

use std::ops::Range;

use super::super::aggregate::{Aggregate, AggregateFunction};
use super::super::error::QueryError;
use super::super::expression::Expression;
use super::super::lexer::Token;
use super::super::plan::{Stage, Stats, Step};
use super::super::scope::Scope;
use super::{Draft, MAX_STATS, Parser, Shown};

impl Draft {
    /// Adds an aggregate and gives its result as an expression.
    fn aggregate(&mut self, aggregate: Aggregate) -> Expression {
        self.aggregates.push(aggregate);
        self.steps.push(Step::Result(self.aggregates.len() - 1));
        Expression::Slot(self.steps.len() - 1)
    }

    /// Adds a column.
    fn output(&mut self, name: String, expression: Expression) {
        self.steps.push(Step::Expression(expression));
        self.outputs.push((name, self.steps.len() - 1));
    }
}

impl Parser<'_> {
    pub(super) fn stats(&mut self) -> Result<(), QueryError> {
        self.check_place()?;
        self.advance()?;
        self.stats += 1;
        self.draft = Some(Draft::default());
        loop {
            let (name, expression) = self.named_expression()?;
            self.draft.get_or_insert_default().output(name, expression);
            if !self.eat(",")? {
                break;
            }
        }
        let Draft { aggregates, steps, outputs } = self.draft.take().unwrap_or_default();
        let mut by = Vec::new();
        if self.eat_word("by")? {
            loop {
                by.push(self.named_expression()?);
                if !self.eat(",")? {
                    break;
                }
            }
        }
        let (names, by): (Vec<_>, Vec<_>) = by.into_iter().unzip();
        let (output_names, outputs): (Vec<_>, Vec<_>) = outputs.into_iter().unzip();
        self.stages.push(Stage::Stats(Stats { by, aggregates, steps, outputs }));
        let names = names.into_iter().chain(output_names);
        let columns: Vec<_> = names.clone().zip(0..).collect();
        let before = std::mem::replace(&mut self.scope, Scope::closed(names));
        self.events.get_or_insert(before);
        self.shown = Shown { stats: columns, ..Shown::default() };
        Ok(())
    }

    /// Complains where `stats` may not stand.
    fn check_place(&self) -> Result<(), QueryError> {
        let complaint = if self.stats == MAX_STATS {
            format!("a query has at most {MAX_STATS} stats commands")
        } else if self.stats > 0
            && self.stages.iter().any(|stage| matches!(stage, Stage::Sort(_) | Stage::Limit(_)))
        {
            "sort and limit must follow the second stats command".to_owned()
        } else {
            return Ok(());
        };
        Err(self.error(self.span.clone(), complaint))
    }

    fn named_expression(&mut self) -> Result<(String, Expression), QueryError> {
        let start = self.span.start;
        let expression = self.expression()?;
        let written = self.name_of(&expression, start);
        Ok((self.alias()?.unwrap_or(written), expression))
    }

    /// A call of a function of `stats`, from its `(`. The expression is the place of its result.
    pub(super) fn aggregate(
        &mut self,
        name: &str,
        function: AggregateFunction,
        span: Range<usize>,
    ) -> Result<Expression, QueryError> {
        // Inside of its arguments there is no other one.
        let Some(mut draft) = self.draft.take() else {
            let message =
                format!("{name} is a function of stats and stands in no other place, nor in another of them");
            return Err(self.error(span, message));
        };
        self.expect("(")?;
        let everything = self.eat("*")?;
        let argument = match everything || self.is_symbol(")") {
            true => None,
            false => Some(self.expression()?),
        };
        if argument.is_none() && function != AggregateFunction::Count {
            return Err(self.expected(&format!("a field that {name} is of")));
        }
        let function = match function {
            AggregateFunction::Percentile(_) if name.eq_ignore_ascii_case("pct") => {
                AggregateFunction::Percentile(self.percent()?)
            }
            AggregateFunction::Earliest(_) => AggregateFunction::Earliest(self.times(name, span)?),
            AggregateFunction::Latest(_) => AggregateFunction::Latest(self.times(name, span)?),
            other => other,
        };
        self.expect(")")?;
        let result = draft.aggregate(Aggregate { function, argument });
        self.draft = Some(draft);
        Ok(result)
    }

    fn percent(&mut self) -> Result<f64, QueryError> {
        self.expect(",")?;
        match self.token {
            Token::Number(percent) if (0.0..=100.0).contains(&percent) => {
                self.advance()?;
                Ok(percent)
            }
            _ => Err(self.expected("a number from 0 to 100")),
        }
    }

    fn times(&mut self, name: &str, span: Range<usize>) -> Result<usize, QueryError> {
        self.slot("@timestamp").ok_or_else(|| {
            self.error(
                span,
                format!("{name} looks at @timestamp, which is not among the fields that stats gives"),
            )
        })
    }
}
