//! The list of groups, with their sizes and newest events.

use aws_clients::ApiError;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;

use crate::service::{Group, Logs};
use crate::time::ago;

/// A group and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupFacts {
    /// Its name.
    pub name: String,
    /// The size of its events.
    pub stored_bytes: i64,
    /// After how many days events go.
    pub retention_days: Option<i32>,
    /// When its newest event happened.
    pub last_event: Option<Timestamp>,
}

/// Asks for each group's newest event.
///
/// # Errors
/// When the API cannot be asked.
pub async fn facts(logs: &dyn Logs, groups: &[Group]) -> Result<Vec<GroupFacts>, ApiError> {
    try_join_all(groups.iter().map(|group| async {
        let newest = logs.newest_event(&group.name).await?;
        Ok(GroupFacts {
            name: group.name.to_string(),
            stored_bytes: group.stored_bytes,
            retention_days: group.retention_days,
            last_event: newest.and_then(|newest| Timestamp::from_millisecond(newest).ok()),
        })
    }))
    .await
}

/// When the newest event of all groups happened.
///
/// # Errors
/// When the API cannot be asked.
pub async fn newest(logs: &dyn Logs, groups: &[Group]) -> Result<Option<i64>, ApiError> {
    let each = try_join_all(groups.iter().map(|group| logs.newest_event(&group.name))).await?;
    Ok(each.into_iter().flatten().max())
}

/// The list as a table for people.
pub fn table(facts: &[GroupFacts], now: i64) -> String {
    let name_width = facts.iter().map(|group| group.name.chars().count()).max().unwrap_or(0).max(5);
    let mut text = format!("{:<name_width$} {:>10} {:>9}  LAST EVENT\n", "GROUP", "SIZE", "RETENTION");
    for group in facts {
        let retention = group.retention_days.map_or("-".to_owned(), |days| format!("{days} d"));
        let last = group
            .last_event
            .map_or("-".to_owned(), |last| format!("{} ago", ago(last.as_millisecond(), now)));
        text +=
            &format!("{:<name_width$} {:>10} {retention:>9}  {last}\n", group.name, size(group.stored_bytes));
    }
    text
}

/// A size in the largest unit that it fills: `870 B`, `12.5 KiB`.
pub fn size(bytes: i64) -> String {
    let mut amount = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if amount < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, event};

    #[tokio::test]
    async fn groups_are_listed_with_size_and_newest_event() {
        let fake = Fake::of(&["/shop/app", "/shop/empty"]);
        fake.put(event("/shop/app", "i-1", 1_000, "old"));
        fake.put(event("/shop/app", "i-2", 61_000, "new"));
        {
            let mut groups = fake.groups.lock().unwrap();
            (groups[0].stored_bytes, groups[0].retention_days) = (12_800, Some(7));
        }
        let groups = fake.groups(None).await.unwrap();
        let facts = facts(&fake, &groups).await.unwrap();
        assert_eq!(
            table(&facts, 361_000),
            "GROUP             SIZE RETENTION  LAST EVENT\n\
             /shop/app     12.5 KiB       7 d  5 min ago\n\
             /shop/empty        0 B         -  -\n"
        );
        assert_eq!(newest(&fake, &groups).await, Ok(Some(61_000)));
        assert_eq!(newest(&fake, &groups[1..]).await, Ok(None));
    }

    #[test]
    fn sizes() {
        for (bytes, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 40, "3.0 TiB")]
        {
            assert_eq!(size(bytes), expected);
        }
    }
}
