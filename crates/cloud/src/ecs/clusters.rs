//! Clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ecs::*;
use jiff::Timestamp;

use super::errors::{self, cluster_not_found, invalid, unsupported};
use super::names::{DEFAULT_CLUSTER, is_cluster_name};
use super::settings;
use super::state::{ClusterRecord, ContainerInstanceRecord};
use super::wire::{self, ClusterFields, home};
use crate::api::paging::{Limits, Order, PageRequest, page};
use crate::api::tags::Tags;
use crate::context::{Caller, Ctx};
use crate::store::Tx;

/// How many items ECS lists at once.
pub const PAGE: Limits = Limits { min: 1, max: 100, default: Some(100) };
/// How many things one request may describe.
const MAX_DESCRIBED: usize = 100;
const CONTAINER_INSIGHTS: &str = "containerInsights";

/// Whether the caller may set `aws:…` tags, as CloudFormation does on behalf of a stack's owner.
pub fn may_reserve(ctx: &Ctx) -> bool {
    matches!(ctx.caller, Caller::Service { .. })
}

/// The active cluster that a request names.
pub fn find(ctx: &Ctx, given: Option<&str>) -> Result<Arc<ClusterRecord>, Error> {
    let name = home(ctx).cluster_name(given).ok_or_else(cluster_not_found)?;
    active(ctx.cloud.store.get(&ctx.region, &name))
}

/// The same inside a transaction.
pub fn find_in(ctx: &Ctx, tx: &Tx<'_>, given: Option<&str>) -> Result<Arc<ClusterRecord>, Error> {
    let name = home(ctx).cluster_name(given).ok_or_else(cluster_not_found)?;
    active(tx.get(&ctx.region, &name))
}

fn active(found: Option<Arc<ClusterRecord>>) -> Result<Arc<ClusterRecord>, Error> {
    found.filter(|cluster| cluster.is_active()).ok_or_else(cluster_not_found)
}

/// `CreateCluster`. An active cluster of the name is given back as it is.
pub fn create(ctx: &Ctx, input: CreateClusterRequest) -> Result<CreateClusterResponse, Error> {
    if !input.capacity_providers.is_empty() {
        return Err(unsupported("capacityProviders"));
    }
    if !input.default_capacity_provider_strategy.is_empty() {
        return Err(unsupported("defaultCapacityProviderStrategy"));
    }
    refuse_service_connect(input.service_connect_defaults.as_ref())?;
    let name = input.cluster_name.unwrap_or_else(|| DEFAULT_CLUSTER.to_owned());
    if !is_cluster_name(&name) {
        return Err(invalid(
            "Identifier can only contain letters, numbers, hyphens and underscores, up to 255 of them.",
        ));
    }
    let mut tags = Tags::new();
    tags.merge(wire::pairs(input.tags), may_reserve(ctx)).map_err(errors::tags)?;
    let insights = settings::effective(ctx, CONTAINER_INSIGHTS);
    let mut settings = BTreeMap::from([(CONTAINER_INSIGHTS.to_owned(), insights)]);
    settings.extend(checked_settings(input.settings)?);
    let cluster = ClusterRecord {
        region: ctx.region.to_string(),
        id: name,
        settings,
        configuration: input.configuration,
        tags,
        inactive_since: None,
    };
    ctx.cloud.store.write(|tx| {
        let existing = tx.get::<ClusterRecord>(&ctx.region, &cluster.id).filter(|found| found.is_active());
        let cluster = match existing {
            Some(cluster) => cluster,
            None => {
                tx.put(cluster.clone())?;
                Arc::new(cluster)
            }
        };
        Ok(CreateClusterResponse { cluster: Some(told(ctx, tx, &cluster)) })
    })
}

fn told(ctx: &Ctx, tx: &Tx<'_>, cluster: &ClusterRecord) -> Cluster {
    let members = tx.list::<ContainerInstanceRecord>(&ctx.region);
    wire::cluster(home(ctx), cluster, &members, ClusterFields::CHANGED)
}

fn refuse_service_connect(given: Option<&ClusterServiceConnectDefaultsRequest>) -> Result<(), Error> {
    given.map_or(Ok(()), |_| Err(unsupported("serviceConnectDefaults")))
}

fn checked_settings(given: Vec<ClusterSetting>) -> Result<BTreeMap<String, String>, Error> {
    let check = |setting: ClusterSetting| {
        let (name, value) = (setting.name.unwrap_or_default(), setting.value.unwrap_or_default());
        if name != CONTAINER_INSIGHTS {
            return Err(invalid(format!("Invalid cluster setting name: {name}")));
        }
        if !["enabled", "disabled", "enhanced"].contains(&value.as_str()) {
            return Err(invalid(format!("Invalid value for cluster setting {name}: {value}")));
        }
        Ok((name, value))
    };
    given.into_iter().map(check).collect()
}

/// `DescribeClusters`
pub fn describe(ctx: &Ctx, input: DescribeClustersRequest) -> Result<DescribeClustersResponse, Error> {
    if input.clusters.len() > MAX_DESCRIBED {
        return Err(invalid(format!("Clusters cannot have more than {MAX_DESCRIBED} elements.")));
    }
    let fields = ClusterFields::asked(&input.include);
    let asked = if input.clusters.is_empty() { vec![DEFAULT_CLUSTER.to_owned()] } else { input.clusters };
    let members = ctx.cloud.store.list::<ContainerInstanceRecord>(&ctx.region);
    let mut answer = DescribeClustersResponse::default();
    for given in asked {
        let name = home(ctx).cluster_name(Some(&given));
        let found = name.as_ref().and_then(|name| ctx.cloud.store.get::<ClusterRecord>(&ctx.region, name));
        match found {
            Some(found) => answer.clusters.push(wire::cluster(home(ctx), &found, &members, fields)),
            None => {
                let arn = name.map_or(given, |name| home(ctx).cluster_arn(&name));
                answer.failures.push(wire::missing(arn));
            }
        }
    }
    Ok(answer)
}

/// `ListClusters`
pub fn list(ctx: &Ctx, input: ListClustersRequest) -> Result<ListClustersResponse, Error> {
    let mut clusters = ctx.cloud.store.list::<ClusterRecord>(&ctx.region);
    clusters.retain(|cluster| cluster.is_active());
    let request = PageRequest { max: input.max_results, token: input.next_token.as_deref() };
    let page =
        page(clusters, request, PAGE, Order::Ascending, |cluster| &cluster.id).map_err(errors::paging)?;
    Ok(ListClustersResponse {
        cluster_arns: page.items.iter().map(|cluster| home(ctx).cluster_arn(&cluster.id)).collect(),
        next_token: page.next,
    })
}

/// `UpdateCluster`
pub fn update(ctx: &Ctx, input: UpdateClusterRequest) -> Result<UpdateClusterResponse, Error> {
    refuse_service_connect(input.service_connect_defaults.as_ref())?;
    let settings = checked_settings(input.settings)?;
    let cluster = change(ctx, input.cluster.as_deref(), |cluster| {
        cluster.settings.extend(settings);
        if input.configuration.is_some() {
            cluster.configuration = input.configuration;
        }
    })?;
    Ok(UpdateClusterResponse { cluster: Some(cluster) })
}

/// `UpdateClusterSettings`
pub fn update_settings(
    ctx: &Ctx,
    input: UpdateClusterSettingsRequest,
) -> Result<UpdateClusterSettingsResponse, Error> {
    let settings = checked_settings(input.settings)?;
    let cluster = change(ctx, input.cluster.as_deref(), |cluster| cluster.settings.extend(settings))?;
    Ok(UpdateClusterSettingsResponse { cluster: Some(cluster) })
}

fn change(ctx: &Ctx, given: Option<&str>, change: impl FnOnce(&mut ClusterRecord)) -> Result<Cluster, Error> {
    ctx.cloud.store.write(|tx| {
        let mut cluster = (*find_in(ctx, tx, given)?).clone();
        change(&mut cluster);
        tx.put(cluster.clone())?;
        Ok(told(ctx, tx, &cluster))
    })
}

/// `DeleteCluster`. The cluster becomes `INACTIVE` and is forgotten a while later.
pub fn delete(ctx: &Ctx, input: DeleteClusterRequest) -> Result<DeleteClusterResponse, Error> {
    ctx.cloud.store.write(|tx| {
        let mut cluster = (*find_in(ctx, tx, input.cluster.as_deref())?).clone();
        let members = tx.list::<ContainerInstanceRecord>(&ctx.region);
        if members.iter().any(|member| member.cluster == cluster.id && member.is_registered()) {
            return Err(Error::client(
                "ClusterContainsContainerInstancesException",
                "The Cluster cannot be deleted while Container Instances are active or draining.",
            ));
        }
        cluster.inactive_since = Some(Timestamp::now());
        tx.put(cluster.clone())?;
        Ok(DeleteClusterResponse { cluster: Some(told(ctx, tx, &cluster)) })
    })
}
