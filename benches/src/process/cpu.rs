use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::time::Duration;

/// Keeps this thread on one core.
///
/// # Errors
/// When the machine does not have it.
pub fn pin_thread(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &cores).with_context(|| format!("core {core} cannot be had"))
}

/// The CPU time of a process by its threads, to the nanosecond: `/proc/PID/stat`
/// counts in hundredths of a second.
pub struct CpuTime(BTreeMap<std::ffi::OsString, u64>);

impl CpuTime {
    /// Of process `id`, now.
    ///
    /// # Errors
    /// When it is gone, or the system does not count.
    pub fn of(id: u32) -> Result<Self> {
        let tasks = std::fs::read_dir(format!("/proc/{id}/task"))?;
        let mut threads = BTreeMap::new();
        for task in tasks {
            let task = task?;
            let text = std::fs::read_to_string(task.path().join("schedstat"))?;
            let nanoseconds = text.split(' ').next().context("time on the CPU")?.parse()?;
            threads.insert(task.file_name(), nanoseconds);
        }
        Ok(Self(threads))
    }

    /// The time that was used since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        let used = self.0.iter().map(|(thread, now)| now - earlier.0.get(thread).copied().unwrap_or_default());
        Duration::from_nanos(used.sum())
    }
}
