//! Attributes of container instances.

use std::collections::BTreeMap;

use aws_wire::Error;
use aws_wire::ecs::*;

use super::clusters::{self, PAGE};
use super::container_instances;
use super::errors::{self, invalid};
use super::state::ContainerInstanceRecord;
use super::wire::home;
use crate::Ctx;
use crate::api::paging::{Order, PageRequest, page};
use crate::api::values::{length, only};
use crate::store::Tx;

/// How many attributes one request may put.
const MAX_PUT: usize = 10;
/// How many attributes of their own users may put on a container instance.
const MAX_CUSTOM: usize = 10;
/// What attributes that are not the user's begin with.
const RESERVED: [&str; 2] = ["ecs.", "com.amazonaws."];
const TARGET_TYPE: &str = "container-instance";

/// The attributes that an agent sends, by name.
pub fn checked(attributes: Vec<Attribute>) -> Result<BTreeMap<String, Option<String>>, Error> {
    attributes.into_iter().map(|one| named(one.name, one.value)).collect()
}

fn named(name: Option<String>, value: Option<String>) -> Result<(String, Option<String>), Error> {
    let name = name.unwrap_or_default();
    if !length(&name, 1, 128) || !only(&name, "-_./\\") {
        return Err(invalid(format!(
            "Invalid attribute name: {name:?}. It must be 1 to 128 letters, digits, -, _, ., / or \\."
        )));
    }
    let value = value.filter(|value| !value.is_empty());
    if let Some(value) = value.as_deref().filter(|value| !is_value(value)) {
        return Err(invalid(format!(
            "Invalid value of the attribute {name}: {value:?}. It must be 1 to 128 letters, digits, -, _, ., @, :, /, \\ or spaces inside."
        )));
    }
    Ok((name, value))
}

fn is_value(value: &str) -> bool {
    length(value, 1, 128) && only(value, "-_.@:/\\ ") && value.trim() == value
}

fn is_custom(name: &str) -> bool {
    !RESERVED.iter().any(|prefix| name.starts_with(prefix))
}

/// The container instance that an attribute of a request is about.
fn target(
    ctx: &Ctx,
    tx: &Tx<'_>,
    cluster: &str,
    attribute: &Attribute,
) -> Result<ContainerInstanceRecord, Error> {
    let given = attribute.target_id.as_deref().unwrap_or_default();
    // An ARN tells what it is of; a mere id needs the type.
    if !given.starts_with("arn:") && attribute.target_type.as_deref() != Some(TARGET_TYPE) {
        return Err(invalid("The target type must be specified with a short-form target ID."));
    }
    let not_found =
        |_| Error::client("TargetNotFoundException", format!("The target {given:?} was not found."));
    let found = container_instances::find_in(ctx, tx, cluster, given).map_err(not_found)?;
    if found.is_registered() {
        Ok((*found).clone())
    } else {
        Err(not_found(errors::instance_inactive(&found.id)))
    }
}

fn wire(ctx: &Ctx, instance: &ContainerInstanceRecord, name: &str, value: Option<&String>) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        value: value.cloned(),
        target_type: Some(TARGET_TYPE.to_owned()),
        target_id: Some(home(ctx).container_instance_arn(&instance.cluster, &instance.id)),
    }
}

/// `PutAttributes`
pub fn put(ctx: &Ctx, input: PutAttributesRequest) -> Result<PutAttributesResponse, Error> {
    if input.attributes.is_empty() || input.attributes.len() > MAX_PUT {
        return Err(invalid(format!("Attributes must have between 1 and {MAX_PUT} elements.")));
    }
    ctx.cloud.store.write(|tx| {
        let cluster = clusters::find_in(ctx, tx, input.cluster.as_deref())?;
        let mut answer = PutAttributesResponse::default();
        for attribute in input.attributes {
            let mut instance = target(ctx, tx, &cluster.id, &attribute)?;
            let (name, value) = named(attribute.name, attribute.value)?;
            if !is_custom(&name) {
                return Err(invalid(format!("The attribute {name} is not yours to set.")));
            }
            answer.attributes.push(wire(ctx, &instance, &name, value.as_ref()));
            instance.attributes.insert(name, value);
            if instance.attributes.keys().filter(|name| is_custom(name)).count() > MAX_CUSTOM {
                return Err(Error::client(
                    "AttributeLimitExceededException",
                    format!("You can have at most {MAX_CUSTOM} custom attributes on a container instance."),
                ));
            }
            instance.version += 1;
            tx.put(instance)?;
        }
        Ok(answer)
    })
}

/// `DeleteAttributes`
pub fn delete(ctx: &Ctx, input: DeleteAttributesRequest) -> Result<DeleteAttributesResponse, Error> {
    ctx.cloud.store.write(|tx| {
        let cluster = clusters::find_in(ctx, tx, input.cluster.as_deref())?;
        let mut answer = DeleteAttributesResponse::default();
        for attribute in input.attributes {
            let mut instance = target(ctx, tx, &cluster.id, &attribute)?;
            let name = attribute.name.unwrap_or_default();
            if !is_custom(&name) {
                return Err(invalid(format!("The attribute {name} is not yours to delete.")));
            }
            if let Some(value) = instance.attributes.remove(&name) {
                answer.attributes.push(wire(ctx, &instance, &name, value.as_ref()));
                instance.version += 1;
                tx.put(instance)?;
            }
        }
        Ok(answer)
    })
}

/// `ListAttributes`
pub fn list(ctx: &Ctx, input: ListAttributesRequest) -> Result<ListAttributesResponse, Error> {
    let cluster = clusters::find(ctx, input.cluster.as_deref())?;
    if input.target_type.as_deref() != Some(TARGET_TYPE) {
        return Err(invalid(format!("The target type must be {TARGET_TYPE}.")));
    }
    let instances = ctx.cloud.store.list::<ContainerInstanceRecord>(&ctx.region);
    let mine = instances.iter().filter(|instance| instance.cluster == cluster.id && instance.is_registered());
    let asked = |name: &str, value: &Option<String>| {
        input.attribute_name.as_deref().is_none_or(|asked| asked == name)
            && input.attribute_value.as_ref().is_none_or(|asked| value.as_ref() == Some(asked))
    };
    let rows: Vec<(String, Attribute)> = mine
        .flat_map(|instance| {
            let here = instance.attributes.iter().filter(|(name, value)| asked(name, value));
            here.map(|(name, value)| {
                (format!("{}/{name}", instance.id), wire(ctx, instance, name, value.as_ref()))
            })
        })
        .collect();
    let request = PageRequest { max: input.max_results, token: input.next_token.as_deref() };
    let page = page(rows, request, PAGE, Order::Ascending, |(key, _)| key).map_err(errors::paging)?;
    Ok(ListAttributesResponse {
        attributes: page.items.into_iter().map(|(_, attribute)| attribute).collect(),
        next_token: page.next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        let cases = [
            ("stack", Some("blue"), true),
            ("com.amazonaws.ecs.capability.docker-remote-api.1.38", None, true),
            ("ecs.availability-zone", Some("us-east-1a"), true),
            ("a", Some("two words"), true),
            ("a", Some(" leading"), false),
            ("", Some("x"), false),
            ("with space", None, false),
            ("a", Some("ü"), false),
        ];
        for (name, value, fine) in cases {
            let checked = named(Some(name.to_owned()), value.map(str::to_owned));
            assert_eq!(checked.is_ok(), fine, "{name:?} {value:?}");
        }
        assert_eq!(named(Some("a".into()), Some(String::new())).unwrap().1, None);
        assert!(is_custom("stack") && !is_custom("ecs.ami-id"));
    }
}
