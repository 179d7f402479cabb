//! Which private and public addresses interfaces get. Pure.
//!
//! A public address is a loopback address of the host (`127.x.y.z`), from which the daemon forwards to the
//! instance. Each cloud has a network of them to itself ([`machine::network::PublicNetwork`]).

use std::collections::HashSet;
use std::net::Ipv4Addr;

use aws_wire::Error;
use ipnet::Ipv4Net;

use super::errors;
use super::state::SubnetRecord;

/// The address of the network where AWS itself answers commands of the host (`drydock exec`): the last one.
pub fn front(network: Ipv4Net) -> Ipv4Addr {
    let [a, b, c, d] = network.broadcast().octets();
    Ipv4Addr::new(a, b, c, d - 1)
}

/// The first public address of a network that is not in use.
///
/// # Errors
/// When all are in use.
pub fn next_public(network: Ipv4Net, used: &HashSet<Ipv4Addr>) -> Result<Ipv4Addr, Error> {
    let taken = |address: &Ipv4Addr| used.contains(address) || *address == front(network);
    network.hosts().find(|address| !taken(address)).ok_or_else(|| {
        Error::client("AddressLimitExceeded", "The maximum number of addresses has been reached.")
    })
}

/// The private address that was asked for, or the first that is free.
///
/// # Errors
/// When it is not one of the subnet's, or in use, or none is free.
pub fn next_private(
    subnet: &SubnetRecord,
    used: &HashSet<Ipv4Addr>,
    asked: Option<Ipv4Addr>,
) -> Result<Ipv4Addr, Error> {
    let Some(asked) = asked else {
        return subnet.usable_addresses().find(|address| !used.contains(address)).ok_or_else(|| {
            let message = format!(
                "There are not enough free addresses in subnet '{}' to satisfy the requested number of instances.",
                subnet.id
            );
            Error::client("InsufficientFreeAddressesInSubnet", message)
        });
    };
    if !subnet.cidr.contains(&asked) {
        let message = format!("Address {asked} does not fall within the subnet's address range");
        return Err(errors::invalid_value(message));
    }
    if used.contains(&asked) {
        return Err(Error::client("InvalidIPAddress.InUse", format!("Address {asked} is in use.")));
    }
    if !subnet.usable_addresses().any(|usable| usable == asked) {
        let message = format!("Address {asked} is in subnet's reserved address range");
        return Err(errors::invalid_value(message));
    }
    Ok(asked)
}

/// The hardware address of an interface: locally administered, and derived from its private address so that
/// no two in a VPC are alike.
pub fn mac(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("0a:dd:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tags::Tags;

    fn subnet() -> SubnetRecord {
        SubnetRecord {
            region: "us-east-1".into(),
            id: "subnet-1".into(),
            vpc_id: "vpc-1".into(),
            cidr: "10.0.0.0/28".parse().unwrap(),
            zone: "us-east-1a".into(),
            default_for_az: false,
            map_public_ip_on_launch: false,
            tags: Tags::new(),
        }
    }

    #[test]
    fn private_addresses() {
        let address = |last| Ipv4Addr::new(10, 0, 0, last);
        let used: HashSet<_> = [address(4), address(6)].into();
        assert_eq!(next_private(&subnet(), &used, None).unwrap(), address(5));
        assert_eq!(next_private(&subnet(), &used, Some(address(9))).unwrap(), address(9));
        for (asked, code) in [
            (address(6), "InvalidIPAddress.InUse"),
            (address(2), "InvalidParameterValue"),
            (address(15), "InvalidParameterValue"),
            (Ipv4Addr::new(10, 0, 1, 4), "InvalidParameterValue"),
        ] {
            assert_eq!(next_private(&subnet(), &used, Some(asked)).unwrap_err().code, code, "{asked}");
        }
        let all: HashSet<_> = subnet().usable_addresses().collect();
        assert_eq!(
            next_private(&subnet(), &all, None).unwrap_err().code,
            "InsufficientFreeAddressesInSubnet"
        );
    }

    #[test]
    fn public_addresses_differ_and_none_is_aws_itself() {
        let network: Ipv4Net = "127.70.0.0/16".parse().unwrap();
        let one = next_public(network, &HashSet::new()).unwrap();
        let two = next_public(network, &[one].into()).unwrap();
        assert_ne!(one, two);
        assert!(network.contains(&two));
        let all_but_the_front: HashSet<_> =
            network.hosts().filter(|address| *address != front(network)).collect();
        assert!(next_public(network, &all_but_the_front).is_err(), "AWS's own address is nobody's");
    }
}
