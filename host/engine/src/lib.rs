//! Runs sandboxed policies over HTTP requests.
