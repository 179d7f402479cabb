//! The local cloud takes on the ids that the user's files name and it does not know.

use std::collections::BTreeSet;
use std::path::Path;

use aws_sdk_ec2::types::Filter;
use cloud::admin::Adopt;
use cloud::admin::client::AdminClient;
use deployer::Clients;
use deployer::error::sdk;

use crate::exit::Failure;
use crate::output::Notes;
use crate::project::Foreign;

/// The image that an unknown AMI stands for.
const STAND_IN: &str = "ecs-base";

/// Adopts what is asked for by name.
pub async fn named(
    state: &Path,
    region: Option<String>,
    items: &[String],
    notes: &Notes,
) -> Result<(), Failure> {
    if items.is_empty() {
        return Ok(());
    }
    let request = Adopt { region, items: items.to_vec() };
    for line in AdminClient::new(state).adopt(&request).await?.lines {
        notes.note(&format!("adopted: {line}"));
    }
    Ok(())
}

/// Adopts those of the ids that this cloud does not know, which may be none.
pub async fn unknown(
    state: &Path,
    clients: &Clients,
    foreign: &Foreign,
    notes: &Notes,
) -> Result<(), Failure> {
    let unknown = missing(clients, foreign).await?;
    named(state, Some(clients.region.clone()), &items(&unknown, &foreign.vpcs), notes).await
}

/// The ids that are not there.
async fn missing(clients: &Clients, foreign: &Foreign) -> Result<Foreign, Failure> {
    let ec2 = &clients.ec2;
    let filter = |name: &str, ids: &BTreeSet<String>| {
        Filter::builder().name(name).set_values(Some(ids.iter().cloned().collect())).build()
    };
    let mut missing = foreign.clone();
    if !foreign.vpcs.is_empty() {
        let known = ec2.describe_vpcs().filters(filter("vpc-id", &foreign.vpcs)).send().await;
        let known = known.map_err(|error| sdk("DescribeVpcs", error))?;
        forget(&mut missing.vpcs, known.vpcs.into_iter().flatten().filter_map(|vpc| vpc.vpc_id));
    }
    if !foreign.subnets.is_empty() {
        let known = ec2.describe_subnets().filters(filter("subnet-id", &foreign.subnets)).send().await;
        let known = known.map_err(|error| sdk("DescribeSubnets", error))?;
        let known = known.subnets.into_iter().flatten().filter_map(|subnet| subnet.subnet_id);
        forget(&mut missing.subnets, known);
    }
    if !foreign.security_groups.is_empty() {
        let filter = filter("group-id", &foreign.security_groups);
        let known = ec2.describe_security_groups().filters(filter).send().await;
        let known = known.map_err(|error| sdk("DescribeSecurityGroups", error))?;
        let known = known.security_groups.into_iter().flatten().filter_map(|group| group.group_id);
        forget(&mut missing.security_groups, known);
    }
    if !foreign.images.is_empty() {
        let known = ec2.describe_images().filters(filter("image-id", &foreign.images)).send().await;
        let known = known.map_err(|error| sdk("DescribeImages", error))?;
        let known = known.images.into_iter().flatten().filter_map(|image| image.image_id);
        forget(&mut missing.images, known);
    }
    if !foreign.key_pairs.is_empty() {
        let known = ec2.describe_key_pairs().filters(filter("key-name", &foreign.key_pairs)).send().await;
        let known = known.map_err(|error| sdk("DescribeKeyPairs", error))?;
        let known = known.key_pairs.into_iter().flatten().filter_map(|pair| pair.key_name);
        forget(&mut missing.key_pairs, known);
    }
    Ok(missing)
}

fn forget(missing: &mut BTreeSet<String>, known: impl Iterator<Item = String>) {
    for id in known {
        missing.remove(&id);
    }
}

/// The items of `drydock cloud adopt`. A VPC that is known is named again where subnets or groups are to be put into it:
/// that is how adoption knows where they belong.
fn items(missing: &Foreign, vpcs: &BTreeSet<String>) -> Vec<String> {
    let inside = !missing.subnets.is_empty() || !missing.security_groups.is_empty();
    let vpcs = if inside { vpcs } else { &missing.vpcs };
    let plain = vpcs.iter().chain(&missing.subnets).chain(&missing.security_groups).cloned();
    plain
        .chain(missing.images.iter().map(|id| format!("{id}={STAND_IN}")))
        .chain(missing.key_pairs.iter().map(|name| format!("key-pair/{name}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn items_of_what_is_missing() {
        let vpcs = set(&["vpc-f8233a80"]);
        let mut missing = Foreign::default();
        assert_eq!(items(&missing, &vpcs), Vec::<String>::new());
        missing.images = set(&["ami-ec957491"]);
        missing.key_pairs = set(&["admin"]);
        assert_eq!(items(&missing, &vpcs), ["ami-ec957491=ecs-base", "key-pair/admin"]);
        missing.subnets = set(&["subnet-a5d3ecee"]);
        assert_eq!(
            items(&missing, &vpcs),
            ["vpc-f8233a80", "subnet-a5d3ecee", "ami-ec957491=ecs-base", "key-pair/admin"]
        );
    }
}
