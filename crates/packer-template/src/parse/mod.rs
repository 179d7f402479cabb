//! From JSON to a template: the parts of the root, and what can be checked without rendering anything.

mod post_processors;
mod provisioners;
mod weak;

use indexmap::IndexMap;

use template_text::suggest::did_you_mean;

use crate::{
    block::{Block, Builder},
    context::{Context, PACKER_VERSION},
    error::{Collector, Error, Errors},
    json,
    language::{self, Scope, Section},
    node::{Entry, Node, Value},
    source::{Source, Span},
    template::Template,
    text,
    variables::Variable,
};

/// What the root of a template may have. `push` is left from Atlas, which is gone; Packer ignores it.
const ROOT: [&str; 9] = [
    "builders",
    "description",
    "error-cleanup-provisioner",
    "min_packer_version",
    "post-processors",
    "provisioners",
    "push",
    "sensitive-variables",
    "variables",
];

/// How much of a template is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Its structure.
    Syntax,
    /// And what its parts say about one another.
    Whole,
}

pub(crate) fn parse(source: &Source, depth: Depth) -> (Option<Template>, Option<Errors>) {
    let root = match json::parse(source) {
        Ok(root) => root,
        Err(errors) => return (None, Some(errors)),
    };
    let empty = Vec::new();
    let (entries, span) = match &root {
        Some(Node { value: Value::Object(entries), span }) => (entries, *span),
        // As Go decodes it.
        Some(Node { value: Value::Null, span }) => (&empty, *span),
        other => {
            let (what, span) = match other {
                Some(node) => (node.value.kind(), node.span),
                None => ("an empty file", Span { line: 1, column: 1 }),
            };
            let error = Error::new(format!("a template is a JSON object, and this is {what}"));
            return (None, Some(error.at(source, span).into()));
        }
    };
    let mut parser = Parser { source, depth, errors: Collector::default() };
    let template = parser.template(entries, span);
    (Some(template), parser.errors.into_result(()).err())
}

/// Collects what is wrong in one file.
struct Parser<'a> {
    source: &'a Source,
    depth: Depth,
    errors: Collector,
}

impl Parser<'_> {
    fn error(&mut self, span: Span, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(Error::new(message).at(self.source, span).path(path));
    }

    fn template(&mut self, entries: &[Entry], root: Span) -> Template {
        let comments = self.unknown_keys(entries);
        let value = |name: &str| find(entries, name);
        let sensitive = value("sensitive-variables").map(|node| self.names(node, "sensitive-variables"));
        let mut template = Template {
            source: self.source.clone(),
            description: value("description").and_then(|node| self.string(node, "description")),
            min_packer_version: None,
            comments,
            variables: IndexMap::new(),
            builders: Vec::new(),
            provisioners: Vec::new(),
            post_processors: Vec::new(),
            error_cleanup_provisioner: None,
        };
        if let Some(node) = value("min_packer_version") {
            template.min_packer_version = self.min_version(node);
        }
        if let Some(node) = value("variables") {
            template.variables = self.variables(node, &sensitive.unwrap_or_default());
        }
        let builders_written = value("builders");
        if let Some(node) = builders_written {
            template.builders = self.builders(node);
        }
        let none = builders_written
            .is_none_or(|node| matches!(&node.value, Value::Array(items) if items.is_empty()));
        if none && self.depth == Depth::Whole {
            let span = builders_written.map_or(root, |node| node.span);
            self.errors.push(
                Error::new("the template has no builder")
                    .at(self.source, span)
                    .help("\"builders\" needs at least one, such as {\"type\": \"amazon-ebs\", …}"),
            );
        }
        if let Some(node) = value("provisioners") {
            template.provisioners = self.provisioners(node);
        }
        if let Some(node) = value("error-cleanup-provisioner") {
            template.error_cleanup_provisioner = self.provisioner(node, "error-cleanup-provisioner");
        }
        if let Some(node) = value("post-processors") {
            template.post_processors = self.post_processors(node);
        }
        if self.depth == Depth::Whole {
            self.build_references(entries, &template);
        }
        template
    }

    /// Refuses what does not belong into the root; returns the comments.
    fn unknown_keys(&mut self, entries: &[Entry]) -> IndexMap<String, String> {
        let mut comments = IndexMap::new();
        for entry in entries {
            if ROOT.iter().any(|known| known.eq_ignore_ascii_case(&entry.key)) {
                continue;
            }
            match (entry.key.starts_with('_'), &entry.value.value) {
                (true, Value::String(text)) => {
                    comments.insert(entry.key.clone(), text.clone());
                }
                (true, other) => {
                    let message =
                        format!("the comment '{}' must be a string, not {}", entry.key, other.kind());
                    self.error(entry.value.span, &entry.key, message);
                }
                (false, _) => {
                    let error =
                        Error::new(format!("unknown key '{}' in the root of the template", entry.key))
                            .at(self.source, entry.key_span);
                    self.errors.push(error.help(did_you_mean(&entry.key, ROOT).unwrap_or_else(|| {
                        "a key for comments begins with an underscore: \"_comment\"".to_owned()
                    })));
                }
            }
        }
        comments
    }

    fn string(&mut self, node: &Node, path: &str) -> Option<String> {
        match &node.value {
            Value::String(text) => Some(text.clone()),
            other => {
                self.error(node.span, path, format!("'{path}' must be a string, not {}", other.kind()));
                None
            }
        }
    }

    /// A list of strings; other things among them are errors.
    fn names(&mut self, node: &Node, path: &str) -> Vec<String> {
        let Value::Array(items) = &node.value else {
            self.error(node.span, path, format!("'{path}' must be a list, not {}", node.value.kind()));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.string(item, path)).collect()
    }

    fn min_version(&mut self, node: &Node) -> Option<String> {
        let wanted = self.string(node, "min_packer_version")?;
        if self.depth == Depth::Syntax {
            return Some(wanted);
        }
        match version(&wanted) {
            None => {
                self.error(
                    node.span,
                    "min_packer_version",
                    format!("'{wanted}' is no version, such as 1.6.0"),
                );
            }
            Some(version) if version > version_of_ours() => {
                let message = format!(
                    "the template wants Packer {wanted} or newer; this is the language of {PACKER_VERSION}"
                );
                self.error(node.span, "min_packer_version", message);
            }
            Some(_) => {}
        }
        Some(wanted)
    }

    fn variables(&mut self, node: &Node, sensitive: &[String]) -> IndexMap<String, Variable> {
        let mut variables = IndexMap::new();
        let Value::Object(entries) = &node.value else {
            self.error(
                node.span,
                "variables",
                format!("'variables' must be an object, not {}", node.value.kind()),
            );
            return variables;
        };
        for entry in entries {
            let path = format!("variables/{}", entry.key);
            let default = match &entry.value.value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => {
                    let message = format!(
                        "the default of the variable '{}' must be a string or null, not {}",
                        entry.key,
                        other.kind()
                    );
                    self.errors.push(
                        Error::new(message)
                            .at(self.source, entry.value.span)
                            .path(path)
                            .help("put it into quotes: Packer's variables are strings"),
                    );
                    continue;
                }
            };
            variables.insert(
                entry.key.clone(),
                Variable {
                    name: entry.key.clone(),
                    span: entry.key_span,
                    default,
                    default_span: entry.value.span,
                    sensitive: sensitive.contains(&entry.key),
                },
            );
        }
        variables
    }

    fn builders(&mut self, node: &Node) -> Vec<Builder> {
        let Value::Array(items) = &node.value else {
            self.error(
                node.span,
                "builders",
                format!("'builders' must be a list, not {}", node.value.kind()),
            );
            return Vec::new();
        };
        let mut builders: Vec<Builder> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("builders/{index}");
            let Some(builder) = self.builder(item, path.clone()) else { continue };
            match builders.iter().find(|other| other.name == builder.name) {
                Some(first) => {
                    let help = format!(
                        "the first one is in line {}; give one of them a \"name\"",
                        first.name_span.line
                    );
                    self.errors.push(
                        Error::new(format!("there are two builders named '{}'", builder.name))
                            .at(self.source, builder.name_span)
                            .path(path)
                            .help(help),
                    );
                }
                None => builders.push(builder),
            }
        }
        builders
    }

    fn builder(&mut self, node: &Node, path: String) -> Option<Builder> {
        let entries = self.object(node, &path)?;
        let (kind, kind_span) = self.kind(entries, node.span, &path)?;
        let name = find_entry(entries, "name").and_then(|entry| self.weak_string(&entry.value, &path));
        let name_span = find_entry(entries, "name").map_or(kind_span, |entry| entry.value.span);
        Some(Builder {
            name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| kind.clone()),
            name_span,
            block: self.block(entries, node.span, path, kind, &["type", "name"]),
        })
    }

    fn object<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Object(entries) => Some(entries),
            other => {
                self.error(node.span, path, format!("an object is wanted here, not {}", other.kind()));
                None
            }
        }
    }

    /// `type` and where it stands.
    fn kind(&mut self, entries: &[Entry], span: Span, path: &str) -> Option<(String, Span)> {
        let found = find_entry(entries, "type");
        let kind =
            found.and_then(|entry| self.weak_string(&entry.value, path)).filter(|kind| !kind.is_empty());
        match (kind, found) {
            (Some(kind), Some(entry)) => Some((kind, entry.value.span)),
            _ => {
                self.error(span, path, "\"type\" is missing");
                None
            }
        }
    }

    /// A block without the keys that have been read.
    fn block(&self, entries: &[Entry], span: Span, path: String, kind: String, taken: &[&str]) -> Block {
        let options = entries.iter().filter(|entry| !taken.contains(&entry.key.as_str())).cloned().collect();
        Block { source: self.source.clone(), span, path, kind, options }
    }

    /// Refuses names of builders, in `only`, `except` and `override`, that are not there.
    fn build_references(&mut self, entries: &[Entry], template: &Template) {
        // With a broken builder the names are not known.
        let written = find(entries, "builders").map_or(0, |node| match &node.value {
            Value::Array(items) => items.len(),
            _ => 0,
        });
        if written != template.builders.len() {
            return;
        }
        let names: Vec<&str> = template.builders.iter().map(|builder| builder.name.as_str()).collect();
        let provisioners = find(entries, "provisioners").into_iter().flat_map(items);
        for (index, node) in provisioners.enumerate() {
            self.references_of(node, &format!("provisioners/{index}"), &names);
        }
        let chains = find(entries, "post-processors").into_iter().flat_map(items);
        for (index, node) in chains.enumerate() {
            match &node.value {
                Value::Array(chain) => {
                    for (inner, node) in chain.iter().enumerate() {
                        self.references_of(node, &format!("post-processors/{index}/{inner}"), &names);
                    }
                }
                _ => self.references_of(node, &format!("post-processors/{index}"), &names),
            }
        }
    }

    fn references_of(&mut self, node: &Node, path: &str, names: &[&str]) {
        let Value::Object(entries) = &node.value else { return };
        let only = find_entry(entries, "only");
        let except = find_entry(entries, "except");
        if let (Some(only), Some(except)) = (only, except)
            && items(&only.value).next().is_some()
            && items(&except.value).next().is_some()
        {
            self.error(except.key_span, path, "'only' and 'except' cannot stand together");
        }
        for entry in [only, except].into_iter().flatten() {
            let single = std::iter::once(&entry.value).filter(|node| matches!(node.value, Value::String(_)));
            for node in items(&entry.value).chain(single) {
                if let Value::String(name) = &node.value {
                    self.reference(name, node.span, &format!("{path}/{}", entry.key), names);
                }
            }
        }
        if let Some(entry) = find_entry(entries, "override")
            && let Value::Object(overrides) = &entry.value.value
        {
            for build in overrides {
                self.reference(&build.key, build.key_span, &format!("{path}/override"), names);
            }
        }
    }

    fn reference(&mut self, name: &str, span: Span, path: &str, names: &[&str]) {
        if names.contains(&name) {
            return;
        }
        let hint = did_you_mean(name, names.iter().copied());
        let error =
            Error::new(format!("there is no builder named '{name}'")).at(self.source, span).path(path);
        self.errors
            .push(error.help(hint.unwrap_or_else(|| format!("the builders are named {}", names.join(", ")))));
    }
}

/// A member of the root; `null` counts as none.
fn find<'n>(entries: &'n [Entry], name: &str) -> Option<&'n Node> {
    let exact = entries.iter().find(|entry| entry.key == name);
    let found = exact.or_else(|| entries.iter().find(|entry| entry.key.eq_ignore_ascii_case(name)));
    found.map(|entry| &entry.value).filter(|node| node.value != Value::Null)
}

/// A member of a block; `null` counts as none.
fn find_entry<'n>(entries: &'n [Entry], name: &str) -> Option<&'n Entry> {
    entries.iter().find(|entry| entry.key == name && entry.value.value != Value::Null)
}

/// The elements of a list; none of anything else.
fn items(node: &Node) -> impl Iterator<Item = &Node> {
    match &node.value {
        Value::Array(items) => items.iter(),
        _ => [].iter(),
    }
}

/// Major, minor, patch, and whether it is a release: `1.6.6-dev` comes before `1.6.6`.
type Version = (u64, u64, u64, bool);

fn version(text: &str) -> Option<Version> {
    let text = text.trim().strip_prefix('v').unwrap_or(text.trim());
    let (text, _) = text.split_once('+').unwrap_or((text, ""));
    let (numbers, release) = match text.split_once('-') {
        Some((numbers, _)) => (numbers, false),
        None => (text, true),
    };
    let mut parts = numbers.split('.');
    let first = parts.next()?.parse().ok()?;
    let mut next = || parts.next().map_or(Some(0), |part| part.parse().ok());
    Some((first, next()?, next()?, release))
}

fn version_of_ours() -> Version {
    version(PACKER_VERSION).unwrap_or((0, 0, 0, true))
}

pub(crate) fn build_names<'a>(
    template: &'a Template,
    context: &Context,
) -> Result<Vec<(String, &'a Builder)>, Errors> {
    let mut errors = Collector::default();
    let mut builds: Vec<(String, &Builder)> = Vec::new();
    for builder in &template.builders {
        let scope = Scope::new(context, Section::Options { amazon: false });
        let place = template.source.place(builder.name_span);
        match language::render(&builder.name, &scope) {
            Ok(name) => match builds.iter().find(|(other, _)| *other == name) {
                Some(_) => errors.push(
                    Error::new(format!(
                        "two builders have the name '{name}' once their expressions are evaluated"
                    ))
                    .at(&template.source, builder.name_span)
                    .path(builder.block.path.clone()),
                ),
                None => builds.push((name, builder)),
            },
            Err(error) => {
                errors.push(text::locate(error, Some(&place), &format!("{}/name", builder.block.path)))
            }
        }
    }
    builds.sort_by(|(a, _), (b, _)| a.cmp(b));
    errors.into_result(builds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered() {
        let ours = version_of_ours();
        for (text, fits) in
            [("1.0", Some(true)), ("1.6.6", Some(true)), ("1.6.6-dev", Some(true)), ("v1.6", Some(true))]
        {
            assert_eq!(version(text).map(|version| version <= ours), fits, "{text}");
        }
        assert_eq!(version("1.6.7").map(|version| version <= ours), Some(false));
        assert_eq!(version("abc"), None);
        assert_eq!(version("1.x"), None);
    }
}
