//! Other processes: this program again, in another role, so that what is
//! counted of it is its own.

mod child;
mod cpu;
mod memory;
mod peer;
mod trace;

pub use child::{Child, Line};
pub use cpu::{CpuTime, pin_thread};
pub use memory::{executable_bytes, pss_bytes, thread_faults};
pub use peer::peers;
pub use trace::{Traced, mark};
