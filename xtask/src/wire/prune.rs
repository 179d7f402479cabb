//! Cuts a service model down to chosen operations and to what the wire needs.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

const METADATA: &[&str] = &[
    "apiVersion",
    "awsQueryCompatible",
    "endpointPrefix",
    "globalEndpoint",
    "jsonVersion",
    "protocol",
    "serviceFullName",
    "serviceId",
    "signingName",
    "targetPrefix",
    "xmlNamespace",
];

/// What a use of a shape keeps.
const REF: &[&str] = &[
    "shape",
    "locationName",
    "queryName",
    "resultWrapper",
    "flattened",
    "idempotencyToken",
    "timestampFormat",
];

/// What a shape keeps beside the references inside it. Patterns and documentation go.
const SHAPE: &[&str] = &[
    "type",
    "required",
    "enum",
    "min",
    "max",
    "sensitive",
    "union",
    "document",
    "eventstream",
    "flattened",
    "exception",
    "fault",
    "error",
    "timestampFormat",
];

/// Reads the newest `SERVICE/VERSION/service-2.json[.gz]` below `source`.
pub fn read_newest(source: &Path, service: &str) -> Result<Value> {
    let folder = source.join(service);
    let mut versions = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("no models in {}", folder.display()))? {
        versions.push(entry?.path());
    }
    versions.sort();
    let newest = versions.pop().with_context(|| format!("no version in {}", folder.display()))?;
    let plain = newest.join("service-2.json");
    if plain.exists() {
        return Ok(serde_json::from_slice(&std::fs::read(plain)?)?);
    }
    let packed = newest.join("service-2.json.gz");
    let file = std::fs::File::open(&packed).with_context(|| format!("cannot open {}", packed.display()))?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// The model with only `wanted` operations and the shapes they and their errors reach.
pub fn prune(full: &Value, wanted: &[String]) -> Result<Value> {
    let all = object(full, "operations")?;
    let all_shapes = object(full, "shapes")?;
    let mut operations = Map::new();
    let mut reached = BTreeSet::new();
    let sorted: BTreeSet<&String> = wanted.iter().collect();
    ensure!(sorted.len() == wanted.len(), "an operation is listed twice");
    for name in sorted {
        let Some(operation) = all.get(name) else { bail!("AWS has no operation {name}") };
        let mut kept = Map::new();
        for part in ["input", "output"] {
            if let Some(reference) = operation.get(part) {
                reach(reference, all_shapes, &mut reached)?;
                kept.insert(part.into(), keep(reference, REF));
            }
        }
        if let Some(errors) = operation.get("errors").and_then(Value::as_array) {
            errors.iter().try_for_each(|error| reach(error, all_shapes, &mut reached))?;
            kept.insert("errors".into(), errors.iter().map(|error| keep(error, REF)).collect());
        }
        operations.insert(name.clone(), Value::Object(kept));
    }
    let unsupported: BTreeSet<&String> = all.keys().filter(|name| !operations.contains_key(*name)).collect();
    let mut shapes = Map::new();
    for name in &reached {
        shapes.insert(name.clone(), prune_shape(&all_shapes[name]));
    }
    Ok(json!({
        "metadata": keep(&full["metadata"], METADATA),
        "operations": operations,
        "unsupported": unsupported,
        "shapes": shapes,
    }))
}

fn object<'a>(value: &'a Value, key: &str) -> Result<&'a Map<String, Value>> {
    value.get(key).and_then(Value::as_object).with_context(|| format!("the model has no {key}"))
}

/// Adds the shape of `reference` and all it reaches.
fn reach(reference: &Value, shapes: &Map<String, Value>, reached: &mut BTreeSet<String>) -> Result<()> {
    let name = reference["shape"].as_str().context("a reference names no shape")?;
    if !reached.insert(name.to_owned()) {
        return Ok(());
    }
    let shape = shapes.get(name).with_context(|| format!("the model has no shape {name}"))?;
    inner_refs(shape).try_for_each(|inner| reach(inner, shapes, reached))
}

fn inner_refs(shape: &Value) -> impl Iterator<Item = &Value> {
    let members = shape.get("members").and_then(Value::as_object).into_iter().flat_map(Map::values);
    members.chain(["member", "key", "value"].into_iter().filter_map(|part| shape.get(part)))
}

fn prune_shape(shape: &Value) -> Value {
    let Value::Object(mut kept) = keep(shape, SHAPE) else { return Value::Null };
    if let Some(members) = shape.get("members").and_then(Value::as_object) {
        let members: Map<String, Value> =
            members.iter().map(|(name, reference)| (name.clone(), keep(reference, REF))).collect();
        kept.insert("members".into(), Value::Object(members));
    }
    for part in ["member", "key", "value"] {
        if let Some(reference) = shape.get(part) {
            kept.insert(part.into(), keep(reference, REF));
        }
    }
    Value::Object(kept)
}

/// The entries of `value` named in `keys`, in that order.
fn keep(value: &Value, keys: &[&str]) -> Value {
    let kept = keys.iter().filter_map(|key| Some(((*key).to_owned(), value.get(key)?.clone())));
    Value::Object(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::prune;
    use serde_json::json;

    #[test]
    fn keeps_only_what_is_reached_and_no_text() {
        let full = json!({
            "metadata": {"protocol": "query", "uid": "x"},
            "operations": {
                "Get": {"documentation": "long", "input": {"shape": "GetInput"}},
                "Put": {"input": {"shape": "PutInput"}},
            },
            "shapes": {
                "GetInput": {"type": "structure", "documentation": "long", "members": {"Names": {"shape": "Names", "documentation": "x"}}},
                "Names": {"type": "list", "member": {"shape": "Name", "locationName": "item"}},
                "Name": {"type": "string", "pattern": ".*"},
                "PutInput": {"type": "structure", "members": {}},
            },
        });
        assert_eq!(
            prune(&full, &["Get".to_owned()]).unwrap(),
            json!({
                "metadata": {"protocol": "query"},
                "operations": {"Get": {"input": {"shape": "GetInput"}}},
                "unsupported": ["Put"],
                "shapes": {
                    "GetInput": {"type": "structure", "members": {"Names": {"shape": "Names"}}},
                    "Name": {"type": "string"},
                    "Names": {"type": "list", "member": {"shape": "Name", "locationName": "item"}},
                },
            })
        );
        let unknown = prune(&full, &["Drop".to_owned()]).unwrap_err();
        assert_eq!(unknown.to_string(), "AWS has no operation Drop");
    }
}
