//! What a request to ECS is about, as policies see it ("Actions, resources, and condition keys for Amazon Elastic
//! Container Service" in the service authorization reference).

use aws_wire::ParsedRequest;
use aws_wire::value::{Node, Structure};

use super::names::{DEFAULT_CLUSTER, Home};
use super::wire::home;
use crate::Ctx;

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The ARNs that must all be allowed; `*` for operations that are about nothing in particular.
    pub resources: Vec<String>,
    /// The cluster's ARN, the value of the condition key `ecs:cluster`.
    pub cluster: Option<String>,
}

impl About {
    /// About nothing in particular.
    pub fn anything() -> Self {
        Self { resources: vec!["*".to_owned()], cluster: None }
    }
}

/// What a request is about. One that cannot be decoded is about nothing: the operation refuses it with better
/// words than authorization could.
pub fn about(ctx: &Ctx, request: &ParsedRequest) -> About {
    match aws_wire::decode_any(request) {
        Ok(input) => of_input(home(ctx), &request.operation, input.as_ref()),
        Err(_) => About::anything(),
    }
}

/// The condition key `ecs:cluster` of a request that names the cluster so.
pub fn cluster_arn(home: Home<'_>, given: &str) -> String {
    if given.starts_with("arn:") { given.to_owned() } else { home.cluster_arn(given) }
}

fn of_input(home: Home<'_>, operation: &str, input: &dyn Structure) -> About {
    let given = first(input, "cluster").unwrap_or_else(|| DEFAULT_CLUSTER.to_owned());
    let cluster = cluster_arn(home, &given);
    let instance = |given: String| {
        let name = home.cluster_name(Some(&cluster)).unwrap_or_default();
        if given.starts_with("arn:") { given } else { home.container_instance_arn(&name, &given) }
    };
    let resources: Vec<String> = match operation {
        "DeleteCluster"
        | "DeregisterContainerInstance"
        | "ListAttributes"
        | "ListContainerInstances"
        | "RegisterContainerInstance"
        | "SubmitAttachmentStateChanges"
        | "SubmitContainerStateChange"
        | "SubmitTaskStateChange"
        | "UpdateCluster"
        | "UpdateClusterSettings" => return About { resources: vec![cluster], cluster: None },
        "DescribeClusters" => {
            let named = texts(input, "clusters");
            let all = if named.is_empty() { vec![DEFAULT_CLUSTER.to_owned()] } else { named };
            let resources = all.iter().map(|name| cluster_arn(home, name)).collect();
            return About { resources, cluster: None };
        }
        "ListTagsForResource" | "TagResource" | "UntagResource" => {
            return About { resources: texts(input, "resourceArn"), cluster: None };
        }
        "DescribeContainerInstances" | "UpdateContainerInstancesState" => {
            texts(input, "containerInstances").into_iter().map(instance).collect()
        }
        "ListTasks" | "UpdateContainerAgent" => {
            texts(input, "containerInstance").into_iter().map(instance).collect()
        }
        _ => Vec::new(),
    };
    let resources = if resources.is_empty() { About::anything().resources } else { resources };
    About { resources, cluster: Some(cluster) }
}

fn first(input: &dyn Structure, name: &str) -> Option<String> {
    texts(input, name).into_iter().next()
}

/// The text of a member, or its texts.
fn texts(input: &dyn Structure, name: &str) -> Vec<String> {
    let index = input.schema().members.iter().position(|member| member.name == name);
    let text = |node: Node<'_>| match node {
        Node::String(text) => Some(text.to_owned()),
        _ => None,
    };
    match index.map_or(Node::Absent, |index| input.get(index)) {
        Node::List(list) => (0..list.count()).filter_map(|index| text(list.get(index))).collect(),
        node => text(node).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use aws_wire::ecs::*;

    use super::*;

    const HOME: Home<'_> = Home { region: "us-east-1", account: "123456789012" };
    const WEB: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/web";

    #[test]
    fn requests_are_about_clusters_or_container_instances() {
        let web = Some("web".to_owned());
        let register = RegisterContainerInstanceRequest { cluster: web.clone(), ..Default::default() };
        let about = of_input(HOME, "RegisterContainerInstance", &register);
        assert_eq!(about, About { resources: vec![WEB.into()], cluster: None });

        let drain = UpdateContainerInstancesStateRequest {
            cluster: web,
            container_instances: vec!["0a".into(), "0b".into()],
            ..Default::default()
        };
        let about = of_input(HOME, "UpdateContainerInstancesState", &drain);
        let arns = ["0a", "0b"].map(|id| HOME.container_instance_arn("web", id));
        assert_eq!(about, About { resources: arns.to_vec(), cluster: Some(WEB.into()) });

        let about = of_input(HOME, "DescribeClusters", &DescribeClustersRequest::default());
        assert_eq!(about.resources, ["arn:aws:ecs:us-east-1:123456789012:cluster/default"]);

        let about = of_input(HOME, "DiscoverPollEndpoint", &DiscoverPollEndpointRequest::default());
        assert_eq!(about.resources, ["*"]);
    }
}
