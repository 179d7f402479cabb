//! What the tools need of AWS: HTTP, names, signatures, instance metadata and retries.

pub mod credentials;
pub mod dns;
pub mod http;
pub mod imds;
pub mod json;
pub mod proxy;
pub mod resolver;
pub mod retry;
pub mod sign;
pub mod trust;

/// The domain of a region's endpoints: China's regions have their own.
pub fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}
