//! Reading options: expressions rendered, values converted as laxly as Packer does, everything wrong collected.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use super::options::{self, INTERNAL, Opt, Support};
use template_text::suggest::did_you_mean;

use crate::{
    block::Block,
    context::{BuildData, Context},
    convert,
    deferred::{Deferred, DeferredMap, Dot},
    error::{Collector, Error, Errors, Warning},
    field::Field,
    language::{self, Scope, Section},
    node::{Entry, Node, Value},
    source::{Source, Span},
    text,
};

/// The reading of one block: what is shared by the block and everything in it.
pub(super) struct Session<'a> {
    source: &'a Source,
    context: Context,
    amazon: bool,
    dot: Field,
    errors: RefCell<Collector>,
    warnings: RefCell<Vec<Warning>>,
    /// Paths of options that could not be read. One error about an option is enough: what is said about its value
    /// afterwards would be about the value that is missing because of it.
    broken: RefCell<BTreeSet<String>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(block: &'a Block, context: &Context) -> Self {
        let amazon = block.kind == "amazon-ebs";
        let build = context.build.as_deref().cloned().unwrap_or_default();
        // Provisioners and post-processors see the build's values, by `build` and as `.`. A builder makes them: what
        // it knows itself is seen by the options that are rendered late.
        let (context, dot) = match (&context.build, amazon) {
            (Some(_), true) => {
                (context.with_build(BuildData { values: BTreeMap::new(), ..build }), Field::Nil)
            }
            (Some(_), false) => (context.clone(), Field::from(build.values)),
            (None, _) => (context.clone(), Field::Nil),
        };
        Self {
            source: &block.source,
            context,
            amazon,
            dot,
            errors: RefCell::default(),
            warnings: RefCell::default(),
            broken: RefCell::default(),
        }
    }

    /// The block's options, checked against those that there are.
    pub(super) fn reader(&'a self, block: &'a Block, table: &'static [Opt]) -> Reader<'a> {
        let reader = Reader {
            session: self,
            entries: block.options.iter().collect(),
            table,
            path: block.path.clone(),
            span: block.span,
            what: block.kind.clone(),
        };
        reader.check_names(table, INTERNAL);
        reader
    }

    /// The warnings so far.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().iter().map(ToString::to_string).collect()
    }

    /// What was read, if nothing was wrong. `None` stands for a value that an error hindered.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Errors> {
        let errors = self.errors.into_inner();
        match value {
            Some(value) => errors.into_result(value),
            // A value is missing only together with an error.
            None => Err(errors
                .into_result(())
                .err()
                .unwrap_or_else(|| Error::new("an option cannot be read").into())),
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope::new(&self.context, Section::Options { amazon: self.amazon }).with_dot(self.dot.clone(), false)
    }

    /// Whether a file or directory is there. A relative path counts from the working directory; `~` is the user's home.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.context.host.files.exists(&self.at_home(path))
    }

    /// A file's text; none when it is not there or is no text.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        self.context.host.files.read(&self.at_home(path))
    }

    fn at_home(&self, path: &str) -> PathBuf {
        let host = &self.context.host;
        host.cwd.join(expand_home(path, host.env.get("HOME").map(String::as_str)))
    }

    /// The same, for paths in which Packer does not know `~`.
    pub(super) fn exists_literally(&self, path: &str) -> bool {
        let host = &self.context.host;
        host.files.exists(&host.cwd.join(path))
    }
}

/// A string of JSON.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `~/x` and `~` in the user's home.
fn expand_home(path: &str, home: Option<&str>) -> String {
    match (path.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        _ => path.to_owned(),
    }
}

/// The options of a block, or of an object in one.
pub(super) struct Reader<'a> {
    session: &'a Session<'a>,
    entries: Vec<&'a Entry>,
    table: &'static [Opt],
    path: String,
    span: Span,
    what: String,
}

impl<'a> Reader<'a> {
    fn check_names(&self, table: &'static [Opt], more: &'static [Opt]) {
        let matches = |option: &Opt, key: &str| {
            option.name == key || (option.any_case && option.name.eq_ignore_ascii_case(key))
        };
        for entry in &self.entries {
            let path = format!("{}/{}", self.path, entry.key);
            let error = |message: String| {
                Error::new(message).at(self.session.source, entry.key_span).path(path.clone())
            };
            let key = entry.key.as_str();
            let Some(option) = table.iter().chain(more).find(|option| matches(option, key)) else {
                let error = error(format!("unknown option '{key}' of {}", self.what));
                let near = did_you_mean(key, table.iter().map(|option| option.name));
                self.push(near.into_iter().fold(error, Error::help));
                continue;
            };
            match option.support {
                Support::Supported | Support::Newer => {}
                Support::Ignored(why) => {
                    let remark = error(format!("the option '{key}' of {} has no effect: {why}", self.what));
                    self.session.warnings.borrow_mut().push(Warning(remark));
                }
                Support::Refused(why) => {
                    self.push(
                        error(format!("the option '{key}' of {} is not supported", self.what)).help(why),
                    );
                }
                Support::Renamed(to) => {
                    let error = error(format!("the option '{key}' of {} has another name by now", self.what));
                    self.push(error.help(format!("use '{to}'")));
                }
            }
        }
    }

    fn push(&self, error: Error) {
        self.session.errors.borrow_mut().push(error);
    }

    /// Records that an option, or a part of it, cannot be read.
    fn broken(&self, path: &str, error: Error) {
        self.session.broken.borrow_mut().insert(path.to_owned());
        self.push(error);
    }

    /// Whether an option or any part of it could not be read.
    fn is_broken(&self, path: &str) -> bool {
        let inside = |broken: &String| {
            broken.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.session.broken.borrow().iter().any(inside)
    }

    /// The entry of an option; `null` counts as none.
    fn entry(&self, name: &str) -> Option<&'a Entry> {
        let any_case = self.table.iter().any(|option| option.name == name && option.any_case);
        let exact = self.entries.iter().find(|entry| entry.key == name);
        let found = exact
            .or_else(|| self.entries.iter().find(|entry| any_case && entry.key.eq_ignore_ascii_case(name)));
        found.copied().filter(|entry| entry.value.value != Value::Null)
    }

    fn path_of(&self, entry: &Entry) -> String {
        format!("{}/{}", self.path, entry.key)
    }

    /// Whether an option is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// Records an error about an option, at its value, or at the block when it is not there.
    pub(super) fn fail(&self, name: &str, message: impl Into<String>) {
        self.fail_with(name, message, None);
    }

    /// The same with help.
    pub(super) fn fail_with(&self, name: &str, message: impl Into<String>, help: Option<String>) {
        let (span, path) = match self.entry(name) {
            Some(entry) if self.is_broken(&self.path_of(entry)) => return,
            Some(entry) => (entry.value.span, self.path_of(entry)),
            None => (self.span, self.path.clone()),
        };
        let error = Error::new(message).at(self.session.source, span).path(path);
        self.push(help.into_iter().fold(error, Error::help));
    }

    /// An element of a list option, for errors about it: `fail_at("scripts", 1, …)`.
    pub(super) fn fail_at(&self, name: &str, index: usize, message: impl Into<String>) {
        if let Some(entry) = self.entry(name)
            && let Value::Array(items) = &entry.value.value
            && let Some(item) = items.get(index)
        {
            let path = format!("{}/{index}", self.path_of(entry));
            if self.is_broken(&path) {
                return;
            }
            self.push(Error::new(message).at(self.session.source, item.span).path(path));
            return;
        }
        self.fail(name, message);
    }

    /// A string with its expressions rendered.
    fn render(&self, written: &str, span: Span, path: &str) -> Option<String> {
        let scope = self.session.scope();
        let rendered = language::render(written, &scope);
        for remark in scope.remarks.into_inner() {
            let place = text::inside(self.session.source, span, remark.offset);
            let warning = Error::new(remark.message).at(self.session.source, place).path(path);
            self.session.warnings.borrow_mut().push(Warning(warning));
        }
        match rendered {
            Ok(text) => Some(text),
            // The variable's own error is told where it is declared.
            Err(error) if error.unset.is_some() => {
                self.session.broken.borrow_mut().insert(path.to_owned());
                None
            }
            Err(error) => {
                self.broken(path, text::locate(error, Some(&self.session.source.place(span)), path));
                None
            }
        }
    }

    /// A value with the expressions of all its strings rendered.
    fn rendered(&self, node: &Node, path: &str) -> Option<Node> {
        let value = match &node.value {
            Value::String(written) => Value::String(self.render(written, node.span, path)?),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let rendered: Vec<_> =
                    items.map(|(index, item)| self.rendered(item, &format!("{path}/{index}"))).collect();
                Value::Array(rendered.into_iter().collect::<Option<_>>()?)
            }
            Value::Object(entries) => {
                let rendered: Vec<_> = entries.iter().map(|entry| self.rendered_entry(entry, path)).collect();
                Value::Object(rendered.into_iter().collect::<Option<_>>()?)
            }
            other => other.clone(),
        };
        Some(Node { value, span: node.span })
    }

    fn rendered_entry(&self, entry: &Entry, path: &str) -> Option<Entry> {
        let value = self.rendered(&entry.value, &format!("{path}/{}", entry.key));
        let key = self.render(&entry.key, entry.key_span, path);
        Some(Entry { key: key?, key_span: entry.key_span, value: value? })
    }

    /// An option converted; none when it is not there or wrong.
    fn converted<T>(&self, name: &str, convert: impl Fn(&Value) -> Result<T, String>) -> Option<T> {
        let entry = self.entry(name)?;
        let path = self.path_of(entry);
        let node = self.rendered(&entry.value, &path)?;
        match convert(&node.value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.broken(&path.clone(), Error::new(message).at(self.session.source, node.span).path(path));
                None
            }
        }
    }

    /// A string; none when it is empty.
    pub(super) fn string(&self, name: &str) -> Option<String> {
        self.converted(name, convert::string).filter(|text| !text.is_empty())
    }

    /// A truth value, false when it is not there.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.converted(name, convert::boolean).unwrap_or(false)
    }

    /// A truth value that may be left open; an empty string leaves it open.
    pub(super) fn trilean(&self, name: &str) -> Option<bool> {
        let open = |value: &Value| matches!(value, Value::String(text) if text.is_empty());
        self.converted(name, |value| if open(value) { Ok(None) } else { convert::boolean(value).map(Some) })
            .flatten()
    }

    /// A whole number within bounds; none when it is zero, which for Packer is not set.
    pub(super) fn number<T: TryFrom<i64>>(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<T> {
        let number = self.converted(name, convert::integer).filter(|number| *number != 0)?;
        let fitting =
            Some(number).filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok());
        if fitting.is_none() {
            self.fail(
                name,
                format!("'{name}' must be between {} and {}, not {number}", range.start(), range.end()),
            );
        }
        fitting
    }

    /// Nanoseconds, possibly negative; none when the option is not there.
    pub(super) fn nanoseconds(&self, name: &str) -> Option<i64> {
        self.converted(name, convert::duration)
    }

    /// A duration, `default` when it is not there or zero. A negative one is none at all.
    pub(super) fn duration(&self, name: &str, default: Duration) -> Duration {
        match self.nanoseconds(name) {
            None | Some(0) => default,
            Some(nanoseconds) => Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)),
        }
    }

    /// A list of strings. One string is cut at its commas, as Packer does.
    pub(super) fn strings(&self, name: &str) -> Vec<String> {
        let Some(entry) = self.entry(name) else { return Vec::new() };
        let path = self.path_of(entry);
        let Some(node) = self.rendered(&entry.value, &path) else { return Vec::new() };
        match &node.value {
            Value::String(text) if text.is_empty() => Vec::new(),
            Value::String(text) => text.split(',').map(str::to_owned).collect(),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.filter_map(|(index, item)| self.element(item, &format!("{path}/{index}"))).collect()
            }
            _ => self.element(&node, &path).into_iter().collect(),
        }
    }

    /// A list of whole numbers, or one of them.
    pub(super) fn numbers(&self, name: &str) -> Vec<i64> {
        let strings = self.strings(name);
        let converted = strings.iter().enumerate().filter_map(|(index, text)| {
            convert::integer(&Value::String(text.clone()))
                .map_err(|message| self.fail_at(name, index, message))
                .ok()
        });
        converted.collect()
    }

    fn element(&self, node: &Node, path: &str) -> Option<String> {
        if node.value == Value::Null {
            return Some(String::new());
        }
        match convert::string(&node.value) {
            Ok(text) => Some(text),
            Err(message) => {
                self.broken(path, Error::new(message).at(self.session.source, node.span).path(path));
                None
            }
        }
    }

    /// A map of strings; several objects in a list are taken together.
    pub(super) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let Some(entry) = self.entry(name) else { return BTreeMap::new() };
        let path = self.path_of(entry);
        let Some(node) = self.rendered(&entry.value, &path) else { return BTreeMap::new() };
        let members = self.members(&node, &path);
        let pairs = members.iter().filter_map(|member| {
            Some((member.key.clone(), self.element(&member.value, &format!("{path}/{}", member.key))?))
        });
        pairs.collect()
    }

    fn members<'n>(&self, node: &'n Node, path: &str) -> Vec<&'n Entry> {
        match &node.value {
            Value::Object(entries) => entries.iter().collect(),
            Value::Array(items) => items.iter().flat_map(|item| self.members(item, path)).collect(),
            other => {
                let message = format!("an object of strings is wanted here, not {}", other.kind());
                self.broken(path, Error::new(message).at(self.session.source, node.span).path(path));
                Vec::new()
            }
        }
    }

    /// A string whose expressions are rendered late. They are checked as far as they can be now.
    pub(super) fn deferred(&self, name: &str, default: &str, dot: Dot) -> Deferred {
        match self.entry(name) {
            Some(entry) => {
                let path = self.path_of(entry);
                let written = self.element(&entry.value, &path).unwrap_or_default();
                if written.is_empty() {
                    return self.late(default.to_owned(), None, path, dot);
                }
                self.late(written, Some(entry.value.span), path, dot)
            }
            None => self.late(default.to_owned(), None, format!("{}/{name}", self.path), dot),
        }
    }

    /// A list of strings that are rendered late.
    pub(super) fn deferred_list(&self, name: &str, default: &[&str], dot: Dot) -> Vec<Deferred> {
        let written: Vec<(String, Option<Span>)> =
            match self.entry(name).map(|entry| (entry, &entry.value.value)) {
                Some((entry, Value::Array(items))) => items
                    .iter()
                    .filter_map(|item| Some((self.element(item, &self.path_of(entry))?, Some(item.span))))
                    .collect(),
                Some((entry, Value::String(text))) => {
                    text.split(',').map(|part| (part.to_owned(), Some(entry.value.span))).collect()
                }
                Some((entry, _)) => {
                    self.fail(
                        name,
                        format!("a list of strings is wanted here, not {}", entry.value.value.kind()),
                    );
                    Vec::new()
                }
                None => Vec::new(),
            };
        let path = format!("{}/{name}", self.path);
        if written.is_empty() {
            return default
                .iter()
                .map(|text| self.late((*text).to_owned(), None, path.clone(), dot))
                .collect();
        }
        written.into_iter().map(|(text, span)| self.late(text, span, path.clone(), dot)).collect()
    }

    /// A map whose names and values are rendered late; the objects of the option in the singular are added, each of
    /// which has a name (called `key` or `name`) and a `value`.
    pub(super) fn deferred_map(
        &self,
        plural: &str,
        singular: &str,
        key: &'static str,
        dot: Dot,
    ) -> DeferredMap {
        let mut pairs = Vec::new();
        if let Some(entry) = self.entry(plural) {
            let path = self.path_of(entry);
            for member in self.members(&entry.value, &path) {
                let path = format!("{path}/{}", member.key);
                if let Some(value) = self.element(&member.value, &path) {
                    let name = self.late(member.key.clone(), Some(member.key_span), path.clone(), dot);
                    pairs.push((name, self.late(value, Some(member.value.span), path, dot)));
                }
            }
        }
        for block in self.named(singular, key) {
            let path = block.path.clone();
            let part = |name: &str| match block.entry(name) {
                Some(entry) => {
                    (block.element(&entry.value, &path).unwrap_or_default(), Some(entry.value.span))
                }
                None => (String::new(), None),
            };
            let (name, name_span) = part(key);
            let (value, value_span) = part("value");
            pairs.push((
                self.late(name, name_span, path.clone(), dot),
                self.late(value, value_span, path, dot),
            ));
        }
        DeferredMap(pairs)
    }

    fn late(&self, written: String, span: Option<Span>, path: String, dot: Dot) -> Deferred {
        let place = span.map(|span| self.session.source.place(span));
        let deferred = Deferred {
            text: written,
            place,
            path,
            context: self.session.context.clone(),
            amazon: self.session.amazon,
            dot,
        };
        if let Err(error) = deferred.check() {
            self.push(error);
        }
        deferred
    }

    /// An object with options of its own.
    pub(super) fn object(&self, name: &str, table: &'static [Opt]) -> Option<Reader<'a>> {
        let entry = self.entry(name)?;
        match &entry.value.value {
            Value::Object(entries) => {
                Some(self.inner(entries, entry.value.span, self.path_of(entry), name, table))
            }
            other => {
                self.fail(name, format!("'{name}' must be an object, not {}", other.kind()));
                None
            }
        }
    }

    /// A list of objects with options of their own, or one such object.
    pub(super) fn objects(&self, name: &str, table: &'static [Opt]) -> Vec<Reader<'a>> {
        let Some(entry) = self.entry(name) else { return Vec::new() };
        let path = self.path_of(entry);
        let items: Vec<(&'a Node, String)> = match &entry.value.value {
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| (item, format!("{path}/{index}"))).collect()
            }
            _ => vec![(&entry.value, path)],
        };
        let readers = items.into_iter().filter_map(|(node, path)| match &node.value {
            Value::Object(entries) => Some(self.inner(entries, node.span, path, name, table)),
            other => {
                let message = format!("an object is wanted in '{name}', not {}", other.kind());
                self.push(Error::new(message).at(self.session.source, node.span).path(path));
                None
            }
        });
        readers.collect()
    }

    /// Objects with a `value` each, and a name that is called `key` or `name`.
    pub(super) fn named(&self, name: &str, key: &'static str) -> Vec<Reader<'a>> {
        self.objects(name, if key == "key" { options::KEY_VALUE } else { options::NAME_VALUE })
    }

    fn inner(
        &self,
        entries: &'a [Entry],
        span: Span,
        path: String,
        name: &str,
        table: &'static [Opt],
    ) -> Reader<'a> {
        let what = format!("'{name}'");
        let reader =
            Reader { session: self.session, entries: entries.iter().collect(), table, path, span, what };
        reader.check_names(table, &[]);
        reader
    }
}
