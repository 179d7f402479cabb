//! What the tests share: a resolver that knows a few things, and short ways from text to values.
#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "shared by test programs, each of which uses a part"
)]

use std::collections::BTreeMap;

use cfn_template::{Evaluator, ParameterValues, PseudoParameters, Resolver, Template, TemplateErrors};
use serde_json::{Value as Json, json};

/// Every resource has the physical id `id-LOGICAL` and the attribute `Arn`.
pub struct World;

impl Resolver for World {
    fn reference(&self, logical_id: &str) -> Option<String> {
        Some(format!("id-{logical_id}"))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Json> {
        match attribute {
            "Arn" => Some(json!(format!("arn:{logical_id}"))),
            "Ips" => Some(json!(["10.0.0.1", "10.0.0.2"])),
            _ => None,
        }
    }

    fn import_value(&self, export: &str) -> Option<String> {
        (export == "net-vpc").then(|| "vpc-1".to_owned())
    }

    fn availability_zones(&self, region: &str) -> Option<Vec<String>> {
        region.starts_with("us-").then(|| ["a", "b", "c"].map(|zone| format!("{region}{zone}")).to_vec())
    }

    fn dynamic(&self, service: &str, reference: &str) -> Result<String, String> {
        match service {
            "ssm" => Ok(format!("<{reference}>")),
            _ => Err(format!("dynamic references to {service} are not supported")),
        }
    }
}

pub fn pseudo() -> PseudoParameters {
    PseudoParameters {
        region: "us-east-1".into(),
        account_id: "123456789012".into(),
        stack_name: "stack".into(),
        stack_id: "arn:aws:cloudformation:us-east-1:123456789012:stack/stack/1".into(),
        notification_arns: vec!["arn:sns".into()],
    }
}

pub fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub fn parameters(template: &Template, given: &[(&str, &str)]) -> ParameterValues {
    template.resolve_parameters(&map(given), &BTreeMap::new()).unwrap()
}

/// The properties of the resource `R`.
pub fn properties(text: &str, given: &[(&str, &str)]) -> Result<Json, TemplateErrors> {
    let template = Template::parse(text)?;
    let parameters = parameters(&template, given);
    let pseudo = pseudo();
    let evaluator = Evaluator::new(&template, &parameters, &pseudo, &World)?;
    evaluator.properties(&template.resources["R"]).map(Json::Object)
}
