//! The peers: other engines on the decision that `rbac_fresh` makes.
//!
//! Each is prepared as its documentation tells its users, and then gets every
//! request as a proxy would hand it over: without knowing what the policy will
//! read.

mod casbin;
mod cedar;
mod cel;
mod regorus;

fn main() -> anyhow::Result<()> {
    barmkin_bench_peer::serve(|question| {
        Ok(vec![
            ("peer_regorus", regorus::prepare(question)?),
            ("peer_cedar", cedar::prepare(question)?),
            ("peer_cel", cel::prepare(question)?),
            ("peer_casbin", casbin::prepare(question)?),
        ])
    })
}
