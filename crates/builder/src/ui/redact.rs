//! Keeps sensitive values out of what is shown.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Console, Line};

/// What is shown in place of a sensitive value.
const REDACTED: &str = "<sensitive>";

/// Values that nobody may see.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// These values; empty ones count for nothing.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        Self(values.into_iter().filter(|value| !value.is_empty()).collect())
    }

    /// `text` with every sensitive value replaced.
    pub fn redact(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        // One pass, so that a short secret cannot match inside what stands for another.
        while let Some((at, secret)) = self.first_in(rest) {
            shown.push_str(&rest[..at]);
            shown.push_str(REDACTED);
            rest = &rest[at + secret.len()..];
        }
        shown + rest
    }

    /// The secret that begins first in `text`, the longest of those that begin there.
    fn first_in(&self, text: &str) -> Option<(usize, &str)> {
        let found = self.0.iter().filter_map(|secret| Some((text.find(secret)?, secret.as_str())));
        found.min_by_key(|(at, secret)| (*at, usize::MAX - secret.len()))
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Secrets({})", self.0.len())
    }
}

/// A console that never sees the secrets.
pub struct Redacting {
    inner: Arc<dyn Console>,
    secrets: Secrets,
}

impl Redacting {
    /// Keeps `secrets` from `inner`.
    pub fn new(inner: Arc<dyn Console>, secrets: Secrets) -> Self {
        Self { inner, secrets }
    }
}

#[async_trait]
impl Console for Redacting {
    fn show(&self, line: Line<'_>) {
        self.inner.show(Line { text: &self.secrets.redact(line.text), ..line });
    }

    fn record(&self, target: &str, category: &str, values: &[&str]) {
        let values: Vec<String> = values.iter().map(|value| self.secrets.redact(value)).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        self.inner.record(target, category, &values);
    }

    fn is_coloured(&self) -> bool {
        self.inner.is_coloured()
    }

    async fn ask(&self, question: Line<'_>, cancel: &CancellationToken) -> Option<String> {
        let text = self.secrets.redact(question.text);
        self.inner.ask(Line { text: &text, ..question }, cancel).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        Secrets::new(values.iter().map(|value| (*value).to_owned()))
    }

    #[test]
    fn nothing_is_left_of_a_secret() {
        let cases = [
            (vec!["hunter2"], "echo hunter2!", "echo <sensitive>!"),
            (vec!["pass", "password"], "my password", "my <sensitive>"),
            (vec![""], "unharmed", "unharmed"),
            (vec!["a", "e"], "a,e", "<sensitive>,<sensitive>"),
        ];
        for (values, text, expected) in cases {
            assert_eq!(secrets(&values).redact(text), expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn no_long_secret_survives(secret in "[A-Z]{6,12}", before in "[a-z ]*", after in "[a-z ]*") {
            let text = format!("{before}{secret}{after}");
            prop_assert!(!secrets(&[&secret]).redact(&text).contains(&secret));
        }
    }
}
