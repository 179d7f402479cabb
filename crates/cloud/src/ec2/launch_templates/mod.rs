//! Launch templates and their versions.

pub mod data;

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    CreateLaunchTemplateRequest, CreateLaunchTemplateResult, CreateLaunchTemplateVersionRequest,
    CreateLaunchTemplateVersionResult, DeleteLaunchTemplateRequest, DeleteLaunchTemplateResult,
    DeleteLaunchTemplateVersionsRequest, DeleteLaunchTemplateVersionsResponseErrorItem,
    DeleteLaunchTemplateVersionsResponseSuccessItem, DeleteLaunchTemplateVersionsResult,
    DescribeLaunchTemplateVersionsRequest, DescribeLaunchTemplateVersionsResult,
    DescribeLaunchTemplatesRequest, DescribeLaunchTemplatesResult, LaunchTemplate,
    LaunchTemplateSpecification, LaunchTemplateVersion, ModifyLaunchTemplateRequest,
    ModifyLaunchTemplateResult, ResponseError,
};
use jiff::Timestamp;

use super::errors;
use super::request::{PAGE, Read, change, page, required, select, stop_dry_run, tag_set, tags_for, truth};
use super::state::{LaunchTemplateRecord, LaunchTemplateVersionRecord};
use crate::api::filters::Field;
use crate::api::values::{length, only};
use crate::context::Ctx;
use crate::ids;

fn name_not_found(name: &str) -> Error {
    let message = format!("The specified launch template, with template name {name}, does not exist.");
    Error::client("InvalidLaunchTemplateName.NotFoundException", message)
}

fn id_not_found(id: &str) -> Error {
    let message = format!("The specified launch template, with template ID {id}, does not exist.");
    Error::client("InvalidLaunchTemplateId.NotFound", message)
}

fn version_not_found(template: &LaunchTemplateRecord, version: &str) -> Error {
    let message = format!(
        "Could not find the specified version {version} for the launch template with ID {}.",
        template.id
    );
    Error::client("InvalidLaunchTemplateId.VersionNotFound", message)
}

/// The template named by exactly one of id and name.
///
/// # Errors
/// When both or none are given, or there is no such template.
pub fn need(
    read: &impl Read,
    region: &str,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<Arc<LaunchTemplateRecord>, Error> {
    match (id, name) {
        (Some(id), None) => read.get(region, id).ok_or_else(|| id_not_found(id)),
        (None, Some(name)) => read
            .list::<LaunchTemplateRecord>(region)
            .into_iter()
            .find(|template| template.name == name)
            .ok_or_else(|| name_not_found(name)),
        (Some(_), Some(_)) => Err(errors::bad_combination(
            "Either a launch template ID or a launch template name must be specified, not both.",
        )),
        (None, None) => Err(errors::missing("LaunchTemplateId")),
    }
}

/// The template and version that a launch names; the default version if it names none.
///
/// # Errors
/// When there is no such template or version.
pub fn resolve(
    read: &impl Read,
    region: &str,
    specification: &LaunchTemplateSpecification,
) -> Result<(Arc<LaunchTemplateRecord>, LaunchTemplateVersionRecord), Error> {
    let id = specification.launch_template_id.as_deref();
    let template = need(read, region, id, specification.launch_template_name.as_deref())?;
    let version = specification.version.as_deref().unwrap_or("$Default");
    let found = template.version(version).cloned().ok_or_else(|| version_not_found(&template, version))?;
    Ok((template, found))
}

/// `CreateLaunchTemplate`
pub fn create_launch_template(
    ctx: &Ctx,
    input: CreateLaunchTemplateRequest,
) -> Result<CreateLaunchTemplateResult, Error> {
    let name = required(&input.launch_template_name, "LaunchTemplateName")?;
    if !length(name, 3, 128) || !only(name, "()./_-") {
        let message = "Launch template name must be between 3 and 128 characters, and may contain letters, numbers, \
                       and the following characters: -, ., _, / and parentheses.";
        return Err(Error::client("InvalidLaunchTemplateName.MalformedException", message));
    }
    let data = input.launch_template_data.ok_or_else(|| errors::missing("LaunchTemplateData"))?;
    data::check(&data)?;
    let tags = tags_for(ctx, &input.tag_specifications, "launch-template", &["launch-template"])?;
    let template = change(ctx, input.dry_run, |tx| {
        let existing =
            tx.list::<LaunchTemplateRecord>(&ctx.region).into_iter().find(|other| other.name == name);
        if let Some(existing) = existing {
            let again = input.client_token.is_some() && existing.client_token == input.client_token;
            if again && existing.versions.first().is_some_and(|version| version.data == data) {
                return Ok(Arc::unwrap_or_clone(existing));
            }
            let message = "Launch template name already in use.";
            return Err(Error::client("InvalidLaunchTemplateName.AlreadyExistsException", message));
        }
        let created = Timestamp::now();
        let template = LaunchTemplateRecord {
            region: ctx.region.to_string(),
            id: ids::ec2("lt"),
            name: name.to_owned(),
            create_time: created,
            created_by: ctx.caller_arn(),
            default_version: 1,
            latest_version: 1,
            versions: vec![LaunchTemplateVersionRecord {
                number: 1,
                description: input.version_description,
                create_time: created,
                created_by: ctx.caller_arn(),
                data,
            }],
            client_token: input.client_token,
            tags,
        };
        tx.put(template.clone())?;
        Ok(template)
    })?;
    Ok(CreateLaunchTemplateResult { launch_template: Some(to_wire(&template)), ..Default::default() })
}

/// `CreateLaunchTemplateVersion`
pub fn create_launch_template_version(
    ctx: &Ctx,
    input: CreateLaunchTemplateVersionRequest,
) -> Result<CreateLaunchTemplateVersionResult, Error> {
    let given = input.launch_template_data.clone().ok_or_else(|| errors::missing("LaunchTemplateData"))?;
    data::check(&given)?;
    let (id, name) = (input.launch_template_id.as_deref(), input.launch_template_name.as_deref());
    let (template, version) = change(ctx, input.dry_run, |tx| {
        let mut template = Arc::unwrap_or_clone(need(tx, &ctx.region, id, name)?);
        let data = match &input.source_version {
            None => given,
            Some(source) => {
                let found = template.version(source).ok_or_else(|| version_not_found(&template, source))?;
                data::over(&found.data, &given)?
            }
        };
        template.latest_version += 1;
        let version = LaunchTemplateVersionRecord {
            number: template.latest_version,
            description: input.version_description,
            create_time: Timestamp::now(),
            created_by: ctx.caller_arn(),
            data,
        };
        template.versions.push(version.clone());
        tx.put(template.clone())?;
        Ok((template, version))
    })?;
    Ok(CreateLaunchTemplateVersionResult {
        launch_template_version: Some(version_to_wire(&template, &version)?),
        ..Default::default()
    })
}

/// `ModifyLaunchTemplate`: which version is the default.
pub fn modify_launch_template(
    ctx: &Ctx,
    input: ModifyLaunchTemplateRequest,
) -> Result<ModifyLaunchTemplateResult, Error> {
    let version = required(&input.default_version, "SetDefaultVersion")?;
    let (id, name) = (input.launch_template_id.as_deref(), input.launch_template_name.as_deref());
    let template = change(ctx, input.dry_run, |tx| {
        let mut template = Arc::unwrap_or_clone(need(tx, &ctx.region, id, name)?);
        let found = template.version(version).ok_or_else(|| version_not_found(&template, version))?;
        template.default_version = found.number;
        tx.put(template.clone())?;
        Ok(template)
    })?;
    Ok(ModifyLaunchTemplateResult { launch_template: Some(to_wire(&template)) })
}

/// `DeleteLaunchTemplate`
pub fn delete_launch_template(
    ctx: &Ctx,
    input: DeleteLaunchTemplateRequest,
) -> Result<DeleteLaunchTemplateResult, Error> {
    let (id, name) = (input.launch_template_id.as_deref(), input.launch_template_name.as_deref());
    let template = change(ctx, input.dry_run, |tx| {
        let template = need(tx, &ctx.region, id, name)?;
        tx.remove::<LaunchTemplateRecord>(&ctx.region, &template.id);
        Ok(template)
    })?;
    Ok(DeleteLaunchTemplateResult { launch_template: Some(to_wire(&template)) })
}

/// `DeleteLaunchTemplateVersions`: each for itself; the default version stays.
pub fn delete_launch_template_versions(
    ctx: &Ctx,
    input: DeleteLaunchTemplateVersionsRequest,
) -> Result<DeleteLaunchTemplateVersionsResult, Error> {
    let (id, name) = (input.launch_template_id.as_deref(), input.launch_template_name.as_deref());
    change(ctx, input.dry_run, |tx| {
        let mut template = Arc::unwrap_or_clone(need(tx, &ctx.region, id, name)?);
        let mut result = DeleteLaunchTemplateVersionsResult::default();
        for version in &input.versions {
            let number = template.version(version).map(|version| version.number);
            match number {
                Some(number) if number != template.default_version => {
                    template.versions.retain(|version| version.number != number);
                    let item = DeleteLaunchTemplateVersionsResponseSuccessItem {
                        launch_template_id: Some(template.id.clone()),
                        launch_template_name: Some(template.name.clone()),
                        version_number: Some(number),
                    };
                    result.successfully_deleted_launch_template_versions.push(item);
                }
                other => {
                    let (code, message) = if other.is_some() {
                        ("launchTemplateVersionIsDefault", "The default version cannot be deleted.")
                    } else {
                        ("launchTemplateVersionDoesNotExist", "The version does not exist.")
                    };
                    let error =
                        ResponseError { code: Some(code.to_owned()), message: Some(message.to_owned()) };
                    let item = DeleteLaunchTemplateVersionsResponseErrorItem {
                        launch_template_id: Some(template.id.clone()),
                        launch_template_name: Some(template.name.clone()),
                        version_number: version.parse().ok(),
                        response_error: Some(error),
                    };
                    result.unsuccessfully_deleted_launch_template_versions.push(item);
                }
            }
        }
        tx.put(template)?;
        Ok(result)
    })
}

const FIELDS: &[Field<Arc<LaunchTemplateRecord>>] = &[
    ("launch-template-name", |template, is| is(&template.name)),
    ("create-time", |template, is| is(&template.create_time.to_string())),
];

/// `DescribeLaunchTemplates`
pub fn describe_launch_templates(
    ctx: &Ctx,
    input: DescribeLaunchTemplatesRequest,
) -> Result<DescribeLaunchTemplatesResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection =
        select(FIELDS, Some(|template: &Arc<LaunchTemplateRecord>| &template.tags), &input.filters)?;
    let mut templates = ctx.cloud.store.list::<LaunchTemplateRecord>(&ctx.region);
    if let Some(id) = input.launch_template_ids.iter().find(|id| templates.iter().all(|t| t.id != **id)) {
        return Err(id_not_found(id));
    }
    if let Some(name) =
        input.launch_template_names.iter().find(|name| templates.iter().all(|t| t.name != **name))
    {
        return Err(name_not_found(name));
    }
    templates.retain(|template| {
        (input.launch_template_ids.is_empty() || input.launch_template_ids.contains(&template.id))
            && (input.launch_template_names.is_empty()
                || input.launch_template_names.contains(&template.name))
            && selection.accepts(template)
    });
    let page =
        page(templates, input.max_results, input.next_token.as_deref(), PAGE, |template| &template.id)?;
    Ok(DescribeLaunchTemplatesResult {
        launch_templates: page.items.iter().map(|template| to_wire(template)).collect(),
        next_token: page.next,
    })
}

/// A version beside its template.
struct Row {
    key: String,
    template: Arc<LaunchTemplateRecord>,
    version: LaunchTemplateVersionRecord,
}

const VERSION_FIELDS: &[Field<Row>] = &[
    ("image-id", |row, is| row.version.data.image_id.as_deref().is_some_and(is)),
    ("instance-type", |row, is| row.version.data.instance_type.as_deref().is_some_and(is)),
    ("is-default-version", |row, is| is(truth(row.version.number == row.template.default_version))),
    ("iam-instance-profile", |row, is| {
        let profile = row.version.data.iam_instance_profile.as_ref();
        profile.and_then(|profile| profile.arn.as_deref().or(profile.name.as_deref())).is_some_and(is)
    }),
    ("ebs-optimized", |row, is| row.version.data.ebs_optimized.is_some_and(|value| is(truth(value)))),
];

/// `DescribeLaunchTemplateVersions`: of one template, or the default or latest ones of all.
pub fn describe_launch_template_versions(
    ctx: &Ctx,
    input: DescribeLaunchTemplateVersionsRequest,
) -> Result<DescribeLaunchTemplateVersionsResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection = select(VERSION_FIELDS, None, &input.filters)?;
    let store = &ctx.cloud.store;
    let (id, name) = (input.launch_template_id.as_deref(), input.launch_template_name.as_deref());
    let templates = if id.is_none() && name.is_none() {
        if input.versions.is_empty() || input.versions.iter().any(|version| !version.starts_with('$')) {
            return Err(errors::missing("LaunchTemplateId"));
        }
        store.list::<LaunchTemplateRecord>(&ctx.region)
    } else {
        vec![need(store, &ctx.region, id, name)?]
    };
    let mut rows = Vec::new();
    for template in templates {
        for version in asked_versions(&template, &input)? {
            let key = format!("{}/{:020}", template.id, version.number);
            rows.push(Row { key, template: Arc::clone(&template), version });
        }
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows.retain(|row| selection.accepts(row));
    let page = page(rows, input.max_results, input.next_token.as_deref(), PAGE, |row| &row.key)?;
    let versions = page.items.iter().map(|row| version_to_wire(&row.template, &row.version));
    Ok(DescribeLaunchTemplateVersionsResult {
        launch_template_versions: versions.collect::<Result<_, _>>()?,
        next_token: page.next,
    })
}

fn asked_versions(
    template: &LaunchTemplateRecord,
    input: &DescribeLaunchTemplateVersionsRequest,
) -> Result<Vec<LaunchTemplateVersionRecord>, Error> {
    if !input.versions.is_empty() {
        let mut found = Vec::new();
        for name in &input.versions {
            let version = template.version(name).ok_or_else(|| version_not_found(template, name))?;
            if found.iter().all(|other: &LaunchTemplateVersionRecord| other.number != version.number) {
                found.push(version.clone());
            }
        }
        return Ok(found);
    }
    let bound = |text: &Option<String>, name: &str| match text {
        None => Ok(None),
        Some(text) => text.parse::<i64>().map(Some).map_err(|_| errors::invalid_parameter(text, name, "")),
    };
    let (min, max) = (bound(&input.min_version, "MinVersion")?, bound(&input.max_version, "MaxVersion")?);
    let within = |version: &&LaunchTemplateVersionRecord| {
        min.is_none_or(|min| version.number >= min) && max.is_none_or(|max| version.number <= max)
    };
    Ok(template.versions.iter().filter(within).cloned().collect())
}

fn to_wire(template: &LaunchTemplateRecord) -> LaunchTemplate {
    LaunchTemplate {
        launch_template_id: Some(template.id.clone()),
        launch_template_name: Some(template.name.clone()),
        create_time: Some(template.create_time),
        created_by: Some(template.created_by.clone()),
        default_version_number: Some(template.default_version),
        latest_version_number: Some(template.latest_version),
        tags: tag_set(&template.tags),
        ..LaunchTemplate::default()
    }
}

fn version_to_wire(
    template: &LaunchTemplateRecord,
    version: &LaunchTemplateVersionRecord,
) -> Result<LaunchTemplateVersion, Error> {
    Ok(LaunchTemplateVersion {
        launch_template_id: Some(template.id.clone()),
        launch_template_name: Some(template.name.clone()),
        version_number: Some(version.number),
        version_description: version.description.clone(),
        create_time: Some(version.create_time),
        created_by: Some(version.created_by.clone()),
        default_version: Some(version.number == template.default_version),
        launch_template_data: Some(data::to_response(&version.data)?),
        ..LaunchTemplateVersion::default()
    })
}
