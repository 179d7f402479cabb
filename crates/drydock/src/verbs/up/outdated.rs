//! Instances of the stack that run another image than the one that the stack has now.

use aws_sdk_ec2::types::Instance;
use deployer::error::sdk;
use deployer::{Clients, instances};

use crate::exit::Failure;
use crate::output::Notes;

/// Says which instances run another image. CloudFormation gives a group's new launch template or configuration to the
/// instances that it launches from then on; those there are stay, unless the group has an update policy.
///
/// # Errors
/// When the cloud does not answer.
pub async fn tell(clients: &Clients, stack: &str, ami: &str, notes: &Notes) -> Result<(), Failure> {
    let resources = instances::resources(clients, stack).await?;
    let of_stack = instances::of_stack(clients, &resources).await?;
    let running = of_stack.into_iter().filter(|instance| instance.state == "running");
    let ids: Vec<String> = running.map(|instance| instance.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let answer = clients.ec2.describe_instances().set_instance_ids(Some(ids)).send().await;
    let answer = answer.map_err(|error| sdk("DescribeInstances", error))?;
    let described = answer.reservations.unwrap_or_default().into_iter().flat_map(|found| found.instances);
    let others: Vec<String> = described.flatten().filter_map(|instance| other(&instance, ami)).collect();
    if !others.is_empty() {
        notes.note(&format!(
            "still on another image: {}; a group keeps the instances that it has: terminate them, and it launches new ones",
            others.join(", ")
        ));
    }
    Ok(())
}

fn other(instance: &Instance, ami: &str) -> Option<String> {
    let image = instance.image_id.as_deref()?;
    (image != ami).then(|| format!("{} ({image})", instance.instance_id.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_of_another_image() {
        let instance = Instance::builder().instance_id("i-1").image_id("ami-old").build();
        assert_eq!(other(&instance, "ami-new").as_deref(), Some("i-1 (ami-old)"));
        assert_eq!(other(&instance, "ami-old"), None);
    }
}
