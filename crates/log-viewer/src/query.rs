//! Logs Insights queries.

use std::time::Duration;

use aws_clients::ApiError;
use serde_json::{Map, Value};

use crate::groups::size;
use crate::place::{mark, of_message};
use crate::service::{Group, Logs, QueryResults, QueryState, Span, StartQueryError};

/// How long to wait between two looks at a query.
const LOOK: Duration = Duration::from_millis(150);

/// Why a query has no results.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The query's text is not understood.
    #[error("the query is not understood: {message}\n{}", mark(.query, .place.or_else(|| of_message(.message, .query))))]
    Malformed {
        /// The query.
        query: String,
        /// The service's own words.
        message: String,
        /// Where it is wrong: the first character and the one after the last.
        place: Option<(usize, usize)>,
    },
    /// The service gave up.
    #[error("the query ended as {0}")]
    Ended(String),
    /// The user has ended it.
    #[error("the query was stopped")]
    Interrupted,
    /// The API cannot be asked, or refuses.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// Runs a query over groups and waits for its results.
///
/// # Errors
/// When the query is not understood, fails, or the API cannot be asked.
pub async fn run(
    logs: &dyn Logs,
    groups: &[Group],
    query: &str,
    span: Span,
    limit: Option<i32>,
) -> Result<QueryResults, QueryError> {
    let started = logs.start_query(groups, query, span, limit).await;
    let id = started.map_err(|error| match error {
        StartQueryError::Malformed { message, place } => {
            QueryError::Malformed { query: query.to_owned(), message, place }
        }
        StartQueryError::Api(error) => error.into(),
    })?;
    finish(logs, &id).await
}

/// Waits for the results. Ctrl-C meanwhile ends the query, which would go on (and cost) without us.
async fn finish(logs: &dyn Logs, id: &str) -> Result<QueryResults, QueryError> {
    loop {
        match logs.query(id).await? {
            QueryState::Complete(results) => return Ok(results),
            QueryState::Ended(how) => return Err(QueryError::Ended(how)),
            QueryState::Runs => {}
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => {
                logs.stop_query(id).await?;
                return Err(QueryError::Interrupted);
            }
        }
    }
}

/// The fields that are told only for programs.
fn is_internal(field: &str) -> bool {
    field == "@ptr"
}

/// Rows as JSON objects.
pub fn documents(results: &QueryResults) -> Vec<Value> {
    let document = |row: &Vec<(String, String)>| {
        let fields = row.iter().filter(|(field, _)| !is_internal(field));
        Value::Object(
            fields.map(|(field, value)| (field.clone(), value.clone().into())).collect::<Map<_, _>>(),
        )
    };
    results.rows.iter().map(document).collect()
}

/// Rows as a table for people: a column for each field, in the order in which they are first met.
pub fn table(results: &QueryResults) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for (field, _) in results.rows.iter().flatten() {
        if !is_internal(field) && !columns.contains(&field.as_str()) {
            columns.push(field);
        }
    }
    let cell = |row: &Vec<(String, String)>, column: &str| {
        let found = row.iter().find(|(field, _)| field == column);
        found.map_or("-".to_owned(), |(_, value)| one_line(value))
    };
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|column| (*column).to_owned()).collect()];
    lines.extend(results.rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()));
    let widths: Vec<usize> = (0..columns.len())
        .map(|index| lines.iter().map(|line| line[index].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text += padded.join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn one_line(value: &str) -> String {
    let value = value.trim_end();
    value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What the query has looked at, as a sentence.
pub fn effort(results: &QueryResults) -> String {
    let of = |name| results.statistics.get(name).copied().unwrap_or_default();
    format!(
        "{} rows; {} of {} events matched, {} read",
        results.rows.len(),
        of("records_matched"),
        of("records_scanned"),
        size(of("bytes_scanned"))
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fake::Fake;

    fn results(rows: &[&[(&str, &str)]]) -> QueryResults {
        let row = |row: &&[(&str, &str)]| {
            row.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
        };
        QueryResults {
            rows: rows.iter().map(row).collect(),
            statistics: BTreeMap::from([
                ("records_matched", 2),
                ("records_scanned", 9),
                ("bytes_scanned", 2048),
            ]),
        }
    }

    const SPAN: Span = Span { from: 0, until: Some(1) };

    #[tokio::test]
    async fn a_query_is_waited_for() {
        let fake = Fake::of(&[]);
        let done = results(&[&[("a", "1")]]);
        *fake.query_states.lock().unwrap() = vec![QueryState::Complete(done.clone()), QueryState::Runs];
        assert_eq!(run(&fake, &[], "fields a", SPAN, None).await.unwrap(), done);
    }

    #[tokio::test]
    async fn a_failed_query_is_an_error() {
        let fake = Fake::of(&[]);
        *fake.query_states.lock().unwrap() = vec![QueryState::Ended("Timeout".to_owned())];
        let error = run(&fake, &[], "fields a", SPAN, None).await.unwrap_err();
        assert_eq!(error.to_string(), "the query ended as Timeout");
    }

    #[tokio::test]
    async fn a_malformed_query_shows_where() {
        let error = run(&Fake::of(&[]), &[], "feilds a", SPAN, None).await.unwrap_err();
        assert_eq!(error.to_string(), "the query is not understood: unexpected symbol\n  feilds a\n  ^^^^^^");
    }

    #[test]
    fn rows_become_a_table() {
        let results = results(&[
            &[("@timestamp", "2026-11-21 09:00:00.000"), ("@message", "one\ntwo\n"), ("@ptr", "x")],
            &[("@timestamp", "2026-11-21 09:00:01.000"), ("level", "warn")],
        ]);
        assert_eq!(
            table(&results),
            "@timestamp               @message  level\n\
             2026-11-21 09:00:00.000  one two   -\n\
             2026-11-21 09:00:01.000  -         warn\n"
        );
        assert_eq!(effort(&results), "2 rows; 2 of 9 events matched, 2.0 KiB read");
        let told = serde_json::to_string(&documents(&results)[1]).unwrap();
        assert_eq!(told, r#"{"@timestamp":"2026-11-21 09:00:01.000","level":"warn"}"#);
    }
}
