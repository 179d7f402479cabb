//! What CloudWatch Logs accepts as the name of a group and of a stream.

/// Checks a log group's name. (CreateLogGroup.)
///
/// # Errors
/// Says what is wrong, as a predicate.
pub fn check_group(name: &str) -> Result<(), &'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/#".contains(c);
    if !(1..=512).contains(&name.len()) {
        Err("does not have 1 to 512 characters")
    } else if !name.chars().all(fits) {
        Err("has other characters than letters, digits and . _ - / #")
    } else {
        Ok(())
    }
}

/// Checks a log stream's name. (CreateLogStream.)
///
/// # Errors
/// Says what is wrong, as a predicate.
pub fn check_stream(name: &str) -> Result<(), &'static str> {
    if !(1..=512).contains(&name.chars().count()) {
        Err("does not have 1 to 512 characters")
    } else if name.contains([':', '*']) {
        Err("has a : or a * in it")
    } else {
        Ok(())
    }
}

/// The days for which a group may keep its events. (PutRetentionPolicy.)
pub const RETENTION_IN_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
