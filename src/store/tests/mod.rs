//! What every store keeps to, and what happens to one whose disk fails.

mod backup;
mod contract;
mod contract_reads;
mod contract_rows;
mod damage;
mod faults;
mod half_made;
mod looking;
mod older_formats;
mod overview;
mod salvage;
mod support;
