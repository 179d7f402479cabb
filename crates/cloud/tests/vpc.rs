//! What an instance finds inside its VPC, from EC2's records to the wire: a bare namespace takes the instance's
//! place. Needs root and nftables.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy takes for program code

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cloud::api::tags::Tags;
use cloud::ec2::state::{
    Attachment, InternetGatewayRecord, NetworkInterfaceRecord, Peer, Protocol, Route, RouteAssociation,
    RouteTableRecord, RouteTarget, Rule, SecurityGroupRecord, SubnetRecord, VpcRecord,
};
use cloud::http::{Answer, HttpService, Request, text};
use cloud::store::{Kinds, StoreError};
use cloud::vpc::{Services, Vpcs};
use cloud::{Origin, Store};
use machine::network::{
    API_ADDRESS, METADATA_ADDRESS, Network, PublicNetwork, RESOLVER_ADDRESS, TIME_ADDRESS,
};
use nix::sched::{CloneFlags, setns};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

const REGION: &str = "us-east-1";
const VPC: &str = "vpc-1";
const ENI: &str = "eni-1";
const INSTANCE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: namespaces need root");
    }
    root
}

/// A state directory that takes its networks with it, also when a test fails.
struct StateDir(tempfile::TempDir);

impl StateDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A public address of the cloud's own.
    fn public(&self, n: u8) -> Ipv4Addr {
        let [a, b, c, _] = PublicNetwork::open(self.path()).unwrap().network().addr().octets();
        Ipv4Addr::new(a, b, c, n)
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        let network = Network::open(self.path());
        let sweep = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(network.sweep(BTreeSet::new())).unwrap();
        };
        let swept = thread::spawn(sweep).join();
        assert!(swept.is_ok() || thread::panicking(), "networks were left behind");
    }
}

/// A service that says its name, and who asks.
struct Says(&'static str);

impl HttpService for Says {
    fn call(self: Arc<Self>, request: Request, origin: Origin) -> Answer {
        let from = match origin {
            Origin::Host => "host".to_owned(),
            Origin::Instance { vpc_id, address } => format!("{address} of {vpc_id}"),
        };
        let body = format!("{} hears {} from {from}", self.0, request.uri().path());
        Box::pin(async move { text(http::StatusCode::OK, body) })
    }
}

fn services() -> Services {
    Services { api: Arc::new(Says("api")), metadata: Arc::new(Says("metadata")) }
}

/// Records of one VPC with one instance. Tests run side by side, so each has a public address of its own.
fn store(dir: &Path, public: Ipv4Addr) -> Store {
    let mut kinds = Kinds::default();
    kinds
        .add::<VpcRecord>()
        .add::<SubnetRecord>()
        .add::<InternetGatewayRecord>()
        .add::<RouteTableRecord>()
        .add::<SecurityGroupRecord>()
        .add::<NetworkInterfaceRecord>();
    let store = Store::open(&dir.join("state.db"), &kinds).unwrap();
    let (region, vpc_id, tags) = (REGION.to_owned(), VPC.to_owned(), Tags::default());
    let association = RouteAssociation { id: "rtbassoc-1".into(), subnet_id: None };
    store
        .write(|tx| {
            tx.put(VpcRecord {
                region: region.clone(),
                id: vpc_id.clone(),
                cidr: "10.0.0.0/16".parse().unwrap(),
                cidr_association_id: "vpc-cidr-assoc-1".into(),
                is_default: false,
                dhcp_options_id: "default".into(),
                network_acl_id: "acl-1".into(),
                enable_dns_support: true,
                enable_dns_hostnames: true,
                tags: tags.clone(),
            })?;
            tx.put(SubnetRecord {
                region: region.clone(),
                id: "subnet-1".into(),
                vpc_id: vpc_id.clone(),
                cidr: "10.0.0.0/24".parse().unwrap(),
                zone: "us-east-1a".into(),
                default_for_az: false,
                map_public_ip_on_launch: true,
                tags: tags.clone(),
            })?;
            tx.put(InternetGatewayRecord {
                region: region.clone(),
                id: "igw-1".into(),
                vpc_id: Some(vpc_id.clone()),
                tags: tags.clone(),
            })?;
            tx.put(RouteTableRecord {
                region,
                id: "rtb-1".into(),
                vpc_id,
                routes: vec![
                    Route { destination: "10.0.0.0/16".parse().unwrap(), target: RouteTarget::Local },
                    Route {
                        destination: "0.0.0.0/0".parse().unwrap(),
                        target: RouteTarget::InternetGateway("igw-1".into()),
                    },
                ],
                associations: vec![association],
                tags,
            })?;
            tx.put(group(&[rule(false, Protocol::Tcp { from: 8022, to: 8022 }), rule(true, Protocol::All)]))?;
            tx.put(interface(public))
        })
        .map_err(|error: StoreError| error.to_string())
        .unwrap();
    store
}

fn rule(egress: bool, protocol: Protocol) -> Rule {
    let peer = Peer::Cidr("0.0.0.0/0".parse().unwrap());
    Rule { id: "sgr-1".into(), egress, protocol, peer, description: None, tags: Tags::default() }
}

fn group(rules: &[Rule]) -> SecurityGroupRecord {
    SecurityGroupRecord {
        region: REGION.into(),
        id: "sg-1".into(),
        vpc_id: VPC.into(),
        name: "test".into(),
        description: "test".into(),
        rules: rules.to_vec(),
        tags: Tags::default(),
    }
}

fn interface(public: Ipv4Addr) -> NetworkInterfaceRecord {
    NetworkInterfaceRecord {
        region: REGION.into(),
        id: ENI.into(),
        vpc_id: VPC.into(),
        subnet_id: "subnet-1".into(),
        zone: "us-east-1a".into(),
        description: String::new(),
        private_address: INSTANCE,
        public_address: Some(public),
        mac: "0a:00:00:00:00:0a".into(),
        groups: vec!["sg-1".into()],
        source_dest_check: true,
        attachment: Some(Attachment {
            id: "eni-attach-1".into(),
            instance_id: "i-1".into(),
            attach_time: jiff::Timestamp::UNIX_EPOCH,
            delete_on_termination: true,
        }),
        tags: Tags::default(),
    }
}

/// Runs work in a namespace on a thread of its own, away from the test's runtime.
async fn inside<T: Send + 'static>(namespace: &Path, work: impl FnOnce() -> T + Send + 'static) -> T {
    let file = File::open(namespace).unwrap();
    let run = move || {
        let worker = thread::spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        worker.join().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn dial(address: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    let to = SocketAddrV4::new(address, port).into();
    let stream = TcpStream::connect_timeout(&to, Duration::from_millis(300))?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    Ok(stream)
}

/// The body of the answer to a request.
fn ask(mut stream: impl Read + Write, method: &str, path: &str) -> std::io::Result<String> {
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// The address of a name, as the resolver at an address says. A query of one question, an answer of one record
/// whose data are its last four bytes.
fn resolve(resolver: Ipv4Addr, name: &str) -> Ipv4Addr {
    let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len().try_into().unwrap());
        query.extend(label.bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket.send_to(&query, (resolver, 53)).unwrap();
    let mut buffer = [0; 512];
    let n = socket.recv(&mut buffer).unwrap();
    assert_eq!(buffer[3] & 0x0f, 0, "{name}: the resolver's status");
    <[u8; 4]>::try_from(&buffer[n - 4..n]).unwrap().into()
}

/// Asks over TLS as a client that trusts only the cloud's authority.
fn ask_tls(ca: &str, name: &str) -> String {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerName::try_from(name.to_owned()).unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), server).unwrap();
    let stream = rustls::StreamOwned::new(client, dial(API_ADDRESS, 443).unwrap());
    let mut stream = stream;
    write!(stream, "GET /tls HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The server may end the connection without TLS's own goodbye.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap().split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_finds_aws() {
    if !is_root() {
        return;
    }
    let dir = StateDir::new();
    let store = store(dir.path(), dir.public(11));
    let vpcs = Arc::new(Vpcs::open(dir.path(), REGION).unwrap());
    vpcs.serve(services());
    let instance = vpcs.ensure_attached(&store, VPC, ENI).await.unwrap();
    vpcs.sync(&store).await.unwrap();

    let ca = vpcs.ca().pem().to_owned();
    inside(&instance, move || {
        for resolver in [RESOLVER_ADDRESS, Ipv4Addr::new(10, 0, 0, 2)] {
            assert_eq!(resolve(resolver, "ecs.us-east-1.amazonaws.com"), API_ADDRESS);
            assert_eq!(resolve(resolver, "ip-10-0-0-10.ec2.internal"), INSTANCE);
        }
        let heard = "api hears /tls from 10.0.0.10 of vpc-1";
        assert_eq!(ask_tls(&ca, "ecs.us-east-1.amazonaws.com"), heard);
        assert_eq!(ask_tls(&ca, "sts.amazonaws.com"), heard);
        let plain = ask(dial(API_ADDRESS, 80).unwrap(), "GET", "/plain").unwrap();
        assert_eq!(plain, "api hears /plain from 10.0.0.10 of vpc-1");
        let metadata = ask(dial(METADATA_ADDRESS, 80).unwrap(), "GET", "/latest").unwrap();
        assert_eq!(metadata, "metadata hears /latest from 10.0.0.10 of vpc-1");

        let clock = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        clock.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut packet = [0; 48];
        packet[0] = 0b00_100_011;
        clock.send_to(&packet, (TIME_ADDRESS, 123)).unwrap();
        assert_eq!(clock.recv(&mut packet).unwrap(), 48);
        let seconds = u32::from_be_bytes(packet[40..44].try_into().unwrap());
        let now = jiff::Timestamp::now().as_second() + 2_208_988_800;
        assert!((now - i64::from(seconds)).abs() <= 1);
    })
    .await;
    vpcs.power_off().await.unwrap();
}

/// A container behind the instance's bridge is one hop further. Here the instance itself drops what would not
/// have come further.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_only_as_many_hops_as_it_may() {
    if !is_root() {
        return;
    }
    let dir = StateDir::new();
    let store = store(dir.path(), dir.public(12));
    let vpcs = Vpcs::open(dir.path(), REGION).unwrap();
    vpcs.serve(services());
    let instance = vpcs.ensure_attached(&store, VPC, ENI).await.unwrap();
    inside(&instance, || {
        assert!(ask(dial(METADATA_ADDRESS, 80).unwrap(), "PUT", "/latest/api/token").is_ok());
        let rules = "add table ip t; add chain ip t in { type filter hook input priority 0; }; \
                     add rule ip t in ip ttl 1 drop";
        assert!(Command::new("nft").arg(rules).status().unwrap().success());
        assert!(ask(dial(METADATA_ADDRESS, 80).unwrap(), "GET", "/latest").is_ok());
        assert!(ask(dial(METADATA_ADDRESS, 80).unwrap(), "PUT", "/latest/api/token").is_err());
    })
    .await;
    vpcs.power_off().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_records_change_the_network() {
    if !is_root() {
        return;
    }
    let dir = StateDir::new();
    let public = dir.public(13);
    let store = store(dir.path(), public);
    let vpcs = Vpcs::open(dir.path(), REGION).unwrap();
    let early = vpcs.ensure_attached(&store, VPC, ENI).await.unwrap_err();
    assert!(early.to_string().contains("still starting"), "{early}");
    vpcs.serve(services());
    vpcs.sync(&store).await.unwrap();
    let instance = vpcs.ensure_attached(&store, VPC, ENI).await.unwrap();

    // A port of the instance, open to all, is one of the host's.
    let listener = inside(&instance, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8022)).unwrap()).await;
    thread::spawn(move || {
        listener.incoming().flatten().try_for_each(|mut stream| stream.write_all(b"hello"))
    });
    assert_eq!(hello(public).await.unwrap(), "hello");

    // The instance loses its way to the internet: the host's port goes, the API vanishes, metadata stay.
    let mut gateway = (*store.get::<InternetGatewayRecord>(REGION, "igw-1").unwrap()).clone();
    gateway.vpc_id = None;
    store.write(|tx| tx.put(gateway)).unwrap();
    vpcs.sync(&store).await.unwrap();
    assert!(hello(public).await.is_err());
    inside(&instance, || {
        assert!(dial(API_ADDRESS, 443).is_err());
        assert!(ask(dial(METADATA_ADDRESS, 80).unwrap(), "GET", "/latest").is_ok());
    })
    .await;

    // The last interface goes, and the VPC's network with it.
    store.write(|tx| Ok::<_, StoreError>(tx.remove::<NetworkInterfaceRecord>(REGION, ENI))).unwrap();
    vpcs.sync(&store).await.unwrap();
    assert!(!instance.exists());
    assert_eq!(namespaces(dir.path()), Vec::<PathBuf>::new());
    let gone = vpcs.ensure_attached(&store, VPC, ENI).await.unwrap_err();
    assert_eq!(gone.to_string(), "vpc-1 has no interface eni-1");
}

/// What the host hears at the instance's public address.
async fn hello(public: Ipv4Addr) -> std::io::Result<String> {
    let connect = move || {
        let mut stream = dial(public, 8022)?;
        let mut said = String::new();
        stream.read_to_string(&mut said).map(|_| said)
    };
    tokio::task::spawn_blocking(connect).await.unwrap()
}

/// A daemon that was killed leaves its networks; the next one takes them over, or away.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_daemon_takes_over() {
    if !is_root() {
        return;
    }
    let dir = StateDir::new();
    let public = dir.public(14);
    let store = store(dir.path(), public);
    let first = Vpcs::open(dir.path(), REGION).unwrap();
    first.serve(services());
    let instance = first.ensure_attached(&store, VPC, ENI).await.unwrap();
    let listener = inside(&instance, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8022)).unwrap()).await;
    thread::spawn(move || {
        listener.incoming().flatten().try_for_each(|mut stream| stream.write_all(b"hello"))
    });
    drop(first);

    let second = Vpcs::open(dir.path(), REGION).unwrap();
    second.serve(services());
    second.sync(&store).await.unwrap();
    assert_eq!(hello(public).await.unwrap(), "hello", "the instance still runs where it was");
    drop(second);

    store.write(|tx| Ok::<_, StoreError>(tx.remove::<NetworkInterfaceRecord>(REGION, ENI))).unwrap();
    let third = Vpcs::open(dir.path(), REGION).unwrap();
    third.serve(services());
    third.sync(&store).await.unwrap();
    assert_eq!(namespaces(dir.path()), Vec::<PathBuf>::new());
}

fn namespaces(state_dir: &Path) -> Vec<PathBuf> {
    Network::open(state_dir).leftovers().unwrap()
}
