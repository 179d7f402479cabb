//! AWS's public parameters: which image is the recommended ECS-optimised AMI.
//!
//! On AWS they lie under `/aws/service/ecs/optimized-ami/…`. Here the base image takes the AMI's place, whatever
//! system the name asks for, and only what is known of it is told: which versions of Docker and of the agent are
//! in it is not.

use aws_wire::Error;
use aws_wire::ssm::Parameter;
use machine::images::{AMAZON, BASE_NAME, Image, ImageState};
use serde_json::json;

use super::names;
use crate::Ctx;

/// What public parameters' names begin with.
pub const ROOT: &str = "/aws/";
const OPTIMIZED_AMI: &str = "/aws/service/ecs/optimized-ami";
/// The systems whose recommended AMI the base image stands for.
const SYSTEMS: [&str; 3] = ["amazon-linux", "amazon-linux-2", "amazon-linux-2023"];
/// The form of the JSON.
const SCHEMA_VERSION: u32 = 1;

/// All public parameters, by name; none while there is no base image.
pub fn all(ctx: &Ctx) -> Result<Vec<Parameter>, Error> {
    let images = ctx.cloud.images.list().map_err(|error| Error::internal(error.to_string()))?;
    let newest =
        images.into_iter().filter(|image| is_base(image, &ctx.region)).max_by_key(|image| image.created);
    Ok(newest.map(|image| of_image(&image, &ctx.region)).unwrap_or_default())
}

/// The public parameter of that name.
pub fn find(ctx: &Ctx, name: &str) -> Result<Option<Parameter>, Error> {
    Ok(all(ctx)?.into_iter().find(|parameter| parameter.name.as_deref() == Some(name)))
}

fn is_base(image: &Image, region: &str) -> bool {
    image.name == BASE_NAME
        && image.owner == AMAZON
        && image.alias_of.is_none()
        && image.state == ImageState::Available
        && image.region.as_deref().is_none_or(|only| only == region)
}

fn of_image(image: &Image, region: &str) -> Vec<Parameter> {
    SYSTEMS.iter().flat_map(|system| recommended(system, image, region)).collect()
}

fn recommended(system: &str, image: &Image, region: &str) -> Vec<Parameter> {
    let whole = json!({
        "schema_version": SCHEMA_VERSION,
        "image_name": image.name,
        "image_id": image.id,
        "os": "Linux",
    });
    let parameter = |part: &str, value: String, data_type: &str| {
        let name = format!("{OPTIMIZED_AMI}/{system}/recommended{part}");
        Parameter {
            type_: Some("String".to_owned()),
            value: Some(value),
            version: Some(1),
            last_modified_date: Some(image.created),
            arn: Some(names::arn(region, "", &name)),
            data_type: Some(data_type.to_owned()),
            name: Some(name),
            ..Parameter::default()
        }
    };
    vec![
        parameter("", whole.to_string(), "text"),
        parameter("/image_id", image.id.clone(), "aws:ec2:image"),
        parameter("/image_name", image.name.clone(), "text"),
        parameter("/os", "Linux".to_owned(), "text"),
        parameter("/schema_version", SCHEMA_VERSION.to_string(), "text"),
    ]
}
