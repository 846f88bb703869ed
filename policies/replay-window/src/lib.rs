//! The stock policy replay-window.
