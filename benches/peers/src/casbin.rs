//! Casbin: its RESTful model (`keyMatch` on the path), a line for each role.
//! The roles come with the request, so that it is asked for each of them; it
//! takes three texts and never sees the headers.

use anyhow::{Result, anyhow};
use barmkin_bench_peer::{Decide, Question};
use casbin::{CoreApi, DefaultModel, Enforcer, StringAdapter};
use serde::Deserialize;
use std::fmt::Write;

const MODEL: &str = "
[request_definition]
r = sub, obj, act

[policy_definition]
p = sub, obj, act

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.sub == p.sub && r.act == p.act && keyMatch(r.obj, p.obj)
";

/// The fields of the request that it reads; serde passes over the rest.
#[derive(Deserialize)]
struct Document<'a> {
    method: &'a str,
    path: &'a str,
    #[serde(borrow)]
    claims: Claims<'a>,
}

#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    roles: Vec<&'a str>,
}

pub(crate) fn prepare(question: &Question) -> Result<Decide> {
    let mut lines = String::new();
    for role in &question.roles {
        writeln!(lines, "p, {}, {}*, {}", role.name, role.below, role.method)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let enforcer = runtime.block_on(async {
        let model = DefaultModel::from_str(MODEL).await?;
        Enforcer::new(model, StringAdapter::new(lines)).await
    });
    let enforcer = enforcer.map_err(|error| anyhow!("{error}"))?;
    Ok(Box::new(move |request| {
        let Document { method, path, claims } = serde_json::from_str(&request.0)?;
        for role in claims.roles {
            let allowed = enforcer.enforce((role, path, method));
            if allowed.map_err(|error| anyhow!("{error}"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }))
}
