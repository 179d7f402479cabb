//! Adoption: twins, under their very ids, of resources that somebody's files name in their AWS account.

mod items;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::Ipv4Net;
use machine::images::ImageError;

pub use items::{AdoptItem, ItemError, parse};

use super::key_pairs::keys::{self, KeyError, KeyType};
use super::state::{KeyPairRecord, Peer, Protocol, Rule, SecurityGroupRecord, SubnetRecord, VpcRecord};
use super::{key_pairs, regions, subnets, vpcs};
use crate::Cloud;
use crate::api::tags::Tags;
use crate::ids;
use crate::store::{StoreError, Tx};

/// The size of an adopted subnet, that of default subnets.
const SUBNET_PREFIX: u8 = 20;

/// Why something could not be adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// An item is none.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// Subnets and security groups have one VPC, and several are named.
    #[error("cannot tell which of {0} the subnets and security groups belong to: adopt one VPC at a time")]
    ManyVpcs(String),
    /// There is no VPC for the subnets and security groups.
    #[error("{region} has no default VPC: name the VPC that `{item}` belongs to")]
    NoVpc {
        /// The region.
        region: String,
        /// The first item that needs one.
        item: String,
    },
    /// The VPC's addresses are all given to subnets.
    #[error("there is no room for {subnet} in {vpc} ({cidr})")]
    NoRoom {
        /// The subnet.
        subnet: String,
        /// The VPC.
        vpc: String,
        /// Its addresses.
        cidr: Ipv4Net,
    },
    /// The image cannot be had.
    #[error("cannot adopt {id}: {source}")]
    Image {
        /// The id.
        id: String,
        /// Why.
        source: ImageError,
    },
    /// The key cannot be made or read.
    #[error("the key {path}: {source}", path = path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The key's file cannot be read or written.
    #[error("the key {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The region cannot be used.
    #[error("{0}")]
    Region(aws_wire::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<aws_wire::Error> for AdoptError {
    fn from(error: aws_wire::Error) -> Self {
        Self::Region(error)
    }
}

/// Makes a twin of each item and tells about each in a sentence. Items that are there already are left as
/// they are, so that the same items may be adopted again.
///
/// Subnets and security groups belong to the VPC that is named among the items, or else to the region's default
/// VPC. Subnets have a route out and are spread over the zones.
///
/// # Errors
/// When an item is none or cannot be made. Networks are made all or none.
pub fn adopt(cloud: &Cloud, region: &str, items: &[String]) -> Result<Vec<String>, AdoptError> {
    let items = items.iter().map(|item| parse(item)).collect::<Result<Vec<_>, _>>()?;
    regions::ensure_region(&cloud.store, region)?;
    let mut lines: BTreeMap<usize, String> = cloud.store.write(|tx| networks(tx, region, &items))?;
    for (index, item) in items.iter().enumerate() {
        match item {
            AdoptItem::Image { id, image } => {
                let failed = |source| AdoptError::Image { id: id.clone(), source };
                let found = cloud.images.alias(id, image).map_err(failed)?;
                lines.insert(index, format!("{id} stands for the image {}", found.name));
            }
            AdoptItem::KeyPair(name) => {
                let path = key_pair(cloud, region, name)?;
                lines.insert(index, format!("key pair {name}, its private key in {}", path.display()));
            }
            AdoptItem::Vpc(_) | AdoptItem::Subnet(_) | AdoptItem::SecurityGroup(_) => {}
        }
    }
    Ok(lines.into_values().collect())
}

fn networks(
    tx: &mut Tx<'_>,
    region: &str,
    items: &[AdoptItem],
) -> Result<BTreeMap<usize, String>, AdoptError> {
    let mut lines = BTreeMap::new();
    let mut named: Vec<Arc<VpcRecord>> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if let AdoptItem::Vpc(id) = item {
            let vpc = vpc(tx, region, id)?;
            lines.insert(index, format!("{id} with the addresses {} and a route out", vpc.cidr));
            if named.iter().all(|other| other.id != *id) {
                named.push(vpc);
            }
        }
    }
    for (index, item) in items.iter().enumerate() {
        match item {
            AdoptItem::Subnet(id) => {
                let subnet = match tx.get::<SubnetRecord>(region, id) {
                    Some(subnet) => subnet,
                    None => subnet(tx, &*home(tx, region, &named, id)?, id)?,
                };
                let line =
                    format!("{id} in {}, {} with the addresses {}", subnet.vpc_id, subnet.zone, subnet.cidr);
                lines.insert(index, line);
            }
            AdoptItem::SecurityGroup(id) => {
                let group = match tx.get::<SecurityGroupRecord>(region, id) {
                    Some(group) => group,
                    None => security_group(tx, &*home(tx, region, &named, id)?, id)?,
                };
                lines.insert(
                    index,
                    format!("{id} in {}, which lets everything out and nothing in", group.vpc_id),
                );
            }
            AdoptItem::Vpc(_) | AdoptItem::Image { .. } | AdoptItem::KeyPair(_) => {}
        }
    }
    Ok(lines)
}

/// The VPC that an item belongs to.
fn home(
    tx: &Tx<'_>,
    region: &str,
    named: &[Arc<VpcRecord>],
    item: &str,
) -> Result<Arc<VpcRecord>, AdoptError> {
    match named {
        [vpc] => Ok(Arc::clone(vpc)),
        [] => regions::default_vpc(tx, region)
            .ok_or_else(|| AdoptError::NoVpc { region: region.to_owned(), item: item.to_owned() }),
        many => {
            Err(AdoptError::ManyVpcs(many.iter().map(|vpc| vpc.id.as_str()).collect::<Vec<_>>().join(", ")))
        }
    }
}

fn vpc(tx: &mut Tx<'_>, region: &str, id: &str) -> Result<Arc<VpcRecord>, AdoptError> {
    if let Some(vpc) = tx.get::<VpcRecord>(region, id) {
        return Ok(vpc);
    }
    let default = regions::default_vpc(tx, region);
    let mut vpc = vpcs::new_vpc(region, id.to_owned(), vpcs::DEFAULT_CIDR);
    vpc.enable_dns_hostnames = true;
    if let Some(default) = default {
        vpc.dhcp_options_id = default.dhcp_options_id.clone();
    }
    regions::create_public_vpc(tx, &vpc)?;
    Ok(Arc::new(vpc))
}

fn subnet(tx: &mut Tx<'_>, vpc: &VpcRecord, id: &str) -> Result<Arc<SubnetRecord>, AdoptError> {
    let mut others = tx.list::<SubnetRecord>(&vpc.region);
    others.retain(|subnet| subnet.vpc_id == vpc.id);
    let taken: Vec<Ipv4Net> = others.iter().map(|subnet| subnet.cidr).collect();
    let no_room = || AdoptError::NoRoom { subnet: id.to_owned(), vpc: vpc.id.clone(), cidr: vpc.cidr };
    let cidr = subnets::first_free(vpc.cidr, SUBNET_PREFIX, &taken).ok_or_else(no_room)?;
    let zone = regions::zones(&vpc.region)
        .into_iter()
        .min_by_key(|zone| others.iter().filter(|subnet| subnet.zone == *zone).count())
        .ok_or_else(no_room)?;
    let subnet = SubnetRecord {
        map_public_ip_on_launch: true,
        ..subnets::new_subnet(vpc, id.to_owned(), cidr, &zone)
    };
    tx.put(subnet.clone())?;
    Ok(Arc::new(subnet))
}

fn security_group(
    tx: &mut Tx<'_>,
    vpc: &VpcRecord,
    id: &str,
) -> Result<Arc<SecurityGroupRecord>, AdoptError> {
    let everything_out = Rule {
        id: ids::ec2("sgr"),
        egress: true,
        protocol: Protocol::All,
        peer: Peer::Cidr(Ipv4Net::default()),
        description: None,
        tags: Tags::new(),
    };
    let group = SecurityGroupRecord {
        region: vpc.region.clone(),
        id: id.to_owned(),
        vpc_id: vpc.id.clone(),
        name: format!("adopted-{id}"),
        description: format!("The twin of {id}"),
        rules: vec![everything_out],
        tags: Tags::new(),
    };
    tx.put(group.clone())?;
    Ok(Arc::new(group))
}

/// Registers a key pair whose private half is in the state directory, made if there is none yet.
fn key_pair(cloud: &Cloud, region: &str, name: &str) -> Result<PathBuf, AdoptError> {
    let path = cloud.config.state_dir.join("keys").join(format!("{name}.pem"));
    if cloud.store.get::<KeyPairRecord>(region, name).is_some() {
        return Ok(path);
    }
    let failed = |source| AdoptError::Key { path: path.clone(), source };
    let private = private_key(&path, name)?;
    let public = keys::public_of(&private, name).map_err(failed)?;
    let key = keys::import(&public).map_err(failed)?;
    let record = key_pairs::record(region, name, key.kind, key.public, key.fingerprint);
    cloud.store.write(|tx| tx.put(record))?;
    Ok(path)
}

/// The private key in a file, made there if the file does not exist. Only its owner may read it.
fn private_key(path: &Path, name: &str) -> Result<String, AdoptError> {
    let failed = |source| AdoptError::File { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read.map_err(failed),
    }
    let key = keys::generate(KeyType::Ed25519, name)
        .map_err(|source| AdoptError::Key { path: path.to_owned(), source })?;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    // Beside and then renamed: a key appears whole or not at all.
    let partial = path.with_extension("pem.partial");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .map_err(failed)?;
    file.write_all(key.private_pem.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&partial, path).map_err(failed)?;
    Ok(key.private_pem)
}
