//! The policy attribute of barmkin-guest.
