//! Identifiers in AWS's forms.

use rand::RngExt;

/// A resource id as EC2 makes them: the prefix, a dash and 17 hexadecimal digits (`i-0c5b…`).
pub fn ec2(prefix: &str) -> String {
    format!("{prefix}-0{}", hex_digits(16))
}

/// `count` random hexadecimal digits.
pub fn hex_digits(count: usize) -> String {
    let mut random = rand::rng();
    (0..count).map(|_| char::from_digit(random.random_range(0..16), 16).unwrap_or('0')).collect()
}

/// A random UUID, as request ids, stack ids and tokens are.
pub fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `count` characters of the alphabet that CloudFormation ends generated names with (`…-1EXAMPLE2XYZ3`).
pub fn name_suffix(count: usize) -> String {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut random = rand::rng();
    (0..count).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

/// An id as IAM makes them: a four-letter prefix (`AROA`, `AIPA`, `ANPA`, `ASIA`) and 17 capitals or digits.
pub fn iam(prefix: &str) -> String {
    format!("{prefix}{}", name_suffix(17))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_awss_forms() {
        assert_eq!(ec2("i").len(), "i-0123456789abcdef0".len());
        assert!(ec2("vpc").starts_with("vpc-0"));
        assert_eq!(iam("AROA").len(), 21);
        assert_eq!(uuid().len(), 36);
    }
}
