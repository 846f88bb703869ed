//! CEL: one expression, compiled once, over the roles as a variable of the
//! root context; a request is a scope within it, with the variables that
//! proxies give (`request.method`, `request.path`, `request.headers`).

use anyhow::Result;
use barmkin_bench_peer::{Decide, Question, Request};
use cel::{Context, Env, Value};
use std::collections::HashMap;
use std::sync::Arc;

const EXPRESSION: &str = "claims.roles.exists(role, role in may \
    && may[role].method == request.method && request.path.startsWith(may[role].below))";

pub(crate) fn prepare(question: &Question) -> Result<Decide> {
    let env = Arc::new(Env::stdlib());
    let program = env.compile(EXPRESSION)?;
    let may: HashMap<String, HashMap<String, String>> = question
        .roles
        .iter()
        .map(|role| {
            let rule = [("method", &role.method), ("below", &role.below)];
            (role.name.clone(), rule.map(|(name, value)| (name.to_owned(), value.clone())).into())
        })
        .collect();
    let mut root = Context::with_env(env);
    root.add_variable_from_value("may", may);
    Ok(Box::new(move |request| {
        let mut scope = root.new_inner_scope();
        let claims: serde_json::Value = serde_json::from_str(&request.claims)?;
        scope.add_variable("claims", claims)?;
        scope.add_variable_from_value("request", variable(request));
        Ok(program.execute(&scope)? == Value::Bool(true))
    }))
}

fn variable(request: &Request) -> HashMap<&str, Value> {
    let headers: HashMap<&str, &str> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    HashMap::from([
        ("method", request.method.as_str().into()),
        ("path", request.path.as_str().into()),
        ("headers", headers.into()),
    ])
}
