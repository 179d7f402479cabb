//! A query that was started, and how far it is.

use std::ops::Deref;
use std::sync::Arc;

use log_query::insights::{Query, Results};
use parking_lot::Mutex;

use crate::logs::state::GroupRecord;

/// How far a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It waits for others.
    Scheduled,
    /// It runs.
    Running,
    /// Its results are complete.
    Complete,
    /// It could not be carried to its end.
    Failed,
    /// It was stopped.
    Cancelled,
    /// It took too long.
    Timeout,
}

impl Status {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Timeout => "Timeout",
        }
    }

    /// Whether nothing more will come.
    pub fn is_final(self) -> bool {
        match self {
            Self::Scheduled | Self::Running => false,
            Self::Complete | Self::Failed | Self::Cancelled | Self::Timeout => true,
        }
    }
}

/// What was asked for.
pub struct Order {
    /// The query's id.
    pub id: String,
    /// The region.
    pub region: String,
    /// The account's number.
    pub account: String,
    /// Who asked, an ARN.
    pub user: String,
    /// The query as it was written.
    pub text: String,
    /// The query.
    pub query: Query,
    /// The groups.
    pub groups: Vec<Arc<GroupRecord>>,
    /// The first millisecond.
    pub from: i64,
    /// The millisecond after the last.
    pub until: i64,
    /// How many rows, where the query does not say.
    pub limit: Option<usize>,
    /// When it was asked for, milliseconds since 1970.
    pub created: i64,
}

/// What there is of a query.
#[derive(Debug, Clone)]
pub struct Progress {
    /// How far it is.
    pub status: Status,
    /// The results so far.
    pub results: Arc<Results>,
    /// How long it took, when it has ended.
    pub duration_ms: Option<i64>,
}

/// A query that was started.
pub struct Job {
    order: Order,
    progress: Mutex<Progress>,
}

impl Deref for Job {
    type Target = Order;

    fn deref(&self) -> &Order {
        &self.order
    }
}

impl Job {
    /// A job that nobody does yet.
    pub fn new(order: Order) -> Self {
        let progress = Progress { status: Status::Scheduled, results: Arc::default(), duration_ms: None };
        Self { order, progress: Mutex::new(progress) }
    }

    /// How far it is, with its results.
    pub fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        self.progress.lock().status
    }

    /// Begins it; false when it was stopped before.
    pub fn begin(&self) -> bool {
        let mut progress = self.progress.lock();
        let is_wanted = progress.status == Status::Scheduled;
        if is_wanted {
            progress.status = Status::Running;
        }
        is_wanted
    }

    /// Shows results of a job that goes on.
    pub fn show(&self, results: Results) {
        self.progress.lock().results = Arc::new(results);
    }

    /// Ends it, unless it was stopped before.
    pub fn end(&self, status: Status, results: Option<Results>, duration_ms: i64) {
        let mut progress = self.progress.lock();
        if progress.status.is_final() {
            return;
        }
        progress.status = status;
        progress.duration_ms = Some(duration_ms);
        if let Some(results) = results {
            progress.results = Arc::new(results);
        }
    }

    /// Stops it; false when it has ended.
    pub fn cancel(&self) -> bool {
        let mut progress = self.progress.lock();
        let goes_on = !progress.status.is_final();
        if goes_on {
            progress.status = Status::Cancelled;
        }
        goes_on
    }
}
