//! Rego, compiled for regorus's register machine: the faster of its two ways
//! to evaluate. The roles are data, as Rego's documentation recommends.

use anyhow::Result;
use barmkin_bench_peer::{Decide, Question};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Rc, Value};
use serde_json::json;

const POLICY: &str = r#"
package gate

default allow := false

allow if {
    some role in input.claims.roles
    may := data.roles[role]
    may.method == input.method
    startswith(input.path, may.below)
}
"#;

const ENTRY: &str = "data.gate.allow";

pub(crate) fn prepare(question: &Question) -> Result<Decide> {
    let roles: serde_json::Map<_, _> = question
        .roles
        .iter()
        .map(|role| (role.name.clone(), json!({ "method": role.method, "below": role.below })))
        .collect();
    let data = Value::from(json!({ "roles": roles }));
    let mut engine = Engine::new();
    engine.add_policy("gate.rego".to_owned(), POLICY.to_owned())?;
    engine.add_data(data.clone())?;
    let policy = engine.compile_with_entrypoint(&Rc::from(ENTRY))?;
    let program = Compiler::compile_from_policy(&policy, &[ENTRY])?;
    let mut machine = RegoVM::new();
    machine.load_program(program);
    machine.set_data(data)?;
    Ok(Box::new(move |request| {
        machine.set_input(Value::from_json_str(&request.0)?);
        Ok(machine.execute()? == Value::from(true))
    }))
}
