//! Spans of time: `"10s"`, `"1m 30s"`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

/// A span of time of which no part is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let span: Option<Duration> =
            text.parse::<SignedDuration>().ok().and_then(|span| span.try_into().ok());
        // More than a day is a mistake, and would only overflow somewhere later.
        span.filter(|span| *span <= Duration::from_secs(86_400)).map(Self).ok_or_else(|| {
            format!("\"{text}\" is no span of time up to a day, such as \"10s\" or \"1m 30s\"")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time() {
        let cases = [
            ("10s", Some(10_000)),
            ("1m 30s", Some(90_000)),
            ("200ms", Some(200)),
            ("0s", Some(0)),
            ("24h", Some(86_400_000)),
            ("25h", None),
            ("-1s", None),
            ("10", None),
            ("", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            let span = Span::try_from(text.to_owned()).ok().map(|span| span.0.as_millis());
            assert_eq!(span, expected, "{text}");
        }
    }
}
