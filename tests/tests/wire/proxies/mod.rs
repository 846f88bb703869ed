//! Real nginx, Caddy, HAProxy and Envoy, each with the configuration that
//! `barmkin check --for` prints, attacked by raw bytes.

mod answers;
mod attacks;
mod fields;
mod framing;
mod front;
mod hosts;
mod http2;
mod in_front;
mod judge;
mod origin;
mod paths;
mod silence;
mod upgrades;
