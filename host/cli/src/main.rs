//! The command line of Barmkin.

fn main() {}
