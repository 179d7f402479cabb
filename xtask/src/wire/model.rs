//! The pruned service model, as the code generator reads it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A service: its wire metadata, supported operations and the shapes they reach.
#[derive(Debug, Deserialize)]
pub struct Model {
    pub metadata: Metadata,
    pub operations: BTreeMap<String, Operation>,
    /// Operations AWS has and we do not support, so that their refusal can say so.
    #[serde(default)]
    pub unsupported: Vec<String>,
    pub shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub endpoint_prefix: String,
    pub protocol: String,
    pub service_full_name: String,
    pub signing_name: Option<String>,
    pub target_prefix: Option<String>,
    pub xml_namespace: Option<String>,
    pub global_endpoint: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Operation {
    pub input: Option<Ref>,
    pub output: Option<Ref>,
}

/// A use of a shape, with the names the wire gives it there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ref {
    pub shape: String,
    pub location_name: Option<String>,
    pub query_name: Option<String>,
    pub result_wrapper: Option<String>,
    #[serde(default)]
    pub flattened: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub required: Vec<String>,
    /// In the model's order, which is the order of the fields.
    #[serde(default)]
    pub members: serde_json::Map<String, serde_json::Value>,
    pub member: Option<Ref>,
    pub key: Option<Ref>,
    pub value: Option<Ref>,
    #[serde(default)]
    pub flattened: bool,
    #[serde(default)]
    pub sensitive: bool,
    #[serde(default)]
    pub document: bool,
    /// A union of events that follow one another on the wire: no type of its own, its events have.
    #[serde(default)]
    pub eventstream: bool,
    /// The values that a string may have; empty if any.
    #[serde(default, rename = "enum")]
    pub values: Vec<String>,
    /// Least length of a string, or least value of a number.
    pub min: Option<serde_json::Number>,
    /// Greatest length of a string, or greatest value of a number.
    pub max: Option<serde_json::Number>,
    #[serde(default)]
    pub exception: bool,
    #[serde(default)]
    pub fault: bool,
    pub error: Option<ErrorTrait>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    pub code: Option<String>,
    pub http_status_code: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Structure,
    List,
    Map,
    String,
    Character,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Timestamp,
    Blob,
}

impl Shape {
    /// Whether values of this scalar are restricted.
    pub fn is_limited(&self) -> bool {
        let is_scalar = matches!(self.kind, Kind::String | Kind::Character | Kind::Integer | Kind::Long);
        is_scalar && (!self.values.is_empty() || self.min.is_some() || self.max.is_some())
    }

    /// Members in the model's order.
    pub fn members(&self) -> anyhow::Result<Vec<(&str, Ref)>> {
        self.members
            .iter()
            .map(|(name, value)| Ok((name.as_str(), serde_json::from_value(value.clone())?)))
            .collect()
    }
}
