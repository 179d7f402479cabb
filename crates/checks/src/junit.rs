//! A report as JUnit XML, for machines that show test results.

use quick_junit::{
    NonSuccessKind, Property, Report as Junit, SerializeError, TestCase, TestCaseStatus, TestSuite,
};

use crate::report::{Outcome, Report};
use crate::verdict::Verdict;

impl Report {
    /// The report as JUnit XML: one suite, one case a check. What is not as expected is a failure, what could not be found
    /// out an error.
    ///
    /// # Errors
    /// When the writer of XML fails.
    pub fn junit(&self) -> Result<String, SerializeError> {
        let mut suite = TestSuite::new(format!("drydock verify image {}", self.subject));
        suite.set_time(self.took);
        suite.add_properties(self.properties.iter().map(|(name, value)| Property::new(name, value)));
        suite.add_test_cases(self.outcomes.iter().map(case));
        let mut junit = Junit::new("drydock verify image");
        junit.set_time(self.took);
        junit.add_test_suite(suite);
        junit.to_string()
    }
}

fn case(outcome: &Outcome) -> TestCase {
    let lines = outcome.verdict.lines();
    let status = match &outcome.verdict {
        Verdict::Held { .. } => TestCaseStatus::success(),
        Verdict::Failed { .. } => non_success(NonSuccessKind::Failure, "mismatch", outcome, &lines),
        Verdict::Unknown { .. } => non_success(NonSuccessKind::Error, "unknown", outcome, &lines),
        Verdict::Skipped { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
    };
    let mut case = TestCase::new(outcome.claim.as_str(), status);
    case.set_classname(outcome.kind);
    if matches!(outcome.verdict, Verdict::Held { .. }) {
        case.set_system_out(lines.join("\n"));
    }
    case
}

fn non_success(kind: NonSuccessKind, class: &str, outcome: &Outcome, lines: &[String]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(class);
    status.set_message(lines.join("; "));
    let why = outcome.why.iter().map(|why| format!("why: {why}"));
    status.set_description(lines.iter().cloned().chain(why).collect::<Vec<_>>().join("\n"));
    status
}
