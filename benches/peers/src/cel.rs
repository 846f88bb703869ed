//! CEL: one expression, compiled once, over the roles as a variable of the
//! root context; a request is a variable of a scope within it.

use anyhow::Result;
use barmkin_bench_peer::{Decide, Question};
use cel::{Context, Env, Value};
use std::collections::HashMap;
use std::sync::Arc;

const EXPRESSION: &str = "request.claims.roles.exists(role, role in may \
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
        scope.add_variable("request", serde_json::from_str::<serde_json::Value>(&request.0)?)?;
        Ok(program.execute(&scope)? == Value::Bool(true))
    }))
}
