//! Host names to addresses, by `/etc/hosts` and the name servers in `/etc/resolv.conf`.
//!
//! This does not call `getaddrinfo`: in a static glibc binary it loads the NSS modules of whatever glibc the
//! instance has, which fails or crashes when that is another one. IPv4 addresses are preferred: a VPC's are.

use super::dns::{self, DnsError, RecordType};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Every name server said that the name does not exist, or has no address.
    #[error("could not resolve host {0}")]
    NotFound(String),
    /// No name server gave an answer.
    #[error("could not resolve host {host}: {source}")]
    Unanswered {
        /// The name looked up.
        host: String,
        /// What the last name server tried did.
        source: DnsError,
    },
}

/// Resolves names for the system rooted at a path.
#[derive(Debug, Clone)]
pub struct SystemResolver {
    root: PathBuf,
}

/// What `/etc/resolv.conf` says. Defaults are those of resolv.conf(5).
#[derive(Debug, Clone, PartialEq, Eq)]
struct ResolvConf {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
    timeout: Duration,
    attempts: u32,
}

impl SystemResolver {
    /// A resolver for the system whose `/etc` is under `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The addresses of `host`, each with `port`; never empty.
    pub fn lookup(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.lookup_name(host)?,
        };
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    fn lookup_name(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let listed = fs::read_to_string(self.root.join("etc/hosts")).map(|text| in_hosts(&text, host));
        match listed {
            Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
            _ if host.eq_ignore_ascii_case("localhost") => return Ok(vec![Ipv4Addr::LOCALHOST.into()]),
            _ => {}
        }
        ask_servers(&read_conf(&self.root.join("etc/resolv.conf")), host)
    }
}

fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
        })
        .collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

fn read_conf(path: &Path) -> ResolvConf {
    // Without the file, resolv.conf(5) says: the name server on the local machine.
    parse_conf(&fs::read_to_string(path).unwrap_or_default())
}

fn parse_conf(text: &str) -> ResolvConf {
    let mut conf = ResolvConf {
        servers: Vec::new(),
        search: Vec::new(),
        ndots: 1,
        timeout: Duration::from_secs(5),
        attempts: 2,
    };
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => {
                let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                conf.servers.extend(address.map(|address| SocketAddr::new(address, 53)));
            }
            Some("search" | "domain") => {
                conf.search = words.map(|word| word.trim_end_matches('.').to_owned()).collect()
            }
            Some("options") => words.for_each(|option| apply_option(&mut conf, option)),
            _ => {}
        }
    }
    if conf.servers.is_empty() {
        conf.servers.push((Ipv4Addr::LOCALHOST, 53).into());
    }
    conf
}

fn apply_option(conf: &mut ResolvConf, option: &str) {
    let Some((name, value)) = option.split_once(':') else { return };
    let Ok(value) = value.parse::<u32>() else { return };
    match name {
        "ndots" => conf.ndots = value.min(15) as usize,
        "timeout" => conf.timeout = Duration::from_secs(value.clamp(1, 30).into()),
        "attempts" => conf.attempts = value.clamp(1, 5),
        _ => {}
    }
}

/// The names to try for `host`, in order.
fn candidates(conf: &ResolvConf, host: &str) -> Vec<String> {
    let searched =
        conf.search.iter().filter(|domain| !domain.is_empty()).map(|domain| format!("{host}.{domain}"));
    let as_given = std::iter::once(host.to_owned());
    if host.matches('.').count() >= conf.ndots {
        as_given.chain(searched).collect()
    } else {
        searched.chain(as_given).collect()
    }
}

fn ask_servers(conf: &ResolvConf, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
    for name in candidates(conf, host) {
        for record_type in [RecordType::A, RecordType::Aaaa] {
            let addresses = ask(conf, &name, record_type)
                .map_err(|source| ResolveError::Unanswered { host: host.to_owned(), source })?;
            if !addresses.is_empty() {
                return Ok(addresses);
            }
        }
    }
    Err(ResolveError::NotFound(host.to_owned()))
}

fn ask(conf: &ResolvConf, name: &str, record_type: RecordType) -> Result<Vec<IpAddr>, DnsError> {
    let mut last = DnsError::NoServer;
    for _ in 0..conf.attempts {
        for server in &conf.servers {
            match dns::query(*server, name, record_type, conf.timeout) {
                Ok(addresses) => return Ok(addresses),
                Err(err @ DnsError::BadName(_)) => return Err(err),
                Err(err) => last = err,
            }
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::dns_server;

    #[test]
    fn hosts_file_is_read_with_aliases_and_comments() {
        let text =
            "127.0.0.1 localhost # me\n::1 localhost\n10.0.0.7\tweb web.local\n#10.9.9.9 web\nnonsense\n";
        assert_eq!(in_hosts(text, "WEB.local"), ["10.0.0.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(in_hosts(text, "localhost")[0], IpAddr::from(Ipv4Addr::LOCALHOST));
        assert!(in_hosts(text, "nowhere").is_empty());
    }

    #[test]
    fn resolv_conf_is_read_with_its_options() {
        let conf = parse_conf(
            "; c\nnameserver 169.254.169.253\nsearch ec2.internal lan.\noptions ndots:2 timeout:3 attempts:1 rotate\n",
        );
        assert_eq!(conf.servers, ["169.254.169.253:53".parse::<SocketAddr>().unwrap()]);
        assert_eq!(conf.search, ["ec2.internal", "lan"]);
        assert_eq!((conf.ndots, conf.timeout, conf.attempts), (2, Duration::from_secs(3), 1));
        assert_eq!(parse_conf("").servers, ["127.0.0.1:53".parse::<SocketAddr>().unwrap()]);
    }

    #[test]
    fn short_names_are_searched_first() {
        let conf = parse_conf("search ec2.internal\n");
        assert_eq!(candidates(&conf, "db"), ["db.ec2.internal", "db"]);
        assert_eq!(candidates(&conf, "a.example.com"), ["a.example.com", "a.example.com.ec2.internal"]);
    }

    #[test]
    fn a_name_server_is_asked_and_a_missing_name_is_told() {
        let server = dns_server(&[("ecs.us-east-1.amazonaws.com", [198, 18, 0, 1])]);
        let conf = ResolvConf { servers: vec![server], ..parse_conf("options timeout:2 attempts:1") };
        let found = ask_servers(&conf, "ecs.us-east-1.amazonaws.com").unwrap();
        assert_eq!(found, [IpAddr::from([198, 18, 0, 1])]);
        assert!(matches!(ask_servers(&conf, "nowhere.example"), Err(ResolveError::NotFound(_))));
    }

    #[test]
    fn addresses_are_taken_as_they_are() {
        let resolver = SystemResolver::new("/nonexistent");
        assert_eq!(resolver.lookup("10.1.2.3", 80).unwrap(), ["10.1.2.3:80".parse::<SocketAddr>().unwrap()]);
        assert_eq!(resolver.lookup("[::1]", 80).unwrap(), ["[::1]:80".parse::<SocketAddr>().unwrap()]);
        assert_eq!(resolver.lookup("localhost", 1).unwrap(), ["127.0.0.1:1".parse::<SocketAddr>().unwrap()]);
    }
}
