//! What is measured beside what, and what each is called in reports.

/// Who is measured, in reports.
pub(super) const TIDINGS: &str = "tidings";
pub(super) const BASELINE_EACH: &str = "bare loop, one write each";
pub(super) const BASELINE_SHARED: &str = "bare loop, 2 ms batches";
/// The loads that are run on more than our broker.
pub(super) const BESIDE: [&str; 3] = ["room-flood", "room-paced", "peer-durable"];
