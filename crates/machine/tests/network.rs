//! The VPC network as the kernel sees it: bare namespaces instead of instances, a tiny listener in each.
//! Needs root and nftables.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy takes for program code

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use machine::network::*;
use nix::sched::{CloneFlags, setns};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const WEB: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 11);
const WEB2: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 12);
const DB: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 13);
/// Long enough for an answer within one machine, short enough to wait for none.
const SILENCE: Duration = Duration::from_millis(250);

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: namespaces need root");
    }
    root
}

/// Runs work in a namespace on a thread of its own.
fn inside<T: Send>(namespace: &Path, work: impl FnOnce() -> T + Send) -> T {
    let file = File::open(namespace).unwrap();
    thread::scope(|scope| {
        let worker = scope.spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        worker.join().unwrap()
    })
}

/// A listener in an instance that says who it is and then repeats what it hears.
fn serve(namespace: &Path, port: u16, name: &'static str) {
    let listener = inside(namespace, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || echo(stream, name));
        }
    });
}

fn echo(mut stream: TcpStream, name: &str) -> std::io::Result<()> {
    writeln!(stream, "{name}")?;
    let mut buffer = [0; 256];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n])?;
    }
}

/// What became of an attempt to connect.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Said(String),
    Silence,
    Unreachable,
    Refused,
}

fn dial(namespace: &Path, to: Ipv4Addr, port: u16) -> (Outcome, Option<TcpStream>) {
    let connected =
        inside(namespace, || TcpStream::connect_timeout(&SocketAddrV4::new(to, port).into(), SILENCE));
    match connected {
        Ok(mut stream) => (Outcome::Said(read_line(&mut stream)), Some(stream)),
        Err(error) => match error.kind() {
            ErrorKind::TimedOut => (Outcome::Silence, None),
            ErrorKind::NetworkUnreachable => (Outcome::Unreachable, None),
            ErrorKind::ConnectionRefused => (Outcome::Refused, None),
            _ => panic!("connect to {to}:{port}: {error}"),
        },
    }
}

fn outcome(namespace: &Path, to: Ipv4Addr, port: u16) -> Outcome {
    dial(namespace, to, port).0
}

fn read_line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

fn said(name: &str) -> Outcome {
    Outcome::Said(name.to_owned())
}

fn tcp(direction: Direction, port: u16, peer: Peer) -> RulePlan {
    RulePlan { direction, protocol: ProtocolPlan::Tcp(PortRange::one(port)), peer }
}

fn anywhere() -> Peer {
    Peer::Cidr("0.0.0.0/0".parse().unwrap())
}

fn interface(eni: &str, address: Ipv4Addr, subnet: &str, group: &str) -> InterfacePlan {
    InterfacePlan {
        eni_id: eni.to_owned(),
        instance_id: eni.replace("eni", "i"),
        address,
        mac: Mac([0x0a, 0, 0, 0, 0, address.octets()[3]]),
        subnet_id: subnet.to_owned(),
        security_groups: vec![group.to_owned()],
        has_public_address: true,
    }
}

/// `web` and `web2` in a public subnet, `db` in one without a way out. All take part in groups by name.
fn vpc(id: &str) -> VpcPlan {
    let route = |destination: &str, target| RoutePlan { destination: destination.parse().unwrap(), target };
    let local = route("10.0.0.0/16", RouteTarget::Local);
    let all_out = RulePlan { direction: Direction::Egress, protocol: ProtocolPlan::All, peer: anywhere() };
    VpcPlan {
        vpc_id: id.to_owned(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        interfaces: vec![
            interface("eni-web", WEB, "subnet-public", "sg-web"),
            interface("eni-web2", WEB2, "subnet-public", "sg-web"),
            interface("eni-db", DB, "subnet-private", "sg-db"),
        ],
        subnets: vec![
            SubnetPlan {
                id: "subnet-public".into(),
                cidr: "10.0.0.0/24".parse().unwrap(),
                routes: vec![local.clone(), route("0.0.0.0/0", RouteTarget::InternetGateway)],
            },
            SubnetPlan {
                id: "subnet-private".into(),
                cidr: "10.0.1.0/24".parse().unwrap(),
                routes: vec![local],
            },
        ],
        security_groups: BTreeMap::from([
            ("sg-web".to_owned(), vec![tcp(Direction::Ingress, 80, anywhere()), all_out]),
            (
                "sg-db".to_owned(),
                vec![
                    tcp(Direction::Ingress, 5432, Peer::Group("sg-web".into())),
                    tcp(Direction::Egress, 80, Peer::Cidr("10.0.0.11/32".parse().unwrap())),
                ],
            ),
        ]),
        prefix_lists: BTreeMap::new(),
    }
}

/// A network in a directory of its own; whatever a failing test leaves is removed.
struct Lab {
    dir: tempfile::TempDir,
    network: Network,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let network = Network::open(dir.path());
        Self { dir, network }
    }

    fn forwards(&self) -> Forwards {
        Forwards::new(self.network.clone(), Arc::new(self.host_ports()))
    }

    fn host_ports(&self) -> HostPorts {
        HostPorts::new(self.dir.path(), PublicNetwork::open(self.dir.path()).unwrap())
    }

    /// A public address of the lab's own.
    fn public(&self, n: u8) -> Ipv4Addr {
        let [a, b, c, _] = PublicNetwork::open(self.dir.path()).unwrap().network().addr().octets();
        Ipv4Addr::new(a, b, c, n)
    }

    fn namespace(&self, vpc: &str, eni: &str) -> PathBuf {
        self.network.namespace_path(vpc, eni)
    }

    /// The links of a namespace by `ip`, without `lo`.
    fn links(&self, namespace: &Path) -> String {
        inside(namespace, || {
            let output = Command::new("ip").args(["-br", "link"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().lines().filter(|l| !l.starts_with("lo")).collect()
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let network = self.network.clone();
        let swept = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(network.sweep(BTreeSet::new()))
        });
        if !thread::panicking() {
            swept.join().unwrap().unwrap();
        } else {
            drop(swept.join());
        }
    }
}

#[tokio::test]
async fn security_groups_and_routes_decide_who_hears_whom() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    // The same addresses twice, side by side.
    let (one, two) = (vpc("vpc-1"), vpc("vpc-2"));
    lab.network.apply(one.clone()).await.unwrap();
    lab.network.apply(two.clone()).await.unwrap();
    let at = |eni: &str| lab.namespace("vpc-1", eni);
    serve(&at("eni-web"), 80, "web of 1");
    serve(&at("eni-web"), 81, "closed");
    serve(&at("eni-web2"), 80, "web2 of 1");
    serve(&at("eni-db"), 5432, "db of 1");
    serve(&lab.namespace("vpc-2", "eni-web"), 80, "web of 2");

    assert_eq!(outcome(&at("eni-web2"), WEB, 80), said("web of 1"));
    assert_eq!(outcome(&lab.namespace("vpc-2", "eni-web2"), WEB, 80), said("web of 2"));
    assert_eq!(outcome(&at("eni-web2"), WEB, 81), Outcome::Silence, "no ingress rule");
    assert_eq!(outcome(&at("eni-web"), DB, 5432), said("db of 1"), "a group as the peer");
    assert_eq!(outcome(&at("eni-db"), WEB, 80), said("web of 1"), "an egress rule");
    assert_eq!(outcome(&at("eni-db"), WEB2, 80), Outcome::Silence, "no egress rule to it");

    let api = lab.network.listen_tcp("vpc-1", SocketAddrV4::new(API_ADDRESS, 443)).await.unwrap();
    tokio::spawn(greet(api, "api"));
    let metadata = lab.network.listen_tcp("vpc-1", SocketAddrV4::new(METADATA_ADDRESS, 80)).await.unwrap();
    tokio::spawn(greet(metadata, "metadata"));
    let probe = tokio::task::spawn_blocking({
        let (web, db) = (at("eni-web"), at("eni-db"));
        move || {
            assert_eq!(outcome(&web, API_ADDRESS, 443), said("api"));
            assert_eq!(outcome(&db, API_ADDRESS, 443), Outcome::Silence, "no route");
            assert_eq!(outcome(&web, API_ADDRESS, 22), Outcome::Silence, "the API has no such port");
            assert_eq!(outcome(&web, METADATA_ADDRESS, 80), said("metadata"));
            assert_eq!(outcome(&db, METADATA_ADDRESS, 80), said("metadata"), "never filtered");
            assert_eq!(outcome(&web, Ipv4Addr::new(192, 0, 2, 1), 80), Outcome::Unreachable, "no outside");
            assert_eq!(outcome(&db, Ipv4Addr::new(192, 0, 2, 1), 80), Outcome::Silence, "no route");
            assert_eq!(outcome(&web, OUTSIDE_ADDRESS, 80), Outcome::Silence, "the host is not there");
        }
    });
    probe.await.unwrap();

    let time = lab.network.bind_udp("vpc-1", SocketAddrV4::new(TIME_ADDRESS, 123)).await.unwrap();
    let asked = at("eni-db");
    let ask = tokio::task::spawn_blocking(move || {
        inside(&asked, || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            socket.send_to(b"time?", (TIME_ADDRESS, 123)).unwrap();
            let mut buffer = [0; 16];
            let (n, from) = socket.recv_from(&mut buffer).unwrap();
            (buffer[..n].to_vec(), from.ip())
        })
    });
    let mut buffer = [0; 16];
    let (n, from) = time.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..n], from.ip()), (&b"time?"[..], DB.into()));
    time.send_to(b"now", from).await.unwrap();
    assert_eq!(ask.await.unwrap(), (b"now".to_vec(), TIME_ADDRESS.into()));
}

/// Says a name to everybody who connects.
async fn greet(listener: tokio::net::TcpListener, name: &'static str) {
    while let Ok((mut stream, _)) = listener.accept().await {
        drop(stream.write_all(format!("{name}\n").as_bytes()).await);
    }
}

#[tokio::test]
async fn a_changed_group_is_for_new_connections() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let mut plan = vpc("vpc-1");
    lab.network.apply(plan.clone()).await.unwrap();
    let (web, web2) = (lab.namespace("vpc-1", "eni-web"), lab.namespace("vpc-1", "eni-web2"));
    serve(&web, 80, "web");
    serve(&web, 443, "tls");
    let (_, stream) = dial(&web2, WEB, 80);
    let mut stream = stream.unwrap();
    assert_eq!(outcome(&web2, WEB, 443), Outcome::Silence);

    plan.security_groups.get_mut("sg-web").unwrap()[0] = tcp(Direction::Ingress, 443, anywhere());
    lab.network.apply(plan.clone()).await.unwrap();
    assert_eq!(outcome(&web2, WEB, 443), said("tls"));
    assert_eq!(outcome(&web2, WEB, 80), Outcome::Silence);
    stream.write_all(b"still here\n").unwrap();
    assert_eq!(read_line(&mut stream), "still here", "an established connection goes on");
}

#[tokio::test]
async fn nobody_speaks_with_another_ones_address() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    lab.network.apply(vpc("vpc-1")).await.unwrap();
    serve(&lab.namespace("vpc-1", "eni-db"), 5432, "db");
    let web2 = lab.namespace("vpc-1", "eni-web2");
    assert_eq!(outcome(&web2, DB, 5432), said("db"));
    inside(&web2, || {
        let taken = Command::new("ip").args(["addr", "replace", "10.0.0.11/32", "dev", "eth0"]).status();
        assert!(taken.unwrap().success());
        assert_eq!(dial_from(WEB, DB, 5432).unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

/// Connects from a given address.
fn dial_from(from: Ipv4Addr, to: Ipv4Addr, port: u16) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddrV4::new(from, 0).into())?;
        let connecting = socket.connect(SocketAddrV4::new(to, port).into());
        let connected = tokio::time::timeout(SILENCE, connecting).await;
        connected.map_err(|_| std::io::Error::from(ErrorKind::TimedOut))?.map(drop)
    })
}

#[tokio::test]
async fn a_restarted_daemon_finds_what_it_left_and_mends_it() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let mut plan = vpc("vpc-1");
    lab.network.apply(plan.clone()).await.unwrap();
    let (web, web2) = (lab.namespace("vpc-1", "eni-web"), lab.namespace("vpc-1", "eni-web2"));
    serve(&web, 80, "web");
    let before = lab.links(&web);

    let restarted = Network::open(lab.dir.path());
    restarted.apply(plan.clone()).await.unwrap();
    assert_eq!(lab.links(&web), before, "nothing was made anew");
    assert_eq!(outcome(&web2, WEB, 80), said("web"));

    // A daemon killed between making a link and finishing it.
    let router = lab.namespace("vpc-1", "router");
    inside(&router, || {
        let links =
            String::from_utf8(Command::new("ip").args(["-o", "link"]).output().unwrap().stdout).unwrap();
        let line = links.lines().find(|line| line.contains("eni-web2")).unwrap();
        let name = line.split(": ").nth(1).unwrap().split('@').next().unwrap();
        assert!(Command::new("ip").args(["link", "set", name, "alias", ""]).status().unwrap().success());
    });
    let attached = restarted.attach(plan.clone(), "eni-web2").await.unwrap();
    assert_eq!(attached, Attached { namespace: web2.clone(), is_whole: true });
    // On a busy machine the first answer may come after what counts as silence.
    let heard = (0..8).any(|_| outcome(&web2, WEB, 80) == said("web"));
    assert!(heard, "the mended interface reaches nobody");

    // What is no longer planned goes, also by another daemon.
    plan.interfaces.retain(|interface| interface.eni_id != "eni-web2");
    Network::open(lab.dir.path()).apply(plan).await.unwrap();
    assert!(!web2.exists());
    let error = restarted.attach(vpc("vpc-1"), "eni-none").await.unwrap_err();
    assert_eq!(error.to_string(), "vpc-1 has no interface eni-none");
}

#[tokio::test]
async fn nothing_is_left_behind() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    for id in ["vpc-1", "vpc-2"] {
        lab.network.apply(vpc(id)).await.unwrap();
    }
    let namespace = File::open(lab.namespace("vpc-1", "eni-web")).unwrap();
    lab.network.detach("vpc-1", "eni-web").await.unwrap();
    lab.network.detach("vpc-1", "eni-web").await.unwrap();
    assert!(!lab.namespace("vpc-1", "eni-web").exists());
    assert_eq!(lab.network.leftovers().unwrap().len(), 7);

    // Somebody holds the router open: its links must go all the same.
    let router = lab.namespace("vpc-1", "router");
    let held = lab.network.listen_tcp("vpc-1", SocketAddrV4::new(API_ADDRESS, 80)).await.unwrap();
    let router_open = File::open(&router).unwrap();
    lab.network.remove_vpc("vpc-1").await.unwrap();
    lab.network.remove_vpc("vpc-1").await.unwrap();
    for open in [router_open, namespace] {
        let links = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
        assert_eq!(lab.links(Path::new(&links)), "");
    }
    drop(held);
    let error = lab.network.listen_tcp("vpc-1", SocketAddrV4::new(API_ADDRESS, 80)).await.unwrap_err();
    assert!(matches!(error, NetworkError::NoVpc { .. }), "{error}");

    lab.network.sweep(BTreeSet::from(["vpc-2".to_owned()])).await.unwrap();
    assert_eq!(lab.network.leftovers().unwrap().len(), 4);
    lab.network.sweep(BTreeSet::new()).await.unwrap();
    assert_eq!(lab.network.leftovers().unwrap(), Vec::<PathBuf>::new());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(lab.dir.path().to_str().unwrap()));
}

#[tokio::test]
async fn a_host_port_leads_to_an_instance_as_its_groups_allow() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let mut plan = vpc("vpc-1");
    lab.network.apply(plan.clone()).await.unwrap();
    serve(&lab.namespace("vpc-1", "eni-web"), 80, "web");
    let public = lab.public(11);
    let forward = |port| Forward {
        listen: SocketAddrV4::new(public, port),
        vpc_id: "vpc-1".into(),
        to: SocketAddrV4::new(WEB, 80),
    };
    let forwards = lab.forwards();
    assert!(forwards.sync(&BTreeSet::from([forward(4080), forward(4081)])).await.is_empty());

    let mut client = tokio::net::TcpStream::connect(forward(4080).listen).await.unwrap();
    client.write_all(b"hello\n").await.unwrap();
    let mut heard = [0; 10];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"web\nhello\n");

    // Two forwards cannot have one port; the other stays.
    let double = Forward { to: SocketAddrV4::new(WEB2, 80), ..forward(4080) };
    let failed = forwards.sync(&BTreeSet::from([forward(4080), double.clone()])).await;
    assert_eq!(failed.iter().map(|(forward, _)| forward).collect::<Vec<_>>(), [&double]);
    assert!(tokio::net::TcpStream::connect(forward(4081).listen).await.is_err(), "no longer wanted");

    // Without a public address nothing comes in.
    plan.interfaces[0].has_public_address = false;
    lab.network.apply(plan).await.unwrap();
    let mut client = tokio::net::TcpStream::connect(forward(4080).listen).await.unwrap();
    let silent = tokio::time::timeout(SILENCE, client.read(&mut heard)).await;
    assert!(silent.is_err(), "{silent:?}");
    assert!(forwards.sync(&BTreeSet::new()).await.is_empty());
    assert!(client.read(&mut heard).await.is_ok_and(|n| n == 0), "its connections end with a forward");
}

/// Reports times; asserts only that a large VPC works.
#[tokio::test]
async fn a_hundred_instances() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let mut plan = vpc("vpc-1");
    let start = Instant::now();
    lab.network.apply(plan.clone()).await.unwrap();
    eprintln!("a new VPC with 3 interfaces: {:?}", start.elapsed());
    for n in 20..120 {
        let address = Ipv4Addr::new(10, 0, 0, n);
        plan.interfaces.push(interface(&format!("eni-{n}"), address, "subnet-public", "sg-web"));
    }
    let start = Instant::now();
    lab.network.apply(plan.clone()).await.unwrap();
    eprintln!("100 more interfaces: {:?}", start.elapsed());
    let start = Instant::now();
    lab.network.apply(plan.clone()).await.unwrap();
    eprintln!("the same plan again: {:?}", start.elapsed());
    serve(&lab.namespace("vpc-1", "eni-119"), 80, "the last");
    let start = Instant::now();
    assert_eq!(
        outcome(&lab.namespace("vpc-1", "eni-20"), Ipv4Addr::new(10, 0, 0, 119), 80),
        said("the last")
    );
    eprintln!("the first connection: {:?}", start.elapsed());
    plan.security_groups.get_mut("sg-web").unwrap().push(tcp(Direction::Ingress, 443, anywhere()));
    let start = Instant::now();
    lab.network.apply(plan.clone()).await.unwrap();
    eprintln!("a changed group: {:?}", start.elapsed());
    plan.interfaces.push(interface("eni-200", Ipv4Addr::new(10, 0, 0, 200), "subnet-public", "sg-web"));
    let start = Instant::now();
    lab.network.attach(plan, "eni-200").await.unwrap();
    eprintln!("one more instance: {:?}", start.elapsed());
    let start = Instant::now();
    lab.network.detach("vpc-1", "eni-200").await.unwrap();
    eprintln!("one instance less: {:?}", start.elapsed());
    let start = Instant::now();
    lab.network.remove_vpc("vpc-1").await.unwrap();
    eprintln!("the VPC removed: {:?}", start.elapsed());
}

/// What a client of the host hears first at an address.
async fn first_line(address: SocketAddrV4) -> String {
    let connected = tokio::time::timeout(SILENCE, tokio::net::TcpStream::connect(address)).await;
    let mut stream = connected.unwrap().unwrap();
    let mut line = [0; 4];
    stream.read_exact(&mut line).await.unwrap();
    String::from_utf8_lossy(&line).into_owned()
}

/// Whether the host's packet filter has a rule for an address.
fn is_led(address: &Ipv4Addr) -> bool {
    let listed = Command::new("nft").args(["list", "ruleset", "ip"]).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().contains(&format!("daddr {address} "))
}

#[tokio::test]
async fn a_host_port_is_beside_the_hosts_own_service() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    lab.network.apply(vpc("vpc-1")).await.unwrap();
    serve(&lab.namespace("vpc-1", "eni-web"), 80, "web");
    // A service on all addresses that is there first.
    let service = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let taken = service.local_addr().unwrap().port();
    let public = lab.public(12);
    let forward = |port| Forward {
        listen: SocketAddrV4::new(public, port),
        vpc_id: "vpc-1".into(),
        to: SocketAddrV4::new(WEB, 80),
    };
    let forwards = lab.forwards();
    let (ordinary, ssh) = (forward(taken), forward(22));
    assert!(forwards.sync(&BTreeSet::from([ordinary.clone(), ssh.clone()])).await.is_empty());
    assert_eq!(first_line(ordinary.listen).await, "web\n");
    assert_eq!(first_line(ssh.listen).await, "web\n");
    // One that comes later is not kept from its port either; a host that has one already shows the same.
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, 22)) {
        Ok(_late) => assert_eq!(first_line(ssh.listen).await, "web\n"),
        Err(error) => assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, 22)).is_ok(), "{error}"),
    }
    assert!(forwards.sync(&BTreeSet::from([ordinary.clone()])).await.is_empty());
    assert!(tokio::net::TcpStream::connect(ssh.listen).await.is_err(), "its rule is gone");
    assert_eq!(first_line(ordinary.listen).await, "web\n");
    assert!(is_led(ssh.listen.ip()));
    assert!(forwards.sync(&BTreeSet::new()).await.is_empty());
    assert!(!is_led(ssh.listen.ip()), "nothing is left in the host's packet filter");
}

#[tokio::test]
async fn what_a_killed_daemon_left_of_host_ports_is_swept() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let address = SocketAddrV4::new(lab.public(13), 443);
    let killed = lab.host_ports();
    assert!(killed.listen(&[address]).await.pop().unwrap().is_ok());
    assert!(killed.bind_udp(SocketAddrV4::new(*address.ip(), 53)).await.is_ok());
    drop(killed);
    assert!(is_led(address.ip()));
    HostPorts::sweep(lab.dir.path()).await.unwrap();
    assert!(!is_led(address.ip()));
}

#[tokio::test]
async fn nobody_takes_anothers_public_addresses() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let (first, address) = (lab.host_ports(), SocketAddrV4::new(lab.public(14), 22));
    assert!(first.listen(&[address]).await.pop().unwrap().is_ok());
    let second = lab.host_ports();
    let refused = second.listen(&[address]).await.pop().unwrap().unwrap_err();
    assert!(matches!(refused, NetworkError::NotOurs { is_held: false, .. }), "{refused}");
    let elsewhere = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 14), 22);
    let refused = first.listen(&[elsewhere]).await.pop().unwrap().unwrap_err();
    assert!(matches!(refused, NetworkError::NotOurs { is_held: true, .. }), "{refused}");
    first.release(&[address]).await.unwrap();
}

#[tokio::test]
async fn who_comes_while_an_instance_boots_waits_for_its_service() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    lab.network.apply(vpc("vpc-1")).await.unwrap();
    let listen = SocketAddrV4::new(lab.public(15), 4080);
    let forward = Forward { listen, vpc_id: "vpc-1".into(), to: SocketAddrV4::new(WEB, 80) };
    let forwards = lab.forwards();
    assert!(forwards.sync(&BTreeSet::from([forward])).await.is_empty());
    let mut client = tokio::net::TcpStream::connect(listen).await.unwrap();
    let mut heard = [0; 4];
    let silent = tokio::time::timeout(SILENCE, client.read(&mut heard)).await;
    assert!(silent.is_err(), "{silent:?}");
    serve(&lab.namespace("vpc-1", "eni-web"), 80, "web");
    tokio::time::timeout(SILENCE, client.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard, b"web\n");
    assert!(forwards.sync(&BTreeSet::new()).await.is_empty());
}
