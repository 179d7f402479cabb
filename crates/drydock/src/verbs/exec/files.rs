//! The files that a command sees in place of the host's: what is covered, and with what.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use cloud::admin::FrontDoor;
use cloud::front::is_api_name;

use super::environment::{TRUST, Variables};
use super::profiles::Profiles;

const RESOLVER: &str = "/etc/resolv.conf";
const SWITCH: &str = "/etc/nsswitch.conf";
const HOSTS: &str = "/etc/hosts";
/// Where nscd(8) keeps its socket, by which the C library would ask it before anything else.
const NAME_CACHE: &str = "/run/nscd";
/// Where systems keep the certificates that they trust, in one file: Debian and Arch, Fedora, openSUSE, Alpine, and
/// older Fedoras. The first that is there is what the environment's variables name.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// Something of the host's cannot be covered.
#[derive(Debug, thiserror::Error)]
pub(super) enum CoverError {
    /// A file must be there to be covered.
    #[error("{}: {source}; a command needs the file, if only an empty one, to find the local cloud", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What covers what.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Covers {
    /// Contents of files in the command's own folder, by their names there.
    pub(super) files: BTreeMap<&'static str, String>,
    /// Paths of the host, and what in the folder covers them.
    pub(super) over: BTreeMap<PathBuf, &'static str>,
    /// Directories of the host that are to be empty.
    pub(super) empty: Vec<PathBuf>,
    bundle: PathBuf,
}

impl Covers {
    /// What is to be covered on this host.
    ///
    /// # Errors
    /// When the resolver's configuration is not there.
    pub(super) fn of_host(
        front: &FrontDoor,
        variables: &Variables,
        profiles: &Profiles,
    ) -> Result<Self, CoverError> {
        let mut covers = Self::default();
        let (resolver, text) = read(Path::new(RESOLVER))
            .map_err(|source| CoverError::Missing { path: RESOLVER.into(), source })?;
        covers.cover(resolver, "resolv.conf", resolv_conf(&text, front.address));
        covers.cover_if_changed(Path::new(SWITCH), "nsswitch.conf", nsswitch_conf);
        covers.cover_if_changed(Path::new(HOSTS), "hosts", hosts);
        covers.trust(front, variables);
        covers.hide_configuration(variables, profiles);
        covers.empty.extend(fs::canonicalize(NAME_CACHE));
        Ok(covers)
    }

    /// The trust store that the command is told of.
    pub(super) fn bundle(&self) -> &Path {
        &self.bundle
    }

    fn cover(&mut self, path: PathBuf, name: &'static str, content: String) {
        self.files.insert(name, content);
        self.over.insert(path, name);
    }

    fn cover_if_changed(&mut self, path: &Path, name: &'static str, change: impl Fn(&str) -> String) {
        if let Ok((path, text)) = read(path) {
            let changed = change(&text);
            if changed != text {
                self.cover(path, name, changed);
            }
        }
    }

    /// Adds the cloud's authority to those that the system and the user trust.
    fn trust(&mut self, front: &FrontDoor, variables: &Variables) {
        let mut certificates = String::new();
        let own = TRUST.iter().filter_map(|name| variables.get(OsStr::new(name))).map(PathBuf::from);
        let mut read_already = Vec::new();
        for path in BUNDLES.iter().map(PathBuf::from).chain(own) {
            let Ok((real, text)) = read(&path) else { continue };
            if read_already.contains(&real) {
                continue;
            }
            certificates.push_str(text.trim_end());
            certificates.push('\n');
            read_already.push(real);
        }
        certificates.push_str(&front.authority);
        self.files.insert("ca-bundle.crt", certificates);
        let systems: Vec<_> = BUNDLES.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
        // By its usual path, so that also those can read it who cannot enter the state directory.
        let usual = BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
        self.bundle = usual.unwrap_or_else(|| front.folder.join("ca-bundle.crt"));
        self.over.extend(systems.into_iter().map(|path| (path, "ca-bundle.crt")));
    }

    /// Puts the generated AWS configuration in the place of the user's, whose credentials and cached sessions are not
    /// for the local cloud, and in whose cache no session of the local cloud is to stay.
    fn hide_configuration(&mut self, variables: &Variables, profiles: &Profiles) {
        self.files.insert("aws/config", profiles.config());
        self.files.insert("aws/credentials", profiles.credentials());
        let home = variables.get(OsStr::new("HOME")).map(|home| Path::new(home).join(".aws"));
        if let Some(path) = home.and_then(|path| fs::canonicalize(path).ok()).filter(|path| path.is_dir()) {
            self.over.insert(path, "aws");
        }
    }
}

/// A text file, and its path without symbolic links: a mount covers what a link leads to.
fn read(path: &Path) -> io::Result<(PathBuf, String)> {
    let real = fs::canonicalize(path)?;
    let text = String::from_utf8_lossy(&fs::read(&real)?).into_owned();
    Ok((real, text))
}

/// resolv.conf(5) with one server; search list and options stay the host's.
fn resolv_conf(host: &str, server: Ipv4Addr) -> String {
    let mut text = format!("# Made by drydock exec.\nnameserver {server}\n");
    for line in host.lines() {
        if ["search", "domain", "options"].iter().any(|word| line.split_whitespace().next() == Some(word)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// nsswitch.conf(5) in which hosts are looked up in files and by DNS only: other services (systemd-resolved's, mDNS,
/// sssd) have servers of their own.
fn nsswitch_conf(host: &str) -> String {
    let line = |line: &str| {
        let Some(services) = line.trim_start().strip_prefix("hosts:") else { return line.to_owned() };
        let services = services.split('#').next().unwrap_or_default();
        if services.split_whitespace().all(|service| ["files", "dns"].contains(&service)) {
            line.to_owned()
        } else {
            "hosts: files dns".to_owned()
        }
    };
    by_line(host, |text| Some(line(text)))
}

/// hosts(5) without AWS's names.
fn hosts(host: &str) -> String {
    let is_aws = |line: &str| {
        let entry = line.split('#').next().unwrap_or_default();
        entry.split_whitespace().skip(1).any(|name| is_api_name(&name.to_ascii_lowercase()))
    };
    by_line(host, |line| (!is_aws(line)).then(|| line.to_owned()))
}

/// A text of changed lines.
fn by_line(text: &str, change: impl Fn(&str) -> Option<String>) -> String {
    text.split_inclusive('\n')
        .filter_map(|whole| {
            let line = whole.strip_suffix('\n');
            let changed = change(line.unwrap_or(whole))?;
            Some(if line.is_some() { changed + "\n" } else { changed })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolver_is_the_clouds_and_the_rest_the_hosts() {
        let host = "# by a tool\nnameserver 192.0.2.1\nsearch corp.example\n options ndots:2\nnameserver 192.0.2.2\n";
        assert_eq!(
            resolv_conf(host, Ipv4Addr::new(127, 64, 255, 254)),
            "# Made by drydock exec.\nnameserver 127.64.255.254\nsearch corp.example\n options ndots:2\n"
        );
    }

    #[test]
    fn hosts_are_looked_up_by_dns_alone() {
        for (host, expected) in [
            ("passwd: files\nhosts:          files dns\n", None),
            ("hosts: files # [!UNAVAIL=return] resolve\n", None),
            (
                "passwd: files\nhosts: files resolve [!UNAVAIL=return] dns\nnetworks: files",
                Some("passwd: files\nhosts: files dns\nnetworks: files"),
            ),
            ("hosts: mymachines mdns4_minimal [NOTFOUND=return] dns\n", Some("hosts: files dns\n")),
        ] {
            assert_eq!(nsswitch_conf(host), expected.unwrap_or(host));
        }
    }

    #[test]
    fn names_of_aws_are_not_in_the_hosts_file() {
        let host = "127.0.0.1 localhost\n52.0.0.1 alias EC2.us-east-1.amazonaws.com\n# 1.2.3.4 sts.amazonaws.com\n10.0.0.1 db";
        assert_eq!(hosts(host), "127.0.0.1 localhost\n# 1.2.3.4 sts.amazonaws.com\n10.0.0.1 db");
    }
}
