//! Names of fields, and the places in a row where their values are.

/// Where the value of a place comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    System(System),
    /// A field discovered in messages that are JSON, by its flattened name.
    Discovered(String),
    /// Computed by a command.
    Computed,
    /// A name of the service's that these logs have no value for, as `@requestId`.
    Absent,
}

/// What every event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Timestamp,
    Message,
    LogStream,
    Log,
    IngestionTime,
    Ptr,
}

impl System {
    fn named(name: &str) -> Option<System> {
        Some(match name {
            "@timestamp" => System::Timestamp,
            "@message" => System::Message,
            "@logStream" => System::LogStream,
            "@log" => System::Log,
            "@ingestionTime" => System::IngestionTime,
            "@ptr" => System::Ptr,
            _ => return None,
        })
    }
}

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    Slot(usize),
    /// Inside the map or list in a place: the way from there.
    Path(usize, Vec<String>),
}

/// The fields that there are at a point of a query: those of events, or after `stats` those that it gives.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Later definitions hide earlier ones.
    names: Vec<(String, usize)>,
    sources: Vec<Source>,
    /// Whether there are no others than those defined.
    closed: bool,
}

impl Scope {
    /// The fields that a `stats` gives, in the order of their places.
    pub(super) fn closed(names: impl IntoIterator<Item = String>) -> Scope {
        let mut scope = Scope { closed: true, ..Scope::default() };
        for name in names {
            scope.define(name);
        }
        scope
    }

    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether these are the fields of a `stats`.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The names of all fields defined, for complaints.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// Makes a place for a computed field.
    pub(super) fn define(&mut self, name: String) -> usize {
        let slot = self.add(Source::Computed);
        self.names.push((name, slot));
        slot
    }

    /// Gives a place a further name.
    pub(super) fn alias(&mut self, name: String, slot: usize) {
        self.names.push((name, slot));
    }

    /// The place that is known by a name already.
    pub(super) fn known(&self, name: &str) -> Option<usize> {
        self.names.iter().rev().find(|(known, _)| known == name).map(|(_, slot)| *slot)
    }

    /// The place of `@message`, made if need be.
    pub(super) fn message(&mut self) -> usize {
        let message = Source::System(System::Message);
        let known = self.sources.iter().position(|source| *source == message);
        known.unwrap_or_else(|| self.add(message))
    }

    /// What a name means; `None` where it means nothing.
    pub(super) fn resolve(&mut self, name: &str) -> Option<Resolved> {
        if let Some(slot) = self.known(name) {
            return Some(Resolved::Slot(slot));
        }
        if let Some(path) = self.inside(name) {
            return Some(path);
        }
        if self.closed {
            return None;
        }
        let source = match (System::named(name), name.strip_prefix("@@"), name.strip_prefix('@')) {
            (Some(system), ..) => Source::System(system),
            // A discovered field that begins with `@` gets a second one.
            (None, Some(doubled), _) => Source::Discovered(format!("@{doubled}")),
            (None, None, Some(_)) => Source::Absent,
            (None, None, None) => Source::Discovered(name.to_owned()),
        };
        let slot = self.add(source);
        self.names.push((name.to_owned(), slot));
        Some(Resolved::Slot(slot))
    }

    /// A name inside a computed field: the longest one that its beginning names.
    fn inside(&self, name: &str) -> Option<Resolved> {
        let dots = name.rmatch_indices('.').map(|(dot, _)| dot);
        dots.into_iter().find_map(|dot| {
            let slot = self.known(&name[..dot])?;
            let path = name[dot + 1..].split('.').map(str::to_owned).collect();
            (self.sources[slot] == Source::Computed).then_some(Resolved::Path(slot, path))
        })
    }

    fn add(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }
}
