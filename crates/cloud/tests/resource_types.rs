//! `docs/resource-types.md` is written from the schemas of the resource types. This fails when it is out of date;
//! `UPDATE_DOCS=1 cargo test --package cloud --test resource_types` writes it.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy takes for program code

use std::fmt::Write;
use std::path::Path;

use cfn_template::schema::{Kind, Property, ResourceSchema, Update};
use cloud::cloudformation::types::registry;

const INTRODUCTION: &str = "# CloudFormation resource types

<!-- Written from the schemas by `UPDATE_DOCS=1 cargo test --package cloud --test resource_types`. -->

A property or attribute that is not listed is refused when the template is submitted. A name in bold is required.
*Replaces* says that a change makes a new resource, *may replace* that it depends on the values; any other change is
made in place.
";

#[test]
fn the_resource_types_are_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/resource-types.md");
    let expected = render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/resource-types.md is out of date: run this test with UPDATE_DOCS=1");
}

fn render() -> String {
    let types = registry();
    let mut out = INTRODUCTION.to_owned();
    for schema in types.schemas() {
        let kind = types.get(schema.type_name).unwrap();
        section(&mut out, schema, kind.name_property(), kind.awaits_signals());
    }
    out
}

fn section(out: &mut String, schema: &ResourceSchema, name: Option<&str>, awaits_signals: bool) {
    writeln!(out, "\n## {}\n", schema.type_name).unwrap();
    out.push_str("| property | kind | a change |\n|---|---|---|\n");
    rows(out, "", schema.properties, Update::Mutable);
    let attributes: Vec<String> = schema.attributes.iter().map(|name| format!("`{name}`")).collect();
    if !attributes.is_empty() {
        writeln!(out, "\nAttributes: {}.", attributes.join(", ")).unwrap();
    }
    if let Some(name) = name {
        writeln!(out, "\nWithout `{name}` a name is generated.").unwrap();
    }
    if awaits_signals {
        out.push_str("\nTakes a `CreationPolicy`.\n");
    }
}

/// A row for each property, and for each member of the objects in it.
fn rows(out: &mut String, prefix: &str, properties: &[Property], inherited: Update) {
    for property in properties {
        let name = format!("{prefix}{}", property.name);
        let update = if property.update == Update::Mutable { inherited } else { property.update };
        let emphasis = if property.required { "**" } else { "" };
        writeln!(out, "| {emphasis}`{name}`{emphasis} | {} | {} |", describe(property.kind), effect(update))
            .unwrap();
        if let Some((suffix, members)) = members(property.kind) {
            rows(out, &format!("{name}{suffix}."), members, update);
        }
    }
}

fn members(kind: Kind) -> Option<(&'static str, &'static [Property])> {
    match kind {
        Kind::Object(members) => Some(("", members)),
        Kind::List(Kind::Object(members)) => Some(("[]", members)),
        _ => None,
    }
}

fn describe(kind: Kind) -> String {
    match kind {
        Kind::Tags => "list of tags".to_owned(),
        Kind::Enum(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::List(item) => match item {
            Kind::Object(_) => "list of objects".to_owned(),
            item => format!("list of {}", describe(*item)),
        },
        other => other.to_string().to_lowercase(),
    }
}

fn effect(update: Update) -> &'static str {
    match update {
        Update::Mutable => "",
        Update::Conditional => "may replace",
        Update::Replacement => "replaces",
        Update::Immutable => "refused",
    }
}
