//! ECS: clusters, the container instances in them, and their agents' sessions.
//!
//! There are no tasks and no services in this cloud: what places them (`RunTask`, `CreateService`, …) is not
//! implemented, and what lists them answers truthfully that there are none. A container instance is in a cluster
//! because the agent of a booted machine registered it there, and `agentConnected` says that this agent has a
//! session now.
//!
//! What agents tell of their instances' health and load (the telemetry session) is acknowledged and not kept.

mod attributes;
pub(crate) mod authorization;
mod clusters;
mod container_instances;
mod endpoint;
mod errors;
mod names;
mod query;
mod reconciler;
mod register;
pub mod session;
mod settings;
pub mod state;
mod tagging;
mod tasks;
#[cfg(test)]
mod tests;
mod wire;

use aws_wire::Error;
use aws_wire::ecs::*;

pub use reconciler::run;

use crate::Ctx;
use crate::store::Kinds;

/// Makes the store able to load ECS's records.
pub fn kinds(kinds: &mut Kinds) {
    kinds
        .add::<state::ClusterRecord>()
        .add::<state::ContainerInstanceRecord>()
        .add::<state::AccountSettingRecord>();
}

/// The service.
pub struct EcsService;

/// An operation of the API, done by a function of the same input and output.
macro_rules! operations {
    ($($name:ident($input:ty) -> $output:ty = $does:path;)*) => {
        impl Ecs<Ctx> for EcsService {
            $(fn $name(&self, ctx: &Ctx, input: $input) -> Result<$output, Error> {
                $does(ctx, input)
            })*
        }
    };
}

operations! {
    create_cluster(CreateClusterRequest) -> CreateClusterResponse = clusters::create;
    delete_attributes(DeleteAttributesRequest) -> DeleteAttributesResponse = attributes::delete;
    delete_cluster(DeleteClusterRequest) -> DeleteClusterResponse = clusters::delete;
    deregister_container_instance(DeregisterContainerInstanceRequest) -> DeregisterContainerInstanceResponse
        = container_instances::deregister;
    describe_clusters(DescribeClustersRequest) -> DescribeClustersResponse = clusters::describe;
    describe_container_instances(DescribeContainerInstancesRequest) -> DescribeContainerInstancesResponse
        = container_instances::describe;
    describe_services(DescribeServicesRequest) -> DescribeServicesResponse = tasks::describe_services;
    describe_tasks(DescribeTasksRequest) -> DescribeTasksResponse = tasks::describe_tasks;
    discover_poll_endpoint(DiscoverPollEndpointRequest) -> DiscoverPollEndpointResponse = endpoint::discover;
    list_account_settings(ListAccountSettingsRequest) -> ListAccountSettingsResponse = settings::list;
    list_attributes(ListAttributesRequest) -> ListAttributesResponse = attributes::list;
    list_clusters(ListClustersRequest) -> ListClustersResponse = clusters::list;
    list_container_instances(ListContainerInstancesRequest) -> ListContainerInstancesResponse
        = container_instances::list;
    list_services(ListServicesRequest) -> ListServicesResponse = tasks::list_services;
    list_tags_for_resource(ListTagsForResourceRequest) -> ListTagsForResourceResponse = tagging::list;
    list_tasks(ListTasksRequest) -> ListTasksResponse = tasks::list_tasks;
    put_account_setting(PutAccountSettingRequest) -> PutAccountSettingResponse = settings::put;
    put_attributes(PutAttributesRequest) -> PutAttributesResponse = attributes::put;
    register_container_instance(RegisterContainerInstanceRequest) -> RegisterContainerInstanceResponse
        = register::register;
    submit_attachment_state_changes(SubmitAttachmentStateChangesRequest) -> SubmitAttachmentStateChangesResponse
        = tasks::submit_attachments;
    submit_container_state_change(SubmitContainerStateChangeRequest) -> SubmitContainerStateChangeResponse
        = tasks::submit_container;
    submit_task_state_change(SubmitTaskStateChangeRequest) -> SubmitTaskStateChangeResponse = tasks::submit_task;
    tag_resource(TagResourceRequest) -> TagResourceResponse = tagging::tag;
    untag_resource(UntagResourceRequest) -> UntagResourceResponse = tagging::untag;
    update_cluster(UpdateClusterRequest) -> UpdateClusterResponse = clusters::update;
    update_cluster_settings(UpdateClusterSettingsRequest) -> UpdateClusterSettingsResponse
        = clusters::update_settings;
    update_container_agent(UpdateContainerAgentRequest) -> UpdateContainerAgentResponse
        = container_instances::update_agent;
    update_container_instances_state(UpdateContainerInstancesStateRequest)
        -> UpdateContainerInstancesStateResponse = container_instances::update_state;
}
