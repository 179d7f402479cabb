//! Refusals on demand: a test of a client tells the daemon to answer so many of its requests as a busy or broken
//! service would. Nothing is refused unless somebody with access to the state directory asks for it.

use aws_wire::Error;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// What to refuse, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only this operation; all when none.
    pub operation: Option<String>,
    /// The code of the refusal.
    pub code: Code,
    /// How many requests; all until it is taken back when none.
    pub times: Option<u32>,
}

/// How the service refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// Too many requests, status 400.
    ThrottlingException,
    /// Away, status 503.
    ServiceUnavailableException,
}

impl Code {
    fn error(self) -> Error {
        match self {
            Self::ThrottlingException => Error::client("ThrottlingException", "Rate exceeded"),
            Self::ServiceUnavailableException => Error::with_status(
                "ServiceUnavailableException",
                "The service cannot complete the request.",
                503,
            ),
        }
    }
}

/// The faults of a service.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Replaces all faults.
    pub fn set(&self, faults: Vec<Fault>) {
        *self.0.lock() = faults;
    }

    /// The refusal that an operation is to meet, if any.
    ///
    /// # Errors
    /// That refusal.
    pub fn meet(&self, operation: &str) -> Result<(), Error> {
        let mut faults = self.0.lock();
        let is_meant = |fault: &Fault| {
            fault.times != Some(0) && fault.operation.as_deref().is_none_or(|meant| meant == operation)
        };
        let Some(fault) = faults.iter_mut().find(|fault| is_meant(fault)) else { return Ok(()) };
        fault.times = fault.times.map(|times| times - 1);
        Err(fault.code.error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_met_as_often_as_told() {
        let faults = Faults::default();
        assert!(faults.meet("PutLogEvents").is_ok());
        let put = Some("PutLogEvents".to_owned());
        faults.set(vec![
            Fault { operation: put, code: Code::ThrottlingException, times: Some(2) },
            Fault { operation: None, code: Code::ServiceUnavailableException, times: None },
        ]);
        let met = |operation| faults.meet(operation).map_err(|error| (error.code, error.status));
        for _ in 0..2 {
            assert_eq!(met("PutLogEvents"), Err(("ThrottlingException".to_owned(), 400)));
        }
        let away = Err(("ServiceUnavailableException".to_owned(), 503));
        assert_eq!(met("PutLogEvents"), away);
        assert_eq!(met("GetLogEvents"), away);
        faults.set(Vec::new());
        assert!(met("GetLogEvents").is_ok());
    }
}
