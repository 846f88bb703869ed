//! Which core does what.

use anyhow::Result;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The first two cores that this thread may use, if there are two.
pub(super) struct Cores(Option<[usize; 2]>);

impl Cores {
    pub(super) fn find() -> Result<Self> {
        let usable = sched_getaffinity(this_thread())?;
        let mut cores = (0..CpuSet::count()).filter(|core| usable.is_set(*core).unwrap_or(false));
        Ok(Self(cores.next().zip(cores.next()).map(Into::into)))
    }

    pub(super) fn are_two(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps this thread, and what it starts from here on, on the first.
    pub(super) fn first(&self) -> Result<()> {
        self.0.map_or(Ok(()), |[first, _]| pin(first))
    }

    /// The same, on the second.
    pub(super) fn second(&self) -> Result<()> {
        self.0.map_or(Ok(()), |[_, second]| pin(second))
    }
}

fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    Ok(sched_setaffinity(this_thread(), &cores)?)
}

fn this_thread() -> Pid {
    Pid::from_raw(0)
}
