//! `AWS::ECS::Cluster`.

use aws_wire::ecs::{
    Cluster as Described, ClusterSetting, CreateClusterRequest, DeleteClusterRequest,
    DescribeClustersRequest, Tag, TagResourceRequest, UntagResourceRequest, UpdateClusterRequest,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, ResourceType, Wanted, props, tag};

/// The type.
pub struct Cluster;

const SETTING: &[Property] = &[Property::new("Name", Kind::String), Property::new("Value", Kind::String)];
const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::ECS::Cluster",
    properties: &[
        Property::new("ClusterName", Kind::String).replaces(),
        Property::new("ClusterSettings", Kind::List(&Kind::Object(SETTING))),
        Property::new("Tags", Kind::Tags),
    ],
    attributes: &["Arn"],
};

impl ResourceType<Api> for Cluster {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("ClusterName")
    }

    fn name_limit(&self) -> usize {
        255
    }

    /// `CreateCluster` gives back a cluster of this name that exists; it belongs to somebody else then.
    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        if active(api, wanted.name)?.is_some() {
            return Err(Failure::new(format!(
                "Resource of type 'AWS::ECS::Cluster' with identifier '{}' already exists.",
                wanted.name
            )));
        }
        let tags = props::tags(wanted.owner, wanted.tags, wanted.properties);
        let input = CreateClusterRequest {
            cluster_name: Some(wanted.name.to_owned()),
            settings: settings(wanted.properties),
            tags: tags.iter().map(|(key, value)| new_tag(key, value)).collect(),
            ..Default::default()
        };
        let created = api.services.ecs.create_cluster(&api.ctx, input)?;
        Ok(made(wanted.name, created.cluster))
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let Some(cluster) = active(api, wanted.name)? else { return Ok(None) };
        let owned = cluster.tags.iter().any(|tag| {
            tag.key.as_deref() == Some(tag::STACK_ID) && tag.value.as_deref() == Some(&wanted.owner.stack_id)
        });
        Ok(owned.then(|| made(wanted.name, Some(cluster))))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        if change.touches("ClusterSettings") {
            let input = UpdateClusterRequest {
                cluster: Some(change.physical_id.to_owned()),
                settings: settings(change.after),
                ..Default::default()
            };
            api.services.ecs.update_cluster(&api.ctx, input)?;
        }
        update_tags(api, change)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteClusterRequest { cluster: Some(existing.physical_id.to_owned()) };
        match api.services.ecs.delete_cluster(&api.ctx, input) {
            Ok(_) => Ok(()),
            Err(error) if error.code == "ClusterNotFoundException" => Ok(()),
            // Container instances leave a moment after their instances are terminated.
            Err(error) if error.code.starts_with("ClusterContains") => {
                Err(Failure { transient: true, ..Failure::from(error) })
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn active(api: &Api, name: &str) -> Result<Option<Described>, Failure> {
    let input = DescribeClustersRequest { clusters: vec![name.to_owned()], include: vec!["TAGS".to_owned()] };
    let found = api.services.ecs.describe_clusters(&api.ctx, input)?;
    Ok(found.clusters.into_iter().find(|cluster| cluster.status.as_deref() == Some("ACTIVE")))
}

fn made(name: &str, cluster: Option<Described>) -> Made {
    Made::new(name).with("Arn", cluster.and_then(|cluster| cluster.cluster_arn).unwrap_or_default())
}

fn settings(properties: &Value) -> Vec<ClusterSetting> {
    props::list(properties, "ClusterSettings")
        .iter()
        .map(|setting| ClusterSetting {
            name: props::text(setting, "Name"),
            value: props::text(setting, "Value"),
        })
        .collect()
}

fn new_tag(key: &str, value: &str) -> Tag {
    Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }
}

fn update_tags(api: &Api, change: &Change<'_>) -> Result<(), Failure> {
    let before = props::tags(change.owner, change.tags_before, change.before);
    let after = props::tags(change.owner, change.tags, change.after);
    let (set, removed) = props::tag_changes(&before, &after);
    if set.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let arn = active(api, change.physical_id)?.and_then(|cluster| cluster.cluster_arn);
    if !set.is_empty() {
        let tags = set.iter().map(|(key, value)| new_tag(key, value)).collect();
        api.services.ecs.tag_resource(&api.ctx, TagResourceRequest { resource_arn: arn.clone(), tags })?;
    }
    if !removed.is_empty() {
        let input = UntagResourceRequest { resource_arn: arn, tag_keys: removed };
        api.services.ecs.untag_resource(&api.ctx, input)?;
    }
    Ok(())
}
