//! The stock policy rate-quota.
