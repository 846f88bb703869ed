//! Counts what a child does, by following it as a debugger does: it needs no
//! tool on the machine, and no clock.

use super::child::Child;
use anyhow::{Context, Result, bail, ensure};
use nix::libc::{SYS_madvise, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_munmap, c_long};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// By this a thread says that something to count begins or ends.
const MARK: Signal = Signal::SIGUSR1;

/// The system calls that change what is mapped where.
const MAPPING_CALLS: [c_long; 5] = [SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_mremap];

/// Tells a tracer that something begins or ends. Without a tracer it is the
/// end of the process.
pub fn mark() {
    raise(MARK).expect("a thread can signal itself");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Mark,
    Step,
}

/// A child whose main thread is followed.
pub struct Traced {
    _child: Child,
    thread: Pid,
}

impl Traced {
    /// Follows the main thread of `child`, which says that it is ready and waits
    /// for a line; then it gets one.
    ///
    /// # Errors
    /// When this machine does not let us.
    pub fn follow(mut child: Child) -> Result<Self> {
        child.hear()?;
        let thread = Pid::from_raw(child.id().try_into()?);
        ptrace::attach(thread).context("a child cannot be traced here")?;
        let stopped = waitpid(thread, None)?;
        ensure!(matches!(stopped, WaitStatus::Stopped(_, Signal::SIGSTOP)), "the child is {stopped:?}");
        // Tells stops at system calls from others.
        ptrace::setoptions(thread, ptrace::Options::PTRACE_O_TRACESYSGOOD)?;
        child.tell("")?;
        Ok(Self { _child: child, thread })
    }

    /// How many system calls by which something is mapped the thread makes
    /// between the next two marks.
    ///
    /// # Errors
    /// When it ends before.
    pub fn mapping_calls(&mut self) -> Result<u64> {
        self.run_to_mark()?;
        let mut calls = 0;
        let mut entered = false;
        while self.run_on(ptrace::syscall)? != Stop::Mark {
            entered = !entered;
            if entered && self.is_mapping()? {
                calls += 1;
            }
        }
        Ok(calls)
    }

    /// How many instructions the thread runs between the next two marks, those
    /// of the kernel aside.
    ///
    /// # Errors
    /// When it ends before.
    pub fn instructions(&mut self) -> Result<u64> {
        self.run_to_mark()?;
        let mut instructions = 0;
        while self.run_on(ptrace::step)? != Stop::Mark {
            instructions += 1;
        }
        Ok(instructions)
    }

    fn run_to_mark(&self) -> Result<()> {
        while self.run_on(ptrace::cont)? != Stop::Mark {}
        Ok(())
    }

    /// Lets it go on until it is where `on` stops it, or at a mark.
    fn run_on(&self, on: fn(Pid, Option<Signal>) -> nix::Result<()>) -> Result<Stop> {
        let mut signal = None;
        loop {
            on(self.thread, signal)?;
            signal = match waitpid(self.thread, None)? {
                WaitStatus::Stopped(_, MARK) => return Ok(Stop::Mark),
                WaitStatus::Stopped(_, Signal::SIGTRAP) | WaitStatus::PtraceSyscall(_) => return Ok(Stop::Step),
                // Somebody who pauses everything on the machine.
                WaitStatus::Stopped(_, Signal::SIGSTOP | Signal::SIGCONT) => None,
                WaitStatus::Stopped(_, signal) => Some(signal),
                other => bail!("the child is {other:?}"),
            };
        }
    }

    fn is_mapping(&self) -> Result<bool> {
        let registers = ptrace::getregs(self.thread)?;
        #[cfg(target_arch = "x86_64")]
        let number = registers.orig_rax;
        #[cfg(target_arch = "aarch64")]
        let number = registers.regs.get(8).copied().unwrap_or(u64::MAX);
        Ok(MAPPING_CALLS.iter().any(|call| u64::try_from(*call) == Ok(number)))
    }
}
