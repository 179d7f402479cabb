//! What scaling activities say, in Auto Scaling's words. Pure.

use jiff::Timestamp;

use super::state::Health;

/// A time as activities tell it.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Why the desired capacity was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// `CreateAutoScalingGroup`
    Create,
    /// `UpdateAutoScalingGroup`
    Update {
        /// The new bounds and desired capacity.
        min: i32,
        /// The most.
        max: i32,
    },
    /// `SetDesiredCapacity`
    SetDesired,
    /// `DeleteAutoScalingGroup` with its instances
    ForceDelete,
}

/// The sentence about a change of the desired capacity that a user asked for.
pub fn change(request: Request, from: i32, to: i32, at: Timestamp) -> String {
    let what = match request {
        Request::Create => "created an AutoScalingGroup".to_owned(),
        Request::Update { min, max } => {
            format!("update of AutoScalingGroup constraints to min: {min}, max: {max}, desired: {to}")
        }
        Request::SetDesired => "explicitly set group desired capacity".to_owned(),
        Request::ForceDelete => "force deleted AutoScalingGroup".to_owned(),
    };
    format!("At {} a user request {what} changing the desired capacity from {from} to {to}.", time(at))
}

/// Why an instance is launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// There are fewer than wanted.
    Difference {
        /// How many there are.
        from: usize,
        /// How many there will be.
        to: usize,
    },
    /// It takes an unhealthy instance's place.
    Replacement,
}

/// Why an instance is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// There are more than wanted.
    Difference {
        /// How many there are.
        from: usize,
        /// How many there will be.
        to: usize,
    },
    /// It is unhealthy.
    Unhealthy(Health),
    /// A user named it.
    Named {
        /// The desired capacity before and after, where the request lowered it.
        shrinking: Option<(i32, i32)>,
    },
}

/// The cause of a launch. `change` is the sentence about the change that it answers.
pub fn launching(change: Option<&str>, arrival: Arrival, at: Timestamp) -> String {
    let at = time(at);
    match arrival {
        Arrival::Difference { from, to } => after(
            change,
            format!(
                "At {at} an instance was started in response to a difference between desired and actual capacity, \
                 increasing the capacity from {from} to {to}."
            ),
        ),
        Arrival::Replacement => {
            format!(
                "At {at} an instance was launched in response to an unhealthy instance needing to be replaced."
            )
        }
    }
}

/// The cause of a termination.
pub fn terminating(change: Option<&str>, departure: Departure, instance: &str, at: Timestamp) -> String {
    let at = time(at);
    match departure {
        Departure::Difference { from, to } => after(
            change,
            format!(
                "At {at} an instance was taken out of service in response to a difference between desired and actual \
                 capacity, shrinking the capacity from {from} to {to}.  At {at} instance {instance} was selected for \
                 termination."
            ),
        ),
        Departure::Unhealthy(Health::Reported) => {
            format!("At {at} an instance was taken out of service in response to a user health-check.")
        }
        Departure::Unhealthy(Health::NotRunning | Health::Healthy) => format!(
            "At {at} an instance was taken out of service in response to an EC2 health check indicating it has been \
             terminated or stopped."
        ),
        Departure::Named { shrinking } => {
            let shrinking =
                shrinking.map(|(from, to)| format!(", shrinking the capacity from {from} to {to}"));
            let shrinking = shrinking.unwrap_or_default();
            format!(
                "At {at} instance {instance} was taken out of service in response to a user request{shrinking}."
            )
        }
    }
}

/// The cause of a detachment.
pub fn detaching(instance: &str, shrinking: Option<(i32, i32)>, at: Timestamp) -> String {
    let shrinking = shrinking.map(|(from, to)| format!(", shrinking the capacity from {from} to {to}"));
    let shrinking = shrinking.unwrap_or_default();
    format!("At {} instance {instance} was detached in response to a user request{shrinking}.", time(at))
}

/// The cause of an attachment.
pub fn attaching(from: i32, to: i32, at: Timestamp) -> String {
    format!(
        "At {} an instance was attached in response to a user request, increasing the capacity from {from} to {to}.",
        time(at)
    )
}

fn after(change: Option<&str>, sentence: String) -> String {
    match change {
        Some(change) => format!("{change}  {sentence}"),
        None => sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_as_auto_scaling_tells_them() {
        let then: Timestamp = "2026-01-02T03:04:05.6Z".parse().unwrap();
        let now: Timestamp = "2026-01-02T03:04:10Z".parse().unwrap();
        let created = change(Request::Create, 0, 1, then);
        for (told, expected) in [
            (
                launching(Some(&created), Arrival::Difference { from: 0, to: 1 }, now),
                "At 2026-01-02T03:04:05Z a user request created an AutoScalingGroup changing the desired capacity from \
                 0 to 1.  At 2026-01-02T03:04:10Z an instance was started in response to a difference between desired \
                 and actual capacity, increasing the capacity from 0 to 1.",
            ),
            (
                launching(Some(&created), Arrival::Replacement, now),
                "At 2026-01-02T03:04:10Z an instance was launched in response to an unhealthy instance needing to be \
                 replaced.",
            ),
            (
                terminating(
                    Some(&change(Request::Update { min: 1, max: 3 }, 3, 2, then)),
                    Departure::Difference { from: 3, to: 2 },
                    "i-1",
                    now,
                ),
                "At 2026-01-02T03:04:05Z a user request update of AutoScalingGroup constraints to min: 1, max: 3, \
                 desired: 2 changing the desired capacity from 3 to 2.  At 2026-01-02T03:04:10Z an instance was taken \
                 out of service in response to a difference between desired and actual capacity, shrinking the \
                 capacity from 3 to 2.  At 2026-01-02T03:04:10Z instance i-1 was selected for termination.",
            ),
            (
                terminating(None, Departure::Unhealthy(Health::NotRunning), "i-1", now),
                "At 2026-01-02T03:04:10Z an instance was taken out of service in response to an EC2 health check \
                 indicating it has been terminated or stopped.",
            ),
            (
                terminating(None, Departure::Unhealthy(Health::Reported), "i-1", now),
                "At 2026-01-02T03:04:10Z an instance was taken out of service in response to a user health-check.",
            ),
            (
                terminating(None, Departure::Named { shrinking: Some((2, 1)) }, "i-1", now),
                "At 2026-01-02T03:04:10Z instance i-1 was taken out of service in response to a user request, \
                 shrinking the capacity from 2 to 1.",
            ),
        ] {
            assert_eq!(told, expected);
        }
    }
}
