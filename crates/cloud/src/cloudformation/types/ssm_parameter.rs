//! `AWS::SSM::Parameter`.

use aws_wire::ssm::{
    AddTagsToResourceRequest, DeleteParameterRequest, GetParameterRequest, ListTagsForResourceRequest,
    PutParameterRequest, RemoveTagsFromResourceRequest, Tag,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use indexmap::IndexMap;
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, ResourceType, Wanted, tag};
use super::{Owner, props};

/// The type.
pub struct Parameter;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::SSM::Parameter",
    properties: &[
        Property::new("AllowedPattern", Kind::String),
        Property::new("DataType", Kind::String),
        Property::new("Description", Kind::String),
        Property::new("Name", Kind::String).replaces(),
        Property::new("Tags", Kind::Map(&Kind::String)),
        Property::new("Tier", Kind::Enum(&["Standard", "Advanced", "Intelligent-Tiering"])),
        Property::new("Type", Kind::Enum(&["String", "StringList"])).required(),
        Property::new("Value", Kind::String).required(),
    ],
    attributes: &["Type", "Value"],
};

const RESOURCE: &str = "Parameter";

impl ResourceType<Api> for Parameter {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    /// Tags cannot be given together with `Overwrite`, so a new parameter is put without.
    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let tags = tags_of(wanted.owner, wanted.tags, wanted.properties);
        let input =
            PutParameterRequest { tags: wire_tags(&tags), ..put(wanted.name, wanted.properties, false) };
        api.services.ssm.put_parameter(&api.ctx, input)?;
        Ok(made(wanted.name, wanted.properties))
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let input = GetParameterRequest { name: Some(wanted.name.to_owned()), with_decryption: Some(false) };
        if props::absent(api.services.ssm.get_parameter(&api.ctx, input), &["ParameterNotFound"])?.is_none() {
            return Ok(None);
        }
        let input = ListTagsForResourceRequest {
            resource_type: Some(RESOURCE.to_owned()),
            resource_id: Some(wanted.name.to_owned()),
        };
        let tags = api.services.ssm.list_tags_for_resource(&api.ctx, input)?.tag_list;
        let owned = tags.iter().any(|tag| {
            tag.key.as_deref() == Some(tag::STACK_ID) && tag.value.as_deref() == Some(&wanted.owner.stack_id)
        });
        Ok(owned.then(|| made(wanted.name, wanted.properties)))
    }

    fn stabilize(&self, _api: &Api, existing: &Existing<'_>) -> Result<super::Progress, Failure> {
        Ok(super::Progress::Ready(made(existing.physical_id, existing.properties).attributes))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        api.services.ssm.put_parameter(&api.ctx, put(change.physical_id, change.after, true))?;
        let before = tags_of(change.owner, change.tags_before, change.before);
        let after = tags_of(change.owner, change.tags, change.after);
        let (set, removed) = props::tag_changes(&before, &after);
        let (resource_type, resource_id) = (Some(RESOURCE.to_owned()), Some(change.physical_id.to_owned()));
        if !set.is_empty() {
            let tags = wire_tags(&set.into_iter().collect());
            let input = AddTagsToResourceRequest {
                resource_type: resource_type.clone(),
                resource_id: resource_id.clone(),
                tags,
            };
            api.services.ssm.add_tags_to_resource(&api.ctx, input)?;
        }
        if !removed.is_empty() {
            let input = RemoveTagsFromResourceRequest { resource_type, resource_id, tag_keys: removed };
            api.services.ssm.remove_tags_from_resource(&api.ctx, input)?;
        }
        Ok(())
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteParameterRequest { name: Some(existing.physical_id.to_owned()) };
        props::absent(api.services.ssm.delete_parameter(&api.ctx, input), &["ParameterNotFound"]).map(drop)
    }
}

fn put(name: &str, properties: &Value, overwrite: bool) -> PutParameterRequest {
    PutParameterRequest {
        name: Some(name.to_owned()),
        description: props::text(properties, "Description"),
        value: props::text(properties, "Value"),
        type_: props::text(properties, "Type"),
        overwrite: Some(overwrite),
        allowed_pattern: props::text(properties, "AllowedPattern"),
        tier: props::text(properties, "Tier"),
        data_type: props::text(properties, "DataType"),
        ..Default::default()
    }
}

fn made(name: &str, properties: &Value) -> Made {
    let value = |property: &str| properties.get(property).cloned().unwrap_or_default();
    Made::new(name).with("Type", value("Type")).with("Value", value("Value"))
}

/// This type's `Tags` are a map.
fn tags_of(owner: &Owner, stack: &IndexMap<String, String>, properties: &Value) -> IndexMap<String, String> {
    let mut tags = owner.tags(stack);
    for (key, value) in properties.get("Tags").and_then(Value::as_object).into_iter().flatten() {
        tags.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
    }
    tags
}

fn wire_tags(tags: &IndexMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}
