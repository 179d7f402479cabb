//! The texts that a Signature Version 4 is computed over.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::sigv4::Scope;
use crate::sigv4::credential::ALGORITHM;

/// All but the unreserved characters of RFC 3986.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same within a path, where slashes separate.
const STRICT_PATH: &AsciiSet = &STRICT.remove(b'/');

/// What of a request is signed.
pub(super) struct Signable<'a> {
    pub(super) method: &'a str,
    /// As it came, so mostly encoded once already; all services but S3 sign it encoded once more.
    pub(super) path: &'a str,
    /// Decoded pairs, the signature itself left out.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: &'a HeaderMap,
    /// The host, for a request that has it outside of its headers.
    pub(super) authority: Option<&'a str>,
    pub(super) signed_headers: &'a [String],
    /// Hash of the body in hexadecimal, or the word that stands for it.
    pub(super) payload: &'a str,
}

/// The canonical request.
pub(super) fn request(signable: &Signable<'_>) -> String {
    let headers: String = signable
        .signed_headers
        .iter()
        .map(|name| format!("{name}:{}\n", header_value(signable.headers, signable.authority, name)))
        .collect();
    [
        signable.method,
        &path(signable.path),
        &query(&signable.query),
        &headers,
        &signable.signed_headers.join(";"),
        signable.payload,
    ]
    .join("\n")
}

/// The string to sign.
pub(super) fn string_to_sign(date: &str, scope: &Scope, canonical_request: &str) -> String {
    let Scope { date: day, region, service } = scope;
    let hash = sha256_hex(canonical_request.as_bytes());
    format!("{ALGORITHM}\n{date}\n{day}/{region}/{service}/aws4_request\n{hash}")
}

/// The signature of `string_to_sign`.
pub(super) fn signature(secret: &str, scope: &Scope, string_to_sign: &str) -> [u8; 32] {
    let seed = format!("AWS4{secret}");
    [&scope.date, &scope.region, &scope.service, "aws4_request", string_to_sign]
        .into_iter()
        .fold(seed.into_bytes(), |key, text| hmac(&key, text.as_bytes()).to_vec())
        .try_into()
        .unwrap_or_default()
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length, so there is no error to pass on.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mac| mac.chain_update(text).finalize().into_bytes().into())
        .unwrap_or_default()
}

/// Without empty and dot segments, each other segment encoded.
fn path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = kept.pop(),
            _ => kept.push(segment),
        }
    }
    let is_folder =
        !kept.is_empty() && (path.ends_with('/') || path.ends_with("/.") || path.ends_with("/.."));
    let normal = format!("/{}{}", kept.join("/"), if is_folder { "/" } else { "" });
    utf8_percent_encode(&normal, STRICT_PATH).to_string()
}

/// Pairs encoded, then sorted by name and value.
fn query(pairs: &[(String, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, STRICT).to_string();
    let mut encoded: Vec<_> = pairs.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    encoded.sort();
    encoded.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// A header's values joined by commas, runs of white space made one space.
fn header_value(headers: &HeaderMap, authority: Option<&str>, name: &str) -> String {
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect();
    match authority {
        Some(authority) if values.is_empty() && name == "host" => authority.to_owned(),
        _ => values.join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::{path, query};

    /// The path cases of AWS's published signing test suite.
    #[test]
    fn normalizes_paths() {
        for (raw, canonical) in [
            ("/", "/"),
            ("", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/./example", "/example"),
            ("/example/..", "/"),
            ("/example1/example2/../..", "/"),
            ("//example//", "/example/"),
            ("/example space/", "/example%20space/"),
            ("/ሴ", "/%E1%88%B4"),
            ("/-._~0123456789abcXYZ", "/-._~0123456789abcXYZ"),
            ("/a%20b", "/a%2520b"),
        ] {
            assert_eq!(path(raw), canonical, "{raw}");
        }
    }

    #[test]
    fn sorts_and_encodes_queries() {
        let pairs =
            [("b", "2"), ("a", "x y"), ("a", "+"), ("A", "")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(query(&pairs), "A=&a=%2B&a=x%20y&b=2");
    }
}
