//! What the kernel says of this process, read at each scrape. Source: proc(5).

use std::fs;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// `USER_HZ`, the unit of times in `/proc/self/stat`: 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Where `/proc/self/stat`, counted from behind the name, has user time, system time and the start.
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
const START: usize = 19;

#[derive(Debug, Default)]
pub(super) struct Process {
    resident: Gauge,
    cpu: Counter<f64, AtomicU64>,
    open_fds: Gauge,
    max_fds: Gauge,
    threads: Gauge,
    start: Gauge<f64, AtomicU64>,
}

impl Process {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("process_resident_memory_bytes", "Memory of the process that is in RAM", self.resident.clone());
        registry.register("process_cpu_seconds", "Processor time the process used, user and system", self.cpu.clone());
        registry.register("process_open_fds", "Open file descriptors of the process", self.open_fds.clone());
        registry.register("process_max_fds", "File descriptors the process may open", self.max_fds.clone());
        registry.register("process_threads", "Threads of the process", self.threads.clone());
        registry.register("process_start_time_seconds", "When the process started, Unix time", self.start.clone());
    }

    /// Reads all of it; what cannot be read stays as it was.
    pub(super) fn sample(&self) {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let number = |text: &str, name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.split_whitespace().next()?.parse::<i64>().ok())
        };
        let status = read("/proc/self/status");
        let set = |gauge: &Gauge, value: Option<i64>| value.map_or(0, |value| gauge.set(value));
        set(&self.resident, number(&status, "VmRSS:").map(|kib| kib * 1024));
        set(&self.threads, number(&status, "Threads:"));
        set(&self.max_fds, number(&read("/proc/self/limits"), "Max open files"));
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.open_fds.set(i64::try_from(open.count()).unwrap_or(i64::MAX));
        }
        let stat = read("/proc/self/stat");
        let fields: Vec<f64> =
            stat.rsplit(") ").next().unwrap_or_default().split(' ').map(|field| field.trim().parse().unwrap_or(0.0)).collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or(0.0) / TICKS_PER_SECOND;
        let more = field(USER_TIME) + field(SYSTEM_TIME) - self.cpu.get();
        if more > 0.0 {
            self.cpu.inc_by(more);
        }
        if let Some(boot) = number(&read("/proc/stat"), "btime").and_then(|seconds| u32::try_from(seconds).ok()) {
            self.start.set(f64::from(boot) + field(START));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_uses_memory_time_and_files() {
        let process = Process::default();
        process.sample();
        assert!(process.resident.get() > 1 << 20, "{process:?}");
        assert!(process.open_fds.get() >= 3 && process.max_fds.get() >= process.open_fds.get(), "{process:?}");
        assert!(process.threads.get() >= 1 && process.start.get() > 1.7e9, "{process:?}");
        let before = process.cpu.get();
        process.sample();
        assert!(process.cpu.get() >= before);
    }
}
