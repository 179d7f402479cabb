//! Which proxy, if any, a request goes through.

use std::net::IpAddr;
use std::path::Path;

/// The instance's own proxy, as `NAME=VALUE` lines.
pub const INSTANCE: &str = "/etc/drydock/proxy.conf";

/// Proxies by scheme and the hosts that are reached without them. An empty setting means "no proxy": scripts write
/// `HTTPS_PROXY=` with nothing after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// For `http://` addresses.
    pub http: Option<String>,
    /// For `https://` addresses.
    pub https: Option<String>,
    /// Hosts, domains and networks reached directly.
    pub no_proxy: Vec<String>,
}

impl ProxySettings {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, each in either case, from `variable`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| {
            [name.to_ascii_lowercase(), name.to_owned()]
                .iter()
                .filter_map(|name| variable(name))
                .find_map(non_empty)
        };
        let no_proxy = read("NO_PROXY").unwrap_or_default();
        Self {
            http: read("HTTP_PROXY"),
            https: read("HTTPS_PROXY"),
            no_proxy: no_proxy.split(',').filter_map(|entry| non_empty(entry.to_owned())).collect(),
        }
    }

    /// These settings, or where they name no proxy those that `firstrun` left under `root`: a variable that it set would
    /// not reach whoever called it.
    #[must_use]
    pub fn or_instances(self, root: &Path) -> Self {
        if self.http.is_some() || self.https.is_some() {
            return self;
        }
        // Without the file there is no proxy, which is the rule.
        let text = std::fs::read_to_string(root.join(INSTANCE.trim_start_matches('/'))).unwrap_or_default();
        let pairs: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('=')).collect();
        Self::from_variables(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// The proxy for an address of `scheme` (`http`, `https`, `ws` or `wss`) at `host`.
    pub fn proxy_for(&self, scheme: &str, host: &str) -> Option<&str> {
        let proxy = match scheme {
            "https" | "wss" => self.https.as_deref(),
            _ => self.http.as_deref(),
        }?;
        (!self.bypasses(host)).then_some(proxy)
    }

    /// Whether `host` is reached without a proxy. Link-local addresses always are: the metadata service cannot be
    /// reached from another machine.
    fn bypasses(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost"
            || address.is_some_and(|address| address.is_loopback() || is_link_local(address))
        {
            return true;
        }
        self.no_proxy.iter().any(|entry| matches_entry(&host, address, &entry.to_ascii_lowercase()))
    }
}

fn non_empty(value: String) -> Option<String> {
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn matches_entry(host: &str, address: Option<IpAddr>, entry: &str) -> bool {
    let entry =
        entry.split_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(entry, |(name, _)| name);
    if entry == "*" || entry == host {
        return true;
    }
    if let (Some(address), Some((network, bits))) = (address, entry.split_once('/')) {
        return in_network(address, network, bits);
    }
    let domain = entry.trim_start_matches("*.").trim_start_matches('.');
    !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn in_network(address: IpAddr, network: &str, bits: &str) -> bool {
    let (IpAddr::V4(address), Ok(IpAddr::V4(network)), Ok(bits)) =
        (address, network.parse(), bits.parse::<u32>())
    else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
    address.to_bits() & mask == network.to_bits() & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> ProxySettings {
        ProxySettings::from_variables(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_variable_is_no_proxy() {
        assert_eq!(settings(&[("HTTPS_PROXY", ""), ("NO_PROXY", "")]), ProxySettings::default());
        assert_eq!(settings(&[("HTTPS_PROXY", "")]).proxy_for("https", "ecs.us-east-1.amazonaws.com"), None);
    }

    #[test]
    fn the_instances_own_proxy_is_for_those_that_name_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc/drydock")).unwrap();
        let text = "# comment\nHTTPS_PROXY=http://p:3128\nNO_PROXY=.internal\n";
        std::fs::write(dir.path().join("etc/drydock/proxy.conf"), text).unwrap();
        let instances = ProxySettings::default().or_instances(dir.path());
        assert_eq!(instances.proxy_for("https", "example.com"), Some("http://p:3128"));
        assert_eq!(instances.proxy_for("https", "a.internal"), None);
        let own = settings(&[("HTTP_PROXY", "http://own:1")]);
        assert_eq!(own.clone().or_instances(dir.path()), own);
        assert_eq!(
            ProxySettings::default().or_instances(Path::new("/nonexistent")),
            ProxySettings::default()
        );
    }

    #[test]
    fn lower_case_wins_and_schemes_are_apart() {
        let both = settings(&[("https_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:2")]);
        assert_eq!(both.proxy_for("wss", "example.com"), Some("http://a:1"));
        assert_eq!(both.proxy_for("http", "example.com"), None);
    }

    #[test]
    fn hosts_bypass_by_name_domain_and_network() {
        let no_proxy =
            "169.254.169.254,169.254.170.2,/var/run/docker.sock,.internal,example.com:443,10.0.0.0/8";
        let settings = settings(&[("HTTP_PROXY", "http://p:3128"), ("NO_PROXY", no_proxy)]);
        let cases = [
            ("169.254.169.254", true),
            ("169.254.169.123", true),
            ("a.internal", true),
            ("notinternal", false),
            ("example.com", true),
            ("www.example.com", true),
            ("10.1.2.3", true),
            ("11.1.2.3", false),
            ("localhost", true),
            ("127.0.0.1", true),
            ("ecs.us-east-1.amazonaws.com", false),
        ];
        for (host, direct) in cases {
            assert_eq!(settings.proxy_for("http", host).is_none(), direct, "{host}");
        }
    }
}
