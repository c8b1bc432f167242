//! What a process takes of memory and disk.

use std::path::Path;
use std::time::Duration;

pub(crate) const MIB: u64 = 1 << 20;

/// Returns the resident memory of a process, bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the program runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line VmRSS");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Watches resident memory until dropped, and remembers the largest it saw.
pub(crate) struct Watch {
    before: u64,
    peak: tokio::sync::watch::Receiver<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    pub(crate) fn on(pid: u32) -> Self {
        let before = resident(pid);
        let (tell, peak) = tokio::sync::watch::channel(before);
        let task = tokio::spawn(async move {
            loop {
                let now = resident(pid);
                tell.send_if_modified(|peak| std::mem::replace(peak, now.max(*peak)) < now);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { before, peak, task }
    }

    /// Returns the largest growth so far, bytes.
    pub(crate) fn growth(&self) -> u64 {
        *self.peak.borrow() - self.before
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns how many bytes the files below a folder have. One that goes meanwhile counts nothing.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        found => found.map_or(0, |file| file.len()),
    });
    bytes.sum()
}
