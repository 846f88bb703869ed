use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};

/// Bytes of memory that this process has, with its share of what it shares.
///
/// # Errors
/// When the system does not say (Linux 4.14 and later do).
pub fn pss_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("there is no line `Pss`")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Bytes of all code that is mapped into this process.
///
/// # Errors
/// When the system does not say.
pub fn executable_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/maps")?;
    let mut total = 0;
    for line in text.lines() {
        let (range, rest) = line.split_once(' ').context("a line of maps")?;
        if rest.as_bytes().get(2) == Some(&b'x') {
            let (start, end) = range.split_once('-').context("a range")?;
            total += u64::from_str_radix(end, 16)? - u64::from_str_radix(start, 16)?;
        }
    }
    Ok(total)
}

/// Page faults of this thread so far that needed no disk.
///
/// # Errors
/// When the system does not say.
pub fn thread_faults() -> Result<i64> {
    Ok(getrusage(UsageWho::RUSAGE_THREAD)?.minor_page_faults())
}
