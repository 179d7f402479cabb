//! One table of the file while it is read.

use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::error::Fault;
use crate::suggest::nearest;

/// A table whose keys are taken one by one. A key that nobody asks for is unknown. Faults are collected, so that all of
/// them are told at once: serde's derived readers stop at the first.
pub(crate) struct Entry<'i> {
    /// How messages call the table: `[[file]]`.
    title: String,
    at: usize,
    fields: Vec<(Spanned<DeString<'i>>, Spanned<DeValue<'i>>)>,
    known: Vec<&'static str>,
    places: Vec<(&'static str, usize)>,
    faults: Vec<Fault>,
}

/// Serde's message in words of people who do not write Rust.
fn plain(message: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("expected a string", "expected text"),
        ("expected a sequence", "expected a list"),
        ("expected usize", "expected a count"),
        ("expected u8", "expected a number from 0 to 255"),
        ("expected u16", "expected a number from 0 to 65535"),
        ("expected u32", "expected a number from 0 to 4294967295"),
    ];
    let known = WORDS.iter().find_map(|(theirs, ours)| Some((message.strip_suffix(theirs)?, ours)));
    known.map_or_else(|| message.to_owned(), |(start, ours)| format!("{start}{ours}"))
}

impl<'i> Entry<'i> {
    pub(crate) fn new(kind: &str, at: usize, table: DeTable<'i>) -> Self {
        Self {
            title: format!("[[{kind}]]"),
            at,
            fields: table.into_iter().collect(),
            known: Vec::new(),
            places: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// The value of a key that may be left out. None also when it cannot be read, which is a fault then.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let at = self.fields.iter().position(|(name, _)| name.get_ref() == key)?;
        let (name, value) = self.fields.swap_remove(at);
        self.places.push((key, name.span().start));
        let value_at = value.span().start;
        match T::deserialize(value.into_deserializer()) {
            Ok(value) => Some(value),
            Err(error) => {
                let at = error.span().map_or(value_at, |span| span.start);
                self.faults.push(Fault::new(at, format!("`{key}`: {}", plain(error.message()))));
                None
            }
        }
    }

    /// The value of a key that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        let value = self.optional(key);
        if value.is_none() && !self.has(key) {
            self.complain(None, format!("{} has no `{key}`", self.title));
        }
        value
    }

    /// Whether the file has a key that was asked for already.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.places.iter().any(|&(known, _)| known == key)
    }

    /// Records a fault: at a key that was asked for, or at the table.
    pub(crate) fn complain(&mut self, key: Option<&str>, message: impl Into<String>) {
        let place = self.places.iter().find(|(known, _)| Some(*known) == key);
        self.faults.push(Fault::new(place.map_or(self.at, |&(_, at)| at), message));
    }

    /// Records a fault for each of `keys` that stands beside something that makes it pointless.
    pub(crate) fn refuse(&mut self, keys: &[&str], because: &str) {
        for key in keys {
            if self.has(key) {
                self.complain(Some(key), format!("`{key}` says nothing {because}"));
            }
        }
    }

    /// Records a fault unless at least one of `keys` is there.
    pub(crate) fn demand_one(&mut self, keys: &[&str]) {
        if !keys.iter().any(|key| self.has(key)) {
            let choices = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            self.complain(
                None,
                format!("{} expects nothing: it needs at least one of {choices}", self.title),
            );
        }
    }

    /// All faults, those of unknown keys included.
    pub(crate) fn finish(mut self) -> Vec<Fault> {
        for (name, _) in std::mem::take(&mut self.fields) {
            let near = nearest(name.get_ref(), self.known.iter().copied());
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", self.known.join(", ")),
            };
            let message = format!("unknown key `{}` in {}", name.get_ref().escape_debug(), self.title);
            self.faults.push(Fault::new(name.span().start, message).help(Some(help)));
        }
        self.faults
    }
}
