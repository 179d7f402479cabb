//! Links, addresses and routes by rtnetlink, always in the namespace of the calling thread.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::pin::pin;

use futures_util::TryStreamExt;
use ipnet::Ipv4Net;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute};
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};
use sha2::{Digest, Sha256};

use super::error::NetworkError;
use super::netns::NetNs;
use super::plan::{InterfacePlan, Mac};

/// The index of `lo`, the same in every namespace.
const LOOPBACK: u32 = 1;
/// EC2's jumbo frames: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html>.
const MTU: u32 = 9001;
/// The device group of links that are being removed.
const DOOMED: u32 = 666;
/// The interface's name inside the instance.
const INSTANCE_LINK: &str = "eth0";

/// A link of a router that leads to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouterLink {
    pub(super) index: u32,
    pub(super) name: String,
    /// What [`mark`] says when the link was finished.
    pub(super) mark: Option<String>,
}

/// The name of an interface's link in the router: 15 characters are the kernel's limit, an id is longer.
pub(super) fn router_name(eni_id: &str) -> String {
    let digest = Sha256::digest(eni_id.as_bytes());
    format!("v{}", hex::encode(&digest[..6]))
}

/// What a finished link carries as its alias. It is set last, so a link without it is unfinished work of a
/// daemon that was killed.
pub(super) fn mark(interface: &InterfacePlan, gateway: Ipv4Addr) -> String {
    format!("{} {} {} via {gateway}", interface.eni_id, interface.address, interface.mac)
}

/// Runs requests on a netlink socket of the calling thread's namespace.
pub(super) fn with_netlink<T, F>(requests: impl FnOnce(Handle) -> F) -> Result<T, NetworkError>
where
    F: Future<Output = Result<T, NetworkError>>,
{
    let failed = || "open a netlink socket".to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(NetworkError::os(failed))?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(NetworkError::os(failed))?;
        let connection = tokio::spawn(connection);
        let result = requests(handle).await;
        connection.abort();
        result
    })
}

/// Brings the loopback interface up.
pub(super) async fn loopback_up(handle: &Handle) -> Result<(), NetworkError> {
    let up = LinkUnspec::new_with_index(LOOPBACK).up().build();
    handle.link().change(up).execute().await.map_err(NetworkError::netlink(|| "bring lo up".to_owned()))
}

/// Leads every address that has no route to the loopback interface. Nothing ever passes there (the packet rules
/// end before); but a packet must have a route to come before the rules, which then drop it without an answer
/// as AWS does.
pub(super) async fn default_route_to_nowhere(handle: &Handle) -> Result<(), NetworkError> {
    let route =
        RouteMessageBuilder::<Ipv4Addr>::new().output_interface(LOOPBACK).scope(RouteScope::Link).build();
    let added = handle.route().add(route).replace().execute().await;
    added.map_err(NetworkError::netlink(|| "set the router's default route".to_owned()))
}

/// Makes the loopback interface have just these addresses (and its own 127.0.0.1).
pub(super) async fn converge_loopback(handle: &Handle, wanted: &[Ipv4Addr]) -> Result<(), NetworkError> {
    let listed = || "list the router's addresses".to_owned();
    let request = handle.address().get().set_link_index_filter(LOOPBACK).execute();
    let present: Vec<AddressMessage> = request.try_collect().await.map_err(NetworkError::netlink(listed))?;
    let mut missing = wanted.to_vec();
    for message in present {
        let Some(address) = ipv4_of(&message).filter(|address| !address.is_loopback()) else { continue };
        if missing.contains(&address) {
            missing.retain(|other| *other != address);
        } else if !wanted.contains(&address) {
            let removed = handle.address().del(message).execute().await;
            removed.map_err(NetworkError::netlink(|| format!("remove the router's address {address}")))?;
        }
    }
    for address in missing {
        let added = handle.address().add(LOOPBACK, IpAddr::V4(address), 32).execute().await;
        added.map_err(NetworkError::netlink(|| format!("give the router the address {address}")))?;
    }
    Ok(())
}

fn ipv4_of(message: &AddressMessage) -> Option<Ipv4Addr> {
    message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(IpAddr::V4(address)) => Some(*address),
        _ => None,
    })
}

/// The router's links to instances.
pub(super) async fn router_links(handle: &Handle) -> Result<Vec<RouterLink>, NetworkError> {
    let listed = || "list the router's links".to_owned();
    let mut stream = pin!(handle.link().get().execute());
    let mut links = Vec::new();
    while let Some(message) = stream.try_next().await.map_err(NetworkError::netlink(listed))? {
        let mut link = RouterLink { index: message.header.index, name: String::new(), mark: None };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::IfAlias(alias) => link.mark = Some(alias),
                _ => (),
            }
        }
        // The kernel may put fallback tunnel devices (`sit0`, …) into every new namespace; they are not ours.
        if link.name.starts_with('v') && link.name.len() == 13 {
            links.push(link);
        }
    }
    Ok(links)
}

/// Removes links, and with them their other ends in the instances. The kernel waits some 25 ms for each request to
/// remove; so they become one device group, which is removed by one request.
pub(super) async fn remove(handle: &Handle, links: &[RouterLink]) -> Result<(), NetworkError> {
    if links.is_empty() {
        return Ok(());
    }
    for link in links {
        let doom = LinkUnspec::new_with_index(link.index).link_group(DOOMED).build();
        let moved = handle.link().change(doom).execute().await;
        moved.map_err(NetworkError::netlink(|| format!("remove the link {}", link.name)))?;
    }
    let doomed = LinkMessageBuilder::<LinkUnspec>::new().link_group(DOOMED).build();
    let removed = handle.link().del_with_message(doomed).execute().await;
    removed.map_err(NetworkError::netlink(|| format!("remove {} links", links.len())))
}

/// The router's end of a new link: makes both ends, the instance's as `eth0` in its namespace, and leads the
/// instance's address there. [`finish`] comes after the instance's own end is set up.
pub(super) async fn connect(
    handle: &Handle,
    interface: &InterfacePlan,
    instance: &NetNs,
) -> Result<RouterLink, NetworkError> {
    let name = router_name(&interface.eni_id);
    let namespace = instance.open()?;
    let peer = LinkMessageBuilder::<LinkUnspec>::new()
        .name(INSTANCE_LINK)
        .mtu(MTU)
        .address(interface.mac.0.to_vec())
        .setns_by_fd(namespace.as_raw_fd())
        .build();
    let veth = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
        .name(name.clone())
        .mtu(MTU)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .up()
        .build();
    let action = || format!("make the link of {}", interface.eni_id);
    handle.link().add(veth).execute().await.map_err(NetworkError::netlink(action))?;
    let index = index_of(handle, &name).await?;
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(interface.address, 32)
        .output_interface(index)
        .scope(RouteScope::Link)
        .build();
    handle.route().add(route).replace().execute().await.map_err(NetworkError::netlink(action))?;
    know_neighbour(handle, index, interface.address, interface.mac).await?;
    Ok(RouterLink { index, name, mark: None })
}

/// A permanent neighbour: the first packet waits for no ARP, and nobody can take another's address by it.
async fn know_neighbour(
    handle: &Handle,
    index: u32,
    address: Ipv4Addr,
    mac: Mac,
) -> Result<(), NetworkError> {
    let request = handle.neighbours().add(index, IpAddr::V4(address)).link_layer_address(&mac.0).replace();
    request.execute().await.map_err(NetworkError::netlink(|| format!("set the neighbour {address}")))
}

/// Marks a link as finished.
pub(super) async fn finish(handle: &Handle, link: &RouterLink, mark: &str) -> Result<(), NetworkError> {
    let message = LinkUnspec::new_with_index(link.index).alias(mark).build();
    let done = handle.link().change(message).execute().await;
    done.map_err(NetworkError::netlink(|| format!("mark the link {}", link.name)))
}

/// Sets up the instance's end: its address with the subnet's prefix, and everything else by the gateway. There is
/// no direct route to the subnet's other addresses, so all of it is routed and judged, as in a VPC.
pub(super) async fn set_up_instance(
    handle: &Handle,
    interface: &InterfacePlan,
    subnet: Ipv4Net,
    gateway: Ipv4Addr,
) -> Result<(), NetworkError> {
    let action = || format!("set up {INSTANCE_LINK} of {}", interface.eni_id);
    loopback_up(handle).await?;
    let index = index_of(handle, INSTANCE_LINK).await?;
    let mut address =
        handle.address().add(index, IpAddr::V4(interface.address), subnet.prefix_len()).replace();
    address.message_mut().attributes.push(AddressAttribute::Flags(AddressFlags::Noprefixroute));
    address.execute().await.map_err(NetworkError::netlink(action))?;
    // Only now: an end cannot come up while the other does not exist, which is so while they are being made.
    let up = LinkUnspec::new_with_index(index).up().build();
    handle.link().change(up).execute().await.map_err(NetworkError::netlink(action))?;
    let route =
        RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).output_interface(index).onlink().build();
    handle.route().add(route).replace().execute().await.map_err(NetworkError::netlink(action))
}

async fn index_of(handle: &Handle, name: &str) -> Result<u32, NetworkError> {
    let found = || format!("find the link {name}");
    let mut links = pin!(handle.link().get().match_name(name).execute());
    match links.try_next().await.map_err(NetworkError::netlink(found))? {
        Some(link) => Ok(link.header.index),
        None => Err(NetworkError::netlink(found)(rtnetlink::Error::RequestFailed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_name_fits_the_kernel_and_differs_by_interface() {
        let names = ["eni-0123456789abcdef0", "eni-0123456789abcdef1"].map(router_name);
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| name.len() == 13));
    }
}
