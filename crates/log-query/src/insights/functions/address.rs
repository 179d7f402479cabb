//! Functions of IP addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::value::Value;
use super::Arguments;

pub(super) fn is_valid_ip<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    Value::Bool(read::<IpAddr>(&arguments.next()).is_some())
}

pub(super) fn is_valid_ip_v4<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    Value::Bool(read::<Ipv4Addr>(&arguments.next()).is_some())
}

pub(super) fn is_valid_ip_v6<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    Value::Bool(read::<Ipv6Addr>(&arguments.next()).is_some())
}

pub(super) fn is_ip_in_subnet<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    lies_in(arguments, |subnet: IpNet, address: IpAddr| subnet.contains(&address))
}

pub(super) fn is_ipv4_in_subnet<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    lies_in(arguments, |subnet: Ipv4Net, address: Ipv4Addr| subnet.contains(&address))
}

pub(super) fn is_ipv6_in_subnet<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    lies_in(arguments, |subnet: Ipv6Net, address: Ipv6Addr| subnet.contains(&address))
}

fn lies_in<'f, A: FromStr, S: FromStr>(
    arguments: &mut Arguments<'f, '_>,
    contains: fn(S, A) -> bool,
) -> Value<'f> {
    let (address, subnet) = (read(&arguments.next()), read(&arguments.next()));
    Value::Bool(address.zip(subnet).is_some_and(|(address, subnet)| contains(subnet, address)))
}

fn read<T: FromStr>(value: &Value<'_>) -> Option<T> {
    value.text()?.parse().ok()
}
