//! Where the instance is put.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Subnet;
use packer_template::config::{RunConfig, SubnetFilter, VpcFilter};

use super::api::{filters, shown};
use super::error::Error;
use super::state::{Network, State};
use crate::aws::ApiError;
use crate::steps::{Scope, Step};

/// Finds VPC, subnet and availability zone. What the template leaves open stays EC2's choice: the default VPC's.
pub(super) struct NetworkInfo<'a> {
    pub run: &'a RunConfig,
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for NetworkInfo<'a> {
    fn name(&self) -> &'static str {
        "StepNetworkInfo"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let ec2 = &state.session.ec2;
        let run = self.run;
        let mut found = Network {
            vpc_id: run.vpc_id.clone(),
            subnet_id: run.subnet_id.clone(),
            availability_zone: run.availability_zone.clone(),
        };
        if let (None, Some(filter)) = (&found.vpc_id, &run.vpc_filter) {
            let id = vpc(ec2, filter).await?;
            scope.ui.message(&format!("Found VPC ID: {id}"));
            found.vpc_id = Some(id);
        }
        if let (None, Some(filter)) = (&found.subnet_id, &run.subnet_filter) {
            let id = subnet(ec2, filter, &found).await?;
            scope.ui.message(&format!("Found Subnet ID: {id}"));
            found.subnet_id = Some(id);
        }
        if let Some(id) = &found.subnet_id
            && (found.vpc_id.is_none() || found.availability_zone.is_none())
        {
            let answer = ec2.describe_subnets().subnet_ids(id).send().await;
            let answer = answer
                .map_err(|error| ApiError::of("DescribeSubnets", error))
                .map_err(Error::api(format!("Describing the subnet: {id} returned error")))?;
            if let Some(subnet) = answer.subnets().first() {
                found.vpc_id = found.vpc_id.or_else(|| subnet.vpc_id.clone());
                found.availability_zone =
                    found.availability_zone.or_else(|| subnet.availability_zone.clone());
            }
        }
        state.network = found;
        Ok(())
    }
}

async fn vpc(ec2: &Client, filter: &VpcFilter) -> Result<String, Error> {
    let mut wanted = borrowed(&filter.filters);
    wanted.insert("state", "available");
    let wanted = filters(wanted);
    let answer = ec2.describe_vpcs().set_filters(Some(wanted.clone())).send().await;
    let answer = answer
        .map_err(|error| ApiError::of("DescribeVpcs", error))
        .map_err(Error::api("Error querying VPCs"))?;
    match answer.vpcs() {
        [only] => Ok(only.vpc_id.clone().unwrap_or_default()),
        several => Err(Error::Unfit(format!(
            "Exactly one VPC should match the filter, but {} VPC's was found matching filters: {}",
            several.len(),
            shown(&wanted)
        ))),
    }
}

async fn subnet(ec2: &Client, filter: &SubnetFilter, known: &Network) -> Result<String, Error> {
    let mut wanted = borrowed(&filter.filters);
    wanted.insert("state", "available");
    for (name, value) in [("vpc-id", &known.vpc_id), ("availabilityZone", &known.availability_zone)] {
        if let Some(value) = value {
            wanted.insert(name, value);
        }
    }
    let wanted = filters(wanted);
    let answer = ec2.describe_subnets().set_filters(Some(wanted.clone())).send().await;
    let subnets = answer
        .map_err(|error| ApiError::of("DescribeSubnets", error))
        .map_err(Error::api("Error querying Subnets"))?
        .subnets
        .unwrap_or_default();
    if subnets.is_empty() {
        let said = shown(&wanted);
        return Err(Error::Unfit(format!("No Subnets was found matching filters: {said}")));
    }
    let roll = uuid::Uuid::new_v4().as_u128();
    Ok(choose(subnets, filter, roll)?.subnet_id.unwrap_or_default())
}

/// One of the matching subnets. `roll` is any number, for the choice at random.
fn choose(mut subnets: Vec<Subnet>, filter: &SubnetFilter, roll: u128) -> Result<Subnet, Error> {
    let count = subnets.len();
    if count > 1 && !filter.most_free && !filter.random {
        return Err(Error::Unfit(format!(
            "Your filter matched {count} Subnets. Please try a more specific search, or set random or \
             most_free to true."
        )));
    }
    if filter.most_free {
        subnets.sort_by_key(|subnet| subnet.available_ip_address_count);
        return subnets.pop().ok_or(Error::OutOfOrder("a subnet"));
    }
    let index = if filter.random { usize::try_from(roll % count.max(1) as u128).unwrap_or(0) } else { 0 };
    if index >= count {
        return Err(Error::OutOfOrder("a subnet"));
    }
    Ok(subnets.swap_remove(index))
}

pub(super) fn borrowed(map: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnets() -> Vec<Subnet> {
        let subnet =
            |id: &str, free| Subnet::builder().subnet_id(id).available_ip_address_count(free).build();
        vec![subnet("a", 10), subnet("b", 200), subnet("c", 30)]
    }

    fn chosen(filter: &SubnetFilter, roll: u128) -> Option<String> {
        choose(subnets(), filter, roll).ok()?.subnet_id
    }

    #[test]
    fn of_several_subnets_one_is_taken_only_when_the_template_says_which() {
        let most_free = SubnetFilter { most_free: true, ..SubnetFilter::default() };
        let random = SubnetFilter { random: true, ..SubnetFilter::default() };
        assert_eq!(chosen(&SubnetFilter::default(), 0), None);
        assert_eq!(chosen(&most_free, 0).as_deref(), Some("b"));
        let rolled: Vec<_> = (0..4).filter_map(|roll| chosen(&random, roll)).collect();
        assert_eq!(rolled, ["a", "b", "c", "a"]);
    }
}
