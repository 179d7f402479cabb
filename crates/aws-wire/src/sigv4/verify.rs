//! Checks a Signature Version 4.

use http::request::Parts;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use crate::Error;
use crate::sigv4::canonical::{self, Signable};
use crate::sigv4::credential::{incomplete, query_pairs};
use crate::sigv4::{Credential, Refusal, SigV4};

/// How far the clocks of client and server may be apart.
pub const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The longest that a presigned request may be good: seven days, in seconds.
const MAX_EXPIRES: u32 = 604_800;

/// The payload hash of clients that do not hash the body.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Checks that `parts` and `body` were signed, now, with `secret`, and returns what was signed with.
///
/// Whether the session token belongs to the access key is for the caller to check.
///
/// # Errors
///
/// As the addressed service words them: no or an incomplete credential, a signature that does not match, or one
/// whose time is over ([`Refusal`]).
pub fn verify(parts: &Parts, body: &[u8], secret: &str) -> Result<SigV4, Error> {
    verify_at(parts, body, secret, Timestamp::now()).map_err(|refusal| refusal.into_error(parts))
}

/// [`verify`] at a given time.
///
/// # Errors
///
/// Those of [`verify`], not yet worded for a service.
pub fn verify_at(parts: &Parts, body: &[u8], secret: &str, now: Timestamp) -> Result<SigV4, Refusal> {
    let signed = match Credential::of(parts)? {
        Credential::SigV4(signed) => signed,
        Credential::CfnV1(_) => return Err(incomplete("Unsupported AWS 'algorithm': 'CFN_V1'")),
        Credential::None => return Err(Refusal::Missing),
    };
    check_time(&signed, now)?;
    check_coverage(&signed, parts)?;
    let canonical_request = canonical_request(&signed, parts, body)?;
    let string_to_sign = canonical::string_to_sign(&signed.date, &signed.scope, &canonical_request);
    let expected = canonical::signature(secret, &signed.scope, &string_to_sign);
    let given = hex::decode(&signed.signature).unwrap_or_default();
    if bool::from(expected.ct_eq(given.as_slice())) { Ok(signed) } else { Err(Refusal::Mismatch) }
}

fn canonical_request(signed: &SigV4, parts: &Parts, body: &[u8]) -> Result<String, Refusal> {
    let is_presigned = signed.expires.is_some();
    Ok(canonical::request(&Signable {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: query_pairs(parts).filter(|(name, _)| !is_presigned || name != "X-Amz-Signature").collect(),
        headers: &parts.headers,
        authority: parts.uri.authority().map(http::uri::Authority::as_str),
        signed_headers: &signed.signed_headers,
        payload: &payload_hash(signed, parts, body)?,
    }))
}

fn check_time(signed: &SigV4, now: Timestamp) -> Result<(), Refusal> {
    let date = &signed.date;
    let made = parse_date(date).ok_or_else(|| {
        incomplete(&format!(
            "Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ))
    })?;
    if date.get(..8) != Some(signed.scope.date.as_str()) {
        let message = format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{date}'.",
            signed.scope.date,
            date.get(..8).unwrap_or_default()
        );
        return Err(Refusal::WrongScope(message));
    }
    if made > now + MAX_SKEW {
        let limit = basic(now + MAX_SKEW);
        let message = format!(
            "Signature not yet current: {date} is still later than {limit} ({} + 5 min.)",
            basic(now)
        );
        return Err(Refusal::Expired(message));
    }
    match signed.expires {
        Some(seconds) if seconds > MAX_EXPIRES => Err(incomplete(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        )),
        Some(seconds) if made + SignedDuration::from_secs(seconds.into()) < now => {
            let end = basic(made + SignedDuration::from_secs(seconds.into()));
            Err(Refusal::Expired(format!("Signature expired: {end} is now earlier than {}", basic(now))))
        }
        None if made < now - MAX_SKEW => {
            let limit = basic(now - MAX_SKEW);
            let message =
                format!("Signature expired: {date} is now earlier than {limit} ({} - 5 min.)", basic(now));
            Err(Refusal::Expired(message))
        }
        _ => Ok(()),
    }
}

/// Host and, in a request signed by header, every `X-Amz-` header must be covered, or they could be swapped.
fn check_coverage(signed: &SigV4, parts: &Parts) -> Result<(), Refusal> {
    let covers = |name: &str| signed.signed_headers.iter().any(|signed| signed == name);
    if !covers("host") {
        let message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(Refusal::WrongScope(message.to_owned()));
    }
    let uncovered =
        parts.headers.keys().find(|name| name.as_str().starts_with("x-amz-") && !covers(name.as_str()));
    match uncovered {
        Some(name) if signed.expires.is_none() => {
            Err(Refusal::WrongScope(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")))
        }
        _ => Ok(()),
    }
}

/// What stands for the body in the canonical request.
fn payload_hash(signed: &SigV4, parts: &Parts, body: &[u8]) -> Result<String, Refusal> {
    let actual = canonical::sha256_hex(body);
    let Some(claimed) = parts.headers.get("x-amz-content-sha256").filter(|_| signed.expires.is_none()) else {
        return Ok(actual);
    };
    match claimed.to_str() {
        Ok(UNSIGNED_PAYLOAD) => Ok(UNSIGNED_PAYLOAD.to_owned()),
        Ok(claimed) if claimed.eq_ignore_ascii_case(&actual) => Ok(claimed.to_owned()),
        _ => Err(Refusal::Mismatch),
    }
}

/// Reads `YYYYMMDDTHHMMSSZ`.
fn parse_date(date: &str) -> Option<Timestamp> {
    let civil = date.strip_suffix('Z').filter(|rest| rest.len() == 15)?.parse::<DateTime>().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn basic(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
